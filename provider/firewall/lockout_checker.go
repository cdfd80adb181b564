package firewall

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	policy "github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// A subject must not be shut out unseen: whoever runs Terraform, or a bridge
// that is signed in.
type subject struct {
	who string
	policy.Subject
}

// A shutOut is a subject whom a change would shut out, and why.
type shutOut struct {
	subject
	by    string // the deciding rule's id; empty: the default action
	until string // the id of the rule that let it in until now; empty: the default action
}

func (s shutOut) String() string { return fmt.Sprintf("%s, at %s", s.who, s.Address) }

// judge holds a proposed policy against the present one. Whom the present one
// shuts out already is no concern of the change.
func judge(subjects []subject, present, proposed policy.Policy) []shutOut {
	var out []shutOut
	present, proposed = present.Sorted(), proposed.Sorted()
	for _, s := range subjects {
		before, after := present.Evaluate(s.Subject), proposed.Evaluate(s.Subject)
		if before.Passes() && !after.Passes() {
			out = append(out, shutOut{s, after.RuleID, before.RuleID})
		}
	}
	return out
}

// concerns tells whether a rule matches a subject at all.
func concerns(r policy.Rule, s subject) bool {
	r.ID = "it"
	return policy.Policy{Rules: []policy.Rule{r}}.Evaluate(s.Subject).RuleID != ""
}

// A guard knows the account's firewall, whom it must not shut out, and what
// the run has planned so far. There is one for each run.
type guard struct {
	mu       sync.Mutex
	loaded   bool
	err      error
	present  policy.Policy
	subjects []subject
	// planned is the policy that the run makes, for each subject by itself
	// and without the rules that do not concern it: with ten thousand rules,
	// each is looked at once for each subject, and not again for each other rule.
	planned []policy.Policy
	made    int // rules that the run creates, for names
}

// guardOf is the run's guard with its facts. They are fetched once. Without
// them nothing is said at plan time, and the account decides.
func guardOf(ctx context.Context, c *client.Client) (*guard, bool) {
	if !c.Known() || c.Applying() {
		return nil, false
	}
	g := client.Once[guard](c)
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.loaded {
		g.loaded = true
		if g.err = g.load(ctx, c); g.err != nil {
			tflog.Warn(ctx, "lock-outs are not foreseen in this run", map[string]any{"error": g.err.Error()})
		}
	}
	return g, g.err == nil
}

func (g *guard) load(ctx context.Context, c *client.Client) error {
	found, err := c.Firewall(ctx)
	if err != nil {
		return fmt.Errorf("reading the firewall: %w", err)
	}
	if g.present, err = policyOf(found.Firewall); err != nil {
		return err
	}
	if g.subjects, err = subjectsOf(ctx, c); err != nil {
		return err
	}
	for _, s := range g.subjects {
		g.planned = append(g.planned, policy.Policy{
			DefaultAction: g.present.DefaultAction,
			Rules:         slices.DeleteFunc(slices.Clone(g.present.Rules), func(r policy.Rule) bool { return !concerns(r, s) }),
		})
	}
	return nil
}

