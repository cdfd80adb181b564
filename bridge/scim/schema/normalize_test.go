package schema_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

func object(t *testing.T, text string) map[string]any {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	var out map[string]any
	if err := decoder.Decode(&out); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return out
}

// kind is the scimType of a fault, or "" without one.
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

const user = `"schemas":["` + schema.UserURI + `"],"userName":"u"`

func TestNormalize(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		in   string
		want string // empty if it is refused
	}{
		{"attribute names in any case become canonical",
			`{"USERNAME":"u","Name":{"GIVENNAME":"G"},"active":true}`,
			`{` + user + `,"active":true,"name":{"givenName":"G"}}`},
		{"a person without active is active",
			`{"userName":"u"}`, `{` + user + `,"active":true}`},
		{"booleans may be strings, nested too",
			`{"userName":"u","active":"False","emails":[{"value":"a","primary":"True"}]}`,
			`{` + user + `,"active":false,"emails":[{"value":"a","primary":true}]}`},
		{"nulls, empty lists and empty objects are unassigned",
			`{"userName":"u","active":null,"nickName":null,"emails":[],"roles":[null,{}],"name":{},"name2":null}`,
			`{` + user + `,"active":true}`},
		{"empty strings are values",
			`{"userName":"u","active":true,"name":{"middleName":""}}`,
			`{` + user + `,"active":true,"name":{"middleName":""}}`},
		{"what is not the client's to write is dropped",
			`{"userName":"u","active":true,"id":"1","meta":{"version":"x"},"groups":[{"value":"g"}],"password":"p"}`,
			`{` + user + `,"active":true}`},
		{"a bare manager becomes complex",
			`{"userName":"u","active":true,"` + schema.EnterpriseURI + `":{"manager":"7"}}`,
			`{"schemas":["` + schema.UserURI + `","` + schema.EnterpriseURI + `"],"userName":"u","active":true,"` +
				schema.EnterpriseURI + `":{"manager":{"value":"7"}}}`},
		{"a manager without an id is none",
			`{"userName":"u","active":true,"` + schema.EnterpriseURI + `":{"manager":{"value":"","displayName":"M"}}}`,
			`{` + user + `,"active":true}`},
		{"so does a manager in a list",
			`{"userName":"u","active":true,` +
				`"URN:ietf:params:scim:schemas:extension:enterprise:2.0:user":{"Manager":[{"value":"7"}]}}`,
			`{"schemas":["` + schema.UserURI + `","` + schema.EnterpriseURI + `"],"userName":"u","active":true,"` +
				schema.EnterpriseURI + `":{"manager":{"value":"7"}}}`},
		{"one e-mail address may come without its list, or bare",
			`{"userName":"u","active":true,"emails":{"value":"a"},"roles":"admin"}`,
			`{` + user + `,"active":true,"emails":[{"value":"a"}],"roles":[{"value":"admin"}]}`},
		{"of two primaries the first stays",
			`{"userName":"u","active":true,"emails":[{"value":"a","primary":true},{"value":"b","primary":true}]}`,
			`{` + user + `,"active":true,"emails":[{"value":"a","primary":true},{"value":"b","primary":false}]}`},
		{"the same value of the same type is one, with the parts of both",
			`{"userName":"u","active":true,"emails":[{"value":"a","type":"work","primary":false},{"value":"b"},` +
				`{"value":"a",` +
				`"type":"Work","display":"A","primary":true},{"value":"a","type":"home"},{"value":"a"}],` +
				`"addresses":[{"type":"work"},{"type":"work"},{"type":"home"}]}`,
			`{` + user +
				`,"active":true,"emails":[{"value":"a","type":"work","display":"A","primary":true},{"value":"b"},` +
				`{"value":"a",` +
				`"type":"home"},{"value":"a"}],"addresses":[{"type":"work"},{"type":"home"}]}`},
		{"core attributes may stand under their URI, or carry it",
			`{"URN:ietf:params:scim:schemas:core:2.0:User":{"UserName":"u","active":"False","id":"1"},"` +
				schema.UserURI +
				`:nickName":"n","schemas":["` + schema.UserURI + `"]}`,
			`{` + user + `,"active":false,"nickName":"n"}`},
		{"a dot may stand where a colon should, and the URI lack its last part",
			`{"` + schema.UserURI + `.userName":"u","urn:ietf:params:scim:schemas:core:2.0:Active":"False","` +
				strings.ToUpper(schema.UserURI) + `.nickname":"n"}`,
			`{` + user + `,"active":false,"nickName":"n"}`},
		{"attributes of an extension may come without its URI",
			`{"userName":"u","Department":"d","employeeNumber":5,"manager":"7","costCenter":null,"division":""}`,
			`{"schemas":["` + schema.UserURI + `","` + schema.EnterpriseURI + `"],"userName":"u","active":true,"` +
				schema.EnterpriseURI + `":{"department":"d","employeeNumber":"5","manager":{"value":"7"},` +
				`"division":""}}`},
		{"under that of the core schema too",
			`{"userName":"u","` + schema.UserURI + `:department":"d","` + schema.UserURI +
				`":{"organization":"o"}}`,
			`{"schemas":["` + schema.UserURI + `","` + schema.EnterpriseURI + `"],"userName":"u","active":true,"` +
				schema.EnterpriseURI + `":{"department":"d","organization":"o"}}`},
		{"but count less than what the extension says", `{"userName":"u","department":"x","` + schema.EnterpriseURI +
			`":{"department":"d"}}`,
			`{"schemas":["` + schema.UserURI + `","` + schema.EnterpriseURI + `"],"userName":"u","active":true,"` +
				schema.EnterpriseURI + `":{"department":"d"}}`},
		{"and must be of the right type", `{"userName":"u","department":{"name":"d"}}`, ""},
		{"an attribute twice, with a colon and with a dot", `{"userName":"u","` + schema.UserURI + `:title":"a","` +
			schema.UserURI + `.title":"b"}`, ""},
		{"unknown schemas, attributes and extensions stay as they were sent",
			`{"schemas":["urn:x:y"],"userName":"u","active":true,"Colour":{"Deep":[1,null]},"urn:x:y":{"A":1.50}}`,
			`{"schemas":["` + schema.UserURI +
				`","urn:x:y"],"userName":"u","active":true,"Colour":{"Deep":[1,null]},"urn:x:y":{"A":1.50}}`},
		{"an enterprise schema without its object is accepted, and not listed",
			`{"schemas":["` + schema.UserURI + `","` + schema.EnterpriseURI + `"],"userName":"u","active":true,"` +
				schema.EnterpriseURI + `":null}`,
			`{"schemas":["` + schema.UserURI + `"],"userName":"u","active":true}`},
		{"no userName is refused", `{"active":true}`, ""},
		{"a blank userName is refused", `{"userName":" "}`, ""},
		{"a number where text is due is that text, as it was written",
			`{"userName":4711,"externalId":1.50,"name":{"familyName":7},"addresses":[{"postalCode":90210}],` +
				`"emails":[{"value":1e3,"type":2}],"` + schema.EnterpriseURI +
				`":{"employeeNumber":12345678901234567890}}`,
			`{"schemas":["` + schema.UserURI + `","` + schema.EnterpriseURI +
				`"],"userName":"4711","active":true,"externalId":"1.50","name":{"familyName":"7"},` +
				`"addresses":[{"postalCode":"90210"}],"emails":[{"value":"1e3","type":"2"}],"` + schema.EnterpriseURI +
				`":{"employeeNumber":"12345678901234567890"}}`},
		{"a bare number where an object with a value is due",
			`{"userName":"u","emails":[5],"roles":6,"` + schema.EnterpriseURI + `":{"manager":7}}`,
			`{"schemas":["` + schema.UserURI + `","` + schema.EnterpriseURI +
				`"],"userName":"u","active":true,"emails":[{"value":"5"}],"roles":[{"value":"6"}],"` +
				schema.EnterpriseURI +
				`":{"manager":{"value":"7"}}}`},
		{"a list of one where one value is due",
			`{"userName":["u"],"active":["False"],"title":[7],"nickName":[null],"name":[{"givenName":["G"]}],"` +
				schema.EnterpriseURI + `":[{"department":["d"]}]}`,
			`{"schemas":["` + schema.UserURI + `","` + schema.EnterpriseURI +
				`"],"userName":"u","active":false,"title":"7","name":{"givenName":"G"},"` + schema.EnterpriseURI +
				`":{"department":"d"}}`},
		{"a value in an object where it has no parts, as Microsoft's library sends it",
			`{"userName":[{"$ref":null,"value":"u"}],"active":[{"$ref":null,"value":"False"}],"title":{"value":"t"},` +
				`"nickName":{"Value":null},"locale":[{"value":5,"display":"D","type":"work","primary":true}],` +
				`"name":{"givenName":{"$ref":null,"value":"G"}}}`,
			`{` + user + `,"active":false,"title":"t","locale":"5","name":{"givenName":"G"}}`},
		{"an empty list or text where an object is due",
			`{"userName":"u","active":[],"name":"","addresses":["",[]],"emails":[[]],"roles":"","` +
				schema.UserURI + `":[],"` +
				schema.EnterpriseURI + `":[]}`,
			`{` + user + `,"active":true}`},
		{"an extension that is an empty text", `{"userName":"u","` + schema.EnterpriseURI + `":""}`,
			`{` + user + `,"active":true}`},
		{"an empty manager", `{"userName":"u","` + schema.EnterpriseURI + `":{"department":"d","manager":[]}}`,
			`{"schemas":["` + schema.UserURI + `","` + schema.EnterpriseURI + `"],"userName":"u","active":true,"` +
				schema.EnterpriseURI + `":{"department":"d"}}`},
		{"a userName that is a boolean is refused", `{"userName":true}`, ""},
		{"a userName that is a list of two is refused", `{"userName":["u","v"]}`, ""},
		{"a userName that is an object of names is refused", `{"userName":{"givenName":"u"}}`, ""},
		{"a text in an object with a list is refused", `{"userName":{"value":["a","b"]}}`, ""},
		{"a name in Microsoft's object is refused as a text is",
			`{"userName":"u","name":[{"$ref":null,"value":"G O"}]}`, ""},
		{"a name that is a number is refused", `{"userName":"u","name":5}`, ""},
		{"an extension that is a list of two is refused",
			`{"userName":"u","` + schema.EnterpriseURI + `":[{},{}]}`, ""},
		{"active that is a word is refused", `{"userName":"u","active":"maybe"}`, ""},
		{"a name that is a text is refused", `{"userName":"u","name":"G O"}`, ""},
		{"an address that is a text is refused", `{"userName":"u","addresses":["Street 1"]}`, ""},
		{"two managers are refused", `{"userName":"u","` + schema.EnterpriseURI + `":{"manager":["1","2"]}}`, ""},
		{"an extension that is a text is refused", `{"userName":"u","` + schema.EnterpriseURI + `":"x"}`, ""},
		{"an attribute in two spellings is refused", `{"userName":"u","nickName":"a","NICKNAME":"b"}`, ""},
		{"and one that stands under its URI too", `{"userName":"u","` + schema.UserURI + `":{"userName":"u"}}`, ""},
		{"the core schema as a text is refused", `{"userName":"u","` + schema.UserURI + `":"u"}`, ""},
		{"so is a sub-attribute", `{"userName":"u","name":{"givenName":"a","GivenName":"b"}}`, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			in := object(t, tt.in)
			got, err := schema.User.Normalize(in)
			if tt.want == "" {
				if k := kind(t, err); k != schema.InvalidValue {
					t.Fatalf("got %v and kind %q, want invalidValue", got, k)
				}
			} else if err != nil {
				t.Fatal(err)
			} else if want := object(t, tt.want); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			if !reflect.DeepEqual(in, object(t, tt.in)) {
				t.Error("the argument was changed")
			}
		})
	}
}

