package server_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
)

// bridge signs a bridge in, through which provisioning speaks.
func (c *conversation) bridge(t *testing.T) *api.Client {
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

func provision(t *testing.T, bridge *api.Client, userName string) api.Person {
	t.Helper()
	r, err := apitest.Read[api.Person](bridge.CreatePerson(t.Context(), nil,
		personInput(fmt.Sprintf(`{"userName":%q}`, userName), userName)))
	ok(t, err)
	if r.Value == nil {
		t.Fatalf("provisioning %s: %s", userName, r.Body)
	}
	return *r.Value
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
		r, err := apitest.Read[api.Person](bridge.CreatePerson(t.Context(), key,
			personInput(attributes, "ann@example.com")))
		ok(t, err)
		if r.Value == nil {
			t.Fatalf("creating: %s", r.Body)
		}
		ids = append(ids, r.Value.Id)
		equal(t, "the attributes", string(r.Value.Attributes), attributes)
		equal(t, "the state", r.Value.State, api.PersonStateInvited)
	}
	equal(t, "the id of the retry", ids[1], ids[0])
	id := ids[0]

	// Without the key it is a conflict that names who is in the way.
	clash, err := apitest.Read[api.Person](bridge.CreatePerson(t.Context(), nil,
		personInput(`{"userName":"ANN@example.com"}`, "")))
	ok(t, err)
	equal(t, "the status", clash.Status, 409)
	equal(t, "the code", codeOf(clash.Problem), "user_name_taken")
	equal(t, "the id in the way", deref(clash.Problem.Details.ExistingId), id)

	got, err := apitest.Read[api.Person](bridge.GetPerson(t.Context(), id))
	ok(t, err)
	old := got.Value.Etag
	changed, err := apitest.Read[api.Person](bridge.ReplacePerson(t.Context(), id,
		&api.ReplacePersonParams{IfMatch: &old},
		personInput(`{"userName":"Ann@example.com","active":false}`, "ann@example.com")))
	ok(t, err)
	equal(t, "suspended", changed.Value.Suspended, true)
	c.clock.advance(time.Second)
	stale, err := apitest.Read[struct{}](bridge.DeletePerson(t.Context(), id, &api.DeletePersonParams{IfMatch: &old}))
	ok(t, err)
	equal(t, "the status of a write on an old version", stale.Status, 412)
	equal(t, "its code", codeOf(stale.Problem), "version_mismatch")

	// The administrator sees the member behind the person.
	m, err := apitest.Read[api.Member](c.GetMember(t.Context(), deref(changed.Value.MemberId)))
	ok(t, err)
	equal(t, "the member's person", deref(m.Value.PersonId), id)
	equal(t, "the member's suspension", m.Value.Suspended, true)
	equal(t, "the member's ETag header", m.Header.Get("ETag"), m.Value.Etag)

	gone, err := apitest.Read[struct{}](bridge.DeletePerson(t.Context(), id, nil))
	ok(t, err)
	equal(t, "the status of the delete", gone.Status, 204)
	missing, err := apitest.Read[api.Person](bridge.GetPerson(t.Context(), id))
	ok(t, err)
	equal(t, "the status afterwards", missing.Status, 404)
}

