package patch_test

import (
	"reflect"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/patch"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

func TestSplitMembers(t *testing.T) {
	t.Parallel()
	ids := func(list ...string) []string { return list }
	all := func(list ...string) *[]string { return &list }
	none := &[]string{}
	tests := []struct {
		name       string
		operations string
		want       patch.Members
		rest       int // operations left for other attributes
	}{
		{"add joins", `{"op":"Add","path":"members","value":[{"$ref":null,"value":"a"},{"value":"b","display":"B"}]}`,
			patch.Members{Add: ids("a", "b")}, 0},
		{"a bare id joins", `{"op":"add","path":"members","value":"a"},{"op":"add","path":"members","value":["b"]}`,
			patch.Members{Add: ids("a", "b")}, 0},
		{"one member without a list", `{"op":"add","path":"members","value":{"value":"a"}}`,
			patch.Members{Add: ids("a")}, 0},
		{"twice is once", `{"op":"add","path":"members","value":[{"value":"a"},{"value":"a"}]}`,
			patch.Members{Add: ids("a")},
			0},
		{"remove with values removes these", `{"op":"Remove","path":"members","value":[{"value":"a"}]}`,
			patch.Members{Remove: ids("a")}, 0},
		{"remove by a filter", `{"op":"remove","path":"members[value eq \"a\"]"}`, patch.Members{Remove: ids("a")}, 0},
		{"remove by a filter of several", `{"op":"remove","path":"members[value eq \"a\" or VALUE eq \"b\"]"}`,
			patch.Members{Remove: ids("a", "b")}, 0},
		{"remove with neither empties", `{"op":"remove","path":"members"}`, patch.Members{Replace: none}, 0},
		{"remove of an empty list removes none", `{"op":"remove","path":"members","value":[]}`, patch.Members{}, 0},
		{"replace sets", `{"op":"replace","path":"members","value":[{"value":"a"},{"value":"b"}]}`,
			patch.Members{Replace: all("a", "b")}, 0},
		{"replace by an empty list empties", `{"op":"replace","path":"members","value":[]}`,
			patch.Members{Replace: none}, 0},
		{"replace by null empties", `{"op":"replace","path":"members","value":null}`, patch.Members{Replace: none}, 0},
		{"the last word counts",
			`{"op":"add","path":"members","value":[{"value":"a"}]},{"op":"remove","path":"members",` +
				`"value":[{"value":"a"}]},` +
				`{"op":"add","path":"members","value":[{"value":"a"}]},{"op":"add","path":"members",` +
				`"value":[{"value":"b"}]},` +
				`{"op":"remove","path":"members[value eq \"b\"]"}`,
			patch.Members{Add: ids("a"), Remove: ids("b")}, 0},
		{"what follows a replace is part of it",
			`{"op":"add","path":"members","value":[{"value":"z"}]},{"op":"replace","path":"members",` +
				`"value":[{"value":"a"},` +
				`{"value":"b"}]},{"op":"remove","path":"members","value":[{"value":"a"}]},{"op":"add",` +
				`"path":"members",` +
				`"value":[{"value":"c"}]}`,
			patch.Members{Replace: all("a", "b"), Add: ids("c"), Remove: ids("a")}, 0},
		{"without a path beside a name", `{"op":"replace","value":{"displayName":"D","MEMBERS":[{"value":"a"}]}}`,
			patch.Members{Replace: all("a")}, 1},
		{"without a path and alone", `{"op":"add","value":{"members":[{"value":"a"}]}}`,
			patch.Members{Add: ids("a")}, 0},
		{"a path as a key", `{"op":"add",` +
			`"value":{"urn:ietf:params:scim:schemas:core:2.0:Group:members":[{"value":"a"}]}}`,
			patch.Members{Add: ids("a")}, 0},
		{"under the URI of the schema",
			`{"op":"replace","value":{"urn:ietf:params:scim:schemas:core:2.0:Group":{"displayName":"D",` +
				`"members":[{"value":"a"}]}}}`, patch.Members{Replace: all("a")}, 1},
		{"at the URI of the schema",
			`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:group","value":{"members":[{"value":"a"}]}}`,
			patch.Members{Add: ids("a")}, 0},
		{"with a dot for a colon",
			`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:Group.members","value":[{"value":"a"}]},` +
				`{"op":"add",` +
				`"value":{"urn:ietf:params:scim:schemas:core:2.0:Group.members":["b"],` +
				`"urn:ietf:params:scim:schemas:core:2.0:members":["c"]}}`, patch.Members{Add: ids("a", "b", "c")}, 0},
		{"with a dot and a filter",
			`{"op":"remove","path":"urn:ietf:params:scim:schemas:core:2.0:Group.members[value eq \"a\"]"}`,
			patch.Members{Remove: ids("a")}, 0},
		{"a list of members without a path joins",
			`{"op":"add","value":[{"value":"a"},{"$ref":"../Users/b"},{},{"value":"c","display":"C",` +
				`"displayName":"C"}]}`,
			patch.Members{Add: ids("a", "b", "", "c")}, 0},
		{"so does one without its list", `{"op":"Add","value":{"Value":"a","display":"A"}}`,
			patch.Members{Add: ids("a")}, 0},
		{"and bare ids in a list", `{"op":"add","value":["a",5]}`, patch.Members{Add: ids("a", "5")}, 0},
		{"and at the URI of the schema",
			`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:Group","value":[{"value":"a"}]}`,
			patch.Members{Add: ids("a")}, 0},
		{"replace without a path by a list of members sets", `{"op":"replace","value":[{"value":"a"},{"value":"b"}]}`,
			patch.Members{Replace: all("a", "b")}, 0},
		{"remove without a path removes those listed",
			`{"op":"remove","value":[{"value":"a"}]},{"op":"remove","value":{"members":[{"value":"b"}]}},` +
				`{"op":"remove",` +
				`"value":{"urn:ietf:params:scim:schemas:core:2.0:Group:members":["e"]}},{"op":"remove",` +
				`"value":{"value":"c"}},` +
				`{"op":"remove","value":["d"]}`, patch.Members{Remove: ids("a", "b", "e", "c", "d")}, 0},
		{"and none if none is listed", `{"op":"remove","value":{"members":[]}}`, patch.Members{}, 0},
		{"an attribute in a list of one is left alone", `{"op":"replace","value":[{"displayName":"D"}]}`,
			patch.Members{}, 1},
		{"an id may be a number",
			`{"op":"add","path":"members","value":[{"value":5},6]},{"op":"remove","path":"members[value eq 7]"}`,
			patch.Members{
				Add: ids("5", "6"), Remove: ids("7"),
			}, 0},
		{"a name without members is left alone",
			`{"op":"replace","value":{"id":"g","displayName":"D"}},{"op":"replace","path":"displayName","value":"E"}`,
			patch.Members{}, 2},
		{"the members' names are not the group's", `{"op":"replace","path":"members[value eq \"a\"].display",` +
			`"value":"A"}`,
			patch.Members{}, 0},
		{"a member is put in another's place",
			`{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"b"}}`,
			patch.Members{Add: ids("b"), Remove: ids("a"), Instead: [][]string{ids("b")}}, 0},
		{"by its value too", `{"op":"replace","path":"members[value eq \"a\"].value","value":"b"}`, patch.Members{
			Add: ids("b"), Remove: ids("a"), Instead: [][]string{ids("b")},
		}, 0},
		{"a member that leaves again replaces none",
			`{"op":"replace","path":"members[value eq \"a\"]","value":{"value":"b"}},{"op":"remove",` +
				`"path":"members[value eq ` +
				`\"b\"]"}`, patch.Members{Remove: ids("a", "b")}, 0},
		{"each replacement is one of its own",
			`{"op":"replace","path":"members[value eq \"a\"]","value":["b","c","b"]},{"op":"replace",` +
				`"path":"members[value eq ` +
				`\"d\"]","value":{}},{"op":"remove","path":"members[value eq \"c\"]"}`,
			patch.Members{Add: ids("b", ""), Remove: ids("a", "c", "d"), Instead: [][]string{ids("b"), ids("")}}, 0},
		{"a whole list ends what came before it",
			`{"op":"replace","path":"members[value eq \"a\"]","value":"b"},{"op":"replace","path":"members",` +
				`"value":["c"]}`,
			patch.Members{Replace: all("c")}, 0},
		{"an element without an id is kept as such", `{"op":"replace","path":"members","value":[{}]}`,
			patch.Members{Replace: all("")}, 0},
		{"so is an empty object", `{"op":"replace","path":"members","value":{}}`, patch.Members{Replace: all("")}, 0},
		{"so is an empty text", `{"op":"replace","path":"members","value":""}`, patch.Members{Replace: all("")}, 0},
		{"so is null in a list", `{"op":"replace","path":"members","value":[null]}`,
			patch.Members{Replace: all("")}, 0},
		{"so are a name and a null alone",
			`{"op":"replace","value":{"members":[{"display":"A"},{"value":null},{"value":" "}]}}`,
			patch.Members{Replace: all("")}, 0},
		{"removing an empty element removes none", `{"op":"remove","path":"members","value":[{}]}`,
			patch.Members{Remove: ids("")}, 0},
		{"an empty element beside a good one", `{"op":"add","path":"members","value":[{"value":"a"},{"value":""}]}`,
			patch.Members{Add: ids("a", "")}, 0},
		{"in whatever form it is empty",
			`{"op":"add","path":"members","value":[{},{"value":"a"},[],"",null,{"$ref":null},{"value":[]}]}`,
			patch.Members{Add: ids("", "a")}, 0},
		{"blanks around an id", `{"op":"replace","path":"members","value":[{"value":" a\t"}]}`,
			patch.Members{Replace: all("a")}, 0},
		{"the address of a person is no id",
			`{"op":"replace","path":"members","value":[{"value":"https://scim.example.com/scim/v2/Users/a"}]}`,
			patch.Members{
				Replace: all("https://scim.example.com/scim/v2/Users/a"),
			}, 0},
		{"the relative address of a group", `{"op":"add","path":"members","value":[{"$ref":"../Groups/g%20h/"}]}`,
			patch.Members{Add: ids("g h")}, 0},
		{"a number", `{"op":"add","path":"members","value":[5,{"value":6}]}`, patch.Members{Add: ids("5", "6")}, 0},
		{"an address alone", `{"op":"add","path":"members","value":[{"$ref":"/Users/a"},{"$REF":"Groups/b",` +
			`"value":""}]}`,
			patch.Members{Add: ids("a", "b")}, 0},
		{"an id in capitals is another id", `{"op":"add","path":"members","value":[{"value":"A"},{"value":"a"}]}`,
			patch.Members{Add: ids("A", "a")}, 0},
		{"an address of something else is none",
			`{"op":"add","path":"members","value":[{"value":"https://example.com/people/a"}]}`, patch.Members{
				Add: ids("https://example.com/people/a"),
			}, 0},
		{"a filter without ids is looked up", `{"op":"remove","path":"members[type eq \"Group\"]"}`,
			patch.Members{Remove: ids("g")}, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			ops, err := parse(t, tt.operations)
			if err != nil {
				t.Fatal(err)
			}
			find := func(p bridge.Predicate) ([]string, error) {
				if !filter.Match(p, map[string]any{"value": "g", "type": "Group"}) {
					t.Errorf("asked for %v", p)
				}
				return []string{"g"}, nil
			}
			got, rest, err := patch.SplitMembers(ops, find)
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
			if len(rest) != tt.rest {
				t.Errorf("left %v, want %d operations", rest, tt.rest)
			}
			if len(rest) == 0 {
				return
			}
			group, err := patch.Apply(schema.Group, map[string]any{"displayName": "C"}, rest)
			if err != nil || group["members"] != nil || group["displayName"] == "C" {
				t.Errorf("the rest makes %v: %v", group, err)
			}
		})
	}
}

