package scim_test

import (
	"context"
	"net/http"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// An update that sets no active, in whatever form, must not reactivate a person
// that another request has suspended.
func TestOnlyActiveTrueReactivatesASuspendedPerson(t *testing.T) {
	t.Parallel()
	const core = `"urn:ietf:params:scim:schemas:core:2.0:User`
	tests := []struct{ name, method, body string }{
		{"PUT that does not speak of active", "PUT", `{"userName":"u"}`},
		{"PUT with null", "PUT", `{"userName":"u","active":null}`},
		{"PUT with an empty text", "PUT", `{"userName":"u","active":""}`},
		{"PUT with an empty list", "PUT", `{"userName":"u","active":[]}`},
		{"PUT with an empty text under another case", "PUT", `{"userName":"u","Active":""}`},
		{"PUT with two empty spellings", "PUT", `{"userName":"u","Active":"","ACTIVE":[]}`},
		{"PUT with an empty text under the qualified name", "PUT", `{"userName":"u",` + core + `:active":""}`},
		{"PUT with an empty list under the schema's URI", "PUT", `{` + core + `":{"userName":"u","active":[]}}`},
		{"PUT with a false text", "PUT", `{"userName":"u","active":"False"}`},
		{"PUT with blanks, which is refused", "PUT", `{"userName":"u","active":"  "}`},
		{"PUT with an object, which is refused", "PUT", `{"userName":"u","active":{}}`},
		{"PUT with a list of null, which is refused or passed over", "PUT", `{"userName":"u","active":[null]}`},
		{"PUT with a list of an empty text, which is refused or passed over", "PUT", `{"userName":"u","active":[""]}`},
		{"PATCH replace by an empty text", "PATCH", `{"Operations":[{"op":"replace","path":"active","value":""}]}`},
		{"PATCH replace by an empty list", "PATCH", `{"Operations":[{"op":"replace","path":"active","value":[]}]}`},
		{"PATCH replace by null", "PATCH", `{"Operations":[{"op":"replace","path":"active","value":null}]}`},
		{"PATCH replace without a value", "PATCH", `{"Operations":[{"op":"replace","path":"active"}]}`},
		{"PATCH add of an empty text", "PATCH", `{"Operations":[{"op":"add","path":"active","value":""}]}`},
		{"PATCH remove", "PATCH", `{"Operations":[{"op":"remove","path":"active"}]}`},
		{"PATCH remove of false", "PATCH", `{"Operations":[{"op":"remove","path":"active","value":false}]}`},
		{"PATCH without a path", "PATCH", `{"Operations":[{"op":"replace","value":{"active":"","title":"T"}}]}`},
		{"PATCH without a path under the qualified name", "PATCH", `{"Operations":[{"op":"replace","value":{` + core +
			`:active":[]}}]}`},
		{"PATCH at the schema's URI", "PATCH", `{"Operations":[{"op":"replace","path":` + core +
			`","value":{"active":null}}]}`},
		{"PATCH of something else", "PATCH", `{"Operations":[{"op":"replace","path":"title","value":"T"}]}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, newMemory(), nil)
			id, _ := create(t, server, "/Users", `{"userName":"u","active":false}`)
			a := ask(t, server, tt.method, "/Users/"+id, tt.body)
			if now := ask(t, server, http.MethodGet, "/Users/"+id, ""); now.at("active") != false {
				t.Errorf("%d %s: active is %v", a.status, a.raw, now.at("active"))
			}
		})
	}
	server := serve(t, newMemory(), nil)
	id, _ := create(t, server, "/Users", `{"userName":"u","active":false}`)
	for _, body := range []string{
		`{"userName":"u","active":true}`, `{"userName":"u","active":"True"}`,
		`{"userName":"u","Active":"","active":true}`,
	} {
		if a := ask(t, server, http.MethodPut, "/Users/"+id, body); a.status != http.StatusOK ||
			a.at("active") != true {
			t.Errorf("PUT %s: %d %s", body, a.status, a.raw)
		}
		ask(t, server, http.MethodPut, "/Users/"+id, `{"userName":"u","active":false}`)
	}
}

// schemas lists what is there (RFC 7643 section 3): an extension leaves it with
// its last attribute.
func TestSchemasListTheExtensionsThatAreThere(t *testing.T) {
	t.Parallel()
	const (
		core       = "urn:ietf:params:scim:schemas:core:2.0:User"
		enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
		custom     = "urn:example:params:custom:1.0:User"
		whole      = `{"schemas":["` + core + `","` + enterprise + `","` + custom + `"],"userName":"u","` +
			enterprise + `":{"department":"D","manager":{"value":"m"}},"` + custom + `":{"badge":"1"}}`
	)
	remove := func(paths ...string) string {
		var operations []string
		for _, path := range paths {
			operations = append(operations, `{"op":"remove","path":"`+path+`"}`)
		}
		return `{"Operations":[` + strings.Join(operations, ",") + `]}`
	}
	tests := []struct {
		name, method, body string
		want               []any
	}{
		{"one attribute of two is removed", "PATCH", remove(enterprise + ":department"),
			[]any{core, enterprise, custom}},
		{"both are removed", "PATCH", remove(enterprise+":department", enterprise+":manager"), []any{core, custom}},
		{"both are replaced by nothing", "PATCH", `{"Operations":[{"op":"replace","value":{"` + enterprise +
			`":{"department":null,"manager":""}}}]}`, []any{core, custom}},
		{"the extension is removed", "PATCH", remove(enterprise), []any{core, custom}},
		{"in another case", "PATCH", remove(strings.ToUpper(enterprise)), []any{core, custom}},
		{"an extension that no schema knows is removed", "PATCH", remove(custom), []any{core, enterprise}},
		{"its only attribute is removed", "PATCH", remove(custom + ":badge"), []any{core, enterprise}},
		{"PUT without the extension, whose URI still stands in schemas", "PUT",
			`{"schemas":["` + core + `","` + enterprise +
				`"],"userName":"u"}`, []any{core}},
		{"PUT with an empty extension", "PUT", `{"schemas":["` + core + `","` + enterprise + `"],"userName":"u","` +
			enterprise + `":{}}`, []any{core}},
		{"PUT that only names an unknown schema", "PUT", `{"schemas":["` + core + `","urn:x"],"userName":"u"}`,
			[]any{core, "urn:x"}},
		{"an attribute is added", "PATCH",
			`{"Operations":[{"op":"add","path":"` + enterprise + `:division","value":"V"}]}`,
			[]any{core, enterprise, custom}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			server := serve(t, newMemory(), nil)
			id, _ := create(t, server, "/Users", whole)
			a := ask(t, server, tt.method, "/Users/"+id, tt.body)
			if got := a.at("schemas"); a.status != http.StatusOK || !reflect.DeepEqual(got, tt.want) {
				t.Errorf("%d %s: schemas %v, want %v", a.status, a.raw, got, tt.want)
			}
		})
	}
}

// silent tells neither times nor versions, as some directories do.
type silent struct{ *memory }

func (s silent) Person(ctx context.Context, id string) (bridge.Person, error) {
	p, err := s.memory.Person(ctx, id)
	p.Created, p.Modified, p.Version = time.Time{}, time.Time{}, ""
	return p, err
}

func (s silent) UpdateGroup(ctx context.Context, id string, c bridge.GroupChange, ifMatch string, withMembers bool,
) (bridge.Group, error) {
	g, err := s.memory.UpdateGroup(ctx, id, c, ifMatch, withMembers)
	g.Version = ""
	return g, err
}

func TestWhatADirectoryDoesNotTellIsLeftOut(t *testing.T) {
	t.Parallel()
	server := serve(t, silent{newMemory()}, nil)
	person, _ := create(t, server, "/scim/v2/Users", `{"userName":"ann"}`)
	a := ask(t, server, http.MethodGet, "/scim/v2/Users/"+person, "")
	meta, _ := a.at("meta").(map[string]any)
	if len(meta) != 2 || meta["location"] == nil || meta["resourceType"] != "User" || a.header.Values("ETag") != nil {
		t.Errorf("meta is %v, ETag %q", meta, a.header.Values("ETag"))
	}
	group, _ := create(t, server, "/scim/v2/Groups", `{"displayName":"Crew"}`)
	a = ask(t, server, http.MethodPatch, "/scim/v2/Groups/"+group,
		`{"Operations":[{"op":"add","path":"members","value":[{"value":"`+person+`"}]}]}`)
	if a.status != http.StatusNoContent || a.header.Values("ETag") != nil {
		t.Errorf("%d, ETag %q", a.status, a.header.Values("ETag"))
	}
}
