package main

import (
	"encoding/json"
	"net/url"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

// An administrator suspends a person that the identity provider still considers
// active. No update of anything else lets them in again.
func TestASuspensionByHandOutlivesUnrelatedUpdates(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	b := serve(t, folder(t, pair.sealed))
	scim := func(method, path, body string) map[string]any {
		t.Helper()
		got := ask(t, method, b.url("/scim/v2"+path), pair.token.Reveal(), body)
		var resource map[string]any
		if got.status >= 300 || json.Unmarshal([]byte(got.body), &resource) != nil {
			t.Fatalf("%s %s: %d %s", method, path, got.status, got.body)
		}
		return resource
	}
	path := "/Users/" + scim("POST", "/Users", `{"userName":"ann@example.com","active":true}`)["id"].(string)
	address := "ann@example.com"
	members, err := apitest.Read[api.MemberPage](account.admin.ListMembers(t.Context(),
		&api.ListMembersParams{Address: &address}))
	if err != nil || members.Value == nil || len(members.Value.Items) != 1 {
		t.Fatalf("finding the member: %v %s", err, members.Body)
	}
	id := members.Value.Items[0].Id
	suspended, err := apitest.Read[api.Member](account.admin.UpdateMember(t.Context(), id, nil,
		api.MemberUpdate{Suspended: new(true)}))
	if err != nil || suspended.Value == nil {
		t.Fatalf("suspending the member: %v %s", err, suspended.Body)
	}

	for _, step := range []struct {
		name, method, body string
		active             bool
	}{
		{"seen", "GET", "", false},
		{"a PATCH of the title", "PATCH", `{"Operations":[{"op":"replace","path":"title","value":"Dr."}]}`, false},
		{"a PATCH without a path", "PATCH",
			`{"Operations":[{"op":"Replace","value":{"name.givenName":"Ann"}}]}`, false},
		{"a PUT that is silent on active", "PUT", `{"userName":"ann@example.com","displayName":"Ann"}`, false},
		{"a PATCH that says active", "PATCH", `{"Operations":[{"op":"Replace","path":"active","value":"True"}]}`, true},
	} {
		if got := scim(step.method, path, step.body)["active"]; got != step.active {
			t.Errorf("%s: active is %v", step.name, got)
		}
		member, err := apitest.Read[api.Member](account.admin.GetMember(t.Context(), id))
		if err != nil || member.Value == nil || member.Value.Suspended == step.active {
			t.Errorf("%s: the member is %s, %v", step.name, member.Body, err)
		}
		for filter, want := range map[string]bool{
			"active eq true": step.active, "active eq false": !step.active, `active eq "False"`: !step.active,
		} {
			list := scim("GET", "/Users?filter="+url.QueryEscape(filter), "")
			if found := list["totalResults"] == 1.0; found != want {
				t.Errorf("%s: %s finds %v", step.name, filter, list["totalResults"])
			}
		}
	}
}
