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

// freshFor is how long a list is cached. A plan over ten thousand rules reads the list
// once, unless it takes longer.
const freshFor = 2 * time.Minute

// largestPage is the account's maximum page size.
const largestPage = 1000

// shared is a list that all resources of a run read and that is fetched once, so that a
// plan over many objects needs as many calls as a plan over one. After a write through
// this client it is fetched again.
type shared[T any] struct {
	writes atomic.Int64 // number of writes that may have changed the list

	mu    sync.Mutex
	value T
	etag  string // of value, if the list has one
	at    time.Time
	seen  int64 // writes when value was requested
}

// get returns the list, and fetches it if it may have changed. Fetch returns same if the
// given etag is still current.
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

// NewFirewall returns the policy in an answer of the account.
func NewFirewall(answer api.Firewall) *Firewall {
	f := &Firewall{Firewall: answer, ByID: make(map[string]api.FirewallRule, len(answer.Rules))}
	for _, rule := range answer.Rules {
		f.ByID[rule.Id] = rule
	}
	return f
}

// Firewall returns the whole policy, shared between the resources of the run. It must not
// be changed.
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

// SignupDomains returns the account's sign-up domains by name, shared between the
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

// wrote marks the shared lists that a write may have changed. It is called for failed
// writes too, which may have had their effect.
func (c *Client) wrote(path string) {
	if strings.HasSuffix(path, "/v1/firewall/evaluate") {
		return // a read
	}
	c.applying.Store(true)
	switch {
	case strings.Contains(path, "/v1/firewall"):
		c.firewall.writes.Add(1)
	case strings.Contains(path, "/v1/signup-domains"):
		c.domains.writes.Add(1)
	}
}

// Applying reports whether this run has begun to write. Then its plans no longer apply to
// the account's state. Before the first write, the second plan, during an apply, cannot be
// distinguished from the first.
func (c *Client) Applying() bool { return c.applying.Load() }

// RetryConflicts makes a write, and repeats it while the account refuses it for a reason
// that another resource of the run may solve: it may allow an address that this write
// would lock out, or delete an object that this write would duplicate.
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

// retryWindow returns how much longer a write is repeated that was first made at began.
// An existing object may belong to a resource that was renamed without a moved block, and
// be destroyed in this run.
func (c *Client) retryWindow(code api.ErrorCode, began time.Time) time.Duration {
	switch code {
	case api.ErrorCodeWouldLockOut:
		return c.conflictTimeout - time.Since(began)
	case api.ErrorCodeFirewallRuleExists, api.ErrorCodeAlreadyExists:
		return c.standoff.wait(c.conflictTimeout / 3)
	}
	return 0
}

// How long RetryConflicts waits for another resource's write, which has usually begun.
const (
	shortestPause = 50 * time.Millisecond
	longestPause  = 500 * time.Millisecond
)
