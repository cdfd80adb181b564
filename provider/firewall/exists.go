package firewall

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// What exists is not made again: two rules that are the same say no more than
// one, and a second owner would undo what the first does.

// creations are the rules that a run is to make, and those that are there, by
// all but their id. There is one for each run.
type creations struct {
	mu      sync.Mutex
	planned map[string]bool
	present map[string]string // the id
}

const existsTitle = "The firewall rule exists already"

// foretell refuses what the run would make twice, and warns of what is there.
// That is no error: the rule may be another resource's that is destroyed in
// this run, and Terraform plans in any order.
func (r *rule) foretell(ctx context.Context, w wanted) (diags diag.Diagnostics) {
	if !r.client.Known() || r.client.Applying() {
		return nil
	}
	present, err := r.client.Firewall(ctx)
	if err != nil {
		return nil // what is wrong with the account is said elsewhere
	}
	key := alike(w.asRule(""))
	twice, id := client.Once[creations](r.client).add(key, present)
	switch {
	case twice:
		diags.AddError("One firewall rule twice", "Another scimbridge_firewall_rule of this configuration is to be made with the same action, values, "+
			"priority and description. The account keeps one rule of a kind: keep one of the two, or tell them apart by their description.")
	case id != "" && !client.Once[owners](r.client).Knows(id):
		diags.AddWarning(existsTitle, existsDetail(id, "The account will not make a second one.")+
			"If it is the rule of a resource that has another name now, write a moved block instead: nothing is made or destroyed then.")
	}
	return diags
}

func (c *creations) add(key string, present *client.Firewall) (twice bool, id string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.planned == nil {
		c.planned, c.present = make(map[string]bool), make(map[string]string, len(present.Rules))
		for _, rule := range present.Rules {
			c.present[alike(rule)] = rule.Id
		}
	}
	twice, c.planned[key] = c.planned[key], true
	return twice, c.present[key]
}

// refusedExisting is the error for a rule that the account has, if err says so.
func refusedExisting(err error) (detail string, ok bool) {
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Problem.Code != "firewall_rule_exists" || e.Details().ExistingId == nil {
		return "", false
	}
	return existsDetail(*e.Details().ExistingId, "Nothing was made.") +
		"If it is the rule of a resource that has another name now, write a moved block instead: nothing is made or destroyed then. " +
		"If this run has destroyed it since, run terraform apply again. " + client.ReplacedBeforeDestroyed, true
}

func existsDetail(id, outcome string) string {
	return fmt.Sprintf("The account has a rule that is the same in action, values, priority and description, and is not in this state: %s. %s "+
		"To manage it here, import it:\n\n%s\n\n", id, outcome, importRule(id))
}

// importRule is what to paste when a rule is there already.
func importRule(id string) string {
	return fmt.Sprintf("import {\n  to = scimbridge_firewall_rule.<name>\n  id = %q\n}", id)
}
