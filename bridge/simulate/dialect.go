package simulate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
)

// A dialect is how one identity provider says things in SCIM. Its methods are
// pure: they return the requests and what the provider accepts as answers.
type dialect interface {
	// connectionTest is what the button in the provider's console sends.
	connectionTest(random string) []Step
	findPerson(p person) Step
	createPerson(p person) Step
	// updatePerson brings the resource that the server has to what p says;
	// nothing if it says so already.
	updatePerson(id string, has any, p person) []Step
	setActive(id string, p person, active bool) Step
	findTeam(name string) Step
	createTeam(name string) Step
	addMembers(id, name string, members []member) []Step
	removeMembers(id, name string, members []member) []Step
}

// A member is a person in a group, as the provider names him.
type member struct{ id, display string }

const (
	userSchema       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	patchSchema      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
)

// object is a JSON object on its way out.
type object map[string]any

func get(path string, checks ...Check) Step {
	return Step{Method: http.MethodGet, Path: path, Expect: []int{http.StatusOK}, Check: checks}
}

func post(path string, body object, checks ...Check) Step {
	return Step{Method: http.MethodPost, Path: path, Body: encode(body), Expect: []int{http.StatusCreated}, Check: checks}
}

func put(path string, body object, checks ...Check) Step {
	return Step{Method: http.MethodPut, Path: path, Body: encode(body), Expect: []int{http.StatusOK}, Check: checks}
}

func patch(path string, operations ...object) Step {
	return Step{Method: http.MethodPatch, Path: path, Expect: []int{http.StatusOK, http.StatusNoContent},
		Body: encode(object{"schemas": []string{patchSchema}, "Operations": operations})}
}

// encode cannot fail: the bodies hold texts, booleans, lists and objects.
func encode(body object) json.RawMessage {
	b, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("simulate: encoding a request: %v", err))
	}
	return b
}

func check(path Path, operator string, value any) Check {
	return Check{Path: path, Operator: operator, Value: value}
}

func at(kind, id string) string { return "/" + kind + "/" + url.PathEscape(id) }

// text returns the text at a path of an answer, or "".
func text(answer any, path ...string) string {
	v, _ := Path(path).in(answer)
	s, _ := v.(string)
	return s
}
