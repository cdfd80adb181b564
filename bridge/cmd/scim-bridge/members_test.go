package main

import (
	"encoding/json"
	"strings"
	"testing"
)

// Unknown members are passed over and are a problem on the page; a whole list
// with only unknown ids is refused and changes nothing.
func TestUnknownMembersAreAProblemOnThePage(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serve(t, folder(t, pair.sealed))
	scim := func(method, path, body string) (reply, string) {
		t.Helper()
		r := ask(t, method, b.url("/scim/v2"+path), pair.token.Reveal(), body)
		var made struct {
			ID string `json:"id"`
		}
		_ = json.Unmarshal([]byte(r.body), &made) // a 204 has no body
		return r, made.ID
	}
	_, ann := scim("POST", "/Users", `{"userName":"ann@example.com"}`)
	_, group := scim("POST", "/Groups", `{"displayName":"Engineers","members":[{"value":"`+
		ann+`"},{"value":"ghost-1"}]}`)
	b.awaitProblem("members_unknown")
	refused, _ := scim("PATCH", "/Groups/"+group,
		`{"Operations":[{"op":"replace","path":"members","value":[{"value":"ghost-2"}]}]}`)
	if refused.status != 400 || !strings.Contains(refused.body, "ghost-2") ||
		!strings.Contains(refused.body, "invalidValue") {
		t.Errorf("a list of unknown ids: %d %s", refused.status, refused.body)
	}
	if now, _ := scim("GET", "/Groups/"+group, ""); !strings.Contains(now.body, ann) {
		t.Errorf("the group is %s", now.body)
	}
	problems := b.status().Problems
	if len(problems) != 1 || !strings.Contains(problems[0].Cause, `for "Engineers": "ghost-2"`) {
		t.Errorf("the problems: %+v", problems)
	}
	refused, _ = scim("PATCH", "/Groups/"+group,
		`{"Operations":[{"op":"replace","path":"members[value eq \"`+ann+`\"]","value":[{"value":"ghost-3"}]}]}`)
	if refused.status != 400 || !strings.Contains(refused.body, "ghost-3") ||
		!strings.Contains(refused.body, "invalidValue") {
		t.Errorf("unknown ids instead of one: %d %s", refused.status, refused.body)
	}
	if now, _ := scim("GET", "/Groups/"+group, ""); !strings.Contains(now.body, ann) {
		t.Errorf("the group is %s", now.body)
	}
	problems = b.status().Problems
	if len(problems) != 1 || !strings.Contains(problems[0].Cause, `for "Engineers": "ghost-3"`) {
		t.Errorf("the problems: %+v", problems)
	}
	put, _ := scim("PUT", "/Groups/"+group, `{"displayName":"Engineers","members":[{"value":"`+ann+`"}]}`)
	if put.status != 200 {
		t.Fatalf("%d %s", put.status, put.body)
	}
	if problems := b.status().Problems; len(problems) != 0 {
		t.Errorf("after the whole list was known: %+v", problems)
	}
	log := b.logText()
	if strings.Count(log, "problem=members_unknown") != 3 || !strings.Contains(log, "ghost-1") {
		t.Errorf("the log is\n%s", log)
	}
}
