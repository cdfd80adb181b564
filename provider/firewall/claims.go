package firewall

import (
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// owners is who manages which rules in one run, by their ids.
type owners struct{ client.Owners }

// ownWhole refuses a second policy, and single rules that this one would undo.
func (o *owners) ownWhole(mark string, removes bool, listed []string, diags *diag.Diagnostics) {
	clash := o.Whole(mark, removes, listed)
	if clash.Wholes {
		diags.AddError("Two owners of the firewall policy",
			"Another scimbridge_firewall_policy of this configuration manages the policy of the same account. Each would undo what the other does: keep one.")
		return
	}
	if title, detail := refusal(clash); title != "" {
		diags.AddAttributeError(path.Root("rules"), title, detail)
	}
}

// ownOne refuses a rule that the policy manages too, or would remove. A rule
// that is to be made has no id yet.
func (o *owners) ownOne(id string, diags *diag.Diagnostics) {
	if title, detail := refusal(o.One(id)); title != "" {
		diags.AddError(title, detail)
	}
}

// leave refuses to destroy a rule that the policy is to keep.
func (o *owners) leave(id string, diags *diag.Diagnostics) {
	if title, detail := refusal(o.Leave(id)); title != "" {
		diags.AddError(title, detail)
	}
}

func refusal(clash client.Clash) (title, detail string) {
	const two = "Two owners of a firewall rule"
	switch {
	case clash.Undone:
		return two, "A scimbridge_firewall_policy with rules and on_unmanaged = \"remove\" manages all rules of the account, and a scimbridge_firewall_rule " +
			"of this configuration manages one. Each would undo what the other does. Move the rule into the policy's rules and forget the single one " +
			"with a removed block; or let the policy live beside single rules, with on_unmanaged = \"report\" or without rules."
	case clash.Twice != "":
		return two, fmt.Sprintf("Managed by a scimbridge_firewall_rule and by the rules of scimbridge_firewall_policy: %s. Keep one of the two.", clash.Twice)
	case clash.Lost != "":
		return "A firewall rule of the policy would be deleted", fmt.Sprintf(
			"Destroying a scimbridge_firewall_rule deletes it, and scimbridge_firewall_policy is to keep it: %s. "+
				"To hand it over, forget the single resource:\n\nremoved {\n  from = scimbridge_firewall_rule.<name>\n  lifecycle {\n    destroy = false\n  }\n}",
			clash.Lost)
	}
	return "", ""
}