func TestGroupAndSearchOverHTTP(t *testing.T) {
	t.Parallel()
	c := converse(t)
	bridge := c.bridge(t)
	ann, bob := provision(t, bridge, "ann@example.com"), provision(t, bridge, "bob@example.com")

	made, err := apitest.Read[api.Group](bridge.CreateProvisionedGroup(t.Context(), nil, api.GroupInput{
		Attributes: json.RawMessage(`{"displayName":"Engineers"}`), Members: &[]string{ann.Id, "nobody"},
	}))
	ok(t, err)
	if made.Value == nil {
		t.Fatalf("creating a group: %s", made.Body)
	}
	equal(t, "the unknown member", fmt.Sprint(*made.Value.UnknownMembers), "[nobody]")
	g := made.Value.Id

	silent, err := apitest.Read[api.Group](bridge.UpdateGroup(t.Context(), g, nil, api.GroupUpdate{
		AddMembers: &[]string{bob.Id},
	}))
	ok(t, err)
	if silent.Value.Members != nil {
		t.Error("members were answered without being asked for")
	}
	equal(t, "the count", silent.Value.MemberCount, 2)
	full, err := apitest.Read[api.Group](bridge.GetGroup(t.Context(), g, &api.GetGroupParams{Members: new(true)}))
	ok(t, err)
	equal(t, "the members", len(*full.Value.Members), 2)
	emptied, err := apitest.Read[api.Group](bridge.UpdateGroup(t.Context(), g,
		&api.UpdateGroupParams{Members: new(true)},
		api.GroupUpdate{ReplaceMembers: &[]string{}, AddMembers: &[]string{ann.Id}}))
	ok(t, err)
	equal(t, "the one who is left", (*emptied.Value.Members)[0].Id, ann.Id)

	found, err := apitest.Read[api.PersonPage](bridge.SearchPeople(t.Context(), api.Search{Filter: &api.Predicate{
		Op: "any", Path: []string{"groups"},
		Terms: []api.Predicate{{Op: "eq", Path: []string{"value"}, Value: g, CaseExact: true}},
	}}))
	ok(t, err)
	equal(t, "how many people are in the group", found.Value.Total, 1)
	equal(t, "who", found.Value.Items[0].Id, ann.Id)
	nothing, err := apitest.Read[api.GroupPage](bridge.SearchGroups(t.Context(),
		api.Search{Limit: new(0), Filter: &api.Predicate{
			Op: "eq", Path: []string{"displayName"}, Value: "none",
		}}))
	ok(t, err)
	equal(t, "a connection test's body", string(nothing.Body), `{"items":[],"total":0}`+"\n")
	refused, err := apitest.Read[api.PersonPage](bridge.SearchPeople(t.Context(), api.Search{
		Filter: &api.Predicate{Op: "not"},
	}))
	ok(t, err)
	equal(t, "the code of a filter that means nothing", codeOf(refused.Problem), "invalid_filter")
	unknown, err := apitest.Read[api.PersonPage](bridge.SearchPeople(t.Context(), api.Search{
		Filter: &api.Predicate{Op: "like"},
	}))
	ok(t, err)
	equal(t, "the code of a filter with an unknown operator", codeOf(unknown.Problem), "invalid_filter")
	nulls, err := apitest.Read[api.PersonPage](bridge.SearchPeopleWithBody(t.Context(), "application/json",
		strings.NewReader(
			`{"filter":{"op":"eq","path":["userName"],"value":null,"case_exact":null,"terms":null},"sort_by":null}`)))
	ok(t, err)
	equal(t, "how many people have no userName", nulls.Value.Total, 0)

	attention, err := apitest.Read[struct{ Items []api.Attention }](bridge.ListAttention(t.Context()))
	ok(t, err)
	equal(t, "who waits", len(attention.Value.Items), 2)
	equal(t, "for what", attention.Value.Items[0].Kind, api.AttentionKindInvitationOpen)

	// An administrator sees the group too, and adds another member.
	listed, err := apitest.Read[api.AccountGroupPage](c.ListGroups(t.Context(),
		&api.ListGroupsParams{Managed: new(true)}))
	ok(t, err)
	equal(t, "the managed groups", len(listed.Value.Items), 1)
	invited, err := apitest.Read[api.Member](c.InviteMember(t.Context(), nil,
		api.MemberInput{Address: "eve@example.com"}))
	ok(t, err)
	accountID := listed.Value.Items[0].Id
	added, err := apitest.Read[struct{}](c.AddGroupMember(t.Context(), accountID, api.AddGroupMemberJSONRequestBody{
		MemberId: invited.Value.Id,
	}))
	ok(t, err)
	equal(t, "the status of adding by hand", added.Status, 204)
	members, err := apitest.Read[api.MemberPage](c.ListGroupMembers(t.Context(), accountID,
		&api.ListGroupMembersParams{Limit: new(1)}))
	ok(t, err)
	rest, err := apitest.Read[api.MemberPage](c.ListGroupMembers(t.Context(), accountID, &api.ListGroupMembersParams{
		Cursor: members.Value.NextCursor,
	}))
	ok(t, err)
	equal(t, "the members of both pages", len(members.Value.Items)+len(rest.Value.Items), 2)

	gone, err := apitest.Read[struct{}](bridge.DeleteGroup(t.Context(), g, nil))
	ok(t, err)
	equal(t, "the status of the delete", gone.Status, 204)
}

