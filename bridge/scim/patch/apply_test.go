package patch_test

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/patch"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

const enterprise = schema.EnterpriseURI

func value(t *testing.T, text string) any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var out any
	if err := decoder.Decode(&out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

// parse reads operations, given as the elements of the list.
func parse(t *testing.T, operations string) ([]patch.Operation, error) {
	t.Helper()
	return patch.Parse(value(t, `{"Operations":[`+operations+`]}`).(map[string]any))
}

func kind(t *testing.T, err error) schema.Kind {
	t.Helper()
	if err == nil {
		return ""
	}
	fault, ok := errors.AsType[*schema.Error](err)
	if !ok {
		t.Fatalf("%v is no fault", err)
	}
	return fault.Kind
}

// person adds to a resource what every person has.
func person(t *testing.T, members string) map[string]any {
	t.Helper()
	if members != "" {
		members = "," + members
	}
	object := value(t, `{"userName":"u","active":true`+members+`}`).(map[string]any)
	normal, err := schema.User.Normalize(object)
	if err != nil {
		t.Fatal(err)
	}
	return normal
}

func TestApply(t *testing.T) {
	t.Parallel()
	const (
		work = `{"type":"work","value":"w","primary":true}`
		home = `{"type":"home","value":"h"}`
	)
	tests := []struct {
		name       string
		before     string // members beside userName and active
		operations string
		after      string
	}{
		// RFC 7644 section 3.5.2.1
		{"add sets an attribute that is not there", ``,
			`{"op":"add","path":"nickName","value":"Babs"}`, `"nickName":"Babs"`},
		{"add without a path, under the URI of the schema", ``,
			`{"op":"add","value":{"` + schema.UserURI + `":{"nickName":"Babs"},"` + schema.UserURI + `:title":"T"}}`,
			`"nickName":"Babs","title":"T"`},
		{"elements that become the same are one", `"emails":[` + work + `,` + home + `]`,
			`{"op":"replace","path":"emails[type eq \"home\"]","value":{"value":"w","type":"work","display":"W"}}`,
			`"emails":[{"type":"work","value":"w","primary":true,"display":"W"}]`},
		// Microsoft's SCIM validator removes a manager so.
		{"a manager of no id is removed", `"` + enterprise + `":{"department":"d","manager":{"value":"7",` +
			`"displayName":"M"}}`,
			`{"op":"replace","path":"` + enterprise + `:manager","value":{"value":""}}`,
			`"` + enterprise + `":{"department":"d"}`},
		{"so is one whose id becomes empty", `"` + enterprise + `":{"manager":{"value":"7"}}`,
			`{"op":"replace","path":"` + enterprise + `:manager.value","value":""}`,
			`"schemas":["` + schema.UserURI + `","` +
				enterprise + `"]`},
		{"add without a path sets attributes", ``,
			`{"op":"add","value":{"emails":[{"value":"b","type":"home"}],"nickName":"Babs"}}`,
			`"emails":[{"value":"b","type":"home"}],"nickName":"Babs"`},
		{"add appends to a list", `"emails":[` + home + `]`,
			`{"op":"add","path":"emails","value":[{"value":"x"}]}`, `"emails":[` + home + `,{"value":"x"}]`},
		{"add of what is there already changes nothing", `"emails":[` + home + `]`,
			`{"op":"add","path":"emails","value":[{"value":"h"},` + home + `]}`, `"emails":[` + home + `]`},
		{"add replaces an attribute with one value", `"nickName":"a"`,
			`{"op":"add","path":"nickName","value":"b"}`, `"nickName":"b"`},
		{"add merges into a complex attribute", `"name":{"givenName":"G","familyName":"F"}`,
			`{"op":"add","path":"name","value":{"givenName":"H"}}`, `"name":{"givenName":"H","familyName":"F"}`},
		{"a new primary takes over from the old", `"emails":[` + work + `]`,
			`{"op":"add","path":"emails","value":{"value":"x","primary":true}}`,
			`"emails":[{"type":"work","value":"w","primary":false},{"value":"x","primary":true}]`},
		{"so does an element that becomes primary", `"emails":[` + work + `,` + home + `]`,
			`{"op":"replace","path":"emails[type eq \"home\"].primary","value":"True"}`,
			`"emails":[{"type":"work","value":"w","primary":false},{"type":"home","value":"h","primary":true}]`},
		// RFC 7644 section 3.5.2.2
		{"remove takes an attribute away", `"nickName":"a"`, `{"op":"remove","path":"nickName"}`, ``},
		{"remove takes a sub-attribute away, and an empty complex attribute with it", `"name":{"givenName":"G"}`,
			`{"op":"remove","path":"name.givenName"}`, ``},
		{"remove takes selected elements away", `"emails":[` + work + `,` + home + `]`,
			`{"op":"remove","path":"emails[type eq \"work\"]"}`, `"emails":[` + home + `]`},
		{"remove takes a part of selected elements away", `"emails":[` + work + `]`,
			`{"op":"remove","path":"emails[type eq \"work\"].primary"}`, `"emails":[{"type":"work","value":"w"}]`},
		{"the last element takes the list with it", `"emails":[` + work + `]`,
			`{"op":"remove","path":"emails[value eq \"W\"]"}`, ``},
		{"remove with values takes only these", `"emails":[` + work + `,` + home + `]`,
			`{"op":"Remove","path":"emails","value":[{"value":"h"}]}`, `"emails":[` + work + `]`},
		{"removing what is not there is harmless", ``,
			`{"op":"remove","path":"emails[type eq \"work\"]"},{"op":"remove","path":"emails[type eq ` +
				`\"work\"].value"},{"op":"remove","path":"nickName"},{"op":"remove","path":"name.givenName"},` +
				`{"op":"remove",` +
				`"path":"` + enterprise + `"}`, ``},
		// RFC 7644 section 3.5.2.3
		{"replace sets a whole list", `"emails":[` + work + `,` + home + `]`,
			`{"op":"replace","path":"emails","value":[{"value":"x"}]}`, `"emails":[{"value":"x"}]`},
		{"replace of a complex attribute leaves the parts it does not name",
			`"name":{"givenName":"G","familyName":"F"}`,
			`{"op":"replace","path":"name","value":{"givenName":"H","familyName":null}}`, `"name":{"givenName":"H"}`},
		{"replace of selected elements replaces them whole",
			`"addresses":[{"type":"work","locality":"A","country":"B"}]`,
			`{"op":"replace","path":"addresses[type eq \"work\"]","value":{"locality":"C"}}`,
			`"addresses":[{"type":"work","locality":"C"}]`},
		{"add to selected elements leaves their other parts",
			`"addresses":[{"type":"work","locality":"A","country":"B"}]`,
			`{"op":"add","path":"addresses[type eq \"work\"]","value":{"locality":"C"}}`,
			`"addresses":[{"type":"work","locality":"C","country":"B"}]`},
		{"replace of a part of a selected element",
			`"addresses":[{"type":"work","locality":"A"},{"type":"home","locality":"B"}]`,
			`{"op":"replace","path":"addresses[type eq \"work\"].locality","value":"C"}`,
			`"addresses":[{"type":"work","locality":"C"},{"type":"home","locality":"B"}]`},
		{"a sub-attribute without a filter is every element's", `"emails":[` + home + `,{"value":"x","type":"other"}]`,
			`{"op":"replace","path":"emails.type","value":"work"}`,
			`"emails":[{"type":"work","value":"h"},{"type":"work","value":"x"}]`},
		{"replace by null removes", `"nickName":"a","emails":[` + work + `]`,
			`{"op":"replace","path":"nickName","value":null},{"op":"replace","path":"emails","value":[]}`, ``},
		// The habits of identity providers
		{"replace creates an element that is not there, type included", ``,
			`{"op":"Replace","path":"phoneNumbers[type eq \"mobile\"].value","value":"1"}`,
			`"phoneNumbers":[{"type":"mobile","value":"1"}]`},
		{"several operations fill one element, in any order", ``,
			`{"op":"Add","path":"emails[type eq \"other\"].primary","value":"false"},{"op":"Add",` +
				`"path":"emails[type eq ` +
				`\"other\"].type","value":"other"},{"op":"Add","path":"emails[type eq \"other\"].Value","value":"o"}`,
			`"emails":[{"type":"other","primary":false,"value":"o"}]`},
		{"an element selected by primary is made primary", ``,
			`{"op":"Add","path":"roles[primary eq \"True\"].value","value":"admin"},{"op":"Add",` +
				`"path":"roles[primary eq ` +
				`\"True\"].display","value":"Admin"}`,
			`"roles":[{"primary":true,"value":"admin","display":"Admin"}]`},
		{"keys of a value without a path are paths", `"name":{"givenName":"G"}`,
			`{"op":"replace","value":{"name.familyName":"F","` + enterprise +
				`:employeeNumber":"5","emails[type eq \"work\"].value":"w"}}`,
			`"name":{"givenName":"G","familyName":"F"},"` + enterprise +
				`":{"employeeNumber":"5"},"emails":[{"type":"work","value":"w"}]`},
		{"an extension comes as an object", `"` + enterprise + `":{"department":"d"}`,
			`{"op":"add","value":{"` + enterprise + `":{"employeeNumber":"5"}}}`,
			`"` + enterprise + `":{"department":"d","employeeNumber":"5"}`},
		{"a manager comes bare", ``,
			`{"op":"Add","path":"` + enterprise + `:manager","value":"7"}`,
			`"` + enterprise + `":{"manager":{"value":"7"}}`},
		{"or as a list of one, and does not keep the old one's name",
			`"` + enterprise + `":{"manager":{"value":"6","displayName":"Six"}}`,
			`{"op":"replace","path":"` + enterprise + `:manager","value":[{"value":"7"}]}`,
			`"` + enterprise + `":{"manager":{"value":"7"}}`},
		{"or by its value", `"` + enterprise + `":{"manager":{"value":"6","displayName":"Six"}}`,
			`{"op":"replace","path":"` + enterprise + `:manager.value","value":"7"}`,
			`"` + enterprise + `":{"manager":{"value":"7"}}`},
		{"a manager of nulls is no manager", `"` + enterprise + `":{"manager":{"value":"6"}}`,
			`{"op":"replace","path":"` + enterprise + `:manager","value":{"value":null}}`,
			`"schemas":["` + enterprise + `"]`},
		{"the whole resource comes back, read-only parts included", `"nickName":"a"`,
			`{"op":"replace","value":{"schemas":["` + schema.UserURI +
				`"],"id":"1","meta":{},"groups":[],"password":"p","userName":"v"}}`,
			`"nickName":"a","userName":"v"`},
		{"a password is passed over", ``, `{"op":"replace","path":"password","value":"secret"}`, ``},
		{"operations and names are in any case", `"name":{"givenName":"G"}`,
			`{"OP":"REPLACE","Path":"NAME.GIVENNAME","Value":"H"}`, `"name":{"givenName":"H"}`},
		{"a suspended person stays suspended until active is true", `"active":false`,
			`{"op":"remove","path":"active"},{"op":"replace","path":"active","value":null},{"op":"replace",` +
				`"value":{"active":"","title":"T"}}`, `"active":false,"title":"T"`},
		{"active as a string", ``, `{"op":"Replace","path":"active","value":"False"}`, `"active":false`},
		{"the core schema's URI before an attribute", ``,
			`{"op":"add","path":"` + schema.UserURI + `:nickName","value":"a"}`, `"nickName":"a"`},
		{"the core schema's URI alone is the resource", ``,
			`{"op":"add","path":"` + schema.UserURI + `","value":{"nickName":"a"}}`, `"nickName":"a"`},
		{"one operation after the other", `"nickName":"a"`,
			`{"op":"replace","path":"nickName","value":"b"},{"op":"remove","path":"nickName"},{"op":"add",` +
				`"path":"nickName",` +
				`"value":"c"}`, `"nickName":"c"`},
		{"a whole extension goes", `"` + enterprise + `":{"department":"d"}`,
			`{"op":"remove","path":"` + enterprise + `"}`,
			`"schemas":["` + enterprise + `"]`},
		{"Microsoft's library puts single values into objects in lists", ``,
			`{"op":"Replace","path":"displayName","value":[{"$ref":null,"value":"User ` +
				`x"}]},{"op":"Replace","path":"active","value":[{"$ref":null,"value":"False"}]},{"op":"Add",` +
				`"path":"name.givenName","value":[{"$ref":null,"value":"G"}]},{"op":"Add","path":"emails[type eq ` +
				`\"work\"].value","value":[{"$ref":null,"value":"w"}]},{"op":"add","path":"` + enterprise +
				`:department","value":{"$ref":null,"value":"d"}},{"op":"add","path":"` + enterprise +
				`:manager","value":[{"$ref":null,"value":"7"}]}`,
			`"displayName":"User x","active":false,"name":{"givenName":"G"},"emails":[{"type":"work","value":"w"}],"` +
				enterprise + `":{"department":"d","manager":{"value":"7"}}`},
		{"nulls in a list of one remove the parts they name, and a manager",
			`"name":{"givenName":"G","familyName":"F"},"` +
				enterprise + `":{"department":"d","manager":{"value":"7","displayName":"M"}}`,
			`{"op":"replace","path":"name","value":[{"givenName":null}]},{"op":"replace","path":"` + enterprise +
				`:manager","value":[{"$ref":null,"value":null}]}`, `"name":{"familyName":"F"},"` + enterprise +
				`":{"department":"d"}`},
		{"a null in such an object removes", `"title":"t"`,
			`{"op":"replace","path":"title","value":[{"$ref":null,"value":null}]}`, ``},
		{"numbers where text is due", ``,
			`{"op":"replace","path":"` + enterprise + `:employeeNumber","value":77},{"op":"add","path":"` + enterprise +
				`:manager","value":7},{"op":"add","path":"emails[type eq ` +
				`\"work\"].value","value":5},{"op":"add","value":{"externalId":4711,"roles":[1]}},{"op":"replace",` +
				`"path":"active","value":0}`,
			`"active":false,"externalId":"4711","roles":[{"value":"1"}],"emails":[{"type":"work",` +
				`"value":"5"}],"` + enterprise +
				`":{"employeeNumber":"77","manager":{"value":"7"}}`},
		{"an empty list is an extension of nothing, and takes nothing away", `"` + enterprise + `":{"department":"d"}`,
			`{"op":"add","value":{"` + enterprise + `":[],"` + schema.UserURI + `":[]}},{"op":"replace",` +
				`"path":"` + enterprise +
				`","value":[]}`, `"` + enterprise + `":{"department":"d"}`},
		{"an extension in a list of one", ``, `{"op":"add","path":"` + enterprise + `","value":[{"department":"d"}]}`,
			`"` + enterprise + `":{"department":"d"}`},
		// Ways to write a URI
		{"a dot where a colon should stand", `"displayName":"before"`,
			`{"op":"replace","path":"` + schema.UserURI + `.displayName","value":"after"},{"op":"add","path":"` +
				schema.UserURI + `.name.givenName","value":"G"},{"op":"replace","path":"` + enterprise +
				`.employeeNumber","value":"5"},{"op":"replace","path":"` + enterprise +
				`.manager","value":{"value":"7"}},{"op":"add","path":"` + enterprise +
				`.manager.displayName","value":"M"},{"op":"add","path":"` + schema.UserURI +
				`.emails[type eq \"work\"].value","value":"w"}`,
			`"displayName":"after","name":{"givenName":"G"},"emails":[{"type":"work","value":"w"}],"` + enterprise +
				`":{"employeeNumber":"5","manager":{"value":"7","displayName":"M"}}`},
		{"as keys too", ``,
			`{"op":"add","value":{"` + schema.UserURI + `.nickName":"n","` + enterprise +
				`.department":"d","` + schema.UserURI +
				`":{"name.givenName":"G"}}}`,
			`"nickName":"n","name":{"givenName":"G"},"` + enterprise + `":{"department":"d"}`},
		{"an attribute of an extension without its URI", `"` + enterprise + `":{"department":"d","costCenter":"c"}`,
			`{"op":"replace","path":"department","value":"e"},{"op":"remove","path":"costCenter"},{"op":"add",` +
				`"path":"manager","value":"7"},{"op":"add","path":"manager.displayName","value":"M"},{"op":"add",` +
				`"value":{"division":"v","` + schema.UserURI + `:organization":"o"}}`,
			`"` + enterprise +
				`":{"department":"e","division":"v","organization":"o","manager":{"value":"7","displayName":"M"}}`},
		{"a URI without its last part", ``,
			`{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:title","value":"T"},{"op":"add",` +
				`"path":"urn:ietf:params:scim:schemas:extension:enterprise:2.0:department","value":"d"}`,
			`"title":"T","` + enterprise + `":{"department":"d"}`},
		{"a blank path is none, and blanks around the operation do not count", ``,
			`{"op":" Add ","path":" ","value":{"title":"T"}}`, `"title":"T"`},
		{"no attributes, as PHP writes it", `"title":"T"`, `{"op":"replace","value":[]}`, `"title":"T"`},
		{"a resource in a list of one", ``, `{"op":"add","value":[{"title":"T"}]}`, `"title":"T"`},
		// What no schema knows
		{"an unknown attribute in a whole resource", ``,
			`{"op":"add","value":{"colour":{"a":[1]},"title":"T"}},{"op":"replace","path":"colour.b","value":2}`,
			`"colour":{"a":[1],"b":2},"title":"T"`},
		{"unknown attributes that are there", `"colour":"red","name":{"nick":"a"},"emails":[{"value":"x","seen":1}],"` +
			enterprise + `":{"floor":1}`,
			`{"op":"replace","path":"colour","value":"blue"},{"op":"add","path":"name.nick","value":"b"},` +
				`{"op":"replace",` +
				`"path":"emails.seen","value":2},{"op":"add","path":"` + enterprise + `:floor","value":2}`,
			`"colour":"blue","name":{"nick":"b"},"emails":[{"value":"x","seen":2}],"` + enterprise + `":{"floor":2}`},
		{"an unknown attribute goes, there or not", `"colour":"red"`,
			`{"op":"remove","path":"colour"},{"op":"remove","path":"taste"},{"op":"replace","path":"smell",` +
				`"value":null},` +
				`{"op":"remove","path":"name.nick"},{"op":"remove","path":"` + enterprise + `:floor"},{"op":"remove",` +
				`"path":"` +
				schema.UserURI + `:taste"}`, ``},
		{"an unknown extension", ``,
			`{"op":"add","value":{"urn:x:2.0:User":{"badge":"1"}}},{"op":"replace","path":"urn:x:2.0:User:badge",` +
				`"value":"2"}`,
			`"urn:x:2.0:User":{"badge":"2"}`},
		{"an unknown extension with a dot for a colon",
			`"urn:x:2.0:lucky":{"number":"1"},"schemas":["urn:x:2.0:listed"]`,
			`{"op":"replace","path":"urn:x:2.0:lucky.number","value":"2"},{"op":"add",` +
				`"path":"urn:x:2.0:listed.number",` +
				`"value":"3"},{"op":"add","path":"urn:x:2.0:User.badge","value":"4"},{"op":"add",` +
				`"value":{"urn:x:2.0:Door.lock":"5"}}`,
			`"schemas":["urn:x:2.0:listed"],"urn:x:2.0:lucky":{"number":"2"},"urn:x:2.0:listed":{"number":"3"},` +
				`"urn:x:2.0:User":{"badge":"4"},"urn:x:2.0:Door":{"lock":"5"}`},
		{"an unknown extension goes with its last attribute", `"urn:x:2.0:User":{"badge":"1"}`,
			`{"op":"remove","path":"urn:x:2.0:User:badge"}`, ``},
		{"all of an unknown extension", `"urn:x:2.0:User":{"badge":"1","door":"2"}`,
			`{"op":"remove","path":"urn:x:2.0:User"}`, ``},
		{"elements of an unknown list", `"doors":[{"n":"1"}]`,
			`{"op":"add","path":"doors[n eq \"2\"].open","value":true},{"op":"remove","path":"doors[n eq \"1\"]"}`,
			`"doors":[{"n":"2","open":true}]`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := person(t, tt.before)
			ops, err := parse(t, tt.operations)
			if err != nil {
				t.Fatal(err)
			}
			got, err := patch.Apply(schema.User, before, ops)
			if err != nil {
				t.Fatal(err)
			}
			if want := person(t, tt.after); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			if !reflect.DeepEqual(before, person(t, tt.before)) {
				t.Error("the resource was changed")
			}
			// Everything is retried.
			again, err := patch.Apply(schema.User, got, ops)
			if err != nil || !reflect.DeepEqual(again, got) {
				t.Errorf("applied again it becomes %v: %v", again, err)
			}
		})
	}
}

