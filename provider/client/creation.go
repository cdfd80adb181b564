package client

import "github.com/hashicorp/terraform-plugin-framework/diag"

// AtCreation turns an error in the plan of a creation into a warning that the apply will
// be refused.
//
// Terraform plans again during the apply. With create_before_destroy the object that is
// being replaced is deposed by then, and an error of that plan leaves it deposed, so that
// every later apply has the same error. An error of Create restores it. A plan cannot
// distinguish the two cases, since a creation's second plan knows nothing of the first.
func AtCreation(d diag.Diagnostic) diag.Diagnostic {
	if d.Severity() != diag.SeverityError {
		return d
	}
	detail := d.Detail() + "\n\nThe apply will be refused."
	if at, ok := d.(diag.DiagnosticWithPath); ok {
		return diag.NewAttributeWarningDiagnostic(at.Path(), d.Summary(), detail)
	}
	return diag.NewWarningDiagnostic(d.Summary(), detail)
}

// AsError returns d. Create uses it where the plan uses AtCreation.
func AsError(d diag.Diagnostic) diag.Diagnostic { return d }

// ReplacedBeforeDestroyed is the remedy if the existing object is the one that is being
// replaced.
const ReplacedBeforeDestroyed = "If this resource itself is being replaced, it is unchanged: " +
	"remove create_before_destroy from it and from resources that depend on it (which inherit it), and plan again. " +
	"If the plan shows it as deposed, remove it from the state with terraform state rm and this resource's address, " +
	"and then import it."
