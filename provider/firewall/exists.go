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

// An existing rule is not created again: a duplicate has no effect, and two resources
// for one rule would undo each other's changes.

// singles are the rules that the resources of a run manage, by content: single rules,
// and those in a policy's list.
type singles struct{ client.Singles }

const twiceTitle = "Duplicate firewall rule"

const twiceText = "Another scimbridge_firewall_rule, or the rules of a scimbridge_firewall_policy, " +
	"of this configuration have a rule with the same action, values, priority and description. " +
	"The account does not store duplicates: remove one of the two, or give them different descriptions."

// ids are the ids of the existing rules, by content.
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

const existsTitle = "Firewall rule already exists"

// warnExisting warns of an existing rule. This is not an error: the rule may belong to
// a resource that this run destroys, and Terraform plans in any order.
func (r *ruleResource) warnExisting(ctx context.Context, desired firewall.Rule, adopts bool) (diags diag.Diagnostics) {
	if !r.client.Known() || r.client.Applying() {
		return nil
	}
	present, err := r.client.Firewall(ctx)
	if err != nil {
		return nil // errors of the account are reported elsewhere
	}
	key := contentKey(desired)
	id := client.PerRun[ids](r.client).in(present)[key]
	switch {
	case id == "" || client.PerRun[claims](r.client).Knows(id):
	case adopts:
		diags.AddWarning("Existing firewall rule will be adopted",
			fmt.Sprintf("The account's rule %s has the same action, values, priority and description. "+
				"With adopt_existing this resource manages it after the apply, and destroys it with itself.", id))
	default:
		at := cmp.Or(client.PerRun[addressBook](r.client).read()[key], ruleKind+".<name>")
		diags.AddWarning(existsTitle, existsAs(id)+" The account will not create a duplicate. To manage it here, "+
			"import it:\n\n"+
			client.ImportBlock(at, id)+"\n\nadopt_existing = true adopts it without a block. "+
			"If the rule belongs to a resource that you renamed, write a moved block instead: "+
			"then nothing is created or destroyed.")
	}
	return diags
}

// existing records the rules that the account refused to create in this run, by id.
type existing struct{ client.Existing }

// handover records the rules that move from one resource to another, by id.
type handover struct{ client.Handover }

// existingID returns the id of the existing rule that err names, if any.
func existingID(err error) string {
	e, ok := errors.AsType[*client.Error](err)
	if !ok || e.Problem.Code != api.ErrorCodeFirewallRuleExists || e.Details().ExistingId == nil {
		return ""
	}
	return *e.Details().ExistingId
}

const ruleKind = "scimbridge_firewall_rule"

// exists returns the error text for a rule that exists.
func (r *ruleResource) exists(ctx context.Context, id string) string {
	return client.PerRun[existing](r.client).Describe(ruleKind, id, existsAs(id), "rules", func() map[string]string {
		return r.addresses(ctx)
	}) +
		"If the rule belongs to a resource that you renamed, write a moved block instead: " +
		"then nothing is created or destroyed. If this run has destroyed the rule, run terraform apply again. " +
		client.ReplacedBeforeDestroyed
}

func existsAs(id string) string {
	return fmt.Sprintf("The account has a rule with the same action, values, priority and description "+
		"that is not in this state: %s.", id)
}

// addresses returns the resource addresses of the configured rules that exist, by id,
// as far as the configuration shows them.
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

// addressBook has the resource addresses of the configured rules, by content. It is
// read once a run, when first needed.
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

// configuredRule returns the rule of a resource, if its arguments are known and valid.
func configuredRule(instance address.Instance) (rule firewall.Rule, ok bool) {
	arguments := []string{"action", "priority", "description"}
	for _, a := range matchAttributes {
		arguments = append(arguments, string(a.kind))
	}
	if !instance.Knows(arguments...) {
		return rule, false
	}
	given := func(name string, to any) bool { // absent arguments leave the default
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

// textsIn returns the strings in a list or a set; nil if it is null.
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
