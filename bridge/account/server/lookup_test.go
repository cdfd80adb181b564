package server_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
)

func TestMembersAreLookedUpOverHTTP(t *testing.T) {
	t.Parallel()
	c := converse(t)
	bridge := c.bridge(t)
	c.limit(t, "max(0, 0%)/1h")
	ann := provision(t, bridge, "ann@example.com")
	suspend(t, bridge, ann, "REQUEST1")
	c.clock.advance(time.Second)
	byHand, err := apitest.Read[api.Member](c.InviteMember(t.Context(), nil,
		api.MemberInput{Address: "bob@example.com"}))
	ok(t, err)

	r, err := apitest.Read[api.MembersFound](bridge.LookUpMembers(t.Context(), api.MemberLookup{
		Names: []string{"ANN@example.com", "bob@example.com", "eve@example.com"}, Details: new(true),
	}))
	ok(t, err)
	if r.Value == nil || len(r.Value.Items) != 2 {
		t.Fatalf("found are %s", r.Body)
	}
	first, second := r.Value.Items[0], r.Value.Items[1]
	equal(t, "the person", deref(first.PersonId), ann.Id)
	equal(t, "its userName", deref(first.UserName), "ann@example.com")
	equal(t, "it is suspended", first.Suspended, false)
	equal(t, "that is held", first.SuspensionHeld, true)
	equal(t, "the hold's request", deref((*first.Holds)[0].RequestId), "REQUEST1")
	equal(t, "the latest change is the bridge's", (*first.Changes)[0].Actor, "bridge:bridge-1")
	equal(t, "its address is taken", deref(first.AddressTaken), false)
	equal(t, "the other is the one invited by hand", second.Id, byHand.Value.Id)
	equal(t, "it is provisioned", second.PersonId == nil, true)
	equal(t, "it is invited", second.State, api.FoundMemberStateInvited)
	equal(t, "for 30 days", second.InvitedUntil.Sub(*second.InvitedAt).Hours(), 30*24)
	equal(t, "its mail is not sent, without a mail server", deref(second.Mail), api.LinkMailWaiting)
	equal(t, "allowed domains", len(r.Value.AllowedDomains), 0)

	plain, err := apitest.Read[api.MembersFound](bridge.LookUpMembers(t.Context(), api.MemberLookup{
		Names: []string{"ann@example.com"},
	}))
	ok(t, err)
	equal(t, "holds without details", plain.Value.Items[0].Holds == nil, true)
	equal(t, "the mail without details", plain.Value.Items[0].Mail == nil, true)

	// An administrator's token is not a bridge's session, and a stranger has neither.
	for name, client := range map[string]*api.Client{"an administrator": c.Client, "a stranger": c.as(t, "", home)} {
		refused, err := apitest.Read[api.MembersFound](client.LookUpMembers(t.Context(), api.MemberLookup{
			Names: []string{"ann@example.com"},
		}))
		ok(t, err)
		equal(t, name+" is refused", refused.Status, http.StatusUnauthorized)
	}
}
