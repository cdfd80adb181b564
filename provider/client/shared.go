package client

import (
	"context"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// freshFor is how long a list is taken for what the account has. A plan over
// ten thousand rules reads the list once; one that takes longer asks again.
const freshFor = 2 * time.Minute

// largestPage is the longest page that the account gives.
const largestPage = 1000

// shared is a list that all resources of a run read, and that is fetched once: a
// plan over many objects costs as many calls as a plan over one. After a write
// through this client it is fetched again.
type shared[T any] struct {
	writes atomic.Int64 // that may have changed the list

	mu    sync.Mutex
	value T
	etag  string // of value, where the list has one
	at    time.Time
	seen  int64 // writes, when value was asked for
}

// get returns the list, and fetches it if it may have changed. fetch reports
// with same that the version of the given etag is still the present one.
func (s *shared[T]) get(ctx context.Context, fetch func(ctx context.Context, etag string) (value T, newTag string,
	same bool, err error)) (T, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	writes := s.writes.Load()
	if !s.at.IsZero() && s.seen == writes && time.Since(s.at) < freshFor {
		return s.value, nil
	}
	asked := time.Now()
	value, etag, same, err := fetch(ctx, s.etag)
	if err != nil {
		var none T
		return none, err
	}
	if !same {
		s.value, s.etag = value, etag
	}
	s.at, s.seen = asked, writes
	return s.value, nil
}

// A Firewall is the account's policy with its rules by id.
type Firewall struct {
	api.Firewall
	ByID map[string]api.FirewallRule
}

// NewFirewall is a policy as the account answered it.
func NewFirewall(answer api.Firewall) *Firewall {
	f := &Firewall{Firewall: answer, ByID: make(map[string]api.FirewallRule, len(answer.Rules))}
	for _, rule := range answer.Rules {
		f.ByID[rule.Id] = rule
	}
	return f
}

// Firewall is the whole policy, shared between the resources of the run. It
// must not be changed.
func (c *Client) Firewall(ctx context.Context) (*Firewall, error) {
	return c.firewall.get(ctx, func(ctx context.Context, etag string) (*Firewall, string, bool, error) {
		resp, err := c.API.GetFirewall(ctx, func(_ context.Context, r *http.Request) error {
			if etag != "" {
				r.Header.Set("If-None-Match", etag)
			}
			return nil
		})
		if err == nil && resp.StatusCode == http.StatusNotModified && etag != "" {
			_ = resp.Body.Close()
			return nil, etag, true, nil
		}
		found, err := Call[api.Firewall](resp, err)
		if err != nil {
			return nil, "", false, err
		}
		return NewFirewall(found), found.Etag, false, nil
	})
}

// SignupDomains are the account's sign-up domains by name, shared between the
// resources of the run. The map must not be changed.
func (c *Client) SignupDomains(ctx context.Context) (map[string]api.SignupDomain, error) {
	return c.domains.get(ctx, func(ctx context.Context, _ string) (map[string]api.SignupDomain, string, bool, error) {
		found := make(map[string]api.SignupDomain)
		limit := largestPage
		for params := (&api.ListSignupDomainsParams{Limit: &limit}); ; {
			page, err := Call[api.SignupDomainPage](c.API.ListSignupDomains(ctx, params))
			if err != nil {
				return nil, "", false, err
			}
			for _, domain := range page.Items {
				found[domain.Domain] = domain
			}
			if page.NextCursor == nil || *page.NextCursor == "" {
				return found, "", false, nil
			}
			params.Cursor = page.NextCursor
		}
	})
}

// wrote marks the shared lists that a write may have changed. It is called for a
// failed write too, which may have had its effect.
func (c *Client) wrote(path string) {
	if strings.HasSuffix(path, "/v1/firewall/evaluate") {
		return // asks only
	}
	c.applying.Store(true)
	switch {
	case strings.Contains(path, "/v1/firewall"):
		c.firewall.writes.Add(1)
	case strings.Contains(path, "/v1/signup-domains"):
		c.domains.writes.Add(1)
	}
}

// Applying reports whether this run has begun to write: it is past planning,
// and what it planned no longer stands beside what the account has. Before the
// first write nothing tells the second plan, within an apply, from the first.
func (c *Client) Applying() bool { return c.applying.Load() }

// RetryConflicts makes a write, and repeats it while the account refuses it for
// something that another resource of the run may be about to change: that one
// may let in an address that this write would lock out, or delete an object that
// this write would make a second time.
func RetryConflicts[T any](ctx context.Context, c *Client, write func() (T, error)) (T, error) {
	began := time.Now()
	for pause := shortestPause; ; pause = min(2*pause, longestPause) {
		value, err := write()
		if pause > c.retryWindow(Code(err), began) {
			return value, err
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return value, ctx.Err()
		}
	}
}

// retryWindow returns for how long a write is still repeated that was first made
// at began. An object that exists may belong to a resource that got another name
// without a moved block, and be destroyed in this run.
func (c *Client) retryWindow(code api.ErrorCode, began time.Time) time.Duration {
	switch code {
	case api.ErrorCodeWouldLockOut:
		return c.patience - time.Since(began)
	case api.ErrorCodeFirewallRuleExists, api.ErrorCodeAlreadyExists:
		return c.standoff.wait(c.patience / 3)
	}
	return 0
}

// How long RetryConflicts waits for another resource's write: mostly it is on its way.
const (
	shortestPause = 50 * time.Millisecond
	longestPause  = 500 * time.Millisecond
)
