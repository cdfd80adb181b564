package scim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

func bulk(t *testing.T, server *httptest.Server, members string) []map[string]any {
	t.Helper()
	a := ask(t, server, http.MethodPost, "/scim/v2/Bulk",
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],`+members+`}`)
	if a.status != http.StatusOK {
		t.Fatalf("got %d %s", a.status, a.raw)
	}
	var results []map[string]any
	for _, result := range a.at("Operations").([]any) {
		results = append(results, result.(map[string]any))
	}
	return results
}

func statuses(results []map[string]any) string {
	var list []string
	for _, result := range results {
		list = append(list, fmt.Sprint(result["status"]))
	}
	return strings.Join(list, " ")
}

func TestBulk(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	// A group may come before the person in it, and be changed in the same request.
	results := bulk(t, server, `"Operations":[
		{"method":"post","path":"/Groups","bulkId":"g","data":{"displayName":"g","members":[{"value":"bulkId:a"}]}},
		{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"a"}},
		{"method":"POST","path":"/Users","bulkId":"b","data":{"userName":"b"}},
		{"method":"PATCH","path":"/Groups/bulkId:g","data":{"Operations":[{"op":"add","path":"members",
			"value":[{"value":"bulkId:b"}]}]}},
		{"method":"POST","path":"/Users","bulkId":"again","data":{"userName":"A"}},
		{"method":"DELETE","path":"/Users/bulkId:again"},
		{"method":"PUT","path":"/Users/bulkId:b","version":"\"old\"","data":{"userName":"b2"}},
		{"method":"DELETE","path":"/Users/none"}]`)
	if got, want := statuses(results), "201 201 201 204 409 409 412 404"; got != want {
		t.Fatalf("got %s, want %s: %v", got, want, results)
	}
	location, _ := results[0]["location"].(string)
	if !strings.HasPrefix(location, "https://scim.example.com/scim/v2/Groups/") || results[0]["bulkId"] != "g" ||
		results[0]["version"] == nil || results[0]["response"] != nil {
		t.Errorf("the group is %v", results[0])
	}
	if results[3]["location"] != location {
		t.Errorf("the PATCH was of %v, want %v", results[3]["location"], location)
	}
	refusal, _ := results[4]["response"].(map[string]any)
	if refusal["scimType"] != "uniqueness" || refusal["status"] != "409" {
		t.Errorf("the refusal is %v", results[4])
	}
	group := ask(t, server, http.MethodGet, strings.TrimPrefix(location, "https://scim.example.com"), "")
	if members := group.at("members").([]any); len(members) != 2 {
		t.Errorf("the members are %v", members)
	}
}

// Resources that refer to each other are made without the references first,
// which RFC 7644 section 3.7.1 asks a server to try.
func TestBulkResolvesCircularReferences(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	const enterprise = "urn:ietf:params:scim:schemas:extension:enterprise:2.0:User"
	results := bulk(t, server, `"Operations":[
		{"method":"POST","path":"/Users","bulkId":"a","data":{"userName":"a","title":"A",
			"`+enterprise+`":{"department":"d","manager":{"value":"bulkId:b"}}}},
		{"method":"POST","path":"/Users","bulkId":"b","data":{"userName":"b",
			"`+enterprise+`":{"manager":{"value":"bulkId:a"}}}},
		{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"g","members":[{"value":"bulkId:h"},
			{"value":"bulkId:a"}]}},
		{"method":"POST","path":"/Groups","bulkId":"h","data":{"displayName":"h","members":[{"value":"bulkId:g"}]}},
		{"method":"POST","path":"/Users","bulkId":"own","data":{"userName":"own",
			"`+enterprise+`":{"manager":"bulkId:own"}}},
		{"method":"PATCH","path":"/Groups/bulkId:g","data":{"Operations":[{"op":"add","path":"members",
			"value":[{"value":"bulkId:own"}]}]}}]`)
	if got, want := statuses(results), "201 201 201 201 201 204"; got != want {
		t.Fatalf("got %s, want %s: %v", got, want, results)
	}
	read := func(i int) answer {
		location, _ := results[i]["location"].(string)
		a := ask(t, server, http.MethodGet, strings.TrimPrefix(location, "https://scim.example.com"), "")
		if i != 2 && a.header.Get("ETag") != results[i]["version"] { // the group was changed after
			t.Errorf("operation %d tells version %v, and the resource has %s", i,
				results[i]["version"], a.header.Get("ETag"))
		}
		return a
	}
	id := func(i int) string { return read(i).at("id").(string) }
	manager := func(i int) any {
		extension, _ := read(i).body[enterprise].(map[string]any)
		of, _ := extension["manager"].(map[string]any)
		return of["value"]
	}
	if manager(0) != id(1) || manager(1) != id(0) || manager(4) != id(4) {
		t.Errorf("the managers are %v, %v and %v", manager(0), manager(1), manager(4))
	}
	if a := read(0); a.at("title") != "A" || a.body[enterprise].(map[string]any)["department"] != "d" {
		t.Errorf("what is no reference was lost: %s", a.raw)
	}
	members := func(i int) (ids []string) {
		for _, m := range read(i).at("members").([]any) {
			ids = append(ids, m.(map[string]any)["value"].(string))
		}
		slices.Sort(ids)
		return ids
	}
	if want := slices.Sorted(slices.Values([]string{id(3), id(0), id(4)})); !slices.Equal(members(2), want) {
		t.Errorf("the first group has %v, want %v", members(2), want)
	}
	if want := []string{id(2)}; !slices.Equal(members(3), want) {
		t.Errorf("the second group has %v, want %v", members(3), want)
	}
}

// RFC 7644 section 3.7 has relative paths; clients copy meta.location, or write
// the base URL that they were given, which may be a proxy's.
func TestBulkPaths(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	for _, path := range []string{
		"/Users/ID", "Users/ID", "/users/ID/", "/scim/v2/Users/ID", "/scim/Users/ID", "scim/v2/Users/ID",
		"https://scim.example.com/scim/v2/Users/ID", "HTTPS://scim.example.com/Users/ID",
		"http://127.0.0.1:3002/scim/Users/ID/",
		"https://proxy.example.com/idp/7/scim/v2/users/ID", "/idp/7/scim/v2/Users/ID", "//proxy.example.com/Users/ID",
		"https://scim.example.com/scim/v2/Users/ID?attributes=id", "/Users/ID?attributes=id",
	} {
		id, _ := create(t, server, "/Users", `{"userName":"u"}`)
		path = strings.Replace(path, "ID", id, 1)
		results := bulk(t, server, `"Operations":[{"method":"PATCH","path":"`+path+
			`","data":{"Operations":[{"op":"add","path":"title","value":"T"}]}},{"method":"DELETE","path":"`+path+`"}]`)
		location := "https://scim.example.com/scim/v2/"
		if got := statuses(results); got != "200 204" {
			t.Errorf("%s: got %s: %v", path, got, results)
			ask(t, server, http.MethodDelete, "/Users/"+id, "")
		} else if at, _ := results[1]["location"].(string); !strings.EqualFold(at, location+"Users/"+id) {
			t.Errorf("%s is told to be at %s", path, at)
		}
	}
	results := bulk(t, server, `"failOnErrors":"3.0","Operations":[
		{"method":"POST","path":"https://scim.example.com/scim/v2/Users","bulkId":1,"data":{"userName":"a"}},
		{"method":"POST","path":"/scim/v2/Groups","bulkId":"g","data":{"displayName":"g",
			"members":[{"value":"bulkId:1"}]}},
		{"method":"PATCH","path":"https://proxy.example.com/Groups/bulkId:g","data":{"Operations":[{"op":"add",
			"path":"externalId","value":"e"}]}},
		{"method":"DELETE","path":"https://scim.example.com/scim/v2/Bulk"},
		{"method":"DELETE","path":"https://scim.example.com/Users/Groups/1"},
		{"method":"DELETE","path":"https://scim.example.com/Users/1/2"},
		{"method":"DELETE","path":"/Users/1"}]`)
	if got, want := statuses(results), "201 201 204 400 400 400"; got != want {
		t.Errorf("got %s, want %s: %v", got, want, results)
	}
}

