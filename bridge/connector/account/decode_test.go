package account

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
)

// Any account's answers must be read as openapi.yaml has them, however it
// spaces and orders them.
func TestAnswersAreReadAsTheAPIHasThem(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC)
	refs := []api.Reference{{Id: "x", Display: new(`Ärmel "A"`), Type: api.ReferenceTypeGroup}, {
		Id: "y", Type: api.ReferenceTypeUser,
	}}
	read := []bridge.Reference{{ID: "x", Display: `Ärmel "A"`, Type: "Group"}, {ID: "y", Type: "User"}}
	attributes := json.RawMessage(`{"userName":"a\"}","nested":[{"b":[1,null,true]}]}`)
	apiPerson := api.Person{Id: "p", Etag: `"3"`, CreatedAt: at, ModifiedAt: at.Add(time.Hour), Attributes: attributes,
		Groups: refs,
		State:  api.PersonStatePending, Suspended: true, SignInAddress: new("a@example.com"),
		PendingAddress: new("b@example.com"), MemberId: new("m")}
	wantPerson := bridge.Person{ID: "p", Version: `"3"`, Created: at,
		Modified: at.Add(time.Hour), Attributes: attributes,
		Groups: read,
		State:  bridge.Pending, Suspended: true, SignInAddress: "a@example.com", PendingAddress: "b@example.com"}
	apiGroup := api.Group{Id: "g", Etag: `"4"`, CreatedAt: at, ModifiedAt: at, Attributes: attributes, MemberCount: 2,
		Members: &refs, UnknownMembers: &[]string{"z"}}
	wantGroup := bridge.Group{ID: "g", Version: `"4"`, Created: at, Modified: at, Attributes: attributes, Members: read,
		UnknownMembers: []string{"z"}}

	// What is read by hand does not follow a field that is yet to come.
	for _, everything := range []any{wantPerson, wantGroup} {
		v := reflect.ValueOf(everything)
		for f, value := range v.Fields() {
			if value.IsZero() {
				t.Errorf("%s.%s is not in this test, and perhaps not in decode.go", v.Type(), f.Name)
			}
		}
	}

	var person person
	var group group
	var people people
	var groups groups
	for _, row := range []struct {
		name string
		text any
		got  client.Decoder
		want any
	}{
		{"a person", apiPerson, &person, wantPerson},
		{"a group", apiGroup, &group, wantGroup},
		{"a page of people", api.PersonPage{Total: 9, Items: []api.Person{apiPerson}, NextCursor: new("c")}, &people,
			bridge.Page[bridge.Person]{Total: 9, Items: []bridge.Person{wantPerson}, Next: "c"}},
		{"a page of groups", api.GroupPage{Total: 1, Items: []api.Group{apiGroup}}, &groups,
			bridge.Page[bridge.Group]{Total: 1, Items: []bridge.Group{wantGroup}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			text, err := json.Marshal(row.text)
			if err != nil {
				t.Fatal(err)
			}
			if err := row.got.DecodeAnswer(text); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			got := reflect.ValueOf(row.got).Elem().Convert(reflect.TypeOf(row.want)).Interface()
			if !reflect.DeepEqual(got, row.want) {
				t.Errorf("got  %+v\nwant %+v", got, row.want)
			}
		})
	}
}

func TestWhatIsNoAccountsAnswerIsRefused(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		``, `<html>`, `{}`, `[]`, `null`, `{"id":"p"`, `{"id":"p","etag":"\"1\"","attributes":"text"}`,
		`{"id":5,"etag":"\"1\"","attributes":{}}`,
		`{"id":"p","etag":"\"1\"","attributes":{},"suspended":"yes"}`,
		`{"id":"p","etag":"\"1\"","attributes":{},"created_at":"yesterday"}`,
	} {
		if err := new(person).DecodeAnswer([]byte(text)); err == nil {
			t.Errorf("%q passes as a person", text)
		}
	}
}
