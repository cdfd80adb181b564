package account_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
)

func TestAnAccountIsAskedForWhatThePageShows(t *testing.T) {
	t.Parallel()
	c, _ := signedIn(t)
	for _, name := range []string{"ann", "bob", "eve"} {
		if _, err := c.CreatePerson(t.Context(), input(name+"@example.com")); err != nil {
			t.Fatal(err)
		}
	}
	p, err := c.Waiting(t.Context(), bridge.WaitingQuery{Kind: bridge.InvitationOpen, Limit: 2})
	if err != nil || len(p.Items) != 2 || p.Next == "" || p.Counts[bridge.InvitationOpen] != 3 || p.AsOf.IsZero() {
		t.Errorf("who waits: %+v, %v", p, err)
	}
	p, err = c.Waiting(t.Context(), bridge.WaitingQuery{Kind: bridge.InvitationOpen, Limit: 2, Cursor: p.Next})
	if err != nil || len(p.Items) != 1 || p.Items[0].UserName != "eve@example.com" || p.Next != "" {
		t.Errorf("the next page: %+v, %v", p, err)
	}
	if p, err = c.Waiting(t.Context(), bridge.WaitingQuery{Search: "BOB", Limit: 2}); err != nil || len(p.Items) != 1 {
		t.Errorf("a search: %+v, %v", p, err)
	}
	_, err = c.Waiting(t.Context(), bridge.WaitingQuery{Cursor: "x", Limit: 2})
	if bridge.CodeOf(err) != bridge.InvalidCursor {
		t.Errorf("a cursor that is none: %v", err)
	}
	bridges, err := c.Instances(t.Context(), 10)
	if err != nil || len(bridges) != 1 || !bridges[0].Live || bridges[0].ID == "" || bridges[0].LastContact.IsZero() {
		t.Errorf("the bridges: %+v, %v", bridges, err)
	}
	attempts, err := c.SignInAttempts(t.Context(), "", 10)
	if err != nil || len(attempts.Items) == 0 || attempts.Items[0].Result != "ok" || attempts.Items[0].Count == 0 {
		t.Errorf("the attempts: %+v, %v", attempts, err)
	}
}

// An account of an older version has none of it but the list of all who wait. That is no fault.
func TestAnAccountWithoutAnOverview(t *testing.T) {
	t.Parallel()
	c, network := signedIn(t)
	for i := range 5 {
		if _, err := c.CreatePerson(t.Context(), input(fmt.Sprintf("u%d@example.com", i))); err != nil {
			t.Fatal(err)
		}
	}
	network.set(func(req *http.Request) func() (*http.Response, error) {
		for _, missing := range []string{"waiting", "bridges", "sign-in-attempts"} {
			if req.URL.Path == "/v1/directory/"+missing {
				return func() (*http.Response, error) {
					return &http.Response{
						StatusCode: http.StatusNotFound, Header: http.Header{"Content-Type": {"text/plain"}},
						Body: io.NopCloser(strings.NewReader("404 page not found")),
					}, nil
				}
			}
		}
		return nil
	})
	q, found := bridge.WaitingQuery{Limit: 2, Search: "EXAMPLE"}, 0
	for range 3 {
		p, err := c.Waiting(t.Context(), q)
		if err != nil || p.Counts[bridge.InvitationOpen] != 5 {
			t.Fatalf("who waits: %+v, %v", p, err)
		}
		found += len(p.Items)
		q.Cursor = p.Next
	}
	if found != 5 || q.Cursor != "" {
		t.Errorf("found %d on three pages, next %q", found, q.Cursor)
	}
	if _, err := c.Instances(t.Context(), 10); bridge.CodeOf(err) != bridge.NotFound {
		t.Errorf("the bridges: %v", err)
	}
	if _, err := c.SignInAttempts(t.Context(), "", 10); bridge.CodeOf(err) != bridge.NotFound {
		t.Errorf("the attempts: %v", err)
	}
	if s := c.State(); s.Strange != nil || s.Phase != account.SignedIn {
		t.Errorf("the connector is %+v", s)
	}
	network.set(func(*http.Request) func() (*http.Response, error) {
		return func() (*http.Response, error) { return nil, errCut }
	})
	if _, err := c.Waiting(t.Context(), q); !errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("while the account is away: %v", err)
	}
}
