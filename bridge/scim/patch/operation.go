package patch

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// MaxOperations is how many operations one PATCH may have. The body's limit
// alone would admit tens of thousands, each of which may walk a long list.
const MaxOperations = 5000

// Op is what an operation does.
type Op string

// The operations.
const (
	Add     Op = "add"
	Remove  Op = "remove"
	Replace Op = "replace"
)

// An Operation is one operation of a PATCH.
type Operation struct {
	Op   Op
	Path *filter.Path // nil for the resource itself
	// Value is nil for a missing value too; Given tells the two apart.
	Value any
	Given bool
}

// Parse reads the body of a PATCH. Names and operations are taken in any
// case: Entra ID writes "Add", and the RFC's own examples vary.
func Parse(body map[string]any) ([]Operation, error) {
	listed, _ := member(body, "Operations")
	list, ok := listed.([]any)
	if one, isObject := listed.(map[string]any); isObject {
		list, ok = []any{one}, true
	}
	if !ok || len(list) == 0 {
		return nil, schema.Errorf(schema.InvalidSyntax, `a PATCH needs "Operations", a list of at least one operation`)
	}
	if len(list) > MaxOperations {
		return nil, schema.Errorf(schema.TooLarge, "the PATCH has %d operations; send at most %d at once", len(list),
			MaxOperations)
	}
	ops := make([]Operation, 0, len(list))
	for i, element := range list {
		op, err := parseOperation(element)
		if err != nil {
			return nil, inOperation(i, err)
		}
		ops = append(ops, op)
	}
	return ops, nil
}

func parseOperation(element any) (Operation, error) {
	object, ok := element.(map[string]any)
	if !ok {
		return Operation{}, schema.Errorf(schema.InvalidSyntax, "it is not an object")
	}
	var op Operation
	name, _ := member(object, "op")
	text, _ := name.(string)
	switch op.Op = Op(strings.ToLower(strings.TrimSpace(text))); op.Op {
	case Add, Remove, Replace:
	default:
		// A number would be that of an unknown enumeration: whether it means
		// replace or remove must not be guessed.
		return Operation{}, schema.Errorf(schema.InvalidSyntax, `"op" must be "add", "remove" or "replace"%s`,
			notValue(name))
	}
	op.Value, op.Given = member(object, "value")
	where, _ := member(object, "path")
	switch path := where.(type) {
	case nil:
	case string:
		if strings.TrimSpace(path) == "" {
			break
		}
		parsed, err := filter.ParsePath(path)
		if err != nil {
			return Operation{}, err
		}
		op.Path = &parsed
	default:
		return Operation{}, schema.Errorf(schema.InvalidPath, `"path" must be a string`)
	}
	if op.Op != Remove && !op.Given {
		return Operation{}, schema.Errorf(schema.InvalidValue, `%s needs a "value"`, op.Op)
	}
	return op, nil
}

// notValue quotes the value that was sent in the place of a valid one.
func notValue(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return fmt.Sprintf(", not %.40q", v)
	case json.Number:
		return fmt.Sprintf(", not the number %.40s", v)
	}
	return ", as a string"
}

// member finds a member of an object, in this spelling if it has it, else
// without regard to case.
func member(object map[string]any, name string) (any, bool) {
	if value, ok := object[name]; ok {
		return value, true
	}
	for key, value := range object {
		if strings.EqualFold(key, name) {
			return value, true
		}
	}
	return nil, false
}

// inOperation adds the operation in which a fault lies; people count from 1.
func inOperation(i int, err error) error {
	fault, ok := errors.AsType[*schema.Error](err)
	if !ok {
		return err
	}
	return schema.Errorf(fault.Kind, "operation %d: %s", i+1, fault.Detail)
}
