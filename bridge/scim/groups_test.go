package scim_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// A PUT is the whole group: pocket-id and a Keycloak extension leave the key
// out together with the last member, and that member must not stay.
func TestPutReplacesAWholeGroup(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	id, _ := create(t, server, "/Users", `{"userName":"u"}`)
	const named = `{"displayName":"g"`
	for _, body := range []string{named + `}`, named + `,"members":null}`, named + `,"members":[]}`, named +
		`,"Members":[]}`} {
		group, _ := create(t, server, "/Groups", `{"displayName":"g","members":[{"value":"`+id+`"}]}`)
		a := ask(t, server, http.MethodPut, "/Groups/"+group, body)
		if members, _ := a.at("members").([]any); a.status != http.StatusOK || members == nil || len(members) != 0 {
			t.Errorf("PUT %s: %d %s", body, a.status, a.raw)
		}
		ask(t, server, http.MethodDelete, "/Groups/"+group, "")
	}
}

// Many at once change one group's members and name; nothing is lost.
func TestConcurrentGroupPatches(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	group, _ := create(t, server, "/scim/v2/Groups", `{"displayName":"g"}`)
	var wg sync.WaitGroup
	for i := range 16 {
		id, _ := create(t, server, "/scim/v2/Users", fmt.Sprintf(`{"userName":"u%d"}`, i))
		wg.Go(func() {
			body := fmt.Sprintf(
				`{"Operations":[{"op":"add","path":"members","value":[{"value":%q}]},{"op":"replace",`+
					`"value":{"id":"x",`+
					`"displayName":"g","externalId":"e%d"}}]}`, id, i)
			if a := ask(t, server, http.MethodPatch, "/scim/v2/Groups/"+group, body); a.status != http.StatusNoContent {
				t.Errorf("got %d %s", a.status, a.raw)
			}
		})
	}
	wg.Wait()
	if got := ask(t, server, http.MethodGet, "/scim/v2/Groups/"+group, "").at("members").([]any); len(got) != 16 {
		t.Errorf("%d members are left of 16", len(got))
	}
}

// counting counts how often members are read.
type counting struct {
	*memory
	reads int
}

func (c *counting) Group(ctx context.Context, id string, withMembers bool) (bridge.Group, error) {
	if withMembers {
		c.reads++
	}
	return c.memory.Group(ctx, id, withMembers)
}

// Changing a member must not cost more in a larger group.
func TestMembershipChangesDoNotReadMembers(t *testing.T) {
	t.Parallel()
	c := &counting{memory: newMemory()}
	server := serve(t, c, nil)
	group, _ := create(t, server, "/scim/v2/Groups", `{"displayName":"g"}`)
	id, _ := create(t, server, "/scim/v2/Users", `{"userName":"u"}`)
	for _, op := range []string{
		`{"op":"add","path":"members","value":[{"value":"` + id + `"}]}`,
		`{"op":"remove","path":"members[value eq \"` + id + `\"]"}`,
		`{"op":"replace","value":{"displayName":"h"}}`,
	} {
		a := ask(t, server, http.MethodPatch, "/scim/v2/Groups/"+group, `{"Operations":[`+op+`]}`)
		if a.status != http.StatusNoContent || a.header.Get("ETag") == "" {
			t.Errorf("%s: %d %s", op, a.status, a.raw)
		}
	}
	ask(t, server, http.MethodGet, "/scim/v2/Groups/"+group+"?excludedAttributes=members", "")
	if c.reads != 0 {
		t.Errorf("members were read %d times", c.reads)
	}
}

