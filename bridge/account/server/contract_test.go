package server

import (
	"slices"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
)

// What openapi.yaml promises of bodies and of Idempotency-Key, the guard keeps.
func TestGuardKnowsTheContract(t *testing.T) {
	t.Parallel()
	doc, err := openapi3.NewLoader().LoadFromFile("../api/openapi.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var operations int
	withBody, withKey := map[string]bool{}, map[string]bool{}
	for path, item := range doc.Paths.Map() {
		for method, operation := range item.Operations() {
			operations++
			pattern := method + " " + path
			if operation.RequestBody != nil {
				withBody[pattern] = true
			}
			if slices.ContainsFunc(operation.Parameters, func(p *openapi3.ParameterRef) bool { return p.Value.Name == "Idempotency-Key" }) {
				withKey[pattern] = true
			}
		}
	}
	if operations < 40 {
		t.Fatalf("openapi.yaml has %d operations: the test would prove nothing", operations)
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
}