// Databases and identity providers have many ways to say yes and no.
func TestBooleans(t *testing.T) {
	t.Parallel()
	active := schema.User.Attribute("active")
	for want, values := range map[string][]any{
		"true":  {true, "True", "TRUE", " true ", "1", json.Number("1"), json.Number("1.0"), "yes", "Y", "on"},
		"false": {false, "False", "false\n", "0", json.Number("0"), json.Number("0.0"), "No", "n", "off"},
		"<nil>": {nil, "", "  ", []any{}, []any{nil}, []any{""}},
		"refused": {"maybe", "2", json.Number("2"), json.Number("-1"), json.Number("0.5"), json.Number("1e999"),
			map[string]any{}, []any{true, true}},
	} {
		for _, value := range values {
			got, err := active.Coerce(value)
			said := fmt.Sprint(got)
			if err != nil {
				said = "refused"
			}
			if said != want {
				t.Errorf("%#v is %s, want %s", value, said, want)
			}
		}
	}
}

// Normalizing is a projection: once canonical, always canonical.
func FuzzNormalize(f *testing.F) {
	f.Add(`{"userName":"u","emails":[{"value":"a","primary":"TRUE"}],"x":[{}]}`)
	f.Add(
		`{"userName":[{"$ref":null,"value":5}],"active":0,"name":[],"emails":[[],7],` +
			`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":[]}`)
	f.Add(
		`{"urn:ietf:params:scim:schemas:core:2.0:User.userName":"u","department":7,"Manager":{"value":"7"},` +
			`"urn:ietf:params:scim:schemas:core:2.0:title":"t"}`)
	f.Add(`{"USERNAME":"u","urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"manager":["7"]}}`)
	f.Fuzz(func(t *testing.T, text string) {
		decoder := json.NewDecoder(strings.NewReader(text))
		decoder.UseNumber()
		var in map[string]any
		if decoder.Decode(&in) != nil || in == nil {
			return // the law says nothing of it
		}
		once, err := schema.User.Normalize(in)
		if err != nil {
			kind(t, err)
			return
		}
		twice, err := schema.User.Normalize(once)
		if err != nil || !reflect.DeepEqual(once, twice) {
			t.Errorf("%v became %v: %v", once, twice, err)
		}
	})
}