// A push of unknown members alone must not empty a group: an identity provider
// that lost its ids would empty all groups. Only [],
// null or no value empties it.
func TestAPushOfUnknownMembersAloneChangesNothing(t *testing.T) {
	t.Parallel()
	const core = `"urn:ietf:params:scim:schemas:core:2.0:Group`
	patch := func(operations string) string { return `{"Operations":[` + operations + `]}` }
	tests := []struct{ name, method, body string }{
		{"PATCH replace by an unknown id", "PATCH",
			patch(`{"op":"replace","path":"members","value":[{"value":"ghost"}]}`)},
		{"by several, bare", "PATCH", patch(`{"op":"replace","path":"members","value":["ghost","spirit"]}`)},
		{"by ids in capitals, which are other ids", "PATCH",
			patch(`{"op":"replace","path":"members","value":[{"value":"ANN"}]}`)},
		{"by a userName", "PATCH", patch(`{"op":"replace","path":"members","value":[{"value":"bob"}]}`)},
		{"by a deleted person", "PATCH", patch(`{"op":"replace","path":"members","value":[{"value":"DELETED"}]}`)},
		{"by an address on another server", "PATCH",
			patch(`{"op":"replace","path":"members","value":[{"value":"https://idp.example.com/Users/ghost"}]}`)},
		{"by the address of a known person, which is not an id", "PATCH",
			patch(`{"op":"replace","path":"members",` +
				`"value":[{"value":"https://scim.example.com/scim/v2/Users/ANN-ID"}]}`)},
		{"by an empty object in a list", "PATCH", patch(`{"op":"replace","path":"members","value":[{}]}`)},
		{"by an empty object", "PATCH", patch(`{"op":"replace","path":"members","value":{}}`)},
		{"by an empty text", "PATCH", patch(`{"op":"replace","path":"members","value":""}`)},
		{"by blanks", "PATCH", patch(`{"op":"replace","path":"members","value":"  "}`)},
		{"by a list of an empty text", "PATCH", patch(`{"op":"replace","path":"members","value":[""]}`)},
		{"by a list of null", "PATCH", patch(`{"op":"replace","path":"members","value":[null]}`)},
		{"by an empty value", "PATCH", patch(`{"op":"replace","path":"members","value":[{"value":""}]}`)},
		{"by a null value", "PATCH", patch(`{"op":"replace","path":"members","value":[{"value":null}]}`)},
		{"by a name alone", "PATCH", patch(`{"op":"replace","path":"members","value":[{"display":"Ann"}]}`)},
		{"within Salesforce's object", "PATCH",
			patch(`{"op":"replace","path":"members","value":{"members":[{"value":"ghost"}]}}`)},
		{"without a path", "PATCH",
			patch(`{"op":"replace","value":{"displayName":"g","members":[{"value":"ghost"}]}}`)},
		{"without a path, by an empty object", "PATCH", patch(`{"op":"replace","value":{"members":{}}}`)},
		{"under the qualified name", "PATCH",
			patch(`{"op":"replace","path":` + core + `:members","value":[{"value":"ghost"}]}`)},
		{"of the members' values", "PATCH", patch(`{"op":"replace","path":"members.value","value":"ghost"}`)},
		{"and of the name, which stays too", "PATCH",
			patch(
				`{"op":"replace","path":"displayName","value":"h"},{"op":"replace","path":"members",` +
					`"value":[{"value":"ghost"}]}`)},
		{"then an addition of a known person", "PATCH",
			patch(
				`{"op":"replace","path":"members","value":[{"value":"ghost"}]},{"op":"add","path":"members",` +
					`"value":[{"value":"ANN-ID"}]}`)},
		{"emptying, then adding an unknown id", "PATCH",
			patch(`{"op":"remove","path":"members"},{"op":"add","path":"members","value":[{"value":"ghost"}]}`)},
		{"of every selected member", "PATCH",
			patch(`{"op":"replace","path":"members[type eq \"User\"]","value":[{"value":"ghost"}]}`)},
		{"of one selected member", "PATCH",
			patch(`{"op":"replace","path":"members[value eq \"ANN-ID\"].value","value":"ghost"}`)},
		{"of one selected member by more than an answer lists", "PATCH",
			patch(`{"op":"replace","path":"members[value eq \"ANN-ID\"]","value":[` + ghosts(150) + `]}`)},
		{"of one selected member, beside another's by a known person", "PATCH",
			patch(
				`{"op":"replace","path":"members[value eq \"ANN-ID\"]","value":"ghost"},{"op":"replace",` +
					`"path":"members[value eq ` +
					`\"BOB-ID\"]","value":"BOB-ID"}`)},
		{"of one selected member, and of the name, which stays too", "PATCH",
			patch(
				`{"op":"replace","path":"displayName","value":"h"},{"op":"replace","path":"members[value eq ` +
					`\"ANN-ID\"]","value":"ghost"}`)},
		{"PUT of an unknown id", "PUT", `{"displayName":"g","members":[{"value":"ghost"}]}`},
		{"PUT of an id in capitals", "PUT", `{"displayName":"g","members":[{"value":"ANN"}]}`},
		{"PUT of an empty object in a list", "PUT", `{"displayName":"g","members":[{}]}`},
		{"PUT of an empty object", "PUT", `{"displayName":"g","members":{}}`},
		{"PUT of an empty text", "PUT", `{"displayName":"g","members":""}`},
		{"PUT of a list of null", "PUT", `{"displayName":"g","Members":[null]}`},
		{"PUT of an empty value", "PUT", `{"displayName":"g","members":[{"value":" ","display":"Ann"}]}`},
		{"PUT under the qualified name", "PUT", `{"displayName":"g",` + core + `:members":[{}]}`},
		{"PUT under the schema's URI", "PUT", `{` + core + `":{"displayName":"g","members":[{}]}}`},
		{"PUT of the address of a known person", "PUT", `{"displayName":"g","members":["/Users/ANN-ID"]}`},
		{"replace without a path by a list", "PATCH", patch(`{"op":"replace","value":[{"value":"ghost"}]}`)},
		{"PUT of the members' values", "PUT", `{"displayName":"g","members.value":"ghost"}`},
		{"PUT of a selected member", "PUT", `{"displayName":"g","members[value eq \"ghost\"].display":"Ann"}`},
		{"PUT of the members' values under the qualified name", "PUT",
			`{"displayName":"g",` + core + `:members.value":"ghost"}`},
		{"PUT in two spellings", "PUT", `{"displayName":"g","members":[],"MEMBERS":[{}]}`},
	}
	for _, tt := range tests {
		for _, bulk := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, bulk %t", tt.name, bulk), func(t *testing.T) {
				t.Parallel()
				server := serve(t, newMemory(), nil)
				ann, _ := create(t, server, "/Users", `{"userName":"ann"}`)
				bob, _ := create(t, server, "/Users", `{"userName":"bob"}`)
				gone, _ := create(t, server, "/Users", `{"userName":"gone"}`)
				ask(t, server, http.MethodDelete, "/Users/"+gone, "")
				group, version := create(t, server, "/Groups",
					`{"displayName":"g","members":[{"value":"`+ann+`"},{"value":"`+bob+
						`"}]}`)
				body := strings.NewReplacer("ANN-ID", ann, "BOB-ID", bob, "ANN", strings.ToUpper(ann), "DELETED",
					gone).Replace(tt.body)
				var a answer
				if bulk {
					a = ask(t, server, http.MethodPost, "/Bulk",
						fmt.Sprintf(`{"Operations":[{"method":%q,"path":"/Groups/%s","data":%s}]}`,
							tt.method, group, body))
					a = answer{
						status: http.StatusBadRequest, raw: a.raw,
						body: a.at("Operations").([]any)[0].(map[string]any)["response"].(map[string]any),
					}
				} else {
					a = ask(t, server, tt.method, "/Groups/"+group, body)
				}
				if a.status != http.StatusBadRequest || a.at("status") != "400" || a.at("scimType") != "invalidValue" {
					t.Errorf("got %d %s, want 400 invalidValue", a.status, a.raw)
				}
				if strings.Contains(body, "ghost") && !strings.Contains(fmt.Sprint(a.at("detail")), "ghost") {
					t.Errorf("the answer does not name the id: %s", a.raw)
				}
				now := ask(t, server, http.MethodGet, "/Groups/"+group, "")
				members := now.at("members").([]any)
				if len(members) != 2 || now.at("displayName") != "g" || now.header.Get("ETag") != version {
					t.Errorf("now %s", now.raw)
				}
			})
		}
	}
}