func TestABulkOfOneOperationNeedsNoList(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	got := statuses(bulk(t, server, `"operations":{"method":"POST","path":"/Users","data":{"userName":"a"}}`))
	if got != "201" {
		t.Errorf("got %s", got)
	}
}

// An answer names the resource, but after a POST that failed (RFC 7644 section 3.7.3).
func TestBulkNamesTheResourceOfAFailure(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	results := bulk(t, server, `"Operations":[
		{"method":"DELETE","path":"/Users/none"},{"method":"PUT","path":"/Groups/none","data":{"displayName":"g"}},
			{"method":"POST","path":"/Users","data":{}}]`)
	for i, want := range []any{
		"https://scim.example.com/scim/v2/Users/none", "https://scim.example.com/scim/v2/Groups/none", nil,
	} {
		if results[i]["location"] != want || results[i]["response"] == nil {
			t.Errorf("operation %d is %v, want location %v", i, results[i], want)
		}
	}
}

func TestBulkStopsAfterErrors(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	const operations = `"Operations":[
		{"method":"DELETE","path":"/Users/1"},{"method":"POST","path":"/Users","data":{"userName":"a"}},
		{"method":"DELETE","path":"/Users/2"},{"method":"POST","path":"/Users","data":{"userName":"b"}}]`
	if got := statuses(bulk(t, server, `"failOnErrors":2,`+operations)); got != "404 201 404" {
		t.Errorf("with failOnErrors 2 got %s", got)
	}
	if got := statuses(bulk(t, server, operations)); got != "404 409 404 201" {
		t.Errorf("without it got %s", got)
	}
}

