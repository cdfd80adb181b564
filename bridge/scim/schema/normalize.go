package schema

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"
)

// Normalize brings a resource that a client sent into the form in which it is
// kept: canonical names, values of the right type, nothing unassigned,
// nothing that the client may not write. What no schema knows stays as it was
// sent. The argument is not changed.
func (r *Resource) Normalize(in map[string]any) (map[string]any, error) {
	in, err := r.Unqualified(in)
	if err != nil {
		return nil, err
	}
	out := make(map[string]any, len(in)+1)
	for key, value := range in {
		name, kept, err := r.normalizeMember(key, value)
		if err != nil {
			return nil, err
		}
		if kept == nil {
			continue
		}
		if _, twice := out[name]; twice {
			return nil, givenTwice(name)
		}
		out[name] = kept
	}
	if err := r.qualify(out); err != nil {
		return nil, err
	}
	return out, r.Complete(out)
}

// qualify moves attributes of extensions that stand among those of the core
// schema to where they belong. What is there already counts.
func (r *Resource) qualify(resource map[string]any) error {
	for _, s := range r.Extensions {
		for i := range s.Attributes {
			a := &s.Attributes[i]
			value, has := resource[a.Name]
			if !has || r.Core.Attribute(a.Name) != nil {
				continue
			}
			delete(resource, a.Name)
			kept, err := a.Coerce(value)
			if err != nil {
				return err
			}
			object, _ := resource[s.ID].(map[string]any)
			if _, has := object[a.Name]; has || kept == nil {
				continue
			}
			if object == nil {
				object = make(map[string]any)
				resource[s.ID] = object
			}
			object[a.Name] = kept
		}
	}
	return nil
}

