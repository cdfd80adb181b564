package firewall

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// claims records which resources of a run manage which rules, by the rules' ids.
type claims struct{ client.Claims }

// claimAll refuses a second policy resource, and single rules that this one would remove.
func (c *claims) claimAll(owner string, removes bool, listed []string, diags *diag.Diagnostics) {
	conflict := c.ClaimAll(owner, removes, listed)
	if conflict.TwoLists {
		diags.AddError("Duplicate scimbridge_firewall_policy",
			"Another scimbridge_firewall_policy of this configuration manages the policy of the same account. "+
				"Each would undo the other's changes: remove one.")
		return
	}
	if title, detail := describeConflict(conflict); title != "" {
		diags.AddAttributeError(path.Root("rules"), title, detail)
	}
}

// claimOne refuses a rule that the policy resource manages too, or would remove. A new
// rule has no id yet.
func (c *claims) claimOne(id string, diags *diag.Diagnostics) {
	if title, detail := describeConflict(c.ClaimOne(id)); title != "" {
		diags.AddError(title, detail)
	}
}

// release refuses to destroy a rule that the policy keeps.
func (c *claims) release(id string, diags *diag.Diagnostics) {
	if title, detail := describeConflict(c.Release(id)); title != "" {
		diags.AddError(title, detail)
	}
}

func describeConflict(conflict client.Conflict) (title, detail string) {
	const two = "Firewall rule managed twice"
	switch {
	case conflict.WouldRemove:
		return two, "A scimbridge_firewall_policy with rules and on_unmanaged = \"remove\" manages all rules of the " +
			"account, and a scimbridge_firewall_rule of this configuration manages one of them. " +
			"Each would undo the other's changes. " +
			"Move the rule to the policy's rules and remove the single resource with a removed block. " +
			"Or keep both, with on_unmanaged = \"report\" or without rules in the policy."
	case conflict.DoublyManaged != "":
		return two, fmt.Sprintf("A scimbridge_firewall_rule and a scimbridge_firewall_policy manage the same rule: "+
			"%s. Remove one of the two.", conflict.DoublyManaged)
	case conflict.WouldDelete != "":
		return "Destroying the resource would delete a rule of the policy", fmt.Sprintf(
			"Destroying the scimbridge_firewall_rule deletes a rule that scimbridge_firewall_policy lists: %s. "+
				"To keep the rule, remove the resource without destroying it:\n\n"+
				"removed {\n  from = scimbridge_firewall_rule.<name>\n"+
				"  lifecycle {\n    destroy = false\n  }\n}",
			conflict.WouldDelete)
	}
	return "", ""
}
