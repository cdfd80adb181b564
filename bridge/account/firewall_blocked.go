package account

import (
	"cmp"
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A DecidingRule is the rule that shuts out a caller, with what it takes to
// place another one before it.
type DecidingRule struct {
	firewall.Rule
	ChangedAt time.Time // zero if that is not known
}

// named is how a text names the rule.
func (d *DecidingRule) named() string {
	text := "rule " + d.ID + " ("
	if d.Description != "" {
		text += strconv.Quote(d.Description) + ", "
	}
	text += "priority " + strconv.Itoa(d.Priority)
	if !d.ChangedAt.IsZero() {
		text += ", last changed at " + d.ChangedAt.Format(time.RFC3339)
	}
	return text + ")"
}

// refusal is the error for a request that is shut out, and nil for others.
func (a *Account) refusal(ctx context.Context, d decision) (refusal, err error) {
	if d.Result != resultBlocked {
		return nil, nil
	}
	details, err := a.blockedDetails(ctx, d)
	if err != nil {
		return nil, err
	}
	by := "no rule lets it in and the default action denies"
	if details.Rule != nil {
		by = details.Rule.named() + " denies it" + inBrackets(d.Reason)
	}
	return &Error{
		Status: http.StatusForbidden, Code: api.ErrorCodeFirewallBlocked, Title: "Blocked by the firewall",
		Detail:  fmt.Sprintf("the account's firewall blocks the address %s: %s", d.Address, by),
		Details: details,
	}, nil
}

// blockedDetails are the facts of a decision that blocks.
func (a *Account) blockedDetails(ctx context.Context, d decision) (Details, error) {
	details := Details{
		Address: d.Address.String(), RuleID: d.RuleID(), Facts: d.Reason, Database: a.Store.Setting(),
	}
	if d.Rule == nil {
		return details, nil
	}
	details.Rule = &DecidingRule{Rule: *d.Rule}
	return details, a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, _, err := tx.FirewallRule(ctx, d.Rule.ID)
		details.Rule.ChangedAt = row.ChangedAt
		return err
	})
}

// A DisabledFirewall is what an operator is told of a firewall while it is
// disabled.
type DisabledFirewall struct {
	Until time.Time
	// WouldBlock lists the callers that the firewall will block when it is enforced again.
	WouldBlock []Details
	// Unknown is why WouldBlock could not be found out; nil if it was.
	Unknown error
	// Database is the account's own database setting, for the command that
	// enforces the firewall sooner.
	Database string
}

// disabledFirewall describes f, which is disabled. What it would block is looked
// for among the live bridges, the admin tokens used since it was disabled, and refused.
func (a *Account) disabledFirewall(
	ctx context.Context, tx *store.Tx, f store.Firewall, refused []Details,
) DisabledFirewall {
	d := DisabledFirewall{Until: f.DisabledUntil, Database: a.Store.Setting()}
	// A policy that cannot be evaluated is no error here: disabling the firewall helps
	// against that, too.
	d.WouldBlock, d.Unknown = a.wouldBlock(ctx, tx, f, refused)
	return d
}

// The bounds of DisabledFirewall.WouldBlock, and of the refused callers that
// are considered for it.
const (
	maxWouldBlock = 20
	maxRefused    = 100
)

// refusedRecently lists the callers, bridges and administrators, that the
// firewall refused within the last hour. Only a caller with a right secret is noted.
func (a *Account) refusedRecently(ctx context.Context, tx *store.Tx) ([]Details, error) {
	attempts, err := tx.LatestAttempts(ctx, resultBlocked, a.Time().Add(-time.Hour), maxRefused)
	if err != nil {
		return nil, err
	}
	refused := make([]Details, len(attempts))
	for i, attempt := range attempts {
		refused[i] = Details{Who: "administrator", Address: attempt.Address}
		if attempt.Instance != "" {
			refused[i] = Details{Who: "bridge", Instance: attempt.Instance, Address: attempt.Address}
		}
	}
	return refused, nil
}

func (a *Account) wouldBlock(
	ctx context.Context, tx *store.Tx, f store.Firewall, refused []Details,
) ([]Details, error) {
	policy, err := a.policyOf(ctx, tx, f)
	if err != nil {
		return nil, err
	}
	bridges, err := tx.LiveBridges(ctx, a.Time())
	if err != nil {
		return nil, err
	}
	candidates := a.admins.list(a.Time())
	for _, b := range bridges {
		address, err := netip.ParseAddr(b.Address)
		if err != nil {
			return nil, fmt.Errorf("reading bridge %s: %w", b.Instance, err)
		}
		candidates = append(candidates, Details{Who: "bridge", Instance: b.Instance, Address: address.String()})
	}
	for _, r := range refused {
		known := func(d Details) bool { return d.Instance == r.Instance && d.Address == r.Address }
		if !slices.ContainsFunc(candidates, known) {
			candidates = append(candidates, r)
		}
	}
	var blocked []Details
	for _, c := range candidates {
		address, err := netip.ParseAddr(c.Address)
		if err != nil {
			return nil, err
		}
		d, err := a.decideBy(firewall.State{Policy: policy}, address)
		if err != nil {
			return nil, err
		}
		if d.Result != resultBlocked || len(blocked) == maxWouldBlock {
			continue
		}
		details, err := a.blockedDetails(ctx, d)
		if err != nil {
			return nil, err
		}
		details.Who, details.Instance, details.Name = c.Who, c.Instance, c.Name
		blocked = append(blocked, details)
	}
	return blocked, nil
}

// adminsSeen are the addresses from which admin tokens were used while the
// firewall was disabled. It lives as long as the process, which is enough for
// what ends within a day.
type adminsSeen struct {
	mu sync.Mutex
	by map[adminAt]time.Time
}

type adminAt struct {
	address netip.Addr
	token   string // its name
}

// maxAdminsSeen bounds the memory; only holders of an admin token are noted.
const maxAdminsSeen = 100

func (s *adminsSeen) note(address netip.Addr, token string, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = make(map[adminAt]time.Time)
	}
	s.by[adminAt{address, token}] = now
	if len(s.by) > maxAdminsSeen {
		delete(s.by, s.oldest())
	}
}

// oldest returns the use that lies back longest.
func (s *adminsSeen) oldest() (oldest adminAt) {
	var since time.Time
	for at, last := range s.by {
		if since.IsZero() || last.Before(since) {
			oldest, since = at, last
		}
	}
	return oldest
}

// list names those that were seen within the longest time for which the
// firewall can be disabled.
func (s *adminsSeen) list(now time.Time) (seen []Details) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, last := range s.by {
		if now.Sub(last) > maxDisabled {
			delete(s.by, at)
			continue
		}
		seen = append(seen, Details{Who: "administrator", Name: at.token, Address: at.address.String()})
	}
	slices.SortFunc(seen, func(a, b Details) int {
		return cmp.Or(cmp.Compare(a.Address, b.Address), cmp.Compare(a.Name, b.Name))
	})
	return seen
}
