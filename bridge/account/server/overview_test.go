package server_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

// What the status page of a bridge shows of its account.
func TestABridgeReadsWhatItsPageShows(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	bridge := c.mustSignIn(t, creds, "bridge-1")
	c.mustSignIn(t, creds, "bridge-2")
	for _, name := range []string{"ann", "bob", "eve"} {
		r, err := apitest.Read[api.Person](bridge.CreatePerson(t.Context(), nil, api.PersonInput{
			Attributes: []byte(`{"userName":"` + name + `@example.com"}`), SignInAddress: new(name + "@example.com"),
		}))
		ok(t, err)
		equal(t, "creating", r.Status, 201)
	}
	first, err := apitest.Read[api.WaitingPage](bridge.ListWaiting(t.Context(), &api.ListWaitingParams{Limit: new(2)}))
	ok(t, err)
	equal(t, "the first page", len(first.Value.Items), 2)
	equal(t, "how many were invited", first.Value.Counts["invitation_open"], 3)
	rest, err := apitest.Read[api.WaitingPage](bridge.ListWaiting(t.Context(), &api.ListWaitingParams{
		Cursor: first.Value.NextCursor,
	}))
	ok(t, err)
	names := []string{}
	for _, a := range append(first.Value.Items, rest.Value.Items...) {
		names = append(names, a.UserName)
	}
	slices.Sort(names)
	equal(t, "on both pages", strings.Join(names, " "), "ann@example.com bob@example.com eve@example.com")
	found, err := apitest.Read[api.WaitingPage](bridge.ListWaiting(t.Context(), &api.ListWaitingParams{
		Search: new("BOB"), Kind: new("invitation_open"),
	}))
	ok(t, err)
	equal(t, "a search", found.Value.Items[0].UserName, "bob@example.com")
	for name, params := range map[string]api.ListWaitingParams{
		"an unknown kind": {Kind: new("x")}, "a search without end": {Search: new(strings.Repeat("ä", 321))},
		"a limit that is none": {Limit: new(0)},
	} {
		r, err := apitest.Read[api.WaitingPage](bridge.ListWaiting(t.Context(), &params))
		ok(t, err)
		equal(t, name, codeOf(r.Problem), "invalid_value")
	}

	bridges, err := apitest.Read[api.BridgePage](bridge.ListBridgesForBridge(t.Context(),
		&api.ListBridgesForBridgeParams{Limit: new(1)}))
	ok(t, err)
	equal(t, "bridges on a page", len(bridges.Value.Items), 1)
	equal(t, "there are more", bridges.Value.NextCursor != nil, true)
	attempts, err := apitest.Read[api.SignInAttemptPage](bridge.ListSignInAttemptsForBridge(t.Context(), nil))
	ok(t, err)
	listed, err := apitest.Read[api.SignInAttemptPage](c.ListSignInAttempts(t.Context(), nil))
	ok(t, err)
	equal(t, "there are attempts", len(listed.Value.Items) > 0, true)
	equal(t, "they are those of the administrator's list", string(attempts.Body), string(listed.Body))

	// An administrator has lists of its own.
	r, err := apitest.Read[api.BridgePage](c.ListBridgesForBridge(t.Context(), nil))
	ok(t, err)
	equal(t, "an admin token", r.Status, 401)
}