// subjectsOf are the caller and the bridges at work, with what the account
// knows of their addresses.
func subjectsOf(ctx context.Context, c *client.Client) ([]subject, error) {
	caller, err := c.Caller(ctx)
	if err != nil {
		return nil, fmt.Errorf("asking who is calling: %w", err)
	}
	addresses := map[string][]string{caller.Address: {"whoever runs Terraform"}}
	order := []string{caller.Address}
	limit := 1000
	for params := (&api.ListBridgesParams{Limit: &limit}); ; {
		page, err := client.Call[api.BridgePage](c.API.ListBridges(ctx, params))
		if err != nil {
			return nil, fmt.Errorf("listing the bridges: %w", err)
		}
		for _, b := range page.Items {
			if !b.Live {
				continue
			}
			if addresses[b.Address] == nil {
				order = append(order, b.Address)
			}
			addresses[b.Address] = append(addresses[b.Address], fmt.Sprintf("the bridge %q", b.Instance))
		}
		if page.NextCursor == nil || *page.NextCursor == "" {
			break
		}
		params.Cursor = page.NextCursor
	}
	var subjects []subject
	for some := range slices.Chunk(order, 1000) { // as many as the account answers for at once
		answer, err := client.Call[api.Evaluation](c.API.EvaluateFirewall(ctx, api.EvaluationInput{Addresses: some}))
		if err != nil {
			return nil, fmt.Errorf("asking what the account knows of their addresses: %w", err)
		}
		if len(answer.Verdicts) != len(some) {
			return nil, fmt.Errorf("asking what the account knows of %d addresses: it answered for %d", len(some), len(answer.Verdicts))
		}
		for i, verdict := range answer.Verdicts {
			address, err := netip.ParseAddr(some[i])
			if err != nil {
				return nil, fmt.Errorf("reading the address of %s: %w", strings.Join(addresses[some[i]], ", "), err)
			}
			s := policy.Subject{Address: policy.Normalize(address)}
			if verdict.Country != nil {
				s.Country = *verdict.Country
			}
			if verdict.Continent != nil {
				s.Continent = *verdict.Continent
			}
			if verdict.AnonymousIps != nil {
				for _, kind := range *verdict.AnonymousIps {
					s.Anonymous = append(s.Anonymous, string(kind))
				}
			}
			for _, who := range addresses[some[i]] {
				subjects = append(subjects, subject{who, s})
			}
		}
	}
	return subjects, nil
}

// whole adds a whole policy to what the run has planned, and returns what it
// would shut out. keeps reports of a rule that is not in the policy, and that
// is there or planned by the run, whether it stays.
func (g *guard) whole(proposed policy.Policy, keeps func(id string) bool) []shutOut {
	g.mu.Lock()
	defer g.mu.Unlock()
	mine := make(map[string]bool, len(proposed.Rules))
	for _, r := range proposed.Rules {
		mine[r.ID] = true
	}
	return g.plan(func(s subject, p *policy.Policy) {
		p.DefaultAction = proposed.DefaultAction
		p.Rules = slices.DeleteFunc(slices.Clone(p.Rules), func(r policy.Rule) bool { return mine[r.ID] || !keeps(r.ID) })
		for _, r := range proposed.Rules {
			if concerns(r, s) {
				p.Rules = append(p.Rules, r)
			}
		}
	})
}

// described is a rule that is there, by its id and what people say of it.
func (g *guard) described(id string) string {
	if strings.HasPrefix(id, planned) {
		return "another rule of this configuration"
	}
	for _, r := range g.present.Rules {
		if r.ID == id && r.Description != "" {
			return fmt.Sprintf("rule %s (%q)", id, r.Description)
		}
	}
	return ruleByID(id)
}

// rule adds a change of one rule to what the run has planned, and says whom
// the rest would let in, and this change shuts out. A new rule has no id yet,
// and gets one for the plan; a deleted one is nil.
func (g *guard) rule(id string, to *policy.Rule) (as string, out []shutOut) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if id == "" {
		g.made++
		id = fmt.Sprintf("%s%d", planned, g.made)
	}
	return id, g.plan(func(s subject, p *policy.Policy) {
		p.Rules = slices.DeleteFunc(slices.Clone(p.Rules), func(r policy.Rule) bool { return r.ID == id })
		if to != nil && concerns(*to, s) {
			r := *to
			r.ID = id
			p.Rules = append(p.Rules, r)
		}
	})
}

// planned begins the ids, in a plan, of rules that the run creates.
const planned = "planned-"

// defaultAction does the same for the default action.
func (g *guard) defaultAction(to policy.Action) []shutOut {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.plan(func(_ subject, p *policy.Policy) { p.DefaultAction = to })
}

func (g *guard) plan(change func(subject, *policy.Policy)) []shutOut {
	var out []shutOut
	for i, s := range g.subjects {
		before := g.planned[i]
		change(s, &g.planned[i])
		out = append(out, judge([]subject{s}, before, g.planned[i])...)
	}
	return out
}
