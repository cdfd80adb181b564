package patch

import (
	"maps"
	"reflect"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// Apply returns the resource with all operations applied in order, or the
// fault of the first that cannot be; the argument is left as it was.
func Apply(r *schema.Resource, resource map[string]any, ops []Operation) (map[string]any, error) {
	e := editor{kind: r, resource: clone(resource).(map[string]any)}
	for i, op := range ops {
		if err := e.apply(op); err != nil {
			return nil, inOperation(i, err)
		}
	}
	e.forgetSchemas(resource)
	return e.resource, r.Complete(e.resource)
}

// forgetSchemas takes the URIs of extensions that the operations have removed
// off the list of schemas; of known ones Complete does.
func (e *editor) forgetSchemas(before map[string]any) {
	list, ok := e.resource["schemas"].([]any)
	if !ok {
		return
	}
	e.resource["schemas"] = slices.DeleteFunc(list, func(element any) bool {
		uri, _ := element.(string)
		return hasKey(before, uri) && !hasKey(e.resource, uri)
	})
}

func hasKey(object map[string]any, name string) bool {
	for key := range object {
		if strings.EqualFold(key, name) {
			return true
		}
	}
	return false
}

// clone keeps the resource and the operations apart: neither changes with the
// other, and operations can be applied again to a newer version.
func clone(value any) any {
	switch v := value.(type) {
	case map[string]any:
		out := make(map[string]any, len(v))
		for key, member := range v {
			out[key] = clone(member)
		}
		return out
	case []any:
		out := make([]any, len(v))
		for i, element := range v {
			out[i] = clone(element)
		}
		return out
	}
	return value
}

type editor struct {
	kind     *schema.Resource
	resource map[string]any
	whole    bool // what a client sends with a whole resource is kept
}

func (e *editor) apply(op Operation) error {
	if !op.onResource(e.kind) {
		return e.applyAt(*op.Path, op, false)
	}
	if op.Op == Remove {
		return schema.Errorf(schema.NoTarget, "remove needs a path; a whole resource is removed by DELETE")
	}
	object, err := attributes(e.kind, op.Value)
	if err != nil {
		return err
	}
	return eachMember(object, func(path filter.Path, value any) error {
		return e.applyAt(path, Operation{Op: op.Op, Value: value, Given: true}, true)
	})
}

// onResource reports whether the operation is on the resource itself: it has no
// path, or the URI of the core schema as its path.
func (op Operation) onResource(r *schema.Resource) bool {
	return op.Path == nil || strings.EqualFold(op.Path.String(), r.Core.ID)
}

// attributes reads the value of an operation on the resource itself: an object
// whose keys are paths. Those under the URI of the core schema get it, so that
// they are known for what they are.
func attributes(r *schema.Resource, value any) (map[string]any, error) {
	object, ok := schema.Object(value)
	if list, isList := value.([]any); isList && len(list) == 0 {
		object = map[string]any{} // PHP's
	}
	_, stray := member(object, "value")
	if !ok || object == nil || stray {
		return nil, schema.Errorf(schema.InvalidValue, `without a path, "value" must be an object of attributes`)
	}
	for key, under := range object {
		if !strings.EqualFold(key, r.Core.ID) {
			continue
		}
		inner, ok := schema.Object(under)
		if !ok {
			return nil, schema.Errorf(schema.InvalidValue, "%s must be an object", r.Core.ID)
		}
		object = maps.Clone(object)
		delete(object, key)
		for name, value := range inner {
			if !strings.Contains(name, ":") {
				name = r.Core.ID + ":" + name
			}
			object[name] = value
		}
	}
	return object, nil
}

// eachMember takes the value of an operation without a path apart. Entra ID
// and others write paths as its keys: "name.givenName". The keys are sorted so
// that the outcome is the same each time, an attribute before its parts.
func eachMember(object map[string]any, do func(filter.Path, any) error) error {
	for _, key := range slices.SortedFunc(maps.Keys(object), compareFold) {
		path, err := filter.ParsePath(key)
		if err != nil {
			if strings.ContainsAny(key, "[]") {
				return err
			}
			// Not attribute notation, so it can only be a name that the
			// bridge does not know.
			path = filter.Path{Attribute: schema.Path{Name: key}}
		}
		if err := do(path, object[key]); err != nil {
			return err
		}
	}
	return nil
}

func compareFold(a, b string) int {
	if c := strings.Compare(strings.ToLower(a), strings.ToLower(b)); c != 0 {
		return c
	}
	return strings.Compare(a, b)
}

// applyAt applies one operation at a path. Within a value without a path,
// what is not the client's to write is passed over: Okta renames a group with
// its id, others send the whole resource back.
func (e *editor) applyAt(path filter.Path, op Operation, passOver bool) error {
	t := e.target(path, op.Value)
	if path.Sub != "" {
		t.Sub, t.SubDef = path.Sub, t.Attribute.Sub(path.Sub)
		if t.SubDef != nil {
			t.Sub = t.SubDef.Name
		}
	}
	if a := t.Attribute; a != nil && a.Dropped() {
		if passOver || a.Mutability == schema.WriteOnly {
			return nil
		}
		return schema.Errorf(schema.MutabilityErr, "%s is read-only", t)
	}
	if assigns := op.Op != Remove && op.Value != nil; assigns && !e.known(t, !passOver || path.Attribute.URI != "") {
		return unknown(e.kind, t)
	}
	if t.Extension == "" {
		return edit(e.resource, t, path.Filter, op)
	}
	return e.inExtension(t, path.Filter, op)
}

// known reports whether something may be set at t: a schema has it, or the
// resource does, or that cannot be known. named is set if a path or a URI names
// it. A misspelt path must not put a value where it is never read; but what else
// stands in a resource that a client sends whole is kept, and an extension that
// no schema knows may have any attribute.
func (e *editor) known(t schema.Target, named bool) bool {
	switch a := t.Attribute; {
	case a != nil:
		return t.Sub == "" || t.SubDef != nil || a.Type != schema.Complex || e.has(t)
	case t.Extension == "":
		return !named || e.has(t)
	case e.kind.Extension(t.Extension) != nil:
		return t.Name == "" || e.whole || e.has(t)
	}
	return !schema.Reserved(t.Extension) || e.has(t)
}

// has reports whether the resource has a value at t; of an attribute that no
// schema knows any part is as good as another.
func (e *editor) has(t schema.Target) bool {
	container := e.resource
	if t.Extension != "" {
		container, _ = e.resource[t.Extension].(map[string]any)
	}
	value, ok := container[t.Name]
	if t.Sub == "" || t.Attribute == nil || !ok {
		return ok
	}
	list, isList := value.([]any)
	if !isList {
		list = []any{value}
	}
	return slices.ContainsFunc(list, func(element any) bool {
		object, _ := element.(map[string]any)
		_, ok := object[t.Sub]
		return ok
	})
}

func unknown(r *schema.Resource, t schema.Target) error {
	hint := "see /Schemas; put attributes of your own under a URI of your own"
	if a := r.Attribute(t.Name); a != nil && t.Attribute == nil {
		hint = "the core schema has " + a.Name
	}
	return schema.Errorf(schema.InvalidPath, "a %s has no attribute %s; %s", r.Name, t, hint)
}

// target resolves a path. Of an extension that no schema knows it can only be
// guessed whether the path means all of it or one attribute, and whether a dot
// in it is a colon: what is there decides, then whether an object comes.
func (e *editor) target(path filter.Path, value any) schema.Target {
	t := e.kind.Resolve(path.Attribute)
	if t.Extension == "" || t.Attribute != nil || t.Name == "" || path.Filter != nil && t.Sub == "" ||
		e.kind.Extension(t.Extension) != nil {
		return t
	}
	uri := t.Extension + ":" + t.Name
	_, whole := e.resource[uri].(map[string]any)
	if t.Sub != "" {
		if whole || e.lists(uri) {
			return schema.Target{Extension: uri, Name: t.Sub}
		}
		return t
	}
	_, part := e.resource[t.Extension].(map[string]any)
	_, comes := value.(map[string]any)
	if whole || comes && !part {
		return schema.Target{Extension: uri}
	}
	return t
}

// lists reports whether the resource names a schema.
func (e *editor) lists(uri string) bool {
	schemas, _ := e.resource["schemas"].([]any)
	return slices.ContainsFunc(schemas, func(have any) bool {
		text, _ := have.(string)
		return strings.EqualFold(text, uri)
	})
}

func (e *editor) inExtension(t schema.Target, f filter.Expression, op Operation) error {
	object, ok := e.resource[t.Extension].(map[string]any)
	if !ok {
		object = make(map[string]any)
	}
	if t.Name != "" {
		if err := edit(object, t, f, op); err != nil {
			return err
		}
	} else if op.Op == Remove || op.Value == nil {
		clear(object)
	} else if err := e.mergeExtension(t.Extension, object, op); err != nil {
		return err
	}
	if len(object) == 0 {
		delete(e.resource, t.Extension)
	} else {
		e.resource[t.Extension] = object
	}
	return nil
}

func (e *editor) mergeExtension(uri string, object map[string]any, op Operation) error {
	value, ok := schema.Object(op.Value)
	if !ok {
		return schema.Errorf(schema.InvalidValue, "%s must be an object", uri)
	}
	for _, key := range slices.SortedFunc(maps.Keys(value), compareFold) {
		path, err := schema.ParsePath(key)
		if err != nil {
			path = schema.Path{Name: key}
		}
		t := schema.Target{Extension: uri, Name: path.Name, Sub: path.Sub}
		if e.kind.Extension(uri) != nil {
			t = e.kind.Resolve(schema.Path{URI: uri, Name: path.Name, Sub: path.Sub})
		}
		if value[key] != nil && !e.known(t, true) {
			return unknown(e.kind, t)
		}
		if err := edit(object, t, nil, Operation{Op: op.Op, Value: value[key], Given: true}); err != nil {
			return err
		}
	}
	return nil
}

// edit applies an operation to an attribute of its container, the resource or
// an extension of it.
func edit(container map[string]any, t schema.Target, f filter.Expression, op Operation) error {
	multiValued := t.Attribute != nil && t.Attribute.MultiValued
	if t.Attribute == nil {
		_, isList := container[t.Name].([]any)
		multiValued = f != nil || isList
	}
	switch {
	case multiValued:
		return editList(container, t, f, op)
	case f != nil:
		return schema.Errorf(schema.InvalidPath, "%s has one value; a filter in brackets follows a multi-valued "+
			"attribute", t.Name)
	case t.Sub != "":
		return editPart(container, t, op)
	}
	return editValue(container, t, op)
}

// editPart sets or removes a sub-attribute of an attribute with one value.
func editPart(container map[string]any, t schema.Target, op Operation) error {
	object, ok := container[t.Name].(map[string]any)
	if !ok {
		_, taken := container[t.Name]
		if taken || t.Attribute != nil && t.Attribute.Type != schema.Complex {
			return schema.Errorf(schema.InvalidPath, "%s has no sub-attributes", t.Name)
		}
		object = make(map[string]any)
	}
	if t.Sub == "value" {
		forget(object, op.Value)
	}
	if err := setPart(object, t, op); err != nil {
		return err
	}
	setOrDelete(container, t, object)
	return nil
}

// forget empties a complex value that is about to get another "value", and so
// to mean another thing: a new manager does not keep the old one's name.
func forget(object map[string]any, value any) {
	if !reflect.DeepEqual(object["value"], value) {
		clear(object)
	}
}

// setPart applies an operation on the sub-attribute t.Sub to one complex value.
func setPart(object map[string]any, t schema.Target, op Operation) error {
	value := op.Value
	if op.Op == Remove {
		value = nil
	}
	if t.SubDef != nil {
		coerced, err := t.SubDef.Coerce(value)
		if err != nil {
			return err
		}
		value = coerced
	}
	if value == nil {
		delete(object, t.Sub)
	} else {
		object[t.Sub] = clone(value)
	}
	return nil
}

func setOrDelete(container map[string]any, t schema.Target, object map[string]any) {
	if t.Attribute.Empty(object) {
		delete(container, t.Name)
	} else {
		container[t.Name] = object
	}
}

// editValue applies an operation to a whole attribute with one value.
func editValue(container map[string]any, t schema.Target, op Operation) error {
	value := op.Value
	if op.Op == Remove {
		value = nil
	}
	if t.Attribute != nil {
		coerced, err := t.Attribute.Coerce(value)
		if err != nil {
			return err
		}
		if coerced == nil {
			value = emptyOrParts(t.Attribute, value)
		} else if t.Attribute.Type != schema.Complex {
			value = coerced
		}
	}
	if value == nil {
		if t.Attribute != nil && t.Attribute.Required {
			return schema.Errorf(schema.MutabilityErr, "%s is required and cannot be removed", t.Name)
		}
		if t.Attribute != nil && t.Attribute.HasDefault() {
			return nil // removing active must not reactivate a suspended person
		}
		delete(container, t.Name)
		return nil
	}
	if t.Attribute != nil && t.Attribute.Type == schema.Complex {
		return mergeComplex(container, t, value)
	}
	container[t.Name] = clone(value)
	return nil
}

// emptyOrParts returns an object of nulls, which removes the parts that it
// names, and nil for a value that is unassigned as a whole.
func emptyOrParts(a *schema.Attribute, value any) any {
	if list, ok := value.([]any); ok && len(list) == 1 {
		value = list[0]
	}
	if object, ok := value.(map[string]any); ok && a.Type == schema.Complex && len(object) > 0 {
		return object
	}
	return nil
}

// mergeComplex sets the sub-attributes that the value has and leaves the
// others, for replace as for add (RFC 7644 section 3.5.2.3).
func mergeComplex(container map[string]any, t schema.Target, value any) error {
	if list, ok := value.([]any); ok && len(list) == 1 {
		value = list[0]
	}
	parts, err := t.Attribute.Parts(value)
	if err != nil {
		return err
	}
	object, ok := container[t.Name].(map[string]any)
	if !ok {
		object = make(map[string]any)
	}
	if id, ok := member(parts, "value"); ok {
		forget(object, id)
	}
	if err := mergeParts(object, t, parts); err != nil {
		return err
	}
	setOrDelete(container, t, object)
	return nil
}

// mergeParts sets in a complex value the sub-attributes that parts has.
func mergeParts(object map[string]any, t schema.Target, parts map[string]any) error {
	for _, key := range slices.SortedFunc(maps.Keys(parts), compareFold) {
		part := schema.Target{Attribute: t.Attribute, Sub: key, SubDef: t.Attribute.Sub(key)}
		if part.SubDef != nil {
			part.Sub = part.SubDef.Name
		}
		if err := setPart(object, part, Operation{Op: Add, Value: parts[key]}); err != nil {
			return err
		}
	}
	return nil
}
