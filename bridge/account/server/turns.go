package server

import (
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// longestWait is how long a request waits for its turn at most, less than the 25 s after which a bridge gives it up.
const longestWait = 10 * time.Second

// enter waits until it is the request's turn, before its body is read: each bridge and each admin token has a fair
// share of the places. Sign-ins are limited on their own, a scrape shows what waits, and a bridge without its heartbeat
// takes the account to be away. Whoever has waited is admitted again: a token or session may have ended meanwhile, and
// a firewall rule changed.
func (s *server) enter(r *http.Request, pattern string, admit authenticator) (leave func(), err error) {
	x, caller := httpkit.RequestFrom(r.Context()), account.CallerFrom(r.Context())
	if x.HasPlace || caller.ID == "" || pattern == metricsPattern || strings.Contains(pattern, " /v1/session") {
		return func() {}, nil
	}
	client := fair.Client{Name: caller.ID}
	isBridge := caller.Kind == account.ByBridge
	if isBridge && isOwn(pattern) {
		client.Name += "\nown" // an id has no line break
	}
	place, err := s.Queue.Enter(r.Context(), client, fair.Patience{Most: s.LongestWait, Ask: !isBridge})
	if err != nil {
		return nil, noPlace(err, isBridge)
	}
	if place.Waited {
		if _, err := admit(r); err != nil {
			place.Leave()
			return nil, err
		}
	}
	x.HasPlace = true
	return place.Leave, nil
}

// isOwn reports whether an operation is a bridge's own, such as one that its status page shows, and not part of a
// synchronisation, behind which it does not wait.
func isOwn(pattern string) bool {
	return !strings.Contains(pattern, " /v1/directory/people") && !strings.Contains(pattern, " /v1/directory/groups")
}

// noPlace is the answer to a request that got no place. Bridges get 503, which says to them that nothing was judged.
func noPlace(err error, isBridge bool) error {
	refusal, ok := errors.AsType[*fair.RefusedError](err)
	if !ok {
		return err
	}
	why := "the account has too many requests to carry out"
	if refusal.Reason == fair.Ended {
		why = "the account service stops"
	}
	e := account.TooMany("Too many requests", refusal.After, why)
	if isBridge || refusal.Reason == fair.Ended {
		e.Status = http.StatusServiceUnavailable
	}
	return e
}
