package firewall

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/gocty"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/address"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// What exists is not made again: two rules that are the same say no more than
// one, and a second owner would undo what the first does.

// singles are the rules that resources of one run manage, by all but their id:
// each single rule, and those that a policy lists.
type singles struct{ client.Singles }

const twiceTitle = "One firewall rule twice"

const twiceText = "Another scimbridge_firewall_rule, or the rules of a scimbridge_firewall_policy, " +
	"of this configuration have, or are to make, a rule with the same action, values, priority and description. " +
	"The account keeps one rule of a kind: keep one of the two, or tell them apart by their description."

// ids are those of the rules that are there, by all but the id.
type ids struct {
	once sync.Once
	of   map[string]string
}

func (i *ids) in(present *client.Firewall) map[string]string {
	i.once.Do(func() {
		i.of = make(map[string]string, len(present.Rules))
		for _, rule := range rulesOf(present.Firewall) {
			i.of[contentKey(rule)] = rule.ID
		}
	})
	return i.of
}

const existsTitle = "The firewall rule exists already"

// warnExisting warns of a rule that is there. That is no error: it may be another
// resource's that is destroyed in this run, and Terraform plans in any order.
func (r *ruleResource) warnExisting(ctx context.Context, desired firewall.Rule, adopts bool) (diags diag.Diagnostics) {
	if !r.client.Known() || r.client.Applying() {
		return nil
	}
	present, err := r.client.Firewall(ctx)
	if err != nil {
		return nil // what is wrong with the account is said elsewhere
	}
	key := contentKey(desired)
	id := client.PerRun[ids](r.client).in(present)[key]
	switch {
	case id == "" || client.PerRun[claims](r.client).Knows(id):
	case adopts:
		diags.AddWarning("A firewall rule is taken over",
			fmt.Sprintf("The account has rule %s, the same in action, values, priority and description. "+
				"With adopt_existing it is this resource's after the apply, and destroyed with it.", id))
	default:
		at := cmp.Or(client.PerRun[addressBook](r.client).read()[key], ruleKind+".<name>")
		diags.AddWarning(existsTitle, existsAs(id)+" The account will not make a second one. To manage it here, "+
			"import it:\n\n"+
			client.ImportBlock(at, id)+"\n\nadopt_existing = true takes it over without a block. "+
			"If it is the rule of a resource that has another name now, write a moved block instead: "+
			"nothing is made or destroyed then.")
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
func (r *ruleResource) exists(ctx context.Context, id string) string {
	return client.PerRun[existing](r.client).Describe(ruleKind, id, existsAs(id), "rules", func() map[string]string {
		return r.addresses(ctx)
	}) +
		"If it is the rule of a resource that has another name now, write a moved block instead: " +
		"nothing is made or destroyed then. If this run has destroyed it since, run terraform apply again. " +
		client.ReplacedBeforeDestroyed
}

func existsAs(id string) string {
	return fmt.Sprintf("The account has a rule that is the same in action, values, priority and description, "+
		"and is not in this state: %s.", id)
}

// addresses are those of the rules in the configuration that the account has,
// by id, as far as the configuration tells.
func (r *ruleResource) addresses(ctx context.Context) map[string]string {
	present, err := r.client.Firewall(ctx)
	if err != nil {
		return nil
	}
	book := client.PerRun[addressBook](r.client).read()
	found := make(map[string]string)
	for _, rule := range rulesOf(present.Firewall) {
		if address := book[contentKey(rule)]; address != "" {
			found[rule.ID] = address
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
				b.of[contentKey(rule)] = instance.Address
			}
		}
	})
	return b.of
}

// configuredRule is the rule that a resource makes, if its arguments are known
// and right.
func configuredRule(instance address.Instance) (rule firewall.Rule, ok bool) {
	arguments := []string{"action", "priority", "description"}
	for _, a := range matchAttributes {
		arguments = append(arguments, string(a.kind))
	}
	if !instance.Knows(arguments...) {
		return rule, false
	}
	given := func(name string, to any) bool { // what is left out stays as it is
		value, given := instance.Arguments[name]
		return !given || value.IsNull() || gocty.FromCtyValue(value, to) == nil
	}
	rule.Action = firewall.Allow
	if !given("action", (*string)(&rule.Action)) || !given("description", &rule.Description) {
		return rule, false
	}
	rule.Priority = rule.Action.DefaultPriority()
	if !given("priority", &rule.Priority) {
		return rule, false
	}
	for _, a := range matchAttributes {
		if values := textsIn(instance.Arguments[string(a.kind)]); len(values) > 0 {
			for i, value := range values {
				values[i] = a.field(&ruleModel{}).CanonicalOf(value)
			}
			slices.Sort(values)
			rule.Match = firewall.Match{Kind: a.kind, Values: values}
		}
	}
	return rule, len(rule.Match.Values) > 0
}

// textsIn are the texts of a list or a set; nil where there is none.
func textsIn(value cty.Value) (texts []string) {
	if value == cty.NilVal || value.IsNull() || !value.CanIterateElements() {
		return nil
	}
	for it := value.ElementIterator(); it.Next(); {
		_, element := it.Element()
		var text string
		if gocty.FromCtyValue(element, &text) != nil {
			return nil
		}
		texts = append(texts, text)
	}
	return texts
}
