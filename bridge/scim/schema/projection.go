package schema

import (
	"slices"
	"strings"
)

// A Projection chooses what an answer shows of a resource (RFC 7644 section
// 3.9). The zero value shows what is returned by default.
type Projection struct {
	resource *Resource
	only     []Target // nil for all
	without  []Target
}

// NewProjection reads the parameters "attributes" and "excludedAttributes".
// The RFC calls them mutually exclusive; clients that send both mean the
// first without the second.
func NewProjection(r *Resource, attributes, excluded []string) (Projection, error) {
	if slices.Contains(attributes, everything) {
		attributes = nil
	}
	if slices.Contains(excluded, everything) {
		return Projection{resource: r, only: []Target{}}, nil // only what is always returned is left
	}
	only, err := r.targets(attributes)
	if err != nil {
		return Projection{}, err
	}
	without, err := r.targets(excluded)
	if err != nil {
		return Projection{}, err
	}
	return Projection{resource: r, only: only, without: without}, nil
}

// everything is no attribute of the RFC's, but a habit from LDAP and SQL.
const everything = "*"

// withoutStar takes the star off the end of name.* and URI:*, which mean what
// stands before it.
func withoutStar(text string) string {
	for _, separator := range []string{".", ":"} {
		if head, found := strings.CutSuffix(text, separator+everything); found {
			return head
		}
	}
	return text
}

func (r *Resource) targets(paths []string) ([]Target, error) {
	const most = 500 // each is looked for in each attribute of each resource
	if len(paths) > most {
		return nil, Errorf(InvalidValue, "%d attributes are named; name at most %d", len(paths), most)
	}
	var list []Target
	for _, text := range paths {
		text = withoutStar(text)
		if strings.EqualFold(text, r.Core.ID) {
			list = append(list, Target{}) // what is not of an extension
			continue
		}
		// Clients of Microsoft's reference code write filters here; the whole
		// attribute has what they are after.
		text, rest, _ := strings.Cut(text, "[")
		if _, sub, found := strings.Cut(rest, "]."); found {
			text += "." + sub
		}
		p, err := ParsePath(text)
		if err != nil {
			return nil, err
		}
		list = append(list, r.Resolve(p))
	}
	return list, nil
}

// Full reports whether the resource is shown as it is.
func (p Projection) Full() bool { return p.only == nil && p.without == nil }

// Shows reports whether a core attribute, or a part of it, is shown.
func (p Projection) Shows(name string) bool {
	named := func(t Target) bool { return t.Extension == "" && (t.Name == name || t.Name == "") }
	whole := func(t Target) bool { return named(t) && t.Sub == "" }
	if p.only != nil && !slices.ContainsFunc(p.only, named) {
		return false
	}
	return !slices.ContainsFunc(p.without, whole)
}

// Apply returns what is shown of a resource, which it leaves alone.
func (p Projection) Apply(resource map[string]any) map[string]any {
	if p.Full() {
		return resource
	}
	shown := make(map[string]any, len(resource))
	for name, value := range resource {
		a := p.resource.Attribute(name)
		if a != nil && a.Returned == Always {
			shown[name] = value
			continue
		}
		if kept := p.member(name, a, value); kept != nil {
			shown[name] = kept
		}
	}
	return shown
}

// member shows one member of the resource: an attribute or an extension.
func (p Projection) member(name string, a *Attribute, value any) any {
	if a == nil {
		if object, ok := value.(map[string]any); ok && p.isExtension(name) {
			return p.extension(name, object)
		}
	}
	core := !strings.Contains(name, ":")
	at := func(t Target) (string, bool) {
		return t.Sub, t.Extension == "" && (t.Name == name || core && t.Name == "")
	}
	return narrow(value, p.only, p.without, at)
}

func (p Projection) isExtension(name string) bool {
	named := func(t Target) bool { return t.Extension == name || t.Extension+":"+t.Name == name }
	return p.resource.Extension(name) != nil || slices.ContainsFunc(p.only, named) ||
		slices.ContainsFunc(p.without, named)
}

func (p Projection) extension(uri string, object map[string]any) any {
	whole := func(t Target) bool {
		return t.Extension == uri && t.Name == "" || t.Extension != "" && t.Extension+":"+t.Name == uri
	}
	if slices.ContainsFunc(p.without, whole) {
		return nil
	}
	only := p.only
	if slices.ContainsFunc(only, whole) {
		only = nil
	}
	shown := make(map[string]any, len(object))
	for name, value := range object {
		at := func(t Target) (string, bool) { return t.Sub, t.Extension == uri && t.Name == name }
		if kept := narrow(value, only, p.without, at); kept != nil {
			shown[name] = kept
		}
	}
	if len(shown) == 0 {
		return nil
	}
	return shown
}

// narrow applies what was asked about one attribute to its value. at reports
// whether a target is about the attribute, and returns the part that it is about.
func narrow(value any, only, without []Target, at func(Target) (string, bool)) any {
	var keep, drop []string
	wanted := only == nil
	whole := only == nil
	for _, t := range only {
		if sub, ok := at(t); ok {
			wanted, whole = true, whole || sub == ""
			keep = append(keep, sub)
		}
	}
	if !wanted {
		return nil
	}
	for _, t := range without {
		if sub, ok := at(t); ok {
			if sub == "" {
				return nil
			}
			drop = append(drop, sub)
		}
	}
	if whole && drop == nil {
		return value
	}
	return parts(value, func(sub string) bool {
		return (whole || slices.Contains(keep, sub)) && !slices.Contains(drop, sub)
	})
}

// parts keeps the sub-attributes that wanted names, in every element.
func parts(value any, wanted func(string) bool) any {
	switch v := value.(type) {
	case map[string]any:
		kept := make(map[string]any, len(v))
		for name, sub := range v {
			if wanted(name) {
				kept[name] = sub
			}
		}
		if len(kept) == 0 {
			return nil
		}
		return kept
	case []any:
		var kept []any
		for _, element := range v {
			if one := parts(element, wanted); one != nil {
				kept = append(kept, one)
			}
		}
		if len(kept) == 0 {
			return nil
		}
		return kept
	}
	return nil
}
