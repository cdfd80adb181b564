package server_test

import (
	"encoding/json"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// bridge signs a bridge in, through which provisioning speaks.
func (c *conversation) bridge(t *testing.T) *api.ClientWithResponses {
	t.Helper()
	return c.mustSignIn(t, c.activate(t), "bridge-1")
}

func personInput(attributes, address string) api.PersonInput {
	in := api.PersonInput{Attributes: json.RawMessage(attributes)}
	if address != "" {
		in.SignInAddress = &address
	}
	return in
}

func provision(t *testing.T, bridge *api.ClientWithResponses, userName string) api.Person {
	t.Helper()
	r, err := bridge.CreatePersonWithResponse(t.Context(), nil, personInput(fmt.Sprintf(`{"userName":%q}`, userName), userName))
	ok(t, err)
	if r.JSON201 == nil {
		t.Fatalf("provisioning %s: %s", userName, r.Body)
	}
	return *r.JSON201
}

func TestPersonFromFirstToLastRequest(t *testing.T) {
	t.Parallel()
	c := converse(t)
	bridge := c.bridge(t)

	// Retried under one key, the person is made once.
	key := &api.CreatePersonParams{IdempotencyKey: new("first")}
	const attributes = `{"userName":"Ann@example.com","displayName":"Ann","x-unknown":[1,{"a":null}]}`
	var ids []string
	for range 2 {
		r, err := bridge.CreatePersonWithResponse(t.Context(), key, personInput(attributes, "ann@example.com"))
		ok(t, err)
		if r.JSON201 == nil {
			t.Fatalf("creating: %s", r.Body)
		}
		ids = append(ids, r.JSON201.Id)
		equal(t, "the attributes", string(r.JSON201.Attributes), attributes)
		equal(t, "the state", r.JSON201.State, api.PersonStateInvited)
	}
	equal(t, "the id of the retry", ids[1], ids[0])
	id := ids[0]

	// Without the key it is a conflict that names who is in the way.
	clash, err := bridge.CreatePersonWithResponse(t.Context(), nil, personInput(`{"userName":"ANN@example.com"}`, ""))
	ok(t, err)
	equal(t, "the status", clash.StatusCode(), 409)
	equal(t, "the code", codeOf(clash.ApplicationproblemJSONDefault), "user_name_taken")
	equal(t, "the id in the way", deref(clash.ApplicationproblemJSONDefault.Details.ExistingId), id)

	got, err := bridge.GetPersonWithResponse(t.Context(), id)
	ok(t, err)
	old := got.JSON200.Etag
	changed, err := bridge.ReplacePersonWithResponse(t.Context(), id, &api.ReplacePersonParams{IfMatch: &old},
		personInput(`{"userName":"Ann@example.com","active":false}`, "ann@example.com"))
	ok(t, err)
	equal(t, "suspended", changed.JSON200.Suspended, true)
	stale, err := bridge.DeletePersonWithResponse(t.Context(), id, &api.DeletePersonParams{IfMatch: &old})
	ok(t, err)
	equal(t, "the status of a write on an old version", stale.StatusCode(), 412)
	equal(t, "its code", codeOf(stale.ApplicationproblemJSONDefault), "version_mismatch")

	// The administrator sees the member behind the person.
	m, err := c.GetMemberWithResponse(t.Context(), deref(changed.JSON200.MemberId))
	ok(t, err)
	equal(t, "the member's person", deref(m.JSON200.PersonId), id)
	equal(t, "the member's suspension", m.JSON200.Suspended, true)
	equal(t, "the member's ETag header", m.HTTPResponse.Header.Get("ETag"), m.JSON200.Etag)

	gone, err := bridge.DeletePersonWithResponse(t.Context(), id, nil)
	ok(t, err)
	equal(t, "the status of the delete", gone.StatusCode(), 204)
	missing, err := bridge.GetPersonWithResponse(t.Context(), id)
	ok(t, err)
	equal(t, "the status afterwards", missing.StatusCode(), 404)
}

func TestGroupAndSearchOverHTTP(t *testing.T) {
	t.Parallel()
	c := converse(t)
	bridge := c.bridge(t)
	ann, bob := provision(t, bridge, "ann@example.com"), provision(t, bridge, "bob@example.com")

	made, err := bridge.CreateProvisionedGroupWithResponse(t.Context(), nil, api.GroupInput{
		Attributes: json.RawMessage(`{"displayName":"Engineers"}`), Members: &[]string{ann.Id, "nobody"},
	})
	ok(t, err)
	if made.JSON201 == nil {
		t.Fatalf("creating a group: %s", made.Body)
	}
	equal(t, "the unknown member", fmt.Sprint(*made.JSON201.UnknownMembers), "[nobody]")
	g := made.JSON201.Id

	silent, err := bridge.UpdateGroupWithResponse(t.Context(), g, nil, api.GroupUpdate{AddMembers: &[]string{bob.Id}})
	ok(t, err)
	if silent.JSON200.Members != nil {
		t.Error("members were answered without being asked for")
	}
	equal(t, "the count", silent.JSON200.MemberCount, 2)
	full, err := bridge.GetGroupWithResponse(t.Context(), g, &api.GetGroupParams{Members: new(true)})
	ok(t, err)
	equal(t, "the members", len(*full.JSON200.Members), 2)
	emptied, err := bridge.UpdateGroupWithResponse(t.Context(), g, &api.UpdateGroupParams{Members: new(true)},
		api.GroupUpdate{ReplaceMembers: &[]string{}, AddMembers: &[]string{ann.Id}})
	ok(t, err)
	equal(t, "the one who is left", (*emptied.JSON200.Members)[0].Id, ann.Id)

	found, err := bridge.SearchPeopleWithResponse(t.Context(), api.Search{Filter: &api.Predicate{
		Op: api.Any, Path: &[]string{"groups"},
		Terms: &[]api.Predicate{{Op: api.Eq, Path: &[]string{"value"}, Value: g, CaseExact: new(true)}},
	}})
	ok(t, err)
	equal(t, "how many people are in the group", found.JSON200.Total, 1)
	equal(t, "who", found.JSON200.Items[0].Id, ann.Id)
	nothing, err := bridge.SearchGroupsWithResponse(t.Context(), api.Search{Limit: new(0), Filter: &api.Predicate{
		Op: api.Eq, Path: &[]string{"displayName"}, Value: "none",
	}})
	ok(t, err)
	equal(t, "a connection test's body", string(nothing.Body), `{"items":[],"total":0}`+"\n")
	refused, err := bridge.SearchPeopleWithResponse(t.Context(), api.Search{Filter: &api.Predicate{Op: api.Not}})
	ok(t, err)
	equal(t, "the code of a filter that means nothing", codeOf(refused.ApplicationproblemJSONDefault), "invalid_filter")

	attention, err := bridge.ListAttentionWithResponse(t.Context())
	ok(t, err)
	equal(t, "who waits", len(attention.JSON200.Items), 2)
	equal(t, "for what", attention.JSON200.Items[0].Kind, api.AttentionKindInvitationOpen)

	// An administrator sees the group too, and puts somebody else in by hand.
	listed, err := c.ListGroupsWithResponse(t.Context(), &api.ListGroupsParams{Managed: new(true)})
	ok(t, err)
	equal(t, "the managed groups", len(listed.JSON200.Items), 1)
	invited, err := c.InviteMemberWithResponse(t.Context(), nil, api.MemberInput{Address: "eve@example.com"})
	ok(t, err)
	accountID := listed.JSON200.Items[0].Id
	added, err := c.AddGroupMemberWithResponse(t.Context(), accountID, api.AddGroupMemberJSONRequestBody{MemberId: invited.JSON201.Id})
	ok(t, err)
	equal(t, "the status of adding by hand", added.StatusCode(), 204)
	members, err := c.ListGroupMembersWithResponse(t.Context(), accountID, &api.ListGroupMembersParams{Limit: new(1)})
	ok(t, err)
	rest, err := c.ListGroupMembersWithResponse(t.Context(), accountID, &api.ListGroupMembersParams{Cursor: members.JSON200.NextCursor})
	ok(t, err)
	equal(t, "the members of both pages", len(members.JSON200.Items)+len(rest.JSON200.Items), 2)

	gone, err := bridge.DeleteGroupWithResponse(t.Context(), g, nil)
	ok(t, err)
	equal(t, "the status of the delete", gone.StatusCode(), 204)
}

func TestMembersByHand(t *testing.T) {
	t.Parallel()
	c := converse(t)
	invited, err := c.InviteMemberWithResponse(t.Context(), nil, api.MemberInput{Address: "Owner@example.com", Role: new(api.RoleOwner)})
	ok(t, err)
	if invited.JSON201 == nil {
		t.Fatalf("inviting: %s", invited.Body)
	}
	m := *invited.JSON201
	for name, params := range map[string]api.ListMembersParams{
		"by address":  {Address: new("owner@EXAMPLE.com")},
		"by state":    {State: new(api.MemberStateInvited)},
		"not managed": {Managed: new(false)},
	} {
		r, err := c.ListMembersWithResponse(t.Context(), &params)
		ok(t, err)
		if len(r.JSON200.Items) != 1 || r.JSON200.Items[0] != m {
			t.Errorf("%s: %s", name, r.Body)
		}
	}
	c.clock.advance(time.Second)
	changed, err := c.UpdateMemberWithResponse(t.Context(), m.Id, &api.UpdateMemberParams{IfMatch: &m.Etag}, api.MemberUpdate{Suspended: new(true)})
	ok(t, err)
	equal(t, "suspended", changed.JSON200.Suspended, true)
	stale, err := c.UpdateMemberWithResponse(t.Context(), m.Id, &api.UpdateMemberParams{IfMatch: &m.Etag}, api.MemberUpdate{Suspended: new(false)})
	ok(t, err)
	equal(t, "the status of a write on an old version", stale.StatusCode(), 412)

	// What is done by hand is on record.
	events, err := c.ListAuditEventsWithResponse(t.Context(), nil)
	ok(t, err)
	equal(t, "the last event", events.JSON200.Items[0].Action, "member.update")
}

func TestProvisioningByManyBridgesAtOnce(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	const bridges, people = 4, 8
	g, err := c.mustSignIn(t, creds, "bridge-0").CreateProvisionedGroupWithResponse(t.Context(), nil,
		api.GroupInput{Attributes: json.RawMessage(`{"displayName":"Everybody"}`)})
	ok(t, err)
	var all sync.WaitGroup
	for b := range bridges {
		bridge := c.mustSignIn(t, creds, fmt.Sprintf("bridge-%d", b))
		for p := range people {
			all.Go(func() {
				// Every bridge is told of the same people: one of them makes each.
				name := fmt.Sprintf("p%d@example.com", p)
				r, err := bridge.CreatePersonWithResponse(t.Context(), nil, personInput(fmt.Sprintf(`{"userName":%q}`, name), name))
				if err != nil {
					t.Error(err)
					return
				}
				if r.JSON201 == nil {
					if codeOf(r.ApplicationproblemJSONDefault) != "user_name_taken" {
						t.Errorf("creating %s: %s", name, r.Body)
					}
					return
				}
				if _, err := bridge.UpdateGroupWithResponse(t.Context(), g.JSON201.Id, nil, api.GroupUpdate{AddMembers: &[]string{r.JSON201.Id}}); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	got, err := c.account.Group(t.Context(), g.JSON201.Id, true)
	ok(t, err)
	equal(t, "the members", len(got.Members), people)
	found, err := c.account.SearchPeople(t.Context(), account.Search{})
	ok(t, err)
	equal(t, "the people", found.Total, int64(people))
}
