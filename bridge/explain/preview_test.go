package explain_test

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// foresee finds the members as an account does, at which example.com is allowed for sign-up.
func foresee(who explain.Newcomer, members []bridge.Member) explain.Foreseen {
	who.NameAt, who.AddressAt = 0, 1
	if who.Address == "" {
		who.AddressAt = -1
	}
	return explain.Forecast{Now: now, AllowedDomains: []string{"example.com"}}.
		Foresee(who, findable(members, who.UserName, who.Address))
}

// findable says under which names members are found.
func findable(members []bridge.Member, names ...string) []bridge.Member {
	members = slices.Clone(members)
	for i := range members {
		m := &members[i]
		m.FoundBy = nil
		kinds := map[bridge.NameKind]string{
			bridge.ByAddress: m.Address, bridge.ByUserName: m.UserName, bridge.ByLastUserName: m.LastUserName,
		}
		if m.Change != nil {
			kinds[bridge.ByNewAddress] = m.Change.Address
		}
		for at, name := range names {
			for kind, has := range kinds {
				if name != "" && inputtext.Fold(has) == inputtext.Fold(name) {
					m.FoundBy = append(m.FoundBy, bridge.FoundBy{Name: at, As: kind})
				}
			}
		}
	}
	return members
}

// What is said of a member that would be adopted follows what the account does with the address and the invitation.
func TestWhatAdoptingAMemberWouldDo(t *testing.T) {
	t.Parallel()
	const stays = "its address stays a@example.com"
	move := func(active bool, to string) explain.Newcomer {
		return explain.Newcomer{UserName: "Stra\u00dfe", Address: to, Active: active}
	}
	of := func(state bridge.MemberState, change func(*bridge.Member)) bridge.Member {
		m := bridge.Member{
			ID: "m", Address: "a@example.com", LastUserName: "strasse", State: state, InvitedUntil: at(20),
		}
		if change != nil {
			change(&m)
		}
		return m
	}
	other := bridge.Member{ID: "n", PersonID: "p", UserName: "n", Address: "b@example.com"}
	held := func(m *bridge.Member) { m.SuspensionHeld = true }
	for _, row := range []struct {
		name        string
		who         explain.Newcomer
		members     []bridge.Member
		want, never string
		suspends    bool
	}{
		{"it moves to a domain that is allowed", move(true, "b@example.com"), []bridge.Member{of(bridge.Active, nil)},
			"its address changes to b@example.com when the person confirms it", "", false},
		{"it moves to a domain that is not", move(true, "b@new.example"), []bridge.Member{of(bridge.Active, nil)},
			stays + ": the e-mail that confirms b@new.example is not sent before the domain new.example is allowed",
			"changes", false},
		{"it is inactive, and has another address", move(false, "b@example.com"),
			[]bridge.Member{of(bridge.Active, nil)}, "and suspend it; " + stays + " while it is suspended", "confirms",
			true},
		{"it is inactive, and was invited to another address", move(false, "b@example.com"),
			[]bridge.Member{of(bridge.Invited, nil)}, "no invitation is sent", "goes to", true},
		{"it is suspended already", move(false, "a@example.com"),
			[]bridge.Member{of(bridge.Active, func(m *bridge.Member) { m.Suspended = true })}, "by its last userName",
			"suspend it", false},
		{"its suspension is held, and it is inactive", move(false, "a@example.com"),
			[]bridge.Member{of(bridge.Active, held)}, "stays held", "and suspend", false},
		{"its suspension is held, and it is active", move(true, "a@example.com"),
			[]bridge.Member{of(bridge.Active, held)}, "take the held suspension back", "", false},
		{"it is about to move there itself", move(true, "b@example.com"),
			[]bridge.Member{of(bridge.Active, func(m *bridge.Member) {
				m.Change = &bridge.AddressChange{Address: "b@example.com"}
			})}, "its address changes to b@example.com", "another member", false},
		{"another member has the address", move(true, "b@example.com"), []bridge.Member{of(bridge.Active, nil), other},
			stays + ", since another member has b@example.com", "", false},
		{"its invitation has expired", move(true, "a@example.com"),
			[]bridge.Member{of(bridge.Invited, func(m *bridge.Member) { m.InvitedUntil = at(1) })},
			"a new invitation is sent", "", false},
		{"its invitation is open", move(true, "a@example.com"), []bridge.Member{of(bridge.Invited, nil)},
			"the member that is invited", "invitation", false},
		{"its invitation has expired, and another member has the address", move(true, "b@example.com"),
			[]bridge.Member{of(bridge.Invited, func(m *bridge.Member) { m.InvitedUntil = at(1) }), other},
			"no invitation is sent", "new invitation", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := foresee(row.who, row.members)
			if got.Outcome != explain.WouldAdopt || got.Member != "m" || got.Suspends != row.suspends ||
				!strings.Contains(got.Why, row.want) || row.never != "" && strings.Contains(got.Why, row.never) {
				t.Errorf("got %+v, want %q and not %q", got, row.want, row.never)
			}
		})
	}
}

