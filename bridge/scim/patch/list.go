package patch

import (
	"errors"
	"reflect"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// maxElements bounds the values of one attribute in a PATCH: adding compares
// each new one with all that are there.
const maxElements = 1000

func tooManyElements(t schema.Target) error {
	return schema.Errorf(schema.InvalidValue, "%s would have more than %d values", t.Name, maxElements)
}

// editList applies an operation to a multi-valued attribute.
func editList(container map[string]any, t schema.Target, f filter.Expression, op Operation) error {
	list, _ := container[t.Name].([]any)
	var err error
	switch {
	case f != nil:
		list, err = editSelected(list, t, f, op)
	case t.Sub != "":
		list, err = editEach(list, t, op)
	default:
		list, err = editAll(list, t, op)
	}
	if err != nil {
		return err
	}
	if t.Attribute != nil {
		list = t.Attribute.Distinct(list)
	}
	if len(list) == 0 {
		delete(container, t.Name)
	} else {
		container[t.Name] = list
	}
	return nil
}

// editAll adds elements, replaces the list, or removes elements from it.
func editAll(list []any, t schema.Target, op Operation) ([]any, error) {
	given, err := elements(t.Attribute, op.Value)
	if err != nil {
		return nil, err
	}
	switch {
	case len(list)+len(given) > maxElements && op.Op != Replace:
		return nil, tooManyElements(t)
	case op.Op == Replace:
		return given, nil
	case op.Op == Add:
		return addElements(list, given), nil
	case op.Given && op.Value != nil:
		// Outside the RFC, but how Entra ID and OneLogin remove single values.
		return slices.DeleteFunc(list, func(have any) bool {
			return slices.ContainsFunc(given, func(gone any) bool { return sameValue(have, gone) })
		}), nil
	}
	return nil, nil
}

// elements brings the value of an operation into a list of canonical elements.
func elements(a *schema.Attribute, value any) ([]any, error) {
	if a == nil {
		if list, ok := clone(value).([]any); ok || value == nil {
			return list, nil
		}
		return []any{clone(value)}, nil
	}
	coerced, err := a.Coerce(value)
	if err != nil || coerced == nil {
		return nil, err
	}
	return coerced.([]any), nil
}

// addElements appends what is not there yet; what is there is updated, since
// everything is retried (RFC 7644 section 3.5.2.1).
func addElements(list, added []any) []any {
	winner := -1
	for _, element := range added {
		i := slices.IndexFunc(list, func(have any) bool { return sameValue(have, element) })
		if i < 0 {
			i = len(list)
			list = append(list, element)
		} else if object, ok := list[i].(map[string]any); ok {
			for key, value := range element.(map[string]any) {
				object[key] = value
			}
		}
		if isPrimary(element) && winner < 0 {
			winner = i
		}
	}
	schema.KeepPrimary(list, winner)
	return list
}

func isPrimary(element any) bool {
	object, _ := element.(map[string]any)
	return object["primary"] == true
}

// sameValue reports whether two elements mean the same value: equal as they stand, or
// complex with the same "value" and no contradiction in "type".
func sameValue(a, b any) bool {
	x, okX := a.(map[string]any)
	y, okY := b.(map[string]any)
	if !okX || !okY {
		return reflect.DeepEqual(a, b)
	}
	if x["value"] == nil || y["value"] == nil {
		return reflect.DeepEqual(a, b)
	}
	if !reflect.DeepEqual(x["value"], y["value"]) {
		return false
	}
	typeX, okX := x["type"].(string)
	typeY, okY := y["type"].(string)
	return !okX || !okY || strings.EqualFold(typeX, typeY)
}

// editEach applies an operation on a sub-attribute to every element; the first
// value makes the first element.
func editEach(list []any, t schema.Target, op Operation) ([]any, error) {
	if len(list) == 0 && op.Op != Remove {
		list = []any{map[string]any{}}
	}
	all := make([]int, len(list))
	for i := range list {
		all[i] = i
	}
	return editParts(list, all, t, op)
}

// editSelected applies an operation to the elements that fulfil a filter.
func editSelected(list []any, t schema.Target, f filter.Expression, op Operation) ([]any, error) {
	p, err := filter.CompileElement(f, t.Attribute)
	if err != nil {
		if fault, ok := errors.AsType[*schema.Error](err); ok {
			return nil, schema.Errorf(schema.InvalidPath, "%s", fault.Detail)
		}
		return nil, err
	}
	var hits []int
	for i, element := range list {
		if filter.Match(p, element) {
			hits = append(hits, i)
		}
	}
	unassigned := op.Op == Remove || op.Value == nil
	switch {
	case len(hits) == 0 && unassigned:
		return list, nil // gone already: a retry is harmless
	case len(hits) == 0 && len(list) >= maxElements:
		return nil, tooManyElements(t)
	case len(hits) == 0:
		created, ok := filter.Implied(p)
		if !ok {
			return nil, schema.Errorf(schema.NoTarget, "no element of %s fulfils %s, and the filter does not say how "+
				"to make one", t.Name, f)
		}
		// Entra ID fills an element that is not there yet part by part; the
		// RFC would have noTarget for replace.
		list = append(list, created)
		hits = []int{len(list) - 1}
	}
	if t.Sub != "" {
		return editParts(list, hits, t, op)
	}
	if unassigned {
		return deleteAt(list, hits), nil
	}
	return editElements(list, hits, t, p, op)
}

// editElements replaces or extends whole elements.
func editElements(list []any, hits []int, t schema.Target, p bridge.Predicate, op Operation) ([]any, error) {
	given, err := elements(t.Attribute, op.Value)
	if err != nil {
		return nil, err
	}
	if len(given) != 1 {
		return nil, schema.Errorf(schema.InvalidValue,
			"the value for the selected elements of %s must be one element", t.Name)
	}
	parts, ok := given[0].(map[string]any)
	if !ok {
		return nil, schema.Errorf(schema.InvalidValue, "an element of %s must be an object", t.Name)
	}
	for _, i := range hits {
		object, ok := list[i].(map[string]any)
		if !ok || op.Op == Replace {
			// What the filter selected by stays true of the new element
			// unless its value says otherwise.
			object, _ = filter.Implied(p)
		}
		for key, value := range parts {
			object[key] = value
		}
		list[i] = object
	}
	winner := -1
	if isPrimary(parts) {
		winner = hits[0]
	}
	schema.KeepPrimary(list, winner)
	return list, nil
}

// editParts applies an operation on a sub-attribute to the elements at hits.
func editParts(list []any, hits []int, t schema.Target, op Operation) ([]any, error) {
	winner := -1
	var empty []int
	for _, i := range hits {
		object, ok := list[i].(map[string]any)
		if !ok {
			return nil, schema.Errorf(schema.InvalidPath, "the elements of %s have no sub-attributes", t.Name)
		}
		if err := setPart(object, t, op); err != nil {
			return nil, err
		}
		if t.Sub == "primary" && isPrimary(object) && winner < 0 {
			winner = i
		}
		if len(object) == 0 {
			empty = append(empty, i)
		}
	}
	schema.KeepPrimary(list, winner)
	return deleteAt(list, empty), nil
}

// deleteAt removes the elements at ascending indices.
func deleteAt(list []any, indices []int) []any {
	for _, i := range slices.Backward(indices) {
		list = slices.Delete(list, i, i+1)
	}
	return list
}
