package simulate

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"slices"
)

// A dialect is the SCIM that one identity provider sends. Its methods are
// pure: they return the requests and what the provider accepts as answers.
type dialect interface {
	// connectionTest is what the button in the provider's console sends.
	connectionTest(random string) []Step
	findPerson(p person) Step
	createPerson(p person) Step
	// updatePerson makes the resource that the server has equal to p; it sends
	// nothing if it is equal already.
	updatePerson(id string, has any, p person) []Step
	// leave deprovisions a person: it suspends one if the dialect has comeBack,
	// and else deletes it.
	leave(id string, p person) Step
}

// A suspender deprovisions people by suspending them, and lets them return.
// Every other dialect deletes them.
type suspender interface {
	comeBack(id string, p person) Step
}

// A groupPusher provisions groups too.
type groupPusher interface {
	findTeam(name string) Step
	createTeam(name string) Step
	// changeMembers lets some join and some leave; g is the group as it shall be.
	changeMembers(g group, join, leave []member) []Step
}

// A group on the server, as the provider wants it to be.
type group struct {
	id, name string
	members  []member
}

// A member is a person in a group, as the provider names it.
type member struct{ id, display string }

// batch is how many members one request changes, for dialects that send changes.
const batch = 100

const (
	userSchema       = "urn:ietf:params:scim:schemas:core:2.0:User"
	groupSchema      = "urn:ietf:params:scim:schemas:core:2.0:Group"
	enterpriseSchema = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	patchSchema      = "urn:ietf:params:scim:api:messages:2.0:PatchOp"
	searchSchema     = "urn:ietf:params:scim:api:messages:2.0:SearchRequest"
)

// object is a JSON object on its way out.
type object map[string]any

func get(path string, checks ...Check) Step {
	return Step{Method: http.MethodGet, Path: path, Expect: []int{http.StatusOK}, Check: checks}
}

func post(path string, body object, checks ...Check) Step {
	return Step{Method: http.MethodPost, Path: path, Body: encode(body), Expect: []int{http.StatusCreated},
		Check: checks}
}

func put(path string, body object, checks ...Check) Step {
	return Step{Method: http.MethodPut, Path: path, Body: encode(body), Expect: []int{http.StatusOK}, Check: checks}
}

func patch(path string, operations ...object) Step {
	return Step{Method: http.MethodPatch, Path: path, Expect: []int{http.StatusOK, http.StatusNoContent},
		Body: encode(object{"schemas": []string{patchSchema}, "Operations": operations})}
}

// needing names a feature of ServiceProviderConfig without which the provider does not work.
func needing(feature string, s Step) Step {
	s.Needs = feature
	return s
}

func remove(path string) Step {
	return Step{Method: http.MethodDelete, Path: path, Expect: []int{http.StatusNoContent}}
}

// search is a query that travels in the body of a POST (RFC 7644 section 3.4.3).
func search(kind, filter string, checks ...Check) Step {
	s := post("/"+kind+"/.search", object{"schemas": []string{searchSchema}, "filter": filter, "startIndex": 1,
		"count": 100}, checks...)
	s.Expect = []int{http.StatusOK}
	return s
}

// refusable accepts 409 as well: the provider creates first, and searches only
// after a conflict.
func refusable(s Step) Step {
	s.Expect = append(slices.Clone(s.Expect), http.StatusConflict)
	return s
}

// encode cannot fail: bodies hold strings, booleans, lists and objects.
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

// stringAt returns the string at a path of an answer, or "".
func stringAt(answer any, path ...string) string {
	v, _ := Path(path).in(answer)
	s, _ := v.(string)
	return s
}

// eq is a filter on one attribute.
func eq(attribute, value string) string { return attribute + ` eq "` + value + `"` }

// listed is a check that every answer to a search must pass.
func listed() Check { return check(Path{"totalResults"}, "type", "number") }

// upToDate reports whether the resource that the server has equals p.
func upToDate(has any, p person) bool {
	active, _ := Path{"active"}.in(has)
	return active == p.active && stringAt(has, "title") == p.title && stringAt(has, "displayName") == p.display()
}

// puts is a dialect that replaces people as a whole, also to suspend them. The
// function makes the resource of a person.
type puts func(person) object

func (resource puts) replace(id string, p person) Step {
	return put(at("Users", id), resource(p), check(Path{"id"}, "eq", id), check(Path{"active"}, "eq", p.active))
}

func (resource puts) updatePerson(id string, has any, p person) []Step {
	if upToDate(has, p) {
		return nil
	}
	return []Step{resource.replace(id, p)}
}

func (resource puts) leave(id string, p person) Step {
	p.active = false
	return resource.replace(id, p).as(habitSuspendPut)
}

func (resource puts) comeBack(id string, p person) Step {
	p.active = true
	return resource.replace(id, p).as(habitSuspendPut)
}

// memberValues lists members by their ids alone.
func memberValues(members []member) []object {
	list := make([]object, len(members))
	for i, m := range members {
		list[i] = object{"value": m.id}
	}
	return list
}

// inBatches makes one request of each batch of members.
func inBatches(members []member, request func([]member) Step) []Step {
	var steps []Step
	for some := range slices.Chunk(members, batch) {
		steps = append(steps, request(some))
	}
	return steps
}
