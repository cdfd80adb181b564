package firewall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	policy "github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/address"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// What exists is not made again: two rules that are the same say no more than
// one, and a second owner would undo what the first does.

// singles are the rules that resources of one run manage, by all but their id:
// each single rule, and those that a policy lists.
type singles struct{ client.Singles }

const twiceTitle = "One firewall rule twice"

const twiceText = "Another scimbridge_firewall_rule, or the rules of a scimbridge_firewall_policy, of this configuration have, or are to make, " +
	"a rule with the same action, values, priority and description. The account keeps one rule of a kind: keep one of the two, " +
	"or tell them apart by their description."

// ids are those of the rules that are there, by all but the id.
type ids struct {
	once sync.Once
	of   map[string]string
}

func (i *ids) in(present *client.Firewall) map[string]string {
	i.once.Do(func() {
		i.of = make(map[string]string, len(present.Rules))
		for _, rule := range present.Rules {
			i.of[alike(rule)] = rule.Id
		}
	})
	return i.of
}

const existsTitle = "The firewall rule exists already"

// foretell warns of what is there. That is no error: the rule may be another
// resource's that is destroyed in this run, and Terraform plans in any order.
func (r *rule) foretell(ctx context.Context, w wanted, adopts bool) (diags diag.Diagnostics) {
	if !r.client.Known() || r.client.Applying() {
		return nil
	}
	present, err := r.client.Firewall(ctx)
	if err != nil {
		return nil // what is wrong with the account is said elsewhere
	}
	key := alike(w.asRule(""))
	id := client.Once[ids](r.client).in(present)[key]
	switch {
	case id == "" || client.Once[owners](r.client).Knows(id):
	case adopts:
		diags.AddWarning("A firewall rule is taken over", fmt.Sprintf("The account has rule %s, the same in action, values, priority and description. "+
			"With adopt_existing it is this resource's after the apply, and destroyed with it.", id))
	default:
		at := cmp.Or(client.Once[addressBook](r.client).read()[key], ruleKind+".<name>")
		diags.AddWarning(existsTitle, existsAs(id)+" The account will not make a second one. To manage it here, import it:\n\n"+
			client.ImportBlock(at, id)+"\n\nadopt_existing = true takes it over without a block. "+
			"If it is the rule of a resource that has another name now, write a moved block instead: nothing is made or destroyed then.")
	}
	return diags
}

// existing is what this run was refused to make, by id.
type existing struct{ client.Existing }

// handover is which rules go from one resource to another, by id.
type handover struct{ client.Handover }

// existingID is the rule that is in the way, if err says that one is.
func existingID(err error) string {
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Problem.Code != api.ErrorCodeFirewallRuleExists || e.Details().ExistingId == nil {
		return ""
	}
	return *e.Details().ExistingId
}

const ruleKind = "scimbridge_firewall_rule"

// exists is the error for a rule that the account has.
func (r *rule) exists(ctx context.Context, id string) string {
	return client.Once[existing](r.client).Describe(ruleKind, id, existsAs(id), "rules", func() map[string]string { return r.addresses(ctx) }) +
		"If it is the rule of a resource that has another name now, write a moved block instead: nothing is made or destroyed then. " +
		"If this run has destroyed it since, run terraform apply again. " + client.ReplacedBeforeDestroyed
}

func existsAs(id string) string {
	return fmt.Sprintf("The account has a rule that is the same in action, values, priority and description, and is not in this state: %s.", id)
}

// addresses are those of the rules in the configuration that the account has,
// by id, as far as the configuration tells.
func (r *rule) addresses(ctx context.Context) map[string]string {
	present, err := r.client.Firewall(ctx)
	if err != nil {
		return nil
	}
	book := client.Once[addressBook](r.client).read()
	found := make(map[string]string)
	for _, rule := range present.Rules {
		if address := book[alike(rule)]; address != "" {
			found[rule.Id] = address
		}
	}
	return found
}

// addressBook has the addresses of the rules in the configuration, by all but
// their id. It is read once a run, when it is first needed.
type addressBook struct {
	once sync.Once
	of   map[string]string
}

func (b *addressBook) read() map[string]string {
	b.once.Do(func() {
		b.of = make(map[string]string)
		for _, instance := range address.Find(".", ruleKind) {
			if rule, ok := configuredRule(instance); ok {
				b.of[alike(rule)] = instance.Address
			}
		}
	})
	return b.of
}

// configuredRule is the rule that a resource makes, if its arguments are known
// and right.
func configuredRule(instance address.Instance) (rule api.FirewallRule, ok bool) {
	if !instance.Knows("action", "priority", "description", "ip_ranges", "countries", "continents", "anonymous_ips") {
		return rule, false
	}
	rule.Action = api.Allow
	for name, to := range map[string]any{"action": (*string)(&rule.Action), "description": &rule.Description} {
		if value, given := instance.Arguments[name]; given && !value.IsNull() && gocty.FromCtyValue(value, to) != nil {
			return rule, false
		}
	}
	rule.Priority = policy.Action(rule.Action).DefaultPriority()
	if value, given := instance.Arguments["priority"]; given && !value.IsNull() && gocty.FromCtyValue(value, &rule.Priority) != nil {
		return rule, false
	}
	rule.IpRanges, rule.Countries = listed[string](instance.Arguments["ip_ranges"]), listed[string](instance.Arguments["countries"])
	rule.Continents = listed[api.Continent](instance.Arguments["continents"])
	rule.AnonymousIps = listed[api.AnonymousIP](instance.Arguments["anonymous_ips"])
	return rule, len(values(rule)) > 0
}

// listed are the texts of a list or a set; nil where there is none.
func listed[T ~string](value cty.Value) *[]T {
	if value == cty.NilVal || value.IsNull() || !value.CanIterateElements() {
		return nil
	}
	var all []T
	for it := value.ElementIterator(); it.Next(); {
		_, element := it.Element()
		var text string
		if gocty.FromCtyValue(element, &text) != nil {
			return nil
		}
		all = append(all, T(text))
	}
	return &all
}
