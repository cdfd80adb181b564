package account_test

import (
	"net/http"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
)

// onlyBridge is the account's one bridge as an administrator sees it.
func onlyBridge(t *testing.T, admin *api.Client) api.Bridge {
	t.Helper()
	r, err := apitest.Read[api.BridgePage](admin.ListBridges(t.Context(), nil))
	if err != nil || r.Value == nil || len(r.Value.Items) != 1 {
		t.Fatalf("listing the bridges: %v %+v", err, r)
	}
	return r.Value.Items[0]
}

// A bridge that is sealed again has no part in the account: an administrator
// who wants to change the firewall would be held up by it for hours.
func TestDroppedCredentialsEndTheSession(t *testing.T) {
	t.Parallel()
	c, _, admin := signedInWithAdmin(t)
	if !onlyBridge(t, admin).Live || c.State().Proved != 1 {
		t.Fatalf("before: %+v, %+v", onlyBridge(t, admin), c.State())
	}
	c.ClearCredentials()
	if s := c.State(); s.Phase != account.Waiting || s.Proved != 0 || s.Epoch != 0 {
		t.Errorf("after dropping the credentials: %+v", s)
	}
	await(t, c, "signed out", func() bool { return !onlyBridge(t, admin).Live })
	if b := onlyBridge(t, admin); b.State != "stopped" {
		t.Errorf("afterwards the bridge is %+v", b)
	}
}

// The pair may be over while a sign-in with it is under way.
func TestASignInWithDroppedCredentialsProvesNothing(t *testing.T) {
	t.Parallel()
	c, network, admin := signedInWithAdmin(t)
	creds := network.creds
	c.ClearCredentials()
	await(t, c, "signed out", func() bool { return !onlyBridge(t, admin).Live })
	network.set(once("POST /v1/auth/finish", func(req *http.Request) func() (*http.Response, error) {
		return func() (*http.Response, error) {
			resp, err := network.real.RoundTrip(req)
			c.ClearCredentials()
			return resp, err
		}
	}))
	c.SetCredentials(creds, 1)
	await(t, c, "asked again", func() bool { return network.count("POST /v1/auth/finish") == 2 })
	await(t, c, "signed out again", func() bool {
		return network.count("DELETE /v1/session") == 2 && !onlyBridge(t, admin).Live
	})
	if s := c.State(); s.Phase != account.Waiting || s.Proved != 0 {
		t.Errorf("got %+v", s)
	}
}
