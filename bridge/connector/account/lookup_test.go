package account_test

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
)

const lookupPath = "/v1/directory/members/lookup"

func TestMembersAreLookedUp(t *testing.T) {
	t.Parallel()
	c, _ := signedIn(t)
	p, err := c.CreatePerson(t.Context(), input("ann@example.com"))
	if err != nil {
		t.Fatal(err)
	}
	found, err := c.LookUpMembers(t.Context(), []string{" ANN@example.com", "eve@example.com"}, true)
	if err != nil || len(found.Items) != 1 || found.Database == "" ||
		store.IsPostgres(found.Database) != storetest.OnPostgres() {
		t.Fatalf("found %+v, %v", found, err)
	}
	m := found.Items[0]
	if m.PersonID != p.ID || m.UserName != "ann@example.com" || m.Address != "ann@example.com" ||
		m.Protected || !m.IsFoundBy(0, bridge.ByUserName) || !m.IsFoundBy(0, bridge.ByAddress) ||
		m.IsFoundBy(1, bridge.ByUserName, bridge.ByAddress) || m.State != bridge.Invited || m.Suspended ||
		m.AddressTaken || m.Mail != bridge.MailWaiting || !m.InvitedUntil.After(m.InvitedAt) ||
		len(m.Changes) != 1 || m.Changes[0].Action != "person.create" ||
		!strings.HasPrefix(m.Changes[0].Actor, "bridge:") {
		t.Errorf("the member is %+v", m)
	}
}

// An account of an older version, or another implementation of the API, need not tell. That is no fault of it.
func TestAnAccountNeedNotTellOfMembers(t *testing.T) {
	t.Parallel()
	answer := func(status int, kind, body string) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			return &http.Response{
				StatusCode: status, Header: http.Header{"Content-Type": {kind}},
				Body: io.NopCloser(strings.NewReader(body)),
			}, nil
		}
	}
	for _, row := range []struct {
		name   string
		answer func() (*http.Response, error)
		fault  error
	}{
		{"it has no such path", answer(404, "text/plain", "404 page not found"), errors.ErrUnsupported},
		{"it has no such path, as a problem", answer(404, "application/problem+json",
			`{"code":"not_found","title":"Not found"}`), errors.ErrUnsupported},
		{"it has no such method", answer(405, "text/plain", "Method Not Allowed"), errors.ErrUnsupported},
		{"something else answers", answer(200, "text/html", "<html>"), bridge.ErrUnavailable},
		{"it is away", func() (*http.Response, error) { return nil, errCut }, bridge.ErrUnavailable},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, network := signedIn(t)
			network.set(func(req *http.Request) func() (*http.Response, error) {
				if req.URL.Path == lookupPath {
					return row.answer
				}
				return nil
			})
			found, err := c.LookUpMembers(t.Context(), []string{"ann@example.com"}, false)
			if !errors.Is(err, row.fault) || len(found.Items) > 0 {
				t.Errorf("found %+v, %v; want %v", found, err, row.fault)
			}
			if !errors.Is(row.fault, errors.ErrUnsupported) {
				return
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
