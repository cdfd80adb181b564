package scim_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// A PUT is the whole group: pocket-id and a Keycloak extension leave the key
// out together with the last member, and that member must not stay.
func TestPutOfAGroupIsAllOfIt(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	id, _ := create(t, server, "/Users", `{"userName":"u"}`)
	const named = `{"displayName":"g"`
	for _, body := range []string{named + `}`, named + `,"members":null}`, named + `,"members":[]}`, named + `,"Members":[]}`} {
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
			body := fmt.Sprintf(`{"Operations":[{"op":"add","path":"members","value":[{"value":%q}]},{"op":"replace","value":{"id":"x","displayName":"g","externalId":"e%d"}}]}`, id, i)
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
		if a := ask(t, server, http.MethodPatch, "/scim/v2/Groups/"+group, `{"Operations":[`+op+`]}`); a.status != http.StatusNoContent || a.header.Get("ETag") == "" {
			t.Errorf("%s: %d %s", op, a.status, a.raw)
		}
	}
	ask(t, server, http.MethodGet, "/scim/v2/Groups/"+group+"?excludedAttributes=members", "")
	if c.reads != 0 {
		t.Errorf("members were read %d times", c.reads)
	}
}

// An unknown member neither loses the push nor goes unsaid.
func TestUnknownMembersAreLogged(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	server := serve(t, newMemory(), hclog.New(&hclog.LoggerOptions{Output: &log, Level: hclog.Warn}))
	id, _ := create(t, server, "/scim/v2/Users", `{"userName":"u"}`)
	group, _ := create(t, server, "/scim/v2/Groups", `{"displayName":"g","members":[{"value":"`+id+`"},{"value":"ghost-1"}]}`)
	ask(t, server, http.MethodPut, "/scim/v2/Groups/"+group, `{"displayName":"g","members":[{"value":"`+id+`"},{"value":"ghost-2"}]}`)
	ask(t, server, http.MethodPatch, "/scim/v2/Groups/"+group, `{"Operations":[{"op":"add","path":"members","value":[{"value":"`+id+`"},{"value":"ghost-3"}]}]}`)
	for _, ghost := range []string{"ghost-1", "ghost-2", "ghost-3"} {
		if !strings.Contains(log.String(), ghost) {
			t.Errorf("%s is not in the log: %s", ghost, log.String())
		}
	}
	if strings.Contains(log.String(), id) {
		t.Errorf("a known member is in the log: %s", log.String())
	}
	if members := ask(t, server, http.MethodGet, "/scim/v2/Groups/"+group, "").at("members").([]any); len(members) != 1 {
		t.Errorf("the members are %v", members)
	}
}