// Without a path, what is not members is refused as before.
func TestRemoveWithoutAPathNamesMembers(t *testing.T) {
	t.Parallel()
	for _, operation := range []string{
		`{"op":"remove"}`, `{"op":"remove","value":null}`, `{"op":"remove","value":[]}`,
		`{"op":"remove","value":{"members":null}}`, `{"op":"remove","value":"a"}`,
		`{"op":"remove","value":{"displayName":"D","members":[{"value":"a"}]}}`,
		`{"op":"remove","value":{"displayName":"D"}}`, `{"op":"remove","value":[{}]}`,
	} {
		ops, err := parse(t, operation)
		if err != nil {
			t.Fatal(err)
		}
		members, rest, err := patch.SplitMembers(ops, nil)
		if err != nil || !reflect.DeepEqual(members, patch.Members{}) {
			t.Errorf("%s comes to %+v, %v", operation, members, err)
			continue
		}
		if _, err := patch.Apply(schema.Group, map[string]any{"displayName": "C"},
			rest); kind(t, err) != schema.NoTarget {
			t.Errorf("%s: got %v, want noTarget", operation, err)
		}
	}
}

func TestRefusedMembers(t *testing.T) {
	t.Parallel()
	for name, operation := range map[string]string{
		"a member without a value": `{"op":"add","path":"members","value":[{"display":"A"}]}`,
		"empty values alone":       `{"op":"add","path":"members","value":[{"value":""},{}]}`,
		"an object":                `{"op":"add","path":"members","value":[{"value":{"a":1}}]}`,
		"a list in the list":       `{"op":"replace","path":"members","value":[["a"]]}`,
		"a boolean":                `{"op":"replace","value":{"members":true}}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ops, err := parse(t, operation)
			if err != nil {
				t.Fatal(err)
			}
			_, _, err = patch.SplitMembers(ops, nil)
			if got := kind(t, err); got != schema.InvalidValue {
				t.Errorf("got %q: %v", got, err)
			}
		})
	}
}
