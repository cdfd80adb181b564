package server

import (
	"maps"
	"reflect"
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// contract is openapi.yaml, and its operations by "METHOD /path".
func contract(t *testing.T) (doc *openapi3.T, operations map[string]*openapi3.Operation) {
	t.Helper()
	doc, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	operations = map[string]*openapi3.Operation{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			operations[method+" "+path] = operation
		}
	}
	if len(operations) < 40 {
		t.Fatalf("openapi.yaml has %d operations: the test would prove nothing", len(operations))
	}
	return doc, operations
}

// What openapi.yaml promises of bodies, of query parameters and of
// Idempotency-Key, withAuth keeps.
func TestGuardKnowsTheContract(t *testing.T) {
	t.Parallel()
	_, operations := contract(t)
	withBody, withKey, withQuery := map[string]bool{}, map[string]bool{}, map[string][]string{}
	for pattern, operation := range operations {
		if operation.RequestBody != nil {
			withBody[pattern] = true
		}
		for _, p := range operation.Parameters {
			switch {
			case p.Value.Name == "Idempotency-Key":
				withKey[pattern] = true
			case p.Value.In == openapi3.ParameterInQuery:
				withQuery[pattern] = append(withQuery[pattern], p.Value.Name)
			}
		}
	}
	for pattern := range withBody {
		if _, ok := bodies[pattern]; !ok {
			t.Errorf("%s takes a body whose form is not checked", pattern)
		}
	}
	for pattern := range bodies {
		if !withBody[pattern] {
			t.Errorf("%s takes no body, but one is checked", pattern)
		}
	}
	for pattern := range withKey {
		if !repeatable[pattern] {
			t.Errorf("%s does not honour an Idempotency-Key", pattern)
		}
	}
	for pattern := range repeatable {
		if !withKey[pattern] {
			t.Errorf("%s honours an Idempotency-Key that openapi.yaml does not mention", pattern)
		}
	}
	for pattern := range operations {
		promised, known := slices.Sorted(slices.Values(withQuery[pattern])),
			slices.Sorted(slices.Values(queryNames(pattern)))
		if !slices.Equal(promised, known) {
			t.Errorf("%s has the query parameters %q in openapi.yaml, and %q in queries", pattern, promised, known)
		}
	}
	for pattern := range queries {
		if operations[pattern] == nil {
			t.Errorf("queries has %s, which is no operation", pattern)
		}
	}
}

// The struct of a filter is the bridge's and not generated: it must still have
// the form that openapi.yaml gives it.
func TestAPredicateHasTheFormOfTheContract(t *testing.T) {
	t.Parallel()
	doc, _ := contract(t)
	schema := doc.Components.Schemas["Predicate"].Value
	promised := slices.Sorted(maps.Keys(schema.Properties))
	var have, required []string
	for _, f := range fields(reflect.TypeFor[bridge.Predicate]()) {
		have = append(have, f.name)
		if !f.optional {
			required = append(required, f.name)
		}
	}
	if slices.Sort(have); !slices.Equal(have, promised) {
		t.Errorf("the struct has the members %q, openapi.yaml has %q", have, promised)
	}
	if !slices.Equal(required, schema.Required) {
		t.Errorf("the struct requires %q, openapi.yaml requires %q", required, schema.Required)
	}
}

// The document itself holds: its structure, its examples, a summary for each
// operation, and an ETag for whatever is answered with an etag.
func TestTheContractIsWhole(t *testing.T) {
	t.Parallel()
	doc, operations := contract(t)
	if err := doc.Validate(t.Context()); err != nil {
		t.Error(err)
	}
	for pattern, operation := range operations {
		if operation.Summary == "" {
			t.Errorf("%s has no summary", pattern)
		}
		for status, answer := range operation.Responses.Map() {
			content := answer.Value.Content.Get("application/json")
			if content == nil || content.Schema.Value.Properties["etag"] == nil {
				continue
			}
			if answer.Value.Headers["ETag"] == nil {
				t.Errorf("%s %s has an etag in its body and no ETag header", pattern, status)
			}
		}
	}
}
