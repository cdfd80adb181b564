// Package apitest is what tests read the account API with: answers of whatever
// status, and the codes that openapi.yaml lists. It is no part of a binary.
package apitest

import (
	"encoding/json"
	"fmt"
	"io"
	"mime"
	"net/http"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// An Answer is what an account answered: a value, a problem, or nothing but its status.
type Answer[T any] struct {
	Status  int
	Header  http.Header
	Body    []byte
	Value   *T           // of a success with a body, else nil
	Problem *api.Problem // of a refusal, else nil
}

// Read takes an answer of api.Client apart. A body that is not what its media
// type promises is an error:
//
//	rule, err := apitest.Read[api.FirewallRule](client.GetFirewallRule(ctx, id))
func Read[T any](resp *http.Response, err error) (*Answer[T], error) {
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	a := &Answer[T]{Status: resp.StatusCode, Header: resp.Header}
	if a.Body, err = io.ReadAll(resp.Body); err != nil {
		return nil, err
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	switch {
	case kind == "application/json" && (a.Status == http.StatusOK || a.Status == http.StatusCreated):
		a.Value = new(T)
		err = json.Unmarshal(a.Body, a.Value)
	case kind == "application/problem+json":
		a.Problem = new(api.Problem)
		err = json.Unmarshal(a.Body, a.Problem)
	}
	if err != nil {
		return nil, fmt.Errorf("answer %d %s: %w", a.Status, kind, err)
	}
	return a, nil
}

// ErrorCodes are all codes that openapi.yaml lists.
func ErrorCodes(t testing.TB) []api.ErrorCode {
	t.Helper()
	document, err := openapi3.NewLoader().LoadFromData(api.Document)
	if err != nil {
		t.Fatal(err)
	}
	var codes []api.ErrorCode
	for _, value := range document.Components.Schemas["ErrorCode"].Value.Enum {
		code, ok := value.(string)
		if !ok {
			t.Fatalf("ErrorCode lists %v", value)
		}
		codes = append(codes, api.ErrorCode(code))
	}
	if len(codes) < 25 {
		t.Fatalf("openapi.yaml lists only %d codes: the test would prove nothing", len(codes))
	}
	return codes
}
