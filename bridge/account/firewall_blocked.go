package account

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A DecidingRule is what somebody who is shut out must know of the rule that
// does it, in order to place another one before it.
type DecidingRule struct {
	Priority    int
	Description string
	ChangedAt   time.Time // zero if that is not known
	Kind        string    // ip_ranges, countries, continents or anonymous_ips
	Values      []string  // nil if there are more than maxDecidingValues
}

// maxDecidingValues bounds what of a rule is told with every refusal: a rule
// may have a thousand ranges.
const maxDecidingValues = 20

func decidingRule(r firewall.Rule) *DecidingRule {
	d := &DecidingRule{Priority: r.Priority, Description: r.Description}
	d.Kind, d.Values = match(r)
	if len(d.Values) > maxDecidingValues {
		d.Values = nil
	}
	return d
}

// named is how a text names the rule.
func (d *DecidingRule) named(id string) string {
	text := "rule " + id + " ("
	if d.Description != "" {
		text += strconv.Quote(d.Description) + ", "
	}
	text += "priority " + strconv.Itoa(d.Priority)
	if !d.ChangedAt.IsZero() {
		text += ", as it is since " + d.ChangedAt.Format(time.RFC3339)
	}
	return text + ")"
}

// refusal is the error for a request that is shut out, and nil for others.
func (a *Account) refusal(ctx context.Context, r ruling) (refusal, err error) {
	if r.Result != resultBlocked {
		return nil, nil
	}
	details, err := a.blockedDetails(ctx, r)
	if err != nil {
		return nil, err
	}
	by := "no rule lets it in and the default action denies"
	if r.rule != nil {
		by = details.Rule.named(r.RuleID) + " denies it" + because(r.Seen)
	}
	return &Error{
		Status: http.StatusForbidden, Code: api.ErrorCodeFirewallBlocked, Title: "Blocked by the firewall",
		Detail:  fmt.Sprintf("the account's firewall blocks the address %s: %s", r.Address, by),
		Details: details,
	}, nil
}

// blockedDetails are the facts of a ruling that blocks.
func (a *Account) blockedDetails(ctx context.Context, r ruling) (Details, error) {
	d := Details{
		Address: r.Address.String(), RuleID: r.RuleID, Database: a.Store.Setting(),
		Country: r.Seen.Country, Continent: r.Seen.Continent, Anonymous: r.Seen.Anonymous,
	}
	if r.rule == nil {
		return d, nil
	}
	d.Rule = decidingRule(*r.rule)
	return d, a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, _, err := tx.FirewallRule(ctx, r.RuleID)
		d.Rule.ChangedAt = row.ChangedAt
		return err
	})
}

// maxWouldBlock bounds the list of wouldBlock.
const maxWouldBlock = 20

// wouldBlock lists the live bridges, and the admin tokens used since the firewall
// was disabled, that it will block when it is enforced again.
func (a *Account) wouldBlock(ctx context.Context, tx *store.Tx, f store.Firewall) ([]Details, error) {
	policy, err := a.compiled(ctx, tx, f)
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
	var blocked []Details
	for _, c := range candidates {
		address, err := netip.ParseAddr(c.Address)
		if err != nil {
			return nil, err
		}
		r, err := a.ruleOn(guard{policy: policy}, address)
		if err != nil {
			return nil, err
		}
		if r.Result != resultBlocked || len(blocked) == maxWouldBlock {
			continue
		}
		details, err := a.blockedDetails(ctx, r)
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

// list names those who were seen within the longest time that the firewall
// can be disabled for.
func (s *adminsSeen) list(now time.Time) (seen []Details) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for at, last := range s.by {
		if now.Sub(last) > maxBreakGlass {
			delete(s.by, at)
			continue
		}
		seen = append(seen, Details{Who: "administrator", Name: at.token, Address: at.address.String()})
	}
	return seen
}
