package patch

import (
	"encoding/json"
	"maps"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// Normalize is [schema.Resource.Normalize] for a whole resource whose keys may
// be paths, as in a PATCH without one: "name.givenName" and
// "urn:...:User:department".
func Normalize(r *schema.Resource, body map[string]any) (map[string]any, error) {
	body, err := r.Unqualified(body)
	if err != nil {
		return nil, err
	}
	plain, paths := splitPaths(r, body)
	if len(paths) == 0 {
		return r.Normalize(body)
	}
	resource, err := r.Normalize(clone(plain).(map[string]any))
	if err != nil {
		return nil, err
	}
	e := editor{kind: r, resource: resource, whole: true}
	err = eachMember(paths, func(path filter.Path, value any) error {
		return e.applyAt(path, Operation{Op: Add, Value: value, Given: true}, true)
	})
	if err != nil {
		return nil, err
	}
	return resource, r.Complete(resource)
}

// splitPaths parts a resource into what stands under plain names and what
// stands under paths.
func splitPaths(r *schema.Resource, body map[string]any) (plain, paths map[string]any) {
	for key, value := range body {
		if !isPath(r, body, key) {
			continue
		}
		if paths == nil {
			plain, paths = maps.Clone(body), make(map[string]any)
		}
		delete(plain, key)
		paths[key] = value
	}
	return plain, paths
}

// isPath reports whether a key of a whole resource is a path: it leads to what
// a schema has, or into an extension, of which one that no schema knows gets no
// more than one value so. Any other key is a name that the bridge does not
// know, and kept.
func isPath(r *schema.Resource, body map[string]any, key string) bool {
	if !strings.ContainsAny(key, ".:[") || r.Extension(key) != nil {
		return false
	}
	path, err := filter.ParsePath(key)
	if err != nil {
		return false
	}
	t := r.Resolve(path.Attribute)
	if path.Sub != "" {
		t.Sub, t.SubDef = path.Sub, t.Attribute.Sub(path.Sub)
	}
	if t.Attribute != nil {
		return t.Sub == "" || t.SubDef != nil
	}
	if r.Extension(t.Extension) != nil {
		return t.Sub == "" && path.Filter == nil
	}
	switch body[key].(type) {
	case string, json.Number, bool:
		e := editor{kind: r, resource: body}
		return t.Extension != "" && t.Name != "" && !schema.Reserved(t.Extension) && !e.lists(key)
	}
	return false
}
