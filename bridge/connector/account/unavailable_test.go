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

// An operator who reads "cannot be reached" in the identity provider looks at
// the network; a bridge that is refused says so instead.
func TestWhyTheAccountCannotBeAskedIsTold(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, code string
		status     int
		details    string
		phase      account.Phase // that the bridge comes to; empty if it stays signed in
		want       string
	}{
		{"the firewall", "firewall_blocked", 403, `{"address":"192.0.2.7"}`, account.Refused,
			"the account's firewall blocks the bridge"},
		{"its rule on cloud providers", "firewall_blocked", 403,
			`{"anonymous_ips":["cloud_provider"]}`, account.Refused,
			"the account's firewall blocks cloud providers"},
		{"credentials that were changed", "credentials_changed", 401, `{}`, account.Refused,
			"the Provision Manager's credentials no longer work"},
		{"credentials whose overlap is over", "credentials_expired", 401, `{}`, account.Refused,
			"the Provision Manager's credentials no longer work"},
		{"a second factor", "two_factor_enforced", 403, `{}`, account.Refused,
			"two-factor authentication was enforced"},
		{"no integration", "provisioning_inactive", 403, `{}`, account.Refused, "provisioning is not active"},
		{"a full disk", "storage_full", 503, `{}`, account.Refused, "the account's disk is full"},
		{"an error of its own", "internal", 500, `{}`, "", "the account answers with an error (500 internal)"},
		{"a lost connection", "", 0, "", account.Unreachable, "the account cannot be reached"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c, network := signedIn(t)
			body := fmt.Sprintf(`{"type":"about:blank","title":"No","status":%d,"code":%q,"details":%s}`,
				row.status, row.code,
				row.details)
			network.set(func(req *http.Request) func() (*http.Response, error) {
				if row.phase == "" && !strings.HasPrefix(req.URL.Path, peoplePath) {
					return nil
				}
				return func() (*http.Response, error) {
					if row.status == 0 {
						return nil, errCut
					}
					return &http.Response{
						StatusCode: row.status, Header: http.Header{"Content-Type": {"application/problem+json"}},
						Body: io.NopCloser(strings.NewReader(body)),
					}, nil
				}
			})
			said := func() string {
				t.Helper()
				_, err := c.Person(t.Context(), "x")
				e, ok := errors.AsType[*bridge.UnavailableError](err)
				if !ok || !errors.Is(err, bridge.ErrUnavailable) {
					t.Fatalf("got %v, want an UnavailableError", err)
				}
				return e.Detail
			}
			if got := said(); !strings.Contains(got, row.want) {
				t.Errorf("at first: %s, want %s", got, row.want)
			}
			if row.phase == "" {
				return
			}
			awaitPhase(t, c, row.phase)
			if got := said(); !strings.Contains(got, row.want) {
				t.Errorf("from then on: %s, want %s", got, row.want)
			}
		})
	}
}
