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

// A subject must not be locked out unnoticed: the machine that runs Terraform, or a
// bridge that is signed in.
type subject struct {
	name string
	firewall.Subject
}

// A lockout describes how a change would lock out a subject.
type lockout struct {
	subject
	by    string // the deciding rule's id; empty for the default action
	until string // the id of the rule that allows it now; empty for the default action
}

func (l lockout) String() string { return fmt.Sprintf("%s, at %s", l.name, l.Address) }

// A lockoutChecker has the account's firewall, the subjects that must not be locked
// out, and the changes that the run has planned so far. There is one for each run.
type lockoutChecker struct {
	mu       sync.Mutex
	loaded   bool
	err      error
	present  map[string]*firewall.Rule // the account's rules, by id
	subjects []subject

	// The policy with the changes that are planned so far; each change is checked
	// against it.
	planned firewall.Compiled
	rules   map[string]*firewall.Rule // of planned, by id
	created int                       // rules that the run creates, for names
}

// lockoutCheckerOf returns the run's checker, whose facts are fetched once. Without
// them the plan does not check, and the account decides in the apply.
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

// start sets the account's policy as the planned one.
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

// subjectsOf returns the caller and the active bridges, with the account's facts about
// their addresses.
func subjectsOf(ctx context.Context, c *client.Client) ([]subject, error) {
	caller, err := c.Caller(ctx)
	if err != nil {
		return nil, fmt.Errorf("reading the caller: %w", err)
	}
	names := map[string][]string{caller.Address: {"the machine that runs Terraform"}}
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

// maxEvaluated is the maximum number of addresses in an evaluation.
const maxEvaluated = 1000

// lookUp returns a subject for each address, with the account's facts about it.
func lookUp(ctx context.Context, c *client.Client, addresses []string, names map[string][]string,
) (subjects []subject, err error) {
	for some := range slices.Chunk(addresses, maxEvaluated) {
		answer, err := client.Call[api.Evaluation](c.API.EvaluateFirewall(ctx, api.EvaluationInput{Addresses: some}))
		if err != nil {
			return nil, fmt.Errorf("evaluating their addresses: %w", err)
		}
		if len(answer.Verdicts) != len(some) {
			return nil, fmt.Errorf("evaluating %d addresses: the account answered for %d", len(some),
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

// checkPolicy adds a whole policy to the planned one and returns the subjects that it
// would lock out. Keeps reports whether an existing or planned rule that is not in the
// policy stays.
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

// checkRule adds the change of one rule to the planned policy, and returns the subjects
// that this change locks out. A new rule has no id yet and gets one for the plan. A
// deleted one is nil.
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

// plannedPrefix is the prefix of the ids, in a plan, of rules that the run creates.
const plannedPrefix = "planned-"

// checkDefaultAction does the same for the default action.
func (c *lockoutChecker) checkDefaultAction(to firewall.Action) []lockout {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.advance(c.planned.WithDefault(to))
}

// advance makes next the planned policy, and returns the subjects that the change
// locks out. Those that were locked out before are ignored.
func (c *lockoutChecker) advance(next firewall.Compiled) (out []lockout) {
	for _, s := range c.subjects {
		if l, is := firewall.CheckLockout(c.planned, next, s.Subject); is {
			out = append(out, lockout{s, firewall.Decision{Rule: l.By}.RuleID(),
				firewall.Decision{Rule: l.Until}.RuleID()})
		}
	}
	c.planned = next
	return out
}

// ruleName returns a text's name for an existing rule: its id and description.
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
