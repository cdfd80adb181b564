package firewall

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// claims are which resources of one run manage which rules, by the rules' ids.
type claims struct{ client.Claims }

// claimAll refuses a second policy, and single rules that this one would undo.
func (c *claims) claimAll(owner string, removes bool, listed []string, diags *diag.Diagnostics) {
	conflict := c.ClaimAll(owner, removes, listed)
	if conflict.TwoLists {
		diags.AddError("Two owners of the firewall policy",
			"Another scimbridge_firewall_policy of this configuration manages the policy of the same account. "+
				"Each would undo what the other does: keep one.")
		return
	}
	if title, detail := describeConflict(conflict); title != "" {
		diags.AddAttributeError(path.Root("rules"), title, detail)
	}
}

// claimOne refuses a rule that the policy manages too, or would remove. A rule
// that is to be made has no id yet.
func (c *claims) claimOne(id string, diags *diag.Diagnostics) {
	if title, detail := describeConflict(c.ClaimOne(id)); title != "" {
		diags.AddError(title, detail)
	}
}

// release refuses to destroy a rule that the policy is to keep.
func (c *claims) release(id string, diags *diag.Diagnostics) {
	if title, detail := describeConflict(c.Release(id)); title != "" {
		diags.AddError(title, detail)
	}
}

func describeConflict(conflict client.Conflict) (title, detail string) {
	const two = "Two owners of a firewall rule"
	switch {
	case conflict.WouldRemove:
		return two, "A scimbridge_firewall_policy with rules and on_unmanaged = \"remove\" manages all rules of the " +
			"account, and a scimbridge_firewall_rule of this configuration manages one. Each would undo what the other does. " +
			"Move the rule into the policy's rules and forget the single one with a removed block; " +
			"or let the policy live beside single rules, with on_unmanaged = \"report\" or without rules."
	case conflict.DoublyManaged != "":
		return two, fmt.Sprintf("Managed by a scimbridge_firewall_rule and by the rules of scimbridge_firewall_policy: %s. "+
			"Keep one of the two.", conflict.DoublyManaged)
	case conflict.WouldDelete != "":
		return "A firewall rule of the policy would be deleted", fmt.Sprintf(
			"Destroying a scimbridge_firewall_rule deletes it, and scimbridge_firewall_policy is to keep it: %s. "+
				"To hand it over, forget the single resource:\n\nremoved {\n  from = scimbridge_firewall_rule.<name>\n"+
				"  lifecycle {\n    destroy = false\n  }\n}",
			conflict.WouldDelete)
	}
	return "", ""
}