// ghosts are the JSON of n unknown members.
func ghosts(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`{"value":"ghost-%d"}`, i)
	}
	return strings.Join(list, ",")
}

// What does empty a group, and what is understood of members otherwise.
func TestPushesOfMembersThatGoThrough(t *testing.T) {
	t.Parallel()
	patch := func(operations string) string { return `{"Operations":[` + operations + `]}` }
	tests := []struct {
		name, method, body string
		members            int
	}{
		{"replace by an empty list", "PATCH", patch(`{"op":"replace","path":"members","value":[]}`), 0},
		{"replace by null", "PATCH", patch(`{"op":"replace","path":"members","value":null}`), 0},
		{"remove without a value", "PATCH", patch(`{"op":"remove","path":"members"}`), 0},
		{"PUT of an empty list", "PUT", `{"displayName":"g","members":[]}`, 0},
		{"PUT of null", "PUT", `{"displayName":"g","members":null}`, 0},
		{"PUT without members", "PUT", `{"displayName":"g"}`, 0},
		{"replace by one known and one unknown id", "PATCH",
			patch(`{"op":"replace","path":"members","value":[{"value":"ghost"},{"value":"ANN"}]}`), 1},
		{"replace by a known id and an empty one", "PATCH",
			patch(`{"op":"replace","path":"members","value":[{},{"value":"ANN"},""]}`), 1},
		{"replace by $ref alone", "PATCH",
			patch(`{"op":"replace","path":"members","value":[{"$ref":"../Users/ANN"}]}`), 1},
		{"replace by an id between blanks", "PATCH",
			patch(`{"op":"replace","path":"members","value":[{"value":" ANN "}]}`),
			1},
		{"PUT of the address of a known person", "PUT", `{"displayName":"g","members":[{"$ref":"/Users/ANN"}]}`, 1},
		{"PUT under the schema's URI with a dot", "PUT",
			`{"displayName":"g","urn:ietf:params:scim:schemas:core:2.0:Group.members":[{"value":"ANN"}]}`, 1},
		{"PUT of the members' values", "PUT", `{"displayName":"g","members.value":["ANN"]}`, 1},
		{"PUT of no part of them", "PUT", `{"displayName":"g","members.display":null}`, 0},
		{"adding without a path", "PATCH", patch(`{"op":"add","value":[{"value":"ANN"}]}`), 2},
		{"removing without a path", "PATCH", patch(`{"op":"remove","value":[{"value":"ANN"}]}`), 1},
		{"adding an unknown id", "PATCH", patch(`{"op":"add","path":"members","value":[{"value":"ghost"}]}`), 2},
		{"removing an unknown id", "PATCH", patch(`{"op":"remove","path":"members","value":[{"value":"ghost"}]}`), 2},
		{"removing an empty element", "PATCH", patch(`{"op":"remove","path":"members","value":[{}]}`), 2},
		{"removing an empty text", "PATCH", patch(`{"op":"remove","path":"members","value":""}`), 2},
		{"removing one and adding an unknown id", "PATCH",
			patch(`{"op":"remove","path":"members","value":["ANN"]},{"op":"add","path":"members","value":["ghost"]}`),
			1},
		{"replacing one member with an unknown and a known id", "PATCH",
			patch(`{"op":"replace","path":"members[value eq \"ANN\"]","value":[{"value":"ghost"},{"value":"BOB"}]}`),
			1},
		{"and with a known id after many unknown ones", "PATCH",
			patch(`{"op":"replace","path":"members[value eq \"ANN\"]","value":[` +
				ghosts(150) + `,{"value":"BOB"}]}`), 1},
		{"replacing one member with another that is removed again", "PATCH",
			patch(
				`{"op":"replace","path":"members[value eq ` +
					`\"ANN\"]","value":"ghost"},{"op":"remove","path":"members","value":["ghost"]}`), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, newMemory(), nil)
			ann, _ := create(t, server, "/Users", `{"userName":"ann"}`)
			bob, _ := create(t, server, "/Users", `{"userName":"bob"}`)
			group, _ := create(t, server, "/Groups",
				`{"displayName":"g","members":[{"value":"`+ann+`"},{"value":"`+bob+`"}]}`)
			a := ask(t, server, tt.method, "/Groups/"+group,
				strings.NewReplacer("ANN", ann, "BOB", bob).Replace(tt.body))
			if a.status >= http.StatusMultipleChoices {
				t.Fatalf("got %d %s", a.status, a.raw)
			}
			now := ask(t, server, http.MethodGet, "/Groups/"+group, "")
			if members := now.at("members").([]any); len(members) != tt.members {
				t.Errorf("members are %v, want %d", members, tt.members)
			}
		})
	}
}