func TestOneOperationNeedsNoList(t *testing.T) {
	t.Parallel()
	ops, err := patch.Parse(value(t, `{"operations":{"op":"add","path":"title","value":"T"}}`).(map[string]any))
	if err != nil || len(ops) != 1 || ops[0].Value != "T" {
		t.Errorf("got %v, %v", ops, err)
	}
}

func TestRefusedOperations(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name       string
		operations string
		kind       schema.Kind
	}{
		{"an unknown operation", `{"op":"move","path":"nickName"}`, schema.InvalidSyntax},
		{"no operation", `{"path":"nickName"}`, schema.InvalidSyntax},
		{"an operation that is no object", `"add"`, schema.InvalidSyntax},
		{"no operations at all", ``, schema.InvalidSyntax},
		{"a number for an operation", `{"op":2,"path":"nickName","value":"x"}`, schema.InvalidSyntax},
		{"a boolean for an operation", `{"op":true,"path":"nickName","value":"x"}`, schema.InvalidSyntax},
		{"an operation of JSON Patch", `{"op":"test","path":"nickName","value":"x"}`, schema.InvalidSyntax},
		{"a misspelt attribute", `{"op":"replace","path":"displaName","value":"x"}`, schema.InvalidPath},
		{"one under the URI of the core schema", `{"op":"replace","path":"` + schema.UserURI + `:displaName",` +
			`"value":"x"}`,
			schema.InvalidPath},
		{"with a dot", `{"op":"replace","path":"` + schema.UserURI + `.displaName","value":"x"}`, schema.InvalidPath},
		{"as a key", `{"op":"replace","value":{"title":"T","` + schema.UserURI + `:displaName":"x"}}`,
			schema.InvalidPath},
		{"as a key under the URI", `{"op":"replace","value":{"` + schema.UserURI + `":{"displaName":"x"}}}`,
			schema.InvalidPath},
		{"one under the URI of an extension", `{"op":"add","path":"` + enterprise + `:departmnt","value":"x"}`,
			schema.InvalidPath},
		{"as a key of it", `{"op":"add","value":{"` + enterprise + `:departmnt":"x"}}`, schema.InvalidPath},
		{"in its object", `{"op":"add","value":{"` + enterprise + `":{"department":"d","departmnt":"x"}}}`,
			schema.InvalidPath},
		{"in its object at its path", `{"op":"add","path":"` + enterprise + `","value":{"departmnt":"x"}}`,
			schema.InvalidPath},
		{"one of the core schema under the extension",
			`{"op":"add","path":"` + enterprise + `:displayName","value":"x"}`,
			schema.InvalidPath},
		{"behind a colon", `{"op":"replace","path":"` + schema.UserURI + `:name:firstName","value":"x"}`,
			schema.InvalidPath},
		{"a misspelt part of a name", `{"op":"replace","path":"name.firstName","value":"x"}`, schema.InvalidPath},
		{"as a key", `{"op":"replace","value":{"name.firstName":"x"}}`, schema.InvalidPath},
		{"a misspelt part of an element", `{"op":"add","path":"emails[type eq \"work\"].address","value":"x"}`,
			schema.InvalidPath},
		{"a misspelt part of a manager", `{"op":"add","path":"` + enterprise + `.manager.id","value":"x"}`,
			schema.InvalidPath},
		{"a schema of another resource", `{"op":"add","path":"` + schema.GroupURI + `:displayName","value":"x"}`,
			schema.InvalidPath},
		{"a schema that there is not", `{"op":"add","path":"urn:ietf:params:scim:schemas:core:2.0:Device",` +
			`"value":{"a":1}}`,
			schema.InvalidPath},
		{"a version that there is not", `{"op":"add","path":"urn:ietf:params:scim:schemas:core:1.0:User:title",` +
			`"value":"x"}`,
			schema.InvalidPath},
		{"a name before a colon, which is no URI", `{"op":"add","path":"emails:work","value":"x"}`, schema.InvalidPath},
		{"a filter on an unknown attribute", `{"op":"add","path":"mails[type eq \"work\"].value","value":"x"}`,
			schema.InvalidPath},
		{"a value in a list without a path", `{"op":"add","value":[{"value":"x"}]}`, schema.InvalidValue},
		{"a value in an object without a path", `{"op":"add","value":{"value":"x"}}`, schema.InvalidValue},
		{"remove without a path, with a value", `{"op":"remove","value":{"nickName":"x"}}`, schema.NoTarget},
		{"a path that is no path", `{"op":"add","path":"emails[type eq","value":"x"}`, schema.InvalidPath},
		{"a path that is no text", `{"op":"add","path":5,"value":"x"}`, schema.InvalidPath},
		{"a filter on an attribute with one value",
			`{"op":"replace","path":"name[givenName eq \"G\"].familyName","value":"x"}`, schema.InvalidPath},
		{"a part of an attribute that has none", `{"op":"replace","path":"userName.first","value":"x"}`,
			schema.InvalidPath},
		{"a filter that makes no sense", `{"op":"replace","path":"emails[primary gt true].value","value":"x"}`,
			schema.InvalidPath},
		{"remove without a path", `{"op":"remove"}`, schema.NoTarget},
		{"replace of an element that cannot be made",
			`{"op":"replace","path":"emails[type ne \"work\"].value","value":"x"}`,
			schema.NoTarget},
		{"add without a value", `{"op":"add","path":"nickName"}`, schema.InvalidValue},
		{"replace without a value", `{"op":"replace","path":"nickName"}`, schema.InvalidValue},
		{"a value without a path that is no object", `{"op":"add","value":"x"}`, schema.InvalidValue},
		{"a value of the wrong type", `{"op":"replace","path":"active","value":"maybe"}`, schema.InvalidValue},
		{"a complex value that is text", `{"op":"replace","path":"name","value":"G O"}`, schema.InvalidValue},
		{"a list where one value is", `{"op":"replace","path":"nickName","value":["a","b"]}`, schema.InvalidValue},
		{"a blank userName", `{"op":"replace","path":"userName","value":""}`, schema.InvalidValue},
		{"an extension that is text", `{"op":"add","path":"` + enterprise + `","value":"x"}`, schema.InvalidValue},
		{"two elements for the selected one",
			`{"op":"replace","path":"emails[type eq \"work\"]","value":[{"value":"a"},{"value":"b"}]}`,
			schema.InvalidValue},
		{"writing the id", `{"op":"replace","path":"id","value":"x"}`, schema.MutabilityErr},
		{"writing a part of meta", `{"op":"replace","path":"meta.created","value":"x"}`, schema.MutabilityErr},
		{"writing groups", `{"op":"add","path":"groups","value":[{"value":"g"}]}`, schema.MutabilityErr},
		{"removing what is required", `{"op":"remove","path":"userName"}`, schema.MutabilityErr},
		{"replacing it by null", `{"op":"replace","path":"userName","value":null}`, schema.MutabilityErr},
		{"one fault among good operations", `{"op":"add","path":"nickName","value":"a"},{"op":"remove",` +
			`"path":"userName"}`,
			schema.MutabilityErr},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			before := person(t, `"name":{"givenName":"G"}`)
			ops, err := parse(t, tt.operations)
			if err == nil {
				_, err = patch.Apply(schema.User, before, ops)
			}
			if got := kind(t, err); got != tt.kind {
				t.Errorf("got %q (%v), want %q", got, err, tt.kind)
			}
			if !reflect.DeepEqual(before, person(t, `"name":{"givenName":"G"}`)) {
				t.Error("the resource was changed")
			}
		})
	}
}