func TestMembersByHand(t *testing.T) {
	t.Parallel()
	c := converse(t)
	invited, err := apitest.Read[api.Member](c.InviteMember(t.Context(), nil, api.MemberInput{
		Address: "Owner@example.com", Role: new(api.RoleOwner),
	}))
	ok(t, err)
	if invited.Value == nil {
		t.Fatalf("inviting: %s", invited.Body)
	}
	m := *invited.Value
	for name, params := range map[string]api.ListMembersParams{
		"by address":  {Address: new("owner@EXAMPLE.com")},
		"by state":    {State: new(api.MemberStateInvited)},
		"not managed": {Managed: new(false)},
	} {
		r, err := apitest.Read[api.MemberPage](c.ListMembers(t.Context(), &params))
		ok(t, err)
		if len(r.Value.Items) != 1 || r.Value.Items[0] != m {
			t.Errorf("%s: %s", name, r.Body)
		}
	}
	c.clock.advance(time.Second)
	changed, err := apitest.Read[api.Member](c.UpdateMember(t.Context(), m.Id,
		&api.UpdateMemberParams{IfMatch: &m.Etag},
		api.MemberUpdate{Suspended: new(true)}))
	ok(t, err)
	equal(t, "suspended", changed.Value.Suspended, true)
	c.clock.advance(time.Second)
	stale, err := apitest.Read[api.Member](c.UpdateMember(t.Context(), m.Id, &api.UpdateMemberParams{IfMatch: &m.Etag},
		api.MemberUpdate{Suspended: new(false)}))
	ok(t, err)
	equal(t, "the status of a write on an old version", stale.Status, 412)

	// What is done by hand is on record.
	events, err := apitest.Read[api.AuditEventPage](c.ListAuditEvents(t.Context(), nil))
	ok(t, err)
	equal(t, "the last event", events.Value.Items[0].Action, "change.refuse")
	equal(t, "the one before it", events.Value.Items[1].Action, "member.update")
}

func TestProvisioningByManyBridgesAtOnce(t *testing.T) {
	t.Parallel()
	c := converse(t)
	creds := c.activate(t)
	const bridges, people = 4, 8
	g, err := apitest.Read[api.Group](c.mustSignIn(t, creds, "bridge-0").CreateProvisionedGroup(t.Context(), nil,
		api.GroupInput{Attributes: json.RawMessage(`{"displayName":"Everybody"}`)}))
	ok(t, err)
	var all sync.WaitGroup
	for b := range bridges {
		bridge := c.mustSignIn(t, creds, fmt.Sprintf("bridge-%d", b))
		for p := range people {
			all.Go(func() {
				// Every bridge is told of the same people: one of them makes each.
				name := fmt.Sprintf("p%d@example.com", p)
				r, err := apitest.Read[api.Person](bridge.CreatePerson(t.Context(), nil,
					personInput(fmt.Sprintf(`{"userName":%q}`, name), name)))
				if err != nil {
					t.Error(err)
					return
				}
				if r.Value == nil {
					if codeOf(r.Problem) != "user_name_taken" {
						t.Errorf("creating %s: %s", name, r.Body)
					}
					return
				}
				if _, err := apitest.Read[api.Group](bridge.UpdateGroup(t.Context(), g.Value.Id, nil, api.GroupUpdate{
					AddMembers: &[]string{r.Value.Id},
				})); err != nil {
					t.Error(err)
				}
			})
		}
	}
	all.Wait()
	got, err := directory.New(c.account).Group(t.Context(), g.Value.Id, true)
	ok(t, err)
	equal(t, "the members", len(got.Members), people)
	found, err := directory.New(c.account).SearchPeople(t.Context(), directory.Search{})
	ok(t, err)
	equal(t, "the people", found.Total, int64(people))
}
