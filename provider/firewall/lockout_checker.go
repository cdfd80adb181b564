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
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// A subject must not be shut out unseen: whoever runs Terraform, or a bridge
// that is signed in.
type subject struct {
	name string
	firewall.Subject
}

// A lockout is how a change would shut out a subject.
type lockout struct {
	subject
	by    string // the deciding rule's id; empty for the default action
	until string // the id of the rule that let it in until now; empty for the default action
}

func (l lockout) String() string { return fmt.Sprintf("%s, at %s", l.name, l.Address) }

// A lockoutChecker knows the account's firewall, the subjects that must not be
// shut out, and what the run has planned so far. There is one for each run.
type lockoutChecker struct {
	mu       sync.Mutex
	loaded   bool
	err      error
	present  map[string]*firewall.Rule // the account's rules, by id
	subjects []subject

	// What the run makes of the policy: each change is checked on top of those
	// that were planned before it.
	planned firewall.Compiled
	rules   map[string]*firewall.Rule // of planned, by id
	created int                       // rules that the run creates, for names
}

// lockoutCheckerOf is the run's checker with its facts, which are fetched once.
// Without them nothing is said at plan time, and the account decides.
func lockoutCheckerOf(ctx context.Context, c *client.Client) (*lockoutChecker, bool) {
	if !c.Known() || c.Applying() {
		return nil, false
	}
	checker := client.PerRun[lockoutChecker](c)
	checker.mu.Lock()
	defer checker.mu.Unlock()
	if !checker.loaded {
		checker.loaded = true
		if checker.err = checker.load(ctx, c); checker.err != nil {
			tflog.Warn(ctx, "lock-outs are not checked in this run", map[string]any{"error": checker.err.Error()})
		}
	}
	return checker, checker.err == nil
}

func (c *lockoutChecker) load(ctx context.Context, client *client.Client) error {
	found, err := client.Firewall(ctx)
	if err != nil {
		return fmt.Errorf("reading the firewall: %w", err)
	}
	subjects, err := subjectsOf(ctx, client)
	if err != nil {
		return err
	}
	return c.start(firewall.Policy{
		DefaultAction: firewall.Action(found.DefaultAction), Rules: rulesOf(found.Firewall),
	}, subjects)
}

// start begins with the policy that the account has.
func (c *lockoutChecker) start(present firewall.Policy, subjects []subject) error {
	c.subjects, c.planned = subjects, firewall.Policy{DefaultAction: present.DefaultAction}.Compile()
	c.present, c.rules = make(map[string]*firewall.Rule), make(map[string]*firewall.Rule)
	for i := range present.Rules {
		rule := &present.Rules[i]
		if err := rule.Match.Validate(); err != nil {
			return fmt.Errorf("reading firewall rule %q: %w", rule.ID, err)
		}
		c.present[rule.ID], c.rules[rule.ID] = rule, rule
		c.planned = c.planned.With(rule)
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
	names := map[string][]string{caller.Address: {"whoever runs Terraform"}}
	addresses := []string{caller.Address}
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
			if names[b.Address] == nil {
				addresses = append(addresses, b.Address)
			}
			names[b.Address] = append(names[b.Address], fmt.Sprintf("the bridge %q", b.Instance))
		}
		if page.NextCursor == nil || *page.NextCursor == "" {
			break
		}
		params.Cursor = page.NextCursor
	}
	return lookUp(ctx, c, addresses, names)
}

// maxEvaluated is how many addresses the account decides about at once.
const maxEvaluated = 1000

// lookUp asks what the account knows of addresses, for the subjects at each.
func lookUp(ctx context.Context, c *client.Client, addresses []string, names map[string][]string,
) (subjects []subject, err error) {
	for some := range slices.Chunk(addresses, maxEvaluated) {
		answer, err := client.Call[api.Evaluation](c.API.EvaluateFirewall(ctx, api.EvaluationInput{Addresses: some}))
		if err != nil {
			return nil, fmt.Errorf("asking what the account knows of their addresses: %w", err)
		}
		if len(answer.Verdicts) != len(some) {
			return nil, fmt.Errorf("asking what the account knows of %d addresses: it answered for %d", len(some),
				len(answer.Verdicts))
		}
		for i, verdict := range answer.Verdicts {
			address, err := netip.ParseAddr(some[i])
			if err != nil {
				return nil, fmt.Errorf("reading the address of %s: %w", strings.Join(names[some[i]], ", "), err)
			}
			at := firewall.Subject{Address: firewall.Normalize(address), Facts: api.Facts(verdict)}
			for _, name := range names[some[i]] {
				subjects = append(subjects, subject{name, at})
			}
		}
	}
	return subjects, nil
}

// checkPolicy adds a whole policy to what the run has planned, and returns whom
// it would shut out. keeps reports whether a rule stays that is not in the
// policy, and that is there or planned by the run.
func (c *lockoutChecker) checkPolicy(proposed firewall.Policy, keeps func(id string) bool) []lockout {
	c.mu.Lock()
	defer c.mu.Unlock()
	next := c.planned.WithDefault(proposed.DefaultAction)
	listed := make(map[string]bool, len(proposed.Rules))
	for _, r := range proposed.Rules {
		listed[r.ID] = true
	}
	for id, r := range c.rules {
		if listed[id] || !keeps(id) {
			next = next.Without(r)
			delete(c.rules, id)
		}
	}
	for i := range proposed.Rules {
		r := &proposed.Rules[i]
		next = next.With(r)
		c.rules[r.ID] = r
	}
	return c.advance(next)
}

// checkRule adds a change of one rule to what the run has planned, and returns
// whom the rest would let in, and this change shuts out. A new rule has no id
// yet, and gets one for the plan; a deleted one is nil.
func (c *lockoutChecker) checkRule(id string, to *firewall.Rule) (as string, out []lockout) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if id == "" {
		c.created++
		id = fmt.Sprintf("%s%d", plannedPrefix, c.created)
	}
	next := c.planned
	if before := c.rules[id]; before != nil {
		next = next.Without(before)
		delete(c.rules, id)
	}
	if to != nil {
		r := *to
		r.ID = id
		next = next.With(&r)
		c.rules[id] = &r
	}
	return id, c.advance(next)
}

// plannedPrefix begins the ids, in a plan, of rules that the run creates.
const plannedPrefix = "planned-"

// checkDefaultAction does the same for the default action.
func (c *lockoutChecker) checkDefaultAction(to firewall.Action) []lockout {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.advance(c.planned.WithDefault(to))
}

// advance makes next what the run has planned. A subject that is shut out
// already is no concern of the change.
func (c *lockoutChecker) advance(next firewall.Compiled) (out []lockout) {
	for _, s := range c.subjects {
		if l, is := firewall.CheckLockout(c.planned, next, s.Subject); is {
			out = append(out, lockout{s, firewall.Decision{Rule: l.By}.RuleID(), firewall.Decision{Rule: l.Until}.RuleID()})
		}
	}
	c.planned = next
	return out
}

// ruleName is what a text calls a rule that is there: its id, and what people
// say of it.
func (c *lockoutChecker) ruleName(id string) string {
	switch r := c.present[id]; {
	case id == "":
		return ""
	case strings.HasPrefix(id, plannedPrefix):
		return "another rule of this configuration"
	case r != nil && r.Description != "":
		return fmt.Sprintf("rule %s (%q)", id, r.Description)
	default:
		return "rule " + id
	}
}
