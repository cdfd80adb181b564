package firewall

import (
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
)

// owners is who manages what in one run. Terraform plans resources in any
// order and some at a time: each says what it manages and learns, in the same
// step, what stands against it, so that the second of two sees the first.
//
// What another configuration manages stays unseen.
type owners struct {
	mu      sync.Mutex
	whole   string          // the mark of the scimbridge_firewall_policy that was planned first
	removes bool            // it removes the rules that it does not list
	listed  map[string]bool // ids of its rules
	singles int             // scimbridge_firewall_rule that stay or are made
	managed map[string]bool // their ids
	leaving map[string]bool // ids of those that are destroyed
}

// ownWhole refuses a second policy, and single rules that this one would undo.
func (o *owners) ownWhole(mark string, removes bool, listed []string, diags *diag.Diagnostics) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.whole != "" && o.whole != mark {
		diags.AddError("Two owners of the firewall policy",
			"Another scimbridge_firewall_policy of this configuration manages the policy of the same account. Each would undo what the other does: keep one.")
		return
	}
	o.whole, o.removes, o.listed = mark, removes, make(map[string]bool)
	var twice, lost []string
	for _, id := range listed {
		o.listed[id] = true
		if o.managed[id] {
			twice = append(twice, id)
		}
		if o.leaving[id] {
			lost = append(lost, id)
		}
	}
	at := path.Root("rules")
	switch {
	case removes && o.singles > 0:
		diags.AddAttributeError(at, ownersTitle, refusedBoth)
	case len(twice) > 0:
		diags.AddAttributeError(at, ownersTitle, refusedTwice(twice))
	case len(lost) > 0:
		diags.AddAttributeError(at, lossTitle, refusedLoss(lost))
	}
}

// ownOne refuses a rule that the policy manages too, or would remove. A rule
// that is to be made has no id yet.
func (o *owners) ownOne(id string, diags *diag.Diagnostics) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.singles++
	if id != "" {
		if o.managed == nil {
			o.managed = make(map[string]bool)
		}
		o.managed[id] = true
	}
	switch {
	case o.removes:
		diags.AddError(ownersTitle, refusedBoth)
	case o.listed[id]:
		diags.AddError(ownersTitle, refusedTwice([]string{id}))
	}
}

// leave refuses to destroy a rule that the policy is to keep.
func (o *owners) leave(id string, diags *diag.Diagnostics) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.leaving == nil {
		o.leaving = make(map[string]bool)
	}
	o.leaving[id] = true
	if o.listed[id] {
		diags.AddError(lossTitle, refusedLoss([]string{id}))
	}
}

// knows tells whether a rule is some resource's, or was until this run.
func (o *owners) knows(id string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.managed[id] || o.leaving[id] || o.listed[id]
}

const (
	ownersTitle = "Two owners of a firewall rule"
	lossTitle   = "A firewall rule of the policy would be deleted"
	refusedBoth = "A scimbridge_firewall_policy with rules and on_unmanaged = \"remove\" manages all rules of the account, and a scimbridge_firewall_rule " +
		"of this configuration manages one. Each would undo what the other does. Move the rule into the policy's rules and forget the single one " +
		"with a removed block; or let the policy live beside single rules, with on_unmanaged = \"report\" or without rules."
)

func refusedTwice(ids []string) string {
	return fmt.Sprintf("Managed by a scimbridge_firewall_rule and by the rules of scimbridge_firewall_policy: %s. Keep one of the two.", sorted(ids))
}

func refusedLoss(ids []string) string {
	return fmt.Sprintf("Destroying a scimbridge_firewall_rule deletes it, and scimbridge_firewall_policy is to keep it: %s. "+
		"To hand it over, forget the single resource:\n\nremoved {\n  from = scimbridge_firewall_rule.<name>\n  lifecycle {\n    destroy = false\n  }\n}",
		sorted(ids))
}

func sorted(ids []string) string {
	return strings.Join(slices.Sorted(slices.Values(ids)), ", ")
}