// Unqualified returns the resource with those attributes of the core schema
// that stand under its URI, or carry it in their names, among the others.
// RFC 7643 section 3.3 has this for extensions only; clients that treat all
// schemas alike send it for the core schema too.
func (r *Resource) Unqualified(in map[string]any) (map[string]any, error) {
	out := in
	for key := range in {
		if _, qualified := r.coreName(key); qualified {
			out = maps.Clone(in)
			maps.DeleteFunc(out, func(key string, _ any) bool { _, qualified := r.coreName(key); return qualified })
			break
		}
	}
	if len(out) == len(in) {
		return in, nil
	}
	put := func(name string, value any) error {
		if _, twice := out[name]; twice {
			return givenTwice(name)
		}
		out[name] = value
		return nil
	}
	for key, value := range in {
		name, qualified := r.coreName(key)
		switch {
		case !qualified || value == nil:
			continue
		case name != "":
			if err := put(name, value); err != nil {
				return nil, err
			}
			continue
		}
		object, ok := Object(value)
		if !ok {
			return nil, Errorf(InvalidValue, "%s must be an object, not %s", r.Core.ID, kindOf(value))
		}
		for name, member := range object {
			if err := put(name, member); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// coreName reports whether a key is the URI of the core schema, or that of one
// of its attributes, whose name it returns; see Resolve for the spellings.
func (r *Resource) coreName(key string) (name string, qualified bool) {
	uri := r.Core.ID
	switch {
	case len(key) < len("urn:") || !strings.EqualFold(key[:4], uri[:4]):
		return "", false
	case strings.EqualFold(key, uri):
		return "", true
	case len(key) > len(uri) && strings.EqualFold(key[:len(uri)], uri) &&
		(key[len(uri)] == ':' || key[len(uri)] == '.'):
		return key[len(uri)+1:], isName(key[len(uri)+1:])
	}
	short := uri[:strings.LastIndexByte(uri, ':')+1]
	if len(key) <= len(short) || !strings.EqualFold(key[:len(short)], short) {
		return "", false
	}
	return key[len(short):], r.Attribute(key[len(short):]) != nil
}

func givenTwice(name string) error {
	return Errorf(InvalidValue, "%s is given twice, in two spellings; send it once", truncate(name))
}

// normalizeMember returns the canonical name and value of one member of a
// resource; the value is nil if the member is not to be kept.
func (r *Resource) normalizeMember(key string, value any) (string, any, error) {
	if a := r.Attribute(key); a != nil {
		if a.Dropped() {
			return a.Name, nil, nil
		}
		kept, err := a.Coerce(value)
		return a.Name, kept, err
	}
	if s := r.Extension(key); s != nil {
		kept, err := s.coerce(value)
		return s.ID, kept, err
	}
	if s := r.extending(key); s != nil {
		key = s.Attribute(key).Name // see qualify
	}
	return key, value, nil
}

// Complete checks a resource in canonical form for what it must have, and
// fills in what follows from the rest: default values and schemas.
func (r *Resource) Complete(resource map[string]any) error {
	for i := range r.Core.Attributes {
		a := &r.Core.Attributes[i]
		value, has := resource[a.Name]
		if !has && a.absent != nil {
			resource[a.Name] = a.absent
		}
		if text, _ := value.(string); a.Required && strings.TrimSpace(text) == "" {
			return Errorf(InvalidValue, "%s is required and must not be empty", a.Name)
		}
	}
	schemas, err := r.schemas(resource)
	resource["schemas"] = schemas
	return err
}

// schemas keeps the URIs that the client named behind the core schema, and
// those of known extensions if and only if the resource has them: the list says
// what is there (RFC 7643 section 3), so an extension leaves it with its last
// attribute.
func (r *Resource) schemas(resource map[string]any) ([]any, error) {
	const most = 100 // each is compared with all before it
	list := []any{r.Core.ID}
	add := func(uri string) {
		same := func(have any) bool { return strings.EqualFold(have.(string), uri) }
		if uri != "" && !slices.ContainsFunc(list, same) {
			list = append(list, uri)
		}
	}
	named, _ := resource["schemas"].([]any)
	if len(named) > most {
		return list, Errorf(InvalidValue, "schemas lists %d URIs; list at most %d", len(named), most)
	}
	for _, uri := range named {
		text, _ := uri.(string)
		if s := r.Extension(text); s != nil && resource[s.ID] == nil {
			continue
		}
		add(text)
	}
	for _, s := range r.Extensions {
		if _, has := resource[s.ID]; has {
			add(s.ID)
		}
	}
	return list, nil
}

// coerce is Coerce for a whole extension.
func (s *Schema) coerce(value any) (any, error) {
	object, ok := Object(value)
	if !ok {
		return nil, Errorf(InvalidValue, "%s must be an object, not %s", s.ID, kindOf(value))
	}
	return coerceMembers(object, s.Attribute)
}

// Object reads a value that must be an object; nil stands for none. PHP
// writes an empty object as an empty list, and others write an empty text or a
// list of one.
func Object(value any) (object map[string]any, ok bool) {
	if list, isList := value.([]any); isList && len(list) == 1 {
		value = list[0]
	}
	if isUnassigned(value) {
		return nil, true
	}
	object, ok = value.(map[string]any)
	return object, ok
}

// isUnassigned reports whether a value is null, an empty text or an empty list.
func isUnassigned(value any) bool {
	switch v := value.(type) {
	case nil:
		return true
	case string:
		return v == ""
	case []any:
		return len(v) == 0
	}
	return false
}

// Coerce brings a value into the attribute's canonical form; nil means
// unassigned, which null and an empty array are too (RFC 7643 section 2.5).
// It is lenient where identity providers need it: booleans may be strings or
// numbers, texts may be numbers, a complex value may be its bare "value", and
// one value and a list of one are the same.
func (a *Attribute) Coerce(value any) (any, error) {
	list, isList := value.([]any)
	switch {
	case a.MultiValued && isList:
		return a.coerceList(list)
	case a.MultiValued:
		return a.coerceList([]any{value})
	case isList && len(list) == 0:
		return nil, nil
	case isList && len(list) > 1:
		return nil, Errorf(InvalidValue, "%s has one value, not a list", a.Name)
	case isList:
		value = list[0]
	}
	if a.Type != Complex || a.Sub("value") == nil {
		value = unwrapped(value)
	}
	return a.coerceOne(value)
}

// unwrapped takes a value out of the object around it: Microsoft's SCIM
// library sends {"$ref":null,"value":"x"} for an attribute without parts.
func unwrapped(value any) any {
	object, ok := value.(map[string]any)
	if !ok {
		return value
	}
	inner, found := value, false
	for name, part := range object {
		switch strings.ToLower(name) {
		case "value":
			inner, found = part, true
		case "$ref", "display", "type", "primary":
		default:
			return value
		}
	}
	if !found {
		return value
	}
	return inner
}

func (a *Attribute) coerceList(list []any) (any, error) {
	kept := make([]any, 0, len(list))
	for _, element := range list {
		one, err := a.coerceOne(element)
		if err != nil {
			return nil, err
		}
		if one != nil {
			kept = append(kept, one)
		}
	}
	if len(kept) == 0 {
		return nil, nil
	}
	kept = a.Distinct(kept)
	KeepPrimary(kept, -1)
	return kept, nil
}

// Distinct keeps each pair of type and value once (RFC 7643 section 2.4), with
// the parts that only its repetitions have. Members, of which there may be a
// hundred thousand, are compared by their ids elsewhere.
func (a *Attribute) Distinct(list []any) []any {
	if len(list) < 2 || a.Type == Complex && a.Sub("primary") == nil {
		return list
	}
	places := make(map[string]int, len(list))
	kept := list[:0]
	for _, element := range list {
		key := identity(element)
		first, twice := places[key]
		if !twice {
			places[key] = len(kept)
			kept = append(kept, element)
			continue
		}
		object, _ := kept[first].(map[string]any)
		more, _ := element.(map[string]any)
		for name, value := range more {
			if _, has := object[name]; !has || name == "primary" && value == true {
				object[name] = value
			}
		}
	}
	return kept
}

// identity is equal for elements that mean the same: of one value and type,
// or, without a value, alike in all their parts.
func identity(element any) string {
	object, ok := element.(map[string]any)
	value, isText := object["value"].(string)
	if ok && isText {
		kind, _ := object["type"].(string)
		return "v" + strings.ToLower(kind) + "\x00" + value
	}
	text, err := json.Marshal(element)
	if err != nil {
		return ""
	}
	return string(text)
}

// KeepPrimary leaves primary true on one element at most (RFC 7643 section
// 2.4): on the one at index winner, or on the first if winner is negative.
func KeepPrimary(list []any, winner int) {
	for i, element := range list {
		object, ok := element.(map[string]any)
		if !ok || object["primary"] != true {
			continue
		}
		if winner < 0 {
			winner = i
		}
		if i != winner {
			object["primary"] = false
		}
	}
}

func (a *Attribute) coerceOne(value any) (any, error) {
	if value == nil {
		return nil, nil
	}
	switch a.Type {
	case Boolean:
		return a.coerceBoolean(value)
	case Complex:
		return a.coerceComplex(value)
	case Integer, Decimal:
		if text, ok := value.(string); ok && json.Valid([]byte(text)) {
			value = json.Number(text)
		}
		if _, ok := value.(json.Number); ok {
			return value, nil
		}
		return nil, Errorf(InvalidValue, "%s must be a number, not %s", a.Name, kindOf(value))
	default:
		switch v := value.(type) {
		case string:
			return value, nil // as it is: v would be allocated anew
		case json.Number: // ids and employee numbers, from databases where they are numbers
			return v.String(), nil
		}
		return nil, Errorf(InvalidValue, "%s must be a string, not %s", a.Name, kindOf(value))
	}
}

func (a *Attribute) coerceBoolean(value any) (any, error) {
	switch v := value.(type) {
	case bool:
		return v, nil
	case json.Number:
		// Databases without a type of their own for it have 0 and 1.
		switch n, err := v.Float64(); {
		case err == nil && n == 1:
			return true, nil
		case err == nil && n == 0:
			return false, nil
		}
	case string:
		// Entra ID sends "True" and "False" unless asked for better.
		switch strings.ToLower(strings.TrimSpace(v)) {
		case "true", "1", "yes", "y", "on":
			return true, nil
		case "false", "0", "no", "n", "off":
			return false, nil
		case "":
			return nil, nil
		}
	}
	return nil, Errorf(InvalidValue, "%s must be true or false", a.Name)
}

func (a *Attribute) coerceComplex(value any) (any, error) {
	object, err := a.Parts(value)
	if err != nil || object == nil {
		return nil, err
	}
	kept, err := coerceMembers(object, a.Sub)
	if parts, ok := kept.(map[string]any); ok && a.Empty(parts) {
		return nil, err
	}
	return kept, err
}

// Parts reads one value of a complex attribute as an object, which is nil if
// it is unassigned. Entra ID and others send a manager, a member or an address
// bare, which stands for its "value".
func (a *Attribute) Parts(value any) (map[string]any, error) {
	if isUnassigned(value) {
		return nil, nil
	}
	switch v := value.(type) {
	case map[string]any:
		return v, nil
	case string, json.Number:
		if a.Sub("value") != nil {
			return map[string]any{"value": v}, nil
		}
	}
	return nil, Errorf(InvalidValue, "%s must be an object, not %s", a.Name, kindOf(value))
}

// Empty reports whether a complex value is unassigned: it has no parts, or, as a
// manager, an empty id, by which Microsoft's SCIM validator removes one.
func (a *Attribute) Empty(object map[string]any) bool {
	refers := a != nil && !a.MultiValued && a.Sub("value") != nil
	return len(object) == 0 || refers && object["value"] == ""
}

// coerceMembers coerces the members of an object that definition knows and
// keeps the others as they are.
func coerceMembers(object map[string]any, definition func(string) *Attribute) (any, error) {
	out := make(map[string]any, len(object))
	for key, value := range object {
		if a := definition(key); a != nil {
			kept, err := a.Coerce(value)
			if err != nil {
				return nil, err
			}
			key, value = a.Name, kept
		}
		if value == nil {
			continue
		}
		if _, twice := out[key]; twice {
			return nil, givenTwice(key)
		}
		out[key] = value
	}
	if len(out) == 0 {
		return nil, nil
	}
	return out, nil
}

func kindOf(value any) string {
	switch value.(type) {
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "a list"
	case map[string]any:
		return "an object"
	}
	return "null"
}
