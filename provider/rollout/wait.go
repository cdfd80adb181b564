package rollout

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-log/tflog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// An observation is the account's list of bridges, as far as it concerns one revision.
type observation struct {
	revision string
	ready    []api.Bridge   // of the revision, and able to work
	refused  []api.Bridge   // of the revision; the account has said no
	older    map[string]int // live bridges of other revisions, counted
}

// observe asks the account.
func observe(ctx context.Context, c *client.Client, revision string) (observation, error) {
	bridges, err := c.Bridges(ctx)
	return newObservation(revision, bridges), err
}

// The states of a bridge in the account's list that matter here, as
// openapi.yaml has them.
const (
	stateUnhealthy = "unhealthy"
	stateRefused   = "refused"
)

// refusedFor is how long before the latest contact of any bridge a bridge may
// have been refused last. One that is refused asks again within half a minute;
// the account remembers those that are gone, too.
const refusedFor = 5 * time.Minute

// newObservation sorts the account's list, which begins with the latest contact.
func newObservation(revision string, bridges []api.Bridge) observation {
	s := observation{revision: revision, older: make(map[string]int)}
	for _, b := range bridges {
		switch {
		case b.Revision != revision && b.Live:
			s.older[b.Revision]++
		case b.Revision != revision:
		case b.State == stateRefused:
			if bridges[0].LastContact.Sub(b.LastContact) < refusedFor {
				s.refused = append(s.refused, b)
			}
		case b.Live && b.State != stateUnhealthy:
			s.ready = append(s.ready, b)
		}
	}
	return s
}

func (s observation) instances() []string {
	return sorted(s.ready, func(b api.Bridge) []string { return []string{b.Instance} })
}

func (s observation) version() string {
	return strings.Join(sorted(s.ready, func(b api.Bridge) []string { return []string{b.Version} }), ", ")
}

func (s observation) addresses() []string {
	return sorted(s.all(), func(b api.Bridge) []string { return []string{b.Address} })
}

func (s observation) problems() []string {
	return sorted(s.all(), func(b api.Bridge) []string {
		if b.State == stateRefused && b.LastRefusal != nil {
			return append(slices.Clone(b.Problems), string(toCode(*b.LastRefusal)))
		}
		return b.Problems
	})
}

func (s observation) all() []api.Bridge { return slices.Concat(s.ready, s.refused) }