func TestProjection(t *testing.T) {
	t.Parallel()
	const resource = `{"schemas":["s"],"id":"1","userName":"u","displayName":"D",
		"name":{"givenName":"G","familyName":"F"},
		"emails":[{"value":"a","type":"work"},{"value":"b"}],
		"meta":{"location":"l","version":"v"},
		"` + schema.EnterpriseURI + `":{"employeeNumber":"5","department":"d"},
		"urn:x:User":{"badge":"9","door":"1"},"colour":"red"}`
	const always = `"schemas":["s"],"id":"1"`
	tests := []struct {
		name                 string
		attributes, excluded []string
		want                 string
	}{
		{"nothing asked shows everything", nil, nil, resource},
		{"named attributes come with those that always do", []string{"userName"}, nil,
			`{` + always + `,"userName":"u"}`},
		{"names are in any case", []string{"USERNAME", "Emails.VALUE"}, nil,
			`{` + always + `,"userName":"u","emails":[{"value":"a"},{"value":"b"}]}`},
		{"a part of a complex attribute", []string{"name.givenName", "meta.version"}, nil,
			`{` + always + `,"name":{"givenName":"G"},"meta":{"version":"v"}}`},
		{"an attribute and its part is the attribute", []string{"name.givenName", "name"}, nil,
			`{` + always + `,"name":{"givenName":"G","familyName":"F"}}`},
		{"elements without the part are left out", []string{"emails.type"}, nil,
			`{` + always + `,"emails":[{"type":"work"}]}`},
		{"an attribute of an extension", []string{schema.EnterpriseURI + ":employeeNumber"}, nil,
			`{` + always + `,"` + schema.EnterpriseURI + `":{"employeeNumber":"5"}}`},
		{"a whole extension", []string{schema.EnterpriseURI}, nil, `{` + always + `,"` + schema.EnterpriseURI +
			`":{"employeeNumber":"5","department":"d"}}`},
		{"an extension that no schema knows", []string{"urn:x:User:badge"}, nil,
			`{` + always + `,"urn:x:User":{"badge":"9"}}`},
		{"all of an extension that no schema knows", []string{"urn:x:User"}, nil,
			`{` + always + `,"urn:x:User":{"badge":"9","door":"1"}}`},
		{"the URI of the core schema changes nothing", []string{schema.UserURI + ":userName"}, nil,
			`{` + always + `,"userName":"u"}`},
		{"the URI of the core schema means what is not an extension", []string{schema.UserURI}, nil,
			`{` + always +
				`,"userName":"u","displayName":"D","name":{"givenName":"G","familyName":"F"},"emails":[{"value":"a",` +
				`"type":"work"},{"value":"b"}],"meta":{"location":"l","version":"v"},"colour":"red"}`},
		{"and excluded, leaves the extensions", nil, []string{schema.UserURI},
			`{` + always + `,"` + schema.EnterpriseURI +
				`":{"employeeNumber":"5","department":"d"},"urn:x:User":{"badge":"9","door":"1"}}`},
		{"a filter in brackets chooses nothing", []string{`emails[type eq "work"].value`, `name["`}, nil,
			`{` + always + `,"name":{"givenName":"G","familyName":"F"},"emails":[{"value":"a"},{"value":"b"}]}`},
		{"an unknown attribute", []string{"colour", "nothing"}, nil, `{` + always + `,"colour":"red"}`},
		{"excluded attributes are left out, but for those that always come", nil,
			[]string{"id", "schemas", "userName", "name.familyName", "emails", "meta",
				schema.EnterpriseURI + ":department",
				"urn:x:User"},
			`{` + always + `,"displayName":"D","name":{"givenName":"G"},"` + schema.EnterpriseURI +
				`":{"employeeNumber":"5"},"colour":"red"}`},
		{"a dot where a colon should stand", []string{schema.UserURI + ".userName", schema.UserURI + ".name.givenName",
			schema.EnterpriseURI + ".department"}, nil,
			`{` + always + `,"userName":"u","name":{"givenName":"G"},"` +
				schema.EnterpriseURI + `":{"department":"d"}}`},
		{"an attribute of an extension without its URI", []string{"employeeNumber"}, nil,
			`{` + always + `,"` + schema.EnterpriseURI + `":{"employeeNumber":"5"}}`},
		{"a star is everything", []string{"*"}, nil, resource},
		{"beside other names too", []string{"userName", "*"},
			[]string{"name", "emails", "meta", "displayName", schema.EnterpriseURI, "urn:x:User"},
			`{` + always + `,"userName":"u","colour":"red"}`},
		{"a star behind an attribute is all of it", []string{"name.*", "emails.*", schema.EnterpriseURI + ":*"}, nil,
			`{` + always + `,"name":{"givenName":"G","familyName":"F"},"emails":[{"value":"a","type":"work"},` +
				`{"value":"b"}],"` +
				schema.EnterpriseURI + `":{"employeeNumber":"5","department":"d"}}`},
		{"a star that is excluded leaves what always comes", nil, []string{"*"}, `{` + always + `}`},
		{"both together mean the first without the second", []string{"name", "userName"}, []string{"name.givenName"},
			`{` + always + `,"userName":"u","name":{"familyName":"F"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p, err := schema.NewProjection(schema.User, tt.attributes, tt.excluded)
			if err != nil {
				t.Fatal(err)
			}
			in := object(t, resource)
			if got, want := p.Apply(in), object(t, tt.want); !reflect.DeepEqual(got, want) {
				t.Errorf("got  %v\nwant %v", got, want)
			}
			if !reflect.DeepEqual(in, object(t, resource)) {
				t.Error("the resource was changed")
			}
		})
	}
}

// A path that can only mean one attribute is that one, however its URI is
// written.
func TestResolve(t *testing.T) {
	t.Parallel()
	const core, short, enterprise = schema.UserURI, "urn:ietf:params:scim:schemas:core:2.0", schema.EnterpriseURI
	for text, want := range map[string]string{
		"userName":                               "userName",
		"NAME.givenname":                         "name givenName",
		core + ":displayName":                    "displayName",
		core + ".displayName":                    "displayName",
		core + ".name.givenName":                 "name givenName",
		core + ":name.givenName":                 "name givenName",
		strings.ToLower(core) + ".emails.value":  "emails value",
		core + ":name:givenName":                 "name givenName",
		enterprise + ":Manager:displayname":      enterprise + " manager displayName",
		core + ":name:colour":                    core + ":name colour",
		core + ":colour:deep":                    core + ":colour deep",
		short + ":displayName":                   "displayName",
		short + ":name.familyName":               "name familyName",
		core + ".meta.created":                   "meta created",
		"department":                             enterprise + " department",
		"manager.value":                          enterprise + " manager value",
		core + ":department":                     enterprise + " department",
		core + ".manager.displayName":            enterprise + " manager displayName",
		enterprise:                               enterprise,
		enterprise + ":department":               enterprise + " department",
		enterprise + ".department":               enterprise + " department",
		enterprise + ".manager.value":            enterprise + " manager value",
		strings.ToUpper(enterprise) + ".MANAGER": enterprise + " manager",
		"urn:ietf:params:scim:schemas:extension:enterprise:2.0:costCenter": enterprise + " costCenter",
		"urn:x:2.0:User:badge":       "urn:x:2.0:User badge",
		"urn:x:2.0:User.badge":       "urn:x:2.0:User badge",
		"urn:x:2.0:user.badge.no":    "urn:x:2.0:user badge no",
		"urn:x:2.0:Door.lock.open":   "urn:x:2.0:Door lock open",
		"urn:x:2.0:Door.lock":        "urn:x:2.0:Door lock", // no attribute begins in upper case
		"urn:x:2.0:door.lock":        "urn:x:2.0 door lock",
		"urn:x:colour":               "urn:x colour",
		"colour.deep":                "colour deep",
		enterprise + ":displayName":  enterprise + " displayName", // of no schema: the core schema's would be guessed
		short + ":colour":            short + " colour",
		schema.GroupURI + ":members": schema.GroupURI + " members",
	} {
		p, err := schema.ParsePath(text)
		if err != nil {
			t.Fatal(err)
		}
		if got := strings.Join(schema.User.Resolve(p).Keys(), " "); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}

func TestParsePath(t *testing.T) {
	t.Parallel()
	tests := []struct {
		text string
		want schema.Path
		ok   bool
	}{
		{"userName", schema.Path{Name: "userName"}, true},
		{"name.givenName", schema.Path{Name: "name", Sub: "givenName"}, true},
		{"members.$ref", schema.Path{Name: "members", Sub: "$ref"}, true},
		{schema.EnterpriseURI + ":manager.value", schema.Path{URI: schema.EnterpriseURI, Name: "manager", Sub: "value"},
			true},
		{schema.EnterpriseURI + ".department", schema.Path{URI: "urn:ietf:params:scim:schemas:extension:enterprise:2.0",
			Name: "User", Sub: "department"}, true},
		{schema.EnterpriseURI,
			schema.Path{URI: "urn:ietf:params:scim:schemas:extension:enterprise:2.0", Name: "User"}, true},
		{"", schema.Path{}, false},
		{"a.", schema.Path{}, false},
		{".a", schema.Path{}, false},
		{"a.b.c", schema.Path{}, false},
		{"a b", schema.Path{}, false},
		{"urn:x:", schema.Path{}, false},
	}
	for _, tt := range tests {
		t.Run("path "+tt.text, func(t *testing.T) {
			t.Parallel()
			got, err := schema.ParsePath(tt.text)
			if (err == nil) != tt.ok || got != tt.want {
				t.Errorf("got %+v, %v", got, err)
			}
			if tt.ok && got.String() != tt.text {
				t.Errorf("prints as %q", got)
			}
		})
	}
}
