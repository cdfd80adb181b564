package scim_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func bulk(t *testing.T, server *httptest.Server, members string) []map[string]any {
	t.Helper()
	a := ask(t, server, http.MethodPost, "/scim/v2/Bulk", `{"schemas":["urn:ietf:params:scim:api:messages:2.0:BulkRequest"],`+members+`}`)
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
		{"method":"PATCH","path":"/Groups/bulkId:g","data":{"Operations":[{"op":"add","path":"members","value":[{"value":"bulkId:b"}]}]}},
		{"method":"POST","path":"/Users","bulkId":"again","data":{"userName":"A"}},
		{"method":"DELETE","path":"/Users/bulkId:again"},
		{"method":"PUT","path":"/Users/bulkId:b","version":"\"old\"","data":{"userName":"b2"}},
		{"method":"DELETE","path":"/Users/none"}]`)
	if got, want := statuses(results), "201 201 201 204 409 409 412 404"; got != want {
		t.Fatalf("got %s, want %s: %v", got, want, results)
	}
	location, _ := results[0]["location"].(string)
	if !strings.HasPrefix(location, "https://scim.example.com/scim/v2/Groups/") || results[0]["bulkId"] != "g" || results[0]["version"] == nil || results[0]["response"] != nil {
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
		"no operations":              {`"Operations":[]`, 400},
		"an operation without path":  {`"Operations":[{"method":"POST"}]`, 400},
		"a GET":                      {`"Operations":[{"method":"GET","path":"/Users"}]`, 400},
		"a bulkId used twice":        {`"Operations":[{"method":"POST","path":"/Users","bulkId":"a"},{"method":"POST","path":"/Users","bulkId":"a"}]`, 400},
		"failOnErrors that is text":  {`"failOnErrors":"x","Operations":[{"method":"DELETE","path":"/Users/1"}]`, 400},
		"more operations than a lot": {`"Operations":[` + strings.Repeat(`{"method":"DELETE","path":"/Users/1"},`, 1000) + `{"method":"DELETE","path":"/Users/1"}]`, 413},
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
		"its own bulkId":             {`{"method":"POST","path":"/Users","bulkId":"x","data":{"userName":"bulkId:x"}}`, "409"},
		"two groups in each other": {`{"method":"POST","path":"/Groups","bulkId":"g","data":{"displayName":"g","members":["bulkId:h"]}},
			{"method":"POST","path":"/Groups","bulkId":"h","data":{"displayName":"h","members":["bulkId:g"]}}`, "409 409"},
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