// A whole resource may have paths for keys, as a PATCH without a path may.
func TestNormalize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want string
	}{
		{"attributes and their parts", `{"userName":"u","name":{"familyName":"F"},"` + schema.UserURI +
			`:name:middleName":"M","name.givenName":"G","Name.FORMATTED":"G F"}`,
			`"name":{"familyName":"F","givenName":"G","middleName":"M","formatted":"G F"}`},
		{"flat names of the extension", `{"userName":"u","` + enterprise + `:department":"d","` +
			strings.ToUpper(enterprise) + `:manager.value":"7","` + enterprise + `":{"division":"v"}}`,
			`"` + enterprise + `":{"department":"d","division":"v","manager":{"value":"7"}}`},
		{"with dots", `{"userName":"u","` + enterprise + `.employeeNumber":5,"` + enterprise +
			`.manager.displayName":"M","` +
			schema.UserURI + `.name.givenName":"G"}`,
			`"name":{"givenName":"G"},"` + enterprise + `":{"employeeNumber":"5","manager":{"displayName":"M"}}`},
		{"flat names of the core schema", `{"` + schema.UserURI + `:userName":"u","` +
			schema.UserURI + `.active":"False","` +
			schema.UserURI + `:name.givenName":"G","urn:ietf:params:scim:schemas:core:2.0:title":"T"}`,
			`"active":false,"name":{"givenName":"G"},"title":"T"`},
		{"elements",
			`{"userName":"u","emails":[{"type":"home","value":"h"}],"emails[type eq \"work\"].value":"w",` +
				`"emails[type eq ` +
				`\"work\"].primary":"True","roles.value":"r"}`,
			`"emails":[{"type":"home","value":"h"},{"type":"work","value":"w","primary":true}],` +
				`"roles":[{"value":"r"}]`},
		{"attributes of an extension without its URI", `{"userName":"u","department":"d","manager.value":"7"}`,
			`"` + enterprise + `":{"department":"d","manager":{"value":"7"}}`},
		{"flat names of an extension that no schema knows",
			`{"userName":"u","urn:x:2.0:User:badge":"9","urn:x:2.0:User:door":2,"urn:x:2.0:User":{"floor":1}}`,
			`"urn:x:2.0:User":{"badge":"9","door":2,"floor":1}`},
		{"a schema that is listed is no name", `{"userName":"u","schemas":["urn:x:y"],"urn:x:y":"text"}`,
			`"schemas":["urn:x:y"],"urn:x:y":"text"`},
		{"what is not the client's to write",
			`{"userName":"u","meta.created":"2026","groups[value eq \"g\"].display":"x","` +
				schema.UserURI + `:id":"1"}`, ``},
		{"unknown names are kept as they were sent",
			`{"userName":"u","custom.field":"x","name.firstName":"y","emails[":1,"emails:0":0,"urn:x:y":{"a.b":1},` +
				`"urn:x:z":[1],"` + enterprise + `":{"floor":1}}`,
			`"custom.field":"x","name.firstName":"y","emails[":1,"emails:0":0,"urn:x:y":{"a.b":1},` +
				`"urn:x:z":[1],"` + enterprise +
				`":{"floor":1}`},
		{"unknown attributes of an extension are kept in it", `{"userName":"u","` + enterprise + `:room":{"no":1},"` +
			enterprise + `.door":2,"` + enterprise + `":{"floor":1}}`,
			`"` + enterprise + `":{"floor":1,"room":{"no":1},"door":2}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := value(t, tt.in).(map[string]any)
			for range 2 { // it is repeated when another change was faster
				got, err := patch.Normalize(schema.User, in)
				if err != nil {
					t.Fatal(err)
				}
				if want := person(t, tt.want); !reflect.DeepEqual(got, want) {
					t.Fatalf("got  %v\nwant %v", got, want)
				}
				if !reflect.DeepEqual(in, value(t, tt.in)) {
					t.Fatal("the argument was changed")
				}
			}
		})
	}
	for _, in := range []string{
		`{"userName":"u","name.givenName":{"a":1}}`, `{"name.givenName":"G"}`,
		`{"userName":"u","emails[type ne \"work\"].value":"w"}`,
	} {
		if got, err := patch.Normalize(schema.User, value(t, in).(map[string]any)); err == nil {
			t.Errorf("%s is read as %v", in, got)
		} else {
			kind(t, err)
		}
	}
}

// Once normal, always normal, for whole resources with paths in them too.
func FuzzNormalize(f *testing.F) {
	f.Add(`{"userName":"u","name.givenName":"G","` + enterprise +
		`:department":"d","emails[type eq \"work\"].value":"w","urn:x:y:z":1}`)
	f.Add(`{"` + schema.UserURI +
		`.userName":"u","manager.value":"7","urn:x:User.badge":true,"schemas":["urn:x:User"],"urn:x:User":{"a":[]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var in map[string]any
		if decoder.Decode(&in) != nil || in == nil {
			return // the law says nothing of it
		}
		once, err := patch.Normalize(schema.User, in)
		if err != nil {
			kind(t, err)
			return
		}
		if twice, err := schema.User.Normalize(once); err != nil || !reflect.DeepEqual(once, twice) {
			t.Errorf("%v became %v: %v", once, twice, err)
		}
	})
}

// A refusal names the attribute as it was read and says what to write.
func TestUnknownAttributesAreNamed(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"displaName":              "operation 1: a User has no attribute displaName; see /Schemas",
		"name.firstName":          "a User has no attribute name.firstName; see /Schemas",
		enterprise + ".departmnt": "a User has no attribute " + enterprise + ":departmnt; see /Schemas",
		enterprise + ":displayName": "a User has no attribute " + enterprise +
			":displayName; the core schema has displayName",
		"urn:ietf:params:scim:schemas:x:a.": "wanted an attribute",
	} {
		ops, err := parse(t, `{"op":"add","path":"`+path+`","value":"x"}`)
		if err == nil {
			_, err = patch.Apply(schema.User, person(t, ""), ops)
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", path, err, want)
		}
	}
}

func TestTooManyOperations(t *testing.T) {
	t.Parallel()
	one := `{"op":"add","path":"nickName","value":"a"}`
	_, err := parse(t, strings.Repeat(one+",", patch.MaxOperations)+one)
	if got := kind(t, err); got != schema.TooLarge {
		t.Errorf("got %q", got)
	}
}

// A PATCH applies whole or leaves the resource as it was, what it leaves is
// canonical, and the operations can be applied again.
func FuzzApply(f *testing.F) {
	const before = `{"userName":"u","emails":[{"type":"work","value":"w","primary":true},{"value":"x"}],` +
		`"name":{"givenName":"G"},"doors":[{"n":"1"},2],"urn:x:User":{"badge":[1]},"` + enterprise +
		`":{"manager":{"value":"7"}}}`
	for _, seed := range []string{
		`{"op":"add","path":"emails[type eq \"home\"].value","value":"h"}`,
		`{"op":"replace","value":{"name.givenName":"x","urn:x:User:badge":{"a":1}}}`,
		`{"op":"remove","path":"emails[primary eq true]"},{"op":"add","path":"doors","value":[3,{"value":[]}]}`,
		`{"op":"replace","path":"` + enterprise + `:manager","value":[{"value":[]}]}`,
		`{"op":"add","path":"urn:x:User.value","value":{"value":{}}}`,
	} {
		f.Add(before, seed)
	}
	f.Fuzz(func(t *testing.T, resource, operations string) {
		read := func() (map[string]any, map[string]any, bool) {
			var values [2]map[string]any
			for i, text := range []string{resource, `{"Operations":[` + operations + `]}`} {
				decoder := json.NewDecoder(strings.NewReader(text))
				decoder.UseNumber()
				if decoder.Decode(&values[i]) != nil || values[i] == nil {
					return nil, nil, false
				}
			}
			return values[0], values[1], true
		}
		object, body, ok := read()
		if !ok {
			return // the law says nothing of it
		}
		before, err := schema.User.Normalize(object)
		if err != nil {
			return // the law says nothing of it
		}
		ops, err := patch.Parse(body)
		if err != nil {
			kind(t, err)
			return
		}
		after, err := patch.Apply(schema.User, before, ops)
		object, body, _ = read()
		if untouched, _ := schema.User.Normalize(object); !reflect.DeepEqual(before, untouched) {
			t.Fatalf("the resource was changed: %v", before)
		}
		if fresh, _ := patch.Parse(body); !reflect.DeepEqual(ops, fresh) {
			t.Fatalf("the operations were changed: %v", ops)
		}
		if err != nil {
			kind(t, err)
			return
		}
		canonical, err := schema.User.Normalize(after)
		if err != nil || !reflect.DeepEqual(canonical, after) {
			t.Fatalf("%v is not canonical: %v", after, err)
		}
	})
}

func BenchmarkApply(b *testing.B) {
	var resource, body map[string]any
	_ = json.Unmarshal([]byte(`{"schemas":["`+schema.UserURI+
		`"],"userName":"u","active":true,"name":{"givenName":"G","familyName":"F"},"emails":[{"type":"work",`+
		`"value":"w",`+
		`"primary":true}]}`), &resource)
	_ = json.Unmarshal(
		[]byte(
			`{"Operations":[{"op":"Replace","path":"emails[type eq `+
				`\"work\"].value","value":"x"},{"op":"Replace","path":"name.familyName","value":"y"}]}`), &body)
	b.ReportAllocs()
	for b.Loop() {
		ops, err := patch.Parse(body)
		if err != nil {
			b.Fatal(err)
		}
		if _, err := patch.Apply(schema.User, resource, ops); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNormalize(b *testing.B) {
	const more = `"userName":"u","externalId":"e","active":true,"displayName":"D","emails":[{"type":"work",` +
		`"value":"w",` +
		`"primary":true}]`
	for name, text := range map[string]string{
		"plain": `{"schemas":["` + schema.UserURI + `"],` + more + `,"name":{"givenName":"G","familyName":"F"},"` +
			enterprise + `":{"department":"d","manager":{"value":"7"}}}`,
		"flat": `{"schemas":["` + schema.UserURI + `"],` + more + `,"name.givenName":"G","name.familyName":"F","` +
			enterprise + `:department":"d","` + enterprise + `:manager":"7"}`,
	} {
		b.Run(name, func(b *testing.B) {
			var body map[string]any
			if err := json.Unmarshal([]byte(text), &body); err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			for b.Loop() {
				if _, err := patch.Normalize(schema.User, body); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
