package client

import "github.com/hashicorp/terraform-plugin-framework/diag"

// AtCreation is what the plan of a creation says of something that the apply
// will refuse: a warning.
//
// Terraform plans once more within the apply. With create_before_destroy the
// object that is being replaced is deposed by then, and an error of that plan
// leaves it so: every later apply meets it again. An error of Create puts it
// back. No plan can tell the two cases, since a creation's second plan knows
// nothing of the first.
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

// AsError returns a diagnostic as it is. Create uses it where the plan uses
// AtCreation.
func AsError(d diag.Diagnostic) diag.Diagnostic { return d }

// ReplacedBeforeDestroyed is the remedy if the existing object is the one that is
// being replaced.
const ReplacedBeforeDestroyed = "If this resource itself is being replaced, it is unchanged: " +
	"remove create_before_destroy from it and from what depends on it (which passes it on), and plan again. " +
	"If the plan calls it deposed, remove it from the state with terraform state rm and this resource's address, " +
	"and then import it."
