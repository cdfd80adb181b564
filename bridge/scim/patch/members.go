package patch

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// Members is the effect of a PATCH on the members of a group. An empty id
// stands for an element without one, and is treated as an unknown id.
type Members struct {
	// Replace is the list of the last operation that set all members; nil keeps
	// those of before. Add and Remove are what followed it, and do not overlap.
	Replace     *[]string
	Add, Remove []string
	// Instead are those of Add that take the place of members selected by a
	// filter, a list for each operation.
	Instead [][]string
}

// SplitMembers takes what operations on a group say of its members out of
// them and returns the operations on its other attributes. find returns the
// members that fulfil a filter which does not name them by value.
func SplitMembers(ops []Operation, find func(bridge.Predicate) ([]string, error)) (Members, []Operation, error) {
	s := splitter{find: find, joins: make(map[string]bool)}
	for i, op := range ops {
		if err := s.take(op); err != nil {
			return Members{}, nil, inOperation(i, err)
		}
	}
	return s.members(), s.rest, nil
}

// A splitter remembers of each id whether the last operation that named it
// let it join or leave, and the order in which they came.
type splitter struct {
	find     func(bridge.Predicate) ([]string, error)
	rest     []Operation
	replaced *[]string
	instead  [][]string
	joins    map[string]bool
	order    []string
}

func (s *splitter) members() Members {
	var joining, leaving []string
	for _, id := range s.order {
		if s.joins[id] {
			joining = append(joining, id)
		} else {
			leaving = append(leaving, id)
		}
	}
	var instead [][]string
	for _, ids := range s.instead {
		if ids = slices.DeleteFunc(ids, func(id string) bool { return !s.joins[id] }); len(ids) > 0 {
			instead = append(instead, ids)
		}
	}
	return Members{Replace: s.replaced, Add: joining, Remove: leaving, Instead: instead}
}

var membersAttribute = schema.Group.Attribute("members")

func isMembers(path filter.Path) bool {
	return schema.Group.Resolve(path.Attribute).Attribute == membersAttribute
}

// IsMembersKey reports whether a key of a whole group is a path to its members
// or to a part of them, and whether what stands under it are their ids.
func IsMembersKey(key string) (is, ids bool) {
	path, err := filter.ParsePath(key)
	if err != nil || !isMembers(path) {
		return false, false
	}
	sub := schema.Group.Resolve(path.Attribute).Sub + path.Sub
	def := membersAttribute.Sub(sub)
	return true, path.Filter == nil && (sub == "" || def != nil && def.Name == "value")
}

func (s *splitter) take(op Operation) error {
	switch {
	case op.onResource(schema.Group):
		return s.takeObject(op)
	case isMembers(*op.Path):
		return s.takeMembers(*op.Path, op)
	}
	s.rest = append(s.rest, op)
	return nil
}

// takeObject handles an operation without a path, whose value may hold
// members beside other attributes.
func (s *splitter) takeObject(op Operation) error {
	lone, ok := loneMembers(op)
	switch {
	case ok:
		return s.takeMembers(filter.Path{Attribute: schema.Path{Name: membersAttribute.Name}},
			Operation{Op: op.Op, Value: lone, Given: true})
	case op.Op == Remove:
		s.rest = append(s.rest, op) // which Apply refuses
		return nil
	}
	object, err := attributes(schema.Group, op.Value)
	if err != nil {
		return err
	}
	var others map[string]any
	err = eachMember(object, func(path filter.Path, value any) error {
		if !isMembers(path) {
			return nil
		}
		if others == nil {
			others = maps.Clone(object)
			maps.DeleteFunc(others, func(key string, _ any) bool {
				p, err := filter.ParsePath(key)
				return err == nil && isMembers(p)
			})
		}
		return s.takeMembers(path, Operation{Op: op.Op, Value: value, Given: true})
	})
	if err != nil {
		return err
	}
	if others != nil {
		op.Value = others
	}
	if len(others) > 0 || others == nil {
		s.rest = append(s.rest, op)
	}
	return nil
}

// loneMembers returns the members that the value of an operation without a
// path is, or has and nothing else if they are to be removed. Of a group
// nothing else has a value or an address.
func loneMembers(op Operation) (any, bool) {
	if object, _ := op.Value.(map[string]any); op.Op == Remove && len(object) == 1 {
		for key, members := range object {
			if path, err := filter.ParsePath(key); err == nil && isMembers(path) && path.Filter == nil &&
				members != nil {
				return members, true
			}
		}
	}
	list, isList := op.Value.([]any)
	if !isList {
		list = []any{op.Value}
	}
	found := false
	for _, element := range list {
		switch v := element.(type) {
		case nil:
		case string, json.Number:
			found = found || isList
		case map[string]any:
			_, value := member(v, "value")
			_, ref := member(v, "$ref")
			found = found || value || ref
			if len(v) > 0 && !value && !ref || !isList && !onlyParts(v) {
				return nil, false
			}
		default:
			return nil, false
		}
	}
	return op.Value, found
}

// onlyParts reports whether an object has nothing that a member has not.
func onlyParts(object map[string]any) bool {
	for name := range object {
		if membersAttribute.Sub(name) == nil {
			return false
		}
	}
	return true
}

