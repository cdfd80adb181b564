package account_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
)

const holdsPath = "/v1/directory/holds"

// An account of an older version, or another implementation of the API, holds nothing.
// That is no fault of it, and none is told.
func TestAnAccountWithoutHoldsHasNone(t *testing.T) {
	t.Parallel()
	page := func(status int, kind, body string) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			return &http.Response{
				StatusCode: status, Header: http.Header{"Content-Type": {kind}},
				Body: io.NopCloser(strings.NewReader(body)),
			}, nil
		}
	}
	problemOf := func(status int, body string) func() (*http.Response, error) {
		return page(status, "application/problem+json", body)
	}
	for _, row := range []struct {
		name   string
		counts bool // the heartbeat's answer counts holds
		answer func() (*http.Response, error)
		fault  error
	}{
		{"its heartbeat counts none", false, page(404, "text/plain", "404 page not found"), nil},
		{"it has no such page", true, page(404, "text/plain", "404 page not found"), nil},
		{"it has no such page, as a problem", true, problemOf(404, `{"code":"not_found","title":"Not found"}`), nil},
		{"it has no such page, as a problem of its own", true, problemOf(404, `{"title":"Nothing here"}`), nil},
		{"it has no such method", true, page(405, "text/plain", "Method Not Allowed"), nil},
		{"something else answers", true, page(200, "text/html", "<html>"), bridge.ErrUnavailable},
		{"it is away", true, func() (*http.Response, error) { return nil, errCut }, bridge.ErrUnavailable},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, network := signedIn(t)
			network.set(func(req *http.Request) func() (*http.Response, error) {
				switch {
				case strings.HasPrefix(req.URL.Path, holdsPath):
					return row.answer
				case req.URL.Path == "/v1/session/heartbeat" && !row.counts:
					return func() (*http.Response, error) { return withoutHolds(network.real.RoundTrip(req)) }
				}
				return nil
			})
			await(t, c, "told what the account counts", func() bool { return c.State().HasHolds == row.counts })
			p, err := c.Holds(t.Context(), "", 10)
			if !errors.Is(err, row.fault) || len(p.Items) > 0 {
				t.Errorf("the list is %+v, %v; want nothing, %v", p, err, row.fault)
			}
			if asked := network.count("GET "+holdsPath) > 0; asked != row.counts {
				t.Errorf("asked for the list: %v", asked)
			}
			if row.fault != nil {
				return
			}
			_, err = c.DecideHolds(t.Context(), bridge.HoldDecision{IDs: []string{"x"}})
			if bridge.CodeOf(err) != bridge.NotFound {
				t.Errorf("deciding got %v, want %s", err, bridge.NotFound)
			}
			if s := c.State(); s.Strange != nil || s.Phase != account.SignedIn {
				t.Errorf("the connector is %+v", s)
			}
			if r := c.Report(); r.State != health.Healthy || len(r.Problems) > 0 {
				t.Errorf("it reports %+v", r)
			}
		})
	}
}

// withoutHolds is an answer to a heartbeat as it was before there were holds.
func withoutHolds(resp *http.Response, err error) (*http.Response, error) {
	if err != nil {
		return resp, err
	}
	defer resp.Body.Close()
	var fields map[string]json.RawMessage
	if err := json.NewDecoder(resp.Body).Decode(&fields); err != nil {
		return nil, err
	}
	delete(fields, "holds")
	body, err := json.Marshal(fields)
	resp.Body, resp.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return resp, err
}

// The list is there as soon as something is held, before the next heartbeat counts it.
func TestTheListOfHoldsDoesNotWaitForAHeartbeat(t *testing.T) {
	t.Parallel()
	c, _, admin := signedInWithAdmin(t)
	limited, err := admin.UpdateProvisioning(t.Context(), nil, api.ProvisioningUpdate{
		SuspensionLimit: new("max(0, 0%)/1h"),
	})
	if err != nil || limited.Body.Close() != nil || limited.StatusCode != http.StatusOK {
		t.Fatalf("limiting: %v, %d", err, limited.StatusCode)
	}
	p, err := c.CreatePerson(t.Context(), input("ann@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.DeletePerson(t.Context(), p.ID, ""); err != nil {
		t.Fatal(err)
	}
	held, err := c.Holds(t.Context(), "", 10)
	if err != nil || len(held.Items) != 1 || held.Suspensions != 1 || !held.AsOf.Equal(held.Items[0].Since) {
		t.Errorf("the list is %+v, %v", held, err)
	}
	if n, err := c.DecideHolds(t.Context(), bridge.HoldDecision{Until: held.AsOf.Add(-time.Microsecond)}); n != 0 {
		t.Errorf("decided %d that are newer, %v", n, err)
	}
	if n, err := c.DecideHolds(t.Context(), bridge.HoldDecision{Until: held.AsOf}); n != 1 || err != nil {
		t.Errorf("decided %d, %v", n, err)
	}
}