// sorted returns the texts of all bridges, each once.
func sorted(bridges []api.Bridge, texts func(api.Bridge) []string) []string {
	all := []string{}
	for _, b := range bridges {
		all = append(all, texts(b)...)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// others says which other revisions run; empty if none does.
func (s observation) others() string {
	if len(s.older) == 0 {
		return ""
	}
	var counted []string
	for _, revision := range slices.Sorted(maps.Keys(s.older)) {
		counted = append(counted, fmt.Sprintf("%d of revision %q", s.older[revision], revision))
	}
	return ", and from " + strings.Join(counted, ", ")
}

// A wait waits until the account hears from enough bridges of one revision.
type wait struct {
	client  *client.Client
	observe func(context.Context) (observation, error)
	want    int

	every   time.Duration // between two looks
	curable time.Duration // how long bridges may be refused for what another resource of the run may cure
}

func newWait(c *client.Client, revision string, want int) wait {
	return wait{
		client: c, want: want, every: time.Second, curable: 30 * time.Second,
		observe: func(ctx context.Context) (observation, error) { return observe(ctx, c, revision) },
	}
}

// until returns the last observation. The error is a *deploy.NotReadyError, or that
// of the account.
func (w wait) until(ctx context.Context) (seen observation, err error) {
	refusals := refusals{}
	for before := -1; ; {
		// The last look must not be lost to the end of ctx: it is in the error.
		next, err := w.observe(context.WithoutCancel(ctx))
		if err != nil {
			return seen, err
		}
		seen = next
		if n := len(seen.ready); n != before {
			before = n
			tflog.Info(ctx, "waiting for bridges", map[string]any{
				"revision": seen.revision, "bridges": n, "wanted": w.want, "refused": len(seen.refused),
			})
		}
		if len(seen.ready) >= w.want {
			return seen, nil
		}
		if reason := w.decide(ctx, refusals.note(seen)); reason != nil {
			return seen, reason
		}
		select {
		case <-ctx.Done():
			return seen, w.ended(ctx, seen)
		case <-time.After(w.every):
		}
	}
}

// A refusals list has what was refused since the wait began. What the account
// remembers of an earlier time may be cured: a bridge that is still refused
// asks again within half a minute, and so has a newer refusal.
type refusals map[string]refusal // by instance

type refusal struct {
	first time.Time // of the account's clock: the refusal that was seen first
	since time.Time // of this clock: when a newer one was seen; zero before
	last  api.Refusal
}

// note returns what was refused while this waits.
func (known refusals) note(s observation) (current []refusal) {
	still := make(map[string]bool, len(s.refused))
	for _, b := range s.refused {
		if b.LastRefusal == nil {
			continue
		}
		still[b.Instance] = true
		r, seen := known[b.Instance]
		switch {
		case !seen:
			r.first = b.LastRefusal.Time
		case r.since.IsZero() && b.LastRefusal.Time.After(r.first):
			r.since = time.Now()
		}
		r.last = *b.LastRefusal
		known[b.Instance] = r
		if !r.since.IsZero() {
			current = append(current, r)
		}
	}
	maps.DeleteFunc(known, func(instance string, _ refusal) bool { return !still[instance] })
	return current
}

// decide returns why the wait ends early; nil to wait on.
func (w wait) decide(ctx context.Context, current []refusal) error {
	for _, r := range current {
		code := toCode(r.last)
		switch {
		case deploy.Final(code):
			return &deploy.NotReadyError{
				Reason: "bridges run, and the account refuses their credentials.", Problems: w.explain(ctx, current),
			}
		case deploy.Curable(code) && time.Since(r.since) >= w.curable:
			return &deploy.NotReadyError{
				Pending:  true,
				Reason:   "bridges run, and the account refuses them for now; they keep trying.",
				Problems: w.explain(ctx, current),
			}
		}
	}
	return nil
}

// ended is the error of a wait that took too long, or was interrupted.
func (w wait) ended(ctx context.Context, s observation) error {
	why := deploy.Ended(ctx)
	return &deploy.NotReadyError{
		Pending: errors.Is(why, deploy.ErrInterrupted),
		Reason: fmt.Sprintf("%s, and the account hears from %d of %d bridges of revision %q%s. A bridge that has not "+
			"signed in is unknown to the account: it has not started, is sealed, cannot reach the account, "+
			"or runs with another --revision. Its log and its status page say which.",
			why, len(s.ready), w.want, s.revision, s.others()),
		Problems: w.explain(context.WithoutCancel(ctx), refusalsOf(s)),
	}
}

func refusalsOf(s observation) (all []refusal) {
	for _, b := range s.refused {
		if b.LastRefusal != nil {
			all = append(all, refusal{last: *b.LastRefusal})
		}
	}
	return all
}

// explain returns a problem for each code, address and rule.
func (w wait) explain(ctx context.Context, current []refusal) (problems []problem.Problem) {
	told := make(map[string]bool)
	for _, r := range current {
		facts := w.facts(ctx, r.last)
		key := strings.Join([]string{
			string(toCode(r.last)), facts[problem.FactAddress], facts[problem.FactRuleID],
		}, " ")
		if !told[key] {
			told[key] = true
			problems = append(problems, problem.New(toCode(r.last), r.last.Time, facts))
		}
	}
	return problems
}

// facts are what a problem's texts are made of. What the rule is now need not be
// known: the account may be away by then, or the rule gone.
func (w wait) facts(ctx context.Context, r api.Refusal) problem.Facts {
	facts := problem.Facts{problem.FactAddress: r.Address}
	if r.Code != api.RefusalCodeFirewallBlocked {
		facts[problem.FactReason] = string(r.Code)
		return facts
	}
	if r.AnonymousIps != nil {
		kinds := make([]string, len(*r.AnonymousIps))
		for i, kind := range *r.AnonymousIps {
			kinds[i] = string(kind)
		}
		facts[problem.FactAnonymous] = strings.Join(kinds, ", ")
	}
	if r.RuleId == nil {
		return facts
	}
	facts[problem.FactRuleID] = *r.RuleId
	policy, err := w.client.Firewall(ctx)
	if err != nil {
		return facts
	}
	if rule, ok := policy.ByID[*r.RuleId]; ok {
		facts[problem.FactRuleDescription] = rule.Description
		facts[problem.FactRulePriority] = strconv.Itoa(rule.Priority)
		for _, m := range api.Matches(rule) {
			facts[problem.FactRuleKind], facts[problem.FactRuleValues] = string(m.Kind), strings.Join(m.Values, ", ")
		}
	}
	return facts
}

// toCode is the problem of a bridge that is refused so.
func toCode(r api.Refusal) problem.Code {
	switch r.Code {
	case api.RefusalCodeFirewallBlocked:
		if r.AnonymousIps != nil && slices.Contains(*r.AnonymousIps, api.CloudProvider) {
			return problem.FirewallBlockedCloudProvider
		}
		return problem.FirewallBlocked
	case api.RefusalCodeTwoFactorEnforced:
		return problem.TwoFactorEnforced
	case api.RefusalCodeProvisioningInactive:
		return problem.ProvisioningInactive
	case api.RefusalCodeSignInFailed, api.RefusalCodeCredentialsExpired, api.RefusalCodeCredentialsChanged:
	}
	return problem.CredentialsChanged
}

// sentence begins an error's text as a diagnostic does.
func sentence(err error) string {
	text := err.Error()
	return strings.ToUpper(text[:1]) + text[1:]
}