func (s *splitter) takeMembers(path filter.Path, op Operation) error {
	sub := schema.Group.Resolve(path.Attribute).Sub + path.Sub
	if def := membersAttribute.Sub(sub); sub != "" && (def == nil || def.Name != "value") {
		// A member's name, kind and address are not the group's to change.
		return nil
	}
	if path.Filter != nil {
		return s.takeSelected(path.Filter, op)
	}
	if object, ok := op.Value.(map[string]any); ok && len(object) == 1 {
		// Salesforce documents members within the value at the path members.
		if inner, ok := member(object, "members"); ok {
			op.Value = inner
		}
	}
	ids, err := memberIDs(op.Value)
	if err != nil {
		return err
	}
	switch {
	case op.Op == Add && len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return id != "" }):
		return schema.Errorf(schema.InvalidValue, `a member needs a "value", the id of a person or group`)
	case op.Op == Add:
		s.mark(ids, true)
	case op.Op == Remove && op.Given && op.Value != nil:
		s.mark(ids, false)
	default:
		// Replace, or remove without a list: none of the present members stays.
		ids = unique(ids)
		s.replaced = &ids
		s.order, s.instead, s.joins = nil, nil, make(map[string]bool)
	}
	return nil
}

// takeSelected handles members[value eq "id"] and its like.
func (s *splitter) takeSelected(f filter.Expression, op Operation) error {
	selected, ok := named(f)
	if !ok {
		p, err := filter.CompileElement(f, membersAttribute)
		if err != nil {
			return err
		}
		if selected, err = s.find(p); err != nil {
			return err
		}
	}
	if op.Op == Remove {
		s.mark(selected, false)
		return nil
	}
	ids, err := memberIDs(op.Value)
	if err != nil {
		return err
	}
	if op.Op == Replace {
		s.mark(selected, false)
		s.instead = append(s.instead, unique(ids))
	}
	s.mark(ids, true)
	return nil
}

func (s *splitter) mark(ids []string, joins bool) {
	for _, id := range ids {
		if _, known := s.joins[id]; !known {
			s.order = append(s.order, id)
		}
		s.joins[id] = joins
	}
}

// named returns the ids of a filter that is nothing but value eq "id", or
// several of them joined by or.
func named(f filter.Expression) ([]string, bool) {
	switch f := f.(type) {
	case filter.Compare:
		def := membersAttribute.Sub(f.Path.Name)
		id, isText := f.Value.(string)
		if number, ok := f.Value.(json.Number); ok {
			id, isText = number.String(), true
		}
		plain := f.Path.URI == "" && f.Path.Sub == "" && def != nil && def.Name == "value"
		return []string{id}, plain && f.Op == "eq" && isText
	case filter.Or:
		var all []string
		for _, term := range f {
			ids, ok := named(term)
			if !ok {
				return nil, false
			}
			all = append(all, ids...)
		}
		return all, true
	}
	return nil, false
}

// MemberIDs reads the members of a whole group, without repetitions. None is an
// empty list and not nil, which the account would take for no change.
func MemberIDs(value any) ([]string, error) {
	ids, err := memberIDs(value)
	return unique(ids), err
}

// unique returns each id once, in the order of their first places; never nil.
func unique(ids []string) []string {
	seen := make(map[string]bool, len(ids))
	kept := make([]string, 0, len(ids))
	for _, id := range ids {
		if !seen[id] {
			kept = append(kept, id)
		}
		seen[id] = true
	}
	return kept
}

// memberIDs reads members as objects or as bare ids. Null and the empty list
// have none; anything else has an element for each member, whose id may be empty.
func memberIDs(value any) ([]string, error) {
	list, isList := value.([]any)
	if !isList && value != nil {
		list = []any{value}
	}
	ids := make([]string, len(list))
	for i, element := range list {
		id, err := memberID(element)
		if err != nil {
			return nil, err
		}
		ids[i] = id
	}
	return ids, nil
}

// memberID reads one member; the id is empty if there is none in it.
func memberID(element any) (string, error) {
	switch element := element.(type) {
	case nil:
		return "", nil
	case string:
		return strings.TrimSpace(element), nil
	case json.Number:
		return element.String(), nil
	case []any:
		if len(element) == 0 {
			return "", nil // PHP's empty object
		}
	case map[string]any:
		id, err := part(element, "value")
		if err != nil || id != "" {
			return id, err
		}
		ref, err := part(element, "$ref")
		return idIn(ref), err
	}
	return "", schema.Errorf(schema.InvalidValue, `a member is an object with a "value", the id of a person or group`)
}

// part reads a sub-attribute of a member, without the blanks around it; empty
// is none.
func part(element map[string]any, name string) (string, error) {
	value, _ := member(element, name)
	coerced, err := membersAttribute.Sub(name).Coerce(value)
	text, _ := coerced.(string)
	return strings.TrimSpace(text), err
}

// idIn returns the id in the address of a person or group, or what stands
// there instead. An address counts as $ref alone: as a value it is no id
// (RFC 7643 section 4.2), and ids are compared exactly (section 3.1).
func idIn(address string) string {
	segments := strings.Split(strings.TrimRight(address, "/"), "/")
	if n := len(segments); n > 1 {
		for _, r := range []*schema.Resource{schema.User, schema.Group} {
			id, err := url.PathUnescape(segments[n-1])
			if err == nil && strings.EqualFold("/"+segments[n-2], r.Endpoint) {
				return id
			}
		}
	}
	return address
}
