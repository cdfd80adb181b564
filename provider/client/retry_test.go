package client

import (
	"context"
	"errors"
	"net/http"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// What an interrupted Terraform does not learn it does not keep: the answer to
// a write that is on its way is waited for, and nothing else.
func TestAnInterruption(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		status int
		call   func(ctx context.Context, c *Client) error
		err    error
	}{
		{"leaves a write that is on its way its answer", http.StatusCreated, write, nil},
		{"repeats no write", http.StatusServiceUnavailable, write, errRefused},
		{"ends a read at once", http.StatusOK, func(ctx context.Context, c *Client) error {
			_, err := c.Caller(ctx)
			return err
		}, context.Canceled},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ctx, interrupt := context.WithCancel(t.Context())
			ended := make(chan struct{})
			var times atomic.Int32
			c := faulty(t, func(w http.ResponseWriter, r *http.Request) {
				times.Add(1)
				interrupt()
				if errors.Is(row.err, context.Canceled) {
					<-ended // no answer comes, and none is waited for
					return
				}
				answer(w, row.status, api.FirewallRule{Id: "made"})
			})
			err := row.call(ctx, c)
			close(ended)
			refused, _ := errors.AsType[*Error](err)
			switch {
			case errors.Is(row.err, errRefused):
				if refused == nil || refused.Status != row.status {
					t.Errorf("error %v, want the account's", err)
				}
			case !errors.Is(err, row.err):
				t.Errorf("error %v, want %v", err, row.err)
			}
			if n := times.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
			if err := write(ctx, c); !errors.Is(err, context.Canceled) || times.Load() != 1 {
				t.Errorf("after the interruption, a write is begun: %v", err)
			}
		})
	}
}

// An answer that does not come in half of a call's time is asked for again.
func TestAnAnswerThatDoesNotComeIsAskedForAgain(t *testing.T) {
	t.Parallel()
	key := "key"
	for _, row := range []struct {
		name   string
		params *api.CreateFirewallRuleParams
		times  int32
	}{
		{"with the key of a write that may be repeated", &api.CreateFirewallRuleParams{IdempotencyKey: &key}, 2},
		{"but not without one", nil, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var times atomic.Int32
			over := make(chan struct{})
			c := faulty(t, func(w http.ResponseWriter, _ *http.Request) {
				if times.Add(1) == 1 {
					<-over
					return
				}
				answer(w, http.StatusCreated, api.FirewallRule{Id: "made"})
			})
			t.Cleanup(func() { close(over) })                      // before the server waits for its handlers
			c.API.Client.(*retryTransport).limit = 6 * time.Second // half of it must suffice for an answer
			made, err := Call[api.FirewallRule](c.API.CreateFirewallRule(t.Context(),
				row.params, api.FirewallRuleInput{}))
			if ok := row.times > 1; (err == nil && made.Id == "made") != ok {
				t.Errorf("made %q, error %v", made.Id, err)
			}
			if n := times.Load(); n != row.times {
				t.Errorf("asked %d times, want %d", n, row.times)
			}
		})
	}
}

var errRefused = errors.New("the account refuses")