func TestWhatCreatingAPersonWouldDo(t *testing.T) {
	t.Parallel()
	ann := explain.Newcomer{UserName: "ann", Address: "ann@example.com", Active: true}
	off := ann
	off.Active = false
	for _, row := range []struct {
		name    string
		who     explain.Newcomer
		members []bridge.Member
		want    explain.Outcome
		why     string
	}{
		{"nobody has its names", ann, nil, explain.WouldInvite, ""},
		{"it has no address", explain.Newcomer{UserName: "ann", Active: true}, nil, explain.WouldStore, "no e-mail " +
			"address"},
		{"it is inactive", off, nil, explain.WouldStore, "inactive"},
		{"a member has its address, in another case", ann, []bridge.Member{
			{ID: "m", Address: "ANN@example.com", State: bridge.Active},
		}, explain.WouldAdopt, "the member that is active, by its address"},
		{"a member had its userName", ann, []bridge.Member{
			{ID: "m", Address: "old@example.com", LastUserName: "ann", State: bridge.Active,
				Suspended: true},
		}, explain.WouldAdopt, "by its last userName, and reactivate it; its address changes to ann@example.com"},
		{"a member that has not accepted had its userName", ann, []bridge.Member{
			{ID: "m", Address: "old@example.com", LastUserName: "ann", State: bridge.Invited},
		}, explain.WouldAdopt, "the invitation goes to ann@example.com"},
		{"it is inactive, and a member has its address", off, []bridge.Member{
			{ID: "m", Address: "ann@example.com", State: bridge.Active},
		}, explain.WouldAdopt, "and suspend it"},
		{"two members have its names", ann, []bridge.Member{
			{ID: "m", Address: "old@example.com", LastUserName: "ann"},
			{ID: "n", Address: "ann@example.com"},
		}, explain.WouldRefuse, "409"},
		{"one member has both", ann, []bridge.Member{
			{ID: "m", Address: "ann@example.com", LastUserName: "ann", State: bridge.Active},
		}, explain.WouldAdopt, "by its last userName"},
		{"an owner has its address", ann, []bridge.Member{
			{ID: "m", Address: "ann@example.com", Protected: true, State: bridge.Active},
		}, explain.WouldRefuse, "an owner, an administrator or the Provision Manager, which provisioning " +
			"never adopts (409)"},
		{"a provisioned person has its userName", ann, []bridge.Member{
			{ID: "m", PersonID: "p", UserName: "Ann", Address: "x@example.com"},
		}, explain.WouldRefuse, "another provisioned person has the userName (409), SCIM id p"},
		{"a provisioned person has its address", ann, []bridge.Member{
			{ID: "m", PersonID: "p", UserName: "x", Address: "ann@example.com"},
		}, explain.WouldStore, "another member has the address"},
		{"a provisioned person is about to have its address", ann, []bridge.Member{
			{ID: "m", PersonID: "p", UserName: "x", Address: "x@example.com",
				Change: &bridge.AddressChange{Address: "Ann@example.com"}},
		}, explain.WouldStore, "about to move to it"},
		{"a member had its userName, and another has its address", ann, []bridge.Member{
			{ID: "m", Address: "old@example.com", LastUserName: "ann", State: bridge.Active},
			{ID: "n", PersonID: "p", UserName: "x", Address: "ann@example.com"},
		}, explain.WouldAdopt, "its address stays old@example.com"},
		{"it has no address, and a member has none either", explain.Newcomer{UserName: "ann", Active: true},
			[]bridge.Member{
				{ID: "m", UserName: "x", State: bridge.NotInvited},
			}, explain.WouldStore, "no e-mail address"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := foresee(row.who, row.members)
			if got.Outcome != row.want || !strings.Contains(got.Why, row.why) || got.UserName != row.who.UserName {
				t.Errorf("got %+v, want %s, %q", got, row.want, row.why)
			}
			if (got.Member != "") != (row.want == explain.WouldAdopt) {
				t.Errorf("the member is %q", got.Member)
			}
		})
	}
}

