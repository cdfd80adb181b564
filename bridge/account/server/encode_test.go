package server

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
)

// strictly decodes what was put together by hand into the type that
// openapi.yaml has for it: every member known, every required one there.
func strictly[T any](t *testing.T, text []byte) (v T) {
	t.Helper()
	if err := checkBody(text, reflect.TypeFor[T]()); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.DisallowUnknownFields()
	if err := d.Decode(&v); err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

// complete makes sure that a row leaves no field of the API out, one that is
// yet to come included: what is written by hand does not follow by itself.
func complete(t *testing.T, everything any) {
	t.Helper()
	v := reflect.ValueOf(everything)
	for f, value := range v.Fields() {
		if value.IsZero() {
			t.Errorf("%s.%s is not in this test, and perhaps not in encode.go", v.Type(), f.Name)
		}
	}
}

func TestWhatIsPutTogetherByHandIsWhatTheAPISays(t *testing.T) {
	t.Parallel()
	created := time.Date(2026, 1, 31, 12, 0, 0, 123456000, time.UTC)
	refs := []directory.Reference{{ID: "g1", Display: `Ärmel "A"`, IsGroup: true}, {ID: "p2"}}
	apiRefs := []api.Reference{{Id: "g1", Display: new(`Ärmel "A"`), Type: api.ReferenceTypeGroup}, {
		Id: "p2", Type: api.ReferenceTypeUser,
	}}
	attributes := `{"userName":"ann","title":"<b> \"x\""}`

	for _, row := range []struct {
		name string
		in   directory.Person
		want api.Person
	}{
		{"a person with everything",
			directory.Person{ID: "p1", MemberID: "m1", Attributes: attributes, Version: 7, CreatedAt: created,
				ModifiedAt: created.Add(time.Hour),
				State:      "active", Suspended: true, Address: "ann@example.com",
				PendingAddress: "new@example.com", Groups: refs},
			api.Person{Id: "p1", Etag: `"7"`, CreatedAt: created, ModifiedAt: created.Add(time.Hour),
				Attributes: json.RawMessage(attributes),
				State:      api.PersonStateActive, Suspended: true, MemberId: new("m1"),
				SignInAddress:  new("ann@example.com"),
				PendingAddress: new("new@example.com"), Groups: apiRefs}},
		{"a person that was not invited has no member to show",
			directory.Person{ID: "p1", MemberID: "m1", Attributes: "{}", Version: 1,
				CreatedAt: created, ModifiedAt: created,
				State: "not_invited"},
			api.Person{Id: "p1", Etag: `"1"`, CreatedAt: created, ModifiedAt: created,
				Attributes: json.RawMessage("{}"),
				State:      api.PersonStateNotInvited, Groups: []api.Reference{}}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if row.in.Suspended {
				complete(t, row.want)
			}
			if got := strictly[api.Person](t, encodePerson(nil, row.in)); !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
			page := strictly[api.PersonPage](t, encodePage(directory.Found[directory.Person]{
				Total: 3, Page: account.Page[directory.Person]{Items: []directory.Person{row.in, row.in}, Next: "abc"},
			}, encodePerson).body)
			want := api.PersonPage{Total: 3, Items: []api.Person{row.want, row.want}, NextCursor: new("abc")}
			if !reflect.DeepEqual(page, want) {
				t.Errorf("got %+v, want %+v", page, want)
			}
		})
	}

	for _, row := range []struct {
		name string
		in   directory.Group
		want api.Group
	}{
		{"a group with everything",
			directory.Group{ID: "g1", Attributes: attributes, Version: 2, CreatedAt: created, ModifiedAt: created,
				MemberCount: 9, Members: refs, UnknownMembers: []string{"a", "b"}},
			api.Group{Id: "g1", Etag: `"2"`, CreatedAt: created, ModifiedAt: created,
				Attributes:  json.RawMessage(attributes),
				MemberCount: 9, Members: &apiRefs, UnknownMembers: &[]string{"a", "b"}}},
		{"members that were asked for are there even if there are none",
			directory.Group{ID: "g1", Attributes: "{}", Version: 2, CreatedAt: created, ModifiedAt: created,
				Members: []directory.Reference{}},
			api.Group{Id: "g1", Etag: `"2"`, CreatedAt: created, ModifiedAt: created, Attributes: json.RawMessage("{}"),
				Members: &[]api.Reference{}}},
		{"members that were not asked for are absent",
			directory.Group{ID: "g1", Attributes: "{}", Version: 2, CreatedAt: created, ModifiedAt: created},
			api.Group{Id: "g1", Etag: `"2"`, CreatedAt: created, ModifiedAt: created,
				Attributes: json.RawMessage("{}")}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if row.in.UnknownMembers != nil {
				complete(t, row.want)
			}
			if got := strictly[api.Group](t, encodeGroup(nil, row.in)); !reflect.DeepEqual(got, row.want) {
				t.Errorf("got %+v, want %+v", got, row.want)
			}
		})
	}
	strictly[api.PersonPage](t, encodePage(directory.Found[directory.Person]{}, encodePerson).body)
}
