package filter

import (
	"encoding/json"
	"net/url"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// Compile turns a filter on a kind of resource into a predicate. Its error is
// a *schema.Error.
func Compile(e Expression, r *schema.Resource) (bridge.Predicate, error) {
	return compile(e, resourceScope{r})
}

// CompileElement turns a filter on the elements of a multi-valued attribute
// into a predicate on one element. The attribute is nil if no schema knows it.
func CompileElement(e Expression, a *schema.Attribute) (bridge.Predicate, error) {
	return compile(e, elementScope{a})
}

// A scope gives meaning to paths.
type scope interface {
	compare(Compare) (bridge.Predicate, error)
	elements(Elements) (bridge.Predicate, error)
}

func compile(e Expression, s scope) (bridge.Predicate, error) {
	switch e := e.(type) {
	case And:
		return combine("and", e, s)
	case Or:
		return combine("or", e, s)
	case Not:
		return combine("not", []Expression{e.Term}, s)
	case Elements:
		return s.elements(e)
	case Compare:
		return s.compare(e)
	}
	return bridge.Predicate{}, schema.Errorf(schema.InvalidFilter, "the filter is empty")
}

func combine(op string, terms []Expression, s scope) (bridge.Predicate, error) {
	p := bridge.Predicate{Op: op, Terms: make([]bridge.Predicate, 0, len(terms))}
	for _, term := range terms {
		compiled, err := compile(term, s)
		if err != nil {
			return bridge.Predicate{}, err
		}
		p.Terms = append(p.Terms, compiled)
	}
	return p, nil
}

type resourceScope struct{ resource *schema.Resource }

// unanswerable are attributes that cannot be searched: passwords are not
// kept, and meta has no value of its own.
var unanswerable = map[string]bool{"password": true, "meta": true}

func (s resourceScope) compare(c Compare) (bridge.Predicate, error) {
	t := s.resource.Resolve(c.Path)
	if unanswerable[t.String()] {
		return bridge.Predicate{}, schema.Errorf(schema.InvalidFilter, "%s cannot be filtered by", t)
	}
	switch t.String() {
	case "meta.resourceType":
		return fixed(s.resource.Name, []string{"id"}, c)
	case "meta.location":
		return located(c, []string{"id"}, s.resource.Endpoint)
	case "meta.version":
		// Versions are strong here, however a client marks them.
		if tag, ok := c.Value.(string); ok {
			c.Value = strings.TrimPrefix(tag, "W/")
		}
	}
	keys, def := t.Keys(), t.Attribute
	if def == nil || !def.MultiValued {
		if t.Sub != "" && def != nil {
			def = t.SubDef
		}
		return leaf(keys, def, c)
	}
	if c.Op == "pr" && t.Sub == "" {
		return bridge.Predicate{Op: "pr", Path: keys}, nil
	}
	list := keys
	if t.Sub != "" {
		list = keys[:len(keys)-1]
	}
	one, err := onElement(t, c)
	if err != nil {
		return bridge.Predicate{}, err
	}
	some := bridge.Predicate{Op: "any", Path: list, Terms: []bridge.Predicate{one}}
	if c.Op == "ne" {
		// An attribute without values differs from every value.
		none := bridge.Predicate{Op: "not", Terms: []bridge.Predicate{{Op: "pr", Path: list}}}
		return bridge.Predicate{Op: "or", Terms: []bridge.Predicate{none, some}}, nil
	}
	return some, nil
}

// onElement compares one element of the multi-valued attribute t. Without a
// sub-attribute a complex element stands for its value: emails eq "x".
func onElement(t schema.Target, c Compare) (bridge.Predicate, error) {
	switch {
	case t.Sub != "":
		return part(t.Attribute, t.Sub, t.SubDef, c)
	case t.Attribute.Type == schema.Complex:
		return leaf(nil, t.Attribute, c)
	}
	element := *t.Attribute
	element.MultiValued = false
	return leaf(nil, &element, c)
}

// part compares a sub-attribute of an element. The bridge makes some of them
// up, and asks the directory for what it makes them of.
func part(a *schema.Attribute, name string, def *schema.Attribute, c Compare) (bridge.Predicate, error) {
	switch a.Name + "." + name {
	case "groups.type": // the account knows direct memberships only
		return fixed("direct", []string{"value"}, c)
	case "groups.$ref":
		return located(c, []string{"value"}, schema.Group.Endpoint)
	case "members.$ref":
		return located(c, []string{"value"}, schema.User.Endpoint, schema.Group.Endpoint)
	}
	return leaf([]string{name}, def, c)
}

// fixed compares a text that is the same everywhere; key is an attribute that
// everything has.
func fixed(text string, key []string, c Compare) (bridge.Predicate, error) {
	p, err := leaf([]string{"text"}, nil, c)
	if err != nil {
		return p, err
	}
	p.CaseExact = true
	return always(key, Match(p, map[string]any{"text": text})), nil
}

// always is true of everything that has the key, or of nothing.
func always(key []string, holds bool) bridge.Predicate {
	everything := bridge.Predicate{Op: "pr", Path: key}
	if holds {
		return everything
	}
	return bridge.Predicate{Op: "not", Terms: []bridge.Predicate{everything}}
}

// located compares an address by the id in it, which is at key. What stands
// before the endpoint does not matter: the same resource has an address under
// each prefix, and clients write relative ones.
func located(c Compare, key []string, endpoints ...string) (bridge.Predicate, error) {
	address, isText := c.Value.(string)
	switch {
	case c.Op == "pr" || c.Value == nil:
		return leaf(key, nil, c)
	case !isText || c.Op != "eq" && c.Op != "ne":
		return bridge.Predicate{}, schema.Errorf(schema.InvalidFilter, "%s is an address, compared by eq and ne with "+
			"a string", c.Path)
	}
	for _, endpoint := range endpoints {
		if _, id, found := strings.Cut("/"+address, endpoint+"/"); found && id != "" && !strings.Contains(id, "/") {
			if plain, err := url.PathUnescape(id); err == nil {
				return bridge.Predicate{Op: c.Op, Path: key, Value: plain, CaseExact: true}, nil
			}
		}
	}
	return always(key, c.Op == "ne"), nil
}

func (s resourceScope) elements(e Elements) (bridge.Predicate, error) {
	t := s.resource.Resolve(e.Path)
	switch {
	case t.Sub != "" || t.Name == "":
		return bridge.Predicate{}, schema.Errorf(schema.InvalidFilter, "%s: a filter in brackets follows a "+
			"multi-valued attribute", t)
	case t.Attribute != nil && t.Attribute.Dropped() && t.Name != "groups":
		return bridge.Predicate{}, schema.Errorf(schema.InvalidFilter, "%s cannot be filtered by", t)
	}
	inner, err := compile(e.Filter, elementScope{t.Attribute})
	if err != nil {
		return bridge.Predicate{}, err
	}
	if t.Attribute != nil && !t.Attribute.MultiValued {
		// Of one complex value the filter is about its parts.
		return below(t.Keys(), inner), nil
	}
	return bridge.Predicate{Op: "any", Path: t.Keys(), Terms: []bridge.Predicate{inner}}, nil
}

// below moves a predicate on a complex value to the resource that holds it.
func below(keys []string, p bridge.Predicate) bridge.Predicate {
	if p.Path != nil || len(p.Terms) == 0 {
		p.Path = append(append([]string(nil), keys...), p.Path...)
	}
	terms := make([]bridge.Predicate, len(p.Terms))
	for i, term := range p.Terms {
		terms[i] = below(keys, term)
	}
	if len(terms) > 0 {
		p.Terms = terms
	}
	return p
}

type elementScope struct{ attribute *schema.Attribute }

func (s elementScope) compare(c Compare) (bridge.Predicate, error) {
	if c.Path.URI != "" || c.Path.Sub != "" {
		return bridge.Predicate{}, schema.Errorf(schema.InvalidFilter,
			"%s: in brackets stand sub-attributes alone", c.Path)
	}
	if s.attribute == nil {
		return leaf([]string{c.Path.Name}, nil, c)
	}
	if s.attribute.Type != schema.Complex && strings.EqualFold(c.Path.Name, "value") {
		element := *s.attribute
		element.MultiValued = false
		return leaf(nil, &element, c)
	}
	name, def := c.Path.Name, s.attribute.Sub(c.Path.Name)
	if def != nil {
		name = def.Name
	}
	return part(s.attribute, name, def, c)
}

func (s elementScope) elements(e Elements) (bridge.Predicate, error) {
	return bridge.Predicate{}, schema.Errorf(schema.InvalidFilter, "%s: brackets do not nest", e.Path)
}

// leaf compares what is at keys; def is nil for what no schema knows.
func leaf(keys []string, def *schema.Attribute, c Compare) (bridge.Predicate, error) {
	p := bridge.Predicate{Op: c.Op, Path: keys, Value: c.Value}
	if c.Op == "pr" {
		return p, nil
	}
	if def != nil && def.Type == schema.Complex {
		// Compared as a whole, a complex value stands for its value: manager eq "x".
		value := def.Sub("value")
		if value == nil {
			return p, schema.Errorf(schema.InvalidFilter, "%s has parts and no value of its own; compare one of its "+
				"sub-attributes", def.Name)
		}
		p.Path, def = append(p.Path[:len(p.Path):len(p.Path)], value.Name), value
	}
	if c.Value == nil {
		return compareNull(p)
	}
	if def == nil {
		if _, text := c.Value.(string); !text && searchesText(c.Op) {
			return p, schema.Errorf(schema.InvalidFilter, "%s compares text; put the value in double quotes", c.Op)
		}
		return p, nil
	}
	p.CaseExact = def.CaseExact
	value, err := literalFor(def, c.Op, c.Value)
	p.Value = value
	return p, err
}

// compareNull reads eq null as absent (RFC 7643 section 2.5).
func compareNull(p bridge.Predicate) (bridge.Predicate, error) {
	present := bridge.Predicate{Op: "pr", Path: p.Path}
	switch p.Op {
	case "eq":
		return bridge.Predicate{Op: "not", Terms: []bridge.Predicate{present}}, nil
	case "ne":
		return present, nil
	}
	return p, schema.Errorf(schema.InvalidFilter, "null is compared by eq and ne only, not by %s", p.Op)
}

// literalFor brings a literal into the type of the attribute that it is
// compared with, or says why the comparison makes no sense.
func literalFor(def *schema.Attribute, op string, value any) (any, error) {
	wrong := func(want string) error {
		return schema.Errorf(schema.InvalidFilter, "%s %s: %s", def.Name, op, want)
	}
	switch def.Type {
	case schema.Boolean:
		coerced, err := def.Coerce(value)
		if err != nil || coerced == nil {
			return nil, wrong("the value must be true or false")
		}
		if op != "eq" && op != "ne" {
			return nil, wrong("a boolean is compared by eq and ne only")
		}
		return coerced, nil
	case schema.DateTime:
		if searchesText(op) {
			return nil, wrong("times are compared by eq, ne, gt, ge, lt and le")
		}
		text, _ := value.(string)
		t, err := parseTime(text)
		if err != nil {
			return nil, wrong("the value must be a time such as \"2026-01-31T08:00:00Z\"")
		}
		return t.UTC().Format(time.RFC3339Nano), nil
	case schema.Integer, schema.Decimal:
		coerced, err := def.Coerce(value)
		if err != nil || searchesText(op) {
			return nil, wrong("the value must be a number, compared by eq, ne, gt, ge, lt or le")
		}
		return coerced, nil
	case schema.String, schema.Binary, schema.Reference, schema.Complex: // compared as text
	}
	switch v := value.(type) {
	case string:
		if def.Type == schema.Binary && orders(op) {
			return nil, wrong("binary values have no order")
		}
		return v, nil
	case json.Number:
		// employeeNumber eq 701984: numbers without quotes are common.
		return v.String(), nil
	}
	return nil, wrong("the value must be a string in double quotes")
}

// timeLayouts are those of xsd:dateTime (RFC 7643 section 2.3.5), whose zone is
// optional, and what clients make of it: no colon in the zone, no seconds, no
// time at all; the last two are LDAP's.
var timeLayouts = []string{
	time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04:05Z0700", "2006-01-02T15:04:05Z07",
	"2006-01-02T15:04Z07:00", "2006-01-02T15:04", "2006-01-02Z07:00", "2006-01-02",
	"20060102T150405Z0700", "20060102150405Z0700",
}

// parseTime reads a time, in UTC if it has no zone.
func parseTime(text string) (t time.Time, err error) {
	b := []byte(strings.ToUpper(strings.TrimSpace(text)))
	if n := len(b); n > 16 && b[n-6] == ' ' && b[n-3] == ':' {
		b[n-6] = '+' // which a query turned into a blank
	}
	if len(b) > 10 && b[10] == ' ' {
		b[10] = 'T'
	}
	for _, layout := range timeLayouts {
		if t, err = time.Parse(layout, string(b)); err == nil {
			break
		}
	}
	return t, err
}

func searchesText(op string) bool { return op == "co" || op == "sw" || op == "ew" }

func orders(op string) bool { return op == "gt" || op == "ge" || op == "lt" || op == "le" }
