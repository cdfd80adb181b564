package explain_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
)

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
			got := explain.Foresee(row.who, row.members)
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