// RFC 7240: a client that prefers the representation gets it, which a PATCH of
// a group leaves out otherwise.
func TestAPatchedGroupIsShownToAClientThatPrefersIt(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	ann, _ := create(t, server, "/Users", `{"userName":"ann"}`)
	group, _ := create(t, server, "/Groups", `{"displayName":"g"}`)
	const operation = `{"op":"replace","path":"externalId","value":"x"}`
	join := `{"Operations":[{"op":"add","path":"members","value":[{"value":"` + ann + `"}]},` + operation + `]}`
	for _, tt := range []struct {
		name    string
		prefer  []string
		path    string
		status  int
		members any // how many are shown; nil if the list is left out
	}{
		{"no preference", nil, "", 204, nil},
		{"the representation", []string{"Prefer", "return=representation"}, "", 200, 1},
		{"in another case, quoted, among others",
			[]string{"Prefer", `respond-async, RETURN = "Representation"; x=y, wait=10`}, "", 200, 1},
		{"the least", []string{"Prefer", "return=minimal"}, "", 204, nil},
		{"the least first", []string{"Prefer", "return=minimal, return=representation"}, "", 204, nil},
		{"another preference", []string{"Prefer", "handling=lenient"}, "", 204, nil},
		{"the representation without members", []string{"Prefer", "return=representation"},
			"?excludedAttributes=members",
			200, nil},
	} {
		a := ask(t, server, http.MethodPatch, "/Groups/"+group+tt.path, join, tt.prefer...)
		if a.status != tt.status || a.header.Get("ETag") == "" {
			t.Errorf("%s: got %d %s, want %d", tt.name, a.status, a.raw, tt.status)
		}
		if applied := a.header.Get("Preference-Applied"); (applied == "return=representation") != (tt.status == 200) {
			t.Errorf("%s: Preference-Applied is %q", tt.name, applied)
		}
		members, shown := a.at("members").([]any)
		if shown != (tt.members != nil) || shown && len(members) != tt.members {
			t.Errorf("%s: members %v, want %v", tt.name, members, tt.members)
		}
	}
}
