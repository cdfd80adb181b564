package main

import (
	"encoding/json"
	"net/http"
	"net/url"
	"testing"
)

// A person's document shows the names of its groups, so a renamed group makes
// another version of it: on GET, in lists, in filters and for If-Match alike.
func TestAPersonsVersionFollowsTheNamesOfItsGroups(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serve(t, folder(t, pair.sealed))
	scim := func(method, path, body string, headers ...string) reply {
		t.Helper()
		return ask(t, method, b.url("/scim/v2"+path), pair.token.Reveal(), body, headers...)
	}
	idOf := func(r reply) string {
		t.Helper()
		var made struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal([]byte(r.body), &made); err != nil || made.ID == "" {
			t.Fatalf("%d %s", r.status, r.body)
		}
		return made.ID
	}
	ann := "/Users/" + idOf(scim("POST", "/Users", `{"userName":"ann@example.com"}`))
	group := "/Groups/" + idOf(scim("POST", "/Groups", `{"displayName":"Engineers","members":[{"value":"`+
		ann[len("/Users/"):]+`"}]}`))
	before := scim("GET", ann, "").header.Get("ETag")
	if got := scim("GET", ann, "", "If-None-Match", before); got.status != http.StatusNotModified {
		t.Errorf("unchanged: %d", got.status)
	}
	scim("PATCH", group, `{"Operations":[{"op":"replace","path":"displayName","value":"Builders"}]}`)

	now := scim("GET", ann, "", "If-None-Match", before)
	after := now.header.Get("ETag")
	if now.status != http.StatusOK || after == before {
		t.Fatalf("after the group was renamed: %d, version %s of %s", now.status, after, before)
	}
	var shown struct {
		Meta struct {
			Version string `json:"version"`
		} `json:"meta"`
	}
	if err := json.Unmarshal([]byte(now.body), &shown); err != nil || shown.Meta.Version != after {
		t.Errorf("meta.version is %q, the ETag %q", shown.Meta.Version, after)
	}
	quoted, err := json.Marshal(after)
	if err != nil {
		t.Fatal(err)
	}
	var list struct {
		Total int `json:"totalResults"`
	}
	found := scim("GET", "/Users?filter="+url.QueryEscape("meta.version eq "+string(quoted)), "")
	if err := json.Unmarshal([]byte(found.body), &list); err != nil || list.Total != 1 {
		t.Errorf("a filter on the version: %d %s", found.status, found.body)
	}
	for _, step := range []struct {
		name, method, body, version string
		status                      int
	}{
		{"PUT of the document of before", "PUT", `{"userName":"ann@example.com","title":"T"}`, before, 412},
		{"PATCH of it", "PATCH", `{"Operations":[{"op":"replace","path":"title","value":"T"}]}`, before, 412},
		{"DELETE of it", "DELETE", "", before, 412},
		{"PATCH of the present one", "PATCH",
			`{"Operations":[{"op":"replace","path":"title","value":"T"}]}`, after, 200},
	} {
		if got := scim(step.method, ann, step.body, "If-Match", step.version); got.status != step.status {
			t.Errorf("%s: %d %s, want %d", step.name, got.status, got.body, step.status)
		}
	}
}