func TestRefusedBulk(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	whole := map[string]struct {
		members string
		status  int
	}{
		"no operations":             {`"Operations":[]`, 400},
		"an operation without path": {`"Operations":[{"method":"POST"}]`, 400},
		"a GET":                     {`"Operations":[{"method":"GET","path":"/Users"}]`, 400},
		"a bulkId used twice": {
			`"Operations":[{"method":"POST","path":"/Users","bulkId":"a"},{"method":"POST","path":"/Users",` +
				`"bulkId":"a"}]`, 400,
		},
		"failOnErrors with a part":  {`"failOnErrors":1.5,"Operations":[{"method":"DELETE","path":"/Users/1"}]`, 400},
		"failOnErrors below zero":   {`"failOnErrors":-1,"Operations":[{"method":"DELETE","path":"/Users/1"}]`, 400},
		"a path that is an object":  {`"Operations":[{"method":"DELETE","path":{}}]`, 400},
		"failOnErrors that is text": {`"failOnErrors":"x","Operations":[{"method":"DELETE","path":"/Users/1"}]`, 400},
		"more operations than a lot": {`"Operations":[` + strings.Repeat(`{"method":"DELETE",`+
			`"path":"/Users/1"},`, 1000) +
			`{"method":"DELETE","path":"/Users/1"}]`, 413},
	}
	for name, tt := range whole {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if a := ask(t, server, http.MethodPost, "/Bulk", `{`+tt.members+`}`); a.status != tt.status {
				t.Errorf("got %d %s", a.status, a.raw)
			}
		})
	}
	single := map[string]struct {
		operation, status string
	}{
		"a bulk within":              {`{"method":"POST","path":"/Bulk","data":{}}`, "400"},
		"a search within":            {`{"method":"POST","path":"/Users/.search","data":{}}`, "400"},
		"a method that does nothing": {`{"method":"DELETE","path":"/Users"}`, "405"},
		"no data":                    {`{"method":"POST","path":"/Users"}`, "400"},
		"an unknown bulkId":          {`{"method":"DELETE","path":"/Users/bulkId:x"}`, "409"},
		"its own bulkId": {`{"method":"POST","path":"/Users","bulkId":"x","data":{"userName":"bulkId:x"}}`,
			"409"},
		"names after each other": {`{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"bulkId:h"}},
			{"method":"POST","path":"/Groups","bulkId":"h","data":{"displayName":"bulkId:g"}}`, "409 409"},
		"a path that is not encoded": {`{"method":"DELETE","path":"/Users/%zz"}`, "400"},
	}
	for name, tt := range single {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			results := bulk(t, server, `"Operations":[`+tt.operation+`]`)
			if got := statuses(results); got != tt.status {
				t.Errorf("got %s: %v", got, results)
			}
		})
	}
}