func TestAPreviewReadsResources(t *testing.T) {
	t.Parallel()
	x := explainer(t, &fakeAccount{found: bridge.MembersFound{Items: []bridge.Member{
		{ID: "m", Address: "ann@example.com", State: bridge.Active},
	}}})
	x.SignInAddress = func(resource json.RawMessage) string {
		var r struct{ Address string }
		_ = json.Unmarshal(resource, &r)
		return r.Address
	}
	for _, row := range []struct {
		name, resource string
		want           explain.Outcome
	}{
		{"an active person", `{"userName":" Bob ","active":true,"address":"b@example.com"}`, explain.WouldInvite},
		{"one without active", `{"username":"bob","address":"b@example.com"}`, explain.WouldInvite},
		{"an inactive one", `{"userName":"bob","active":false,"address":"b@example.com"}`, explain.WouldStore},
		{"an inactive one as Entra writes it", `{"userName":"bob","active":"False","address":"b@example.com"}`,
			explain.WouldStore},
		{"one whose address a member has", `{"userName":"bob","address":"ANN@example.com"}`, explain.WouldAdopt},
	} {
		a, err := x.Preview(t.Context(), explain.Preview{People: []json.RawMessage{[]byte(row.resource)}})
		if err != nil || len(a.People) != 1 || a.People[0].Outcome != row.want {
			t.Errorf("%s: %+v, %v; want %s", row.name, a, err, row.want)
		}
	}
	for _, row := range []struct {
		name   string
		people []json.RawMessage
	}{
		{"nobody", nil}, {"too many", make([]json.RawMessage, explain.MaxPreviewed+1)},
		{"no object", []json.RawMessage{[]byte(`[]`)}}, {"no userName", []json.RawMessage{[]byte(`{"userName":" "}`)}},
	} {
		_, err := x.Preview(t.Context(), explain.Preview{People: row.people})
		if _, ok := errors.AsType[*explain.QuestionError](err); !ok {
			t.Errorf("%s: %v", row.name, err)
		}
	}
}

func TestAPreviewSaysWhatTheAccountDoesNotTell(t *testing.T) {
	t.Parallel()
	x := explainer(t, &fakeAccount{lookUp: errors.ErrUnsupported})
	x.SignInAddress = func(json.RawMessage) string { return "ann@example.com" }
	a, err := x.Preview(t.Context(), explain.Preview{People: []json.RawMessage{[]byte(`{"userName":"ann"}`)}})
	if err != nil || len(a.People) != 1 || a.People[0].Outcome != explain.WouldCreate {
		t.Errorf("%+v, %v", a, err)
	}
	x = explainer(t, &fakeAccount{lookUp: bridge.ErrUnavailable})
	x.SignInAddress = func(json.RawMessage) string { return "" }
	_, err = x.Preview(t.Context(), explain.Preview{People: []json.RawMessage{[]byte(`{"userName":"ann"}`)}})
	if !errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("got %v", err)
	}
}
