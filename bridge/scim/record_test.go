package scim_test

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim"
)

// serveRecorded is serve with a journal in memory.
func serveRecorded(t *testing.T) (*httptest.Server, *journal.Journal) {
	t.Helper()
	j := journal.Open(journal.Config{Now: time.Now})
	t.Cleanup(j.Close)
	server := httptest.NewServer(bearer(scim.New(scim.Config{
		Directory: newMemory(), BaseURL: "https://scim.example.com", Journal: j,
	})))
	t.Cleanup(server.Close)
	return server, j
}

// Who is not in, because each attempt is refused, is asked for by an address.
func TestWhatIsRefusedIsRecordedUnderItsName(t *testing.T) {
	t.Parallel()
	const core = "urn:ietf:params:scim:schemas:core:2.0:User"
	const twice = `"members":[{"value":"a"}],"Members":[{"value":"b"}]`
	for _, row := range []struct {
		name, body     string
		group, refused bool // refused with 400; else 201 at first, and 409 or 200 then
	}{
		{"active is no truth value", `{"userName":"ann@example.com","active":"perhaps"}`, false, true},
		{"emails is a number", `{"userName":"ann@example.com","emails":5}`, false, false},
		{"name is a text", `{"userName":"ann@example.com","name":"Ann"}`, false, true},
		{"an address is a number", `{"userName":"ann@example.com","emails":[{"value":5}]}`, false, false},
		{"userName in another case", `{"USERNAME":" Ann@Example.com","active":"perhaps"}`, false, true},
		{"userName with its schema", `{"` + core + `:userName":"ann@example.com","active":"perhaps"}`, false, true},
		{"userName within its schema", `{"` + core + `":{"userName":"ann@example.com"},"active":"perhaps"}`,
			false, true},
		{"an attribute given twice", `{"userName":"ann@example.com","title":"a","` + core + `:title":"b"}`,
			false, true},
		{"userName in a list", `{"userName":["ann@example.com"]}`, false, false},
		{"members given twice", `{"displayName":"All",` + twice + `}`, true, true},
		{"displayName in a list", `{"displayName":["All"]}`, true, false},
		{"displayName in another case", `{"DisplayName":"ALL",` + twice + `}`, true, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server, j := serveRecorded(t)
			endpoint, before, filter := "/Users", `{"userName":"bob"}`, journal.Filter{Person: "ann@example.com"}
			if row.group {
				endpoint, before, filter = "/Groups", `{"displayName":"Some"}`, journal.Filter{Group: "all"}
			}
			id, _ := create(t, server, "/scim/v2"+endpoint, before)
			for n, method := range []string{http.MethodPost, http.MethodPut} {
				path := endpoint
				if method == http.MethodPut {
					path += "/" + id
				}
				a := ask(t, server, method, "/scim/v2"+path, row.body)
				results := bulk(t, server, `"Operations":[{"method":"`+method+`","bulkId":"1","path":"`+path+
					`","data":`+row.body+`}]`)
				if row.refused != (a.status == http.StatusBadRequest) || row.refused != (statuses(results) == "400") {
					t.Errorf("%s: %d %s, in a bulk request %v", method, a.status, a.raw, results)
				}
				p, err := j.Read(filter)
				if err != nil || len(p.Events) != 2*(n+1) {
					t.Fatalf("after %s, alone and in a bulk request: %d events, %v", method, len(p.Events), err)
				}
				for _, e := range p.Events {
					if e.Subject == "" {
						t.Errorf("%s: recorded is %+v", method, e)
					}
				}
			}
		})
	}
}

// A name that is no text is not one.
func TestWhatIsNoTextIsRecordedUnderNoName(t *testing.T) {
	t.Parallel()
	server, j := serveRecorded(t)
	for _, body := range []string{
		`{"userName":5,"active":"perhaps"}`, `{"userName":["ann"],"active":"perhaps"}`, `{"userName":{"a":"ann"}}`,
		`{"userName":null}`,
	} {
		ask(t, server, http.MethodPost, "/scim/v2/Users", body)
	}
	p, err := j.Read(journal.Filter{})
	if err != nil || len(p.Events) != 4 {
		t.Fatalf("%d events: %v", len(p.Events), err)
	}
	for _, e := range p.Events {
		if e.Kind != journal.PersonRefused || e.Subject != "" {
			t.Errorf("recorded is %+v", e)
		}
	}
}

// Whether a person is active after a request does not say that the request was about that.
func TestWhatARequestSaysOfActiveIsRecorded(t *testing.T) {
	t.Parallel()
	const core = "urn:ietf:params:scim:schemas:core:2.0:User"
	patch := func(ops string) string {
		return `{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],"Operations":[` + ops + `]}`
	}
	for _, row := range []struct {
		name, method, body string
		want               *bool
	}{
		{"a creation as inactive", http.MethodPost, `{"userName":"eve","active":false}`, journal.Bool(false)},
		{"a creation as Entra ID writes it", http.MethodPost, `{"userName":"eve","active":"True"}`, journal.Bool(true)},
		{"a creation that does not say", http.MethodPost, `{"userName":"eve"}`, nil},
		{"a replacement that deactivates", http.MethodPut, `{"userName":"ann","active":false}`, journal.Bool(false)},
		{"a replacement with its schema's name", http.MethodPut, `{"userName":"ann","` + core + `:active":false}`,
			journal.Bool(false)},
		{"a replacement that does not say", http.MethodPut, `{"userName":"ann","title":"x"}`, nil},
		{"a replacement with null", http.MethodPut, `{"userName":"ann","active":null}`, nil},
		{"a patch of it", http.MethodPatch, patch(`{"op":"replace","path":"active","value":false}`),
			journal.Bool(false)},
		{"a patch in another case", http.MethodPatch, patch(`{"op":"Replace","path":"Active","value":"False"}`),
			journal.Bool(false)},
		{"a patch with its schema's name", http.MethodPatch,
			patch(`{"op":"replace","path":"` + core + `:active","value":false}`), journal.Bool(false)},
		{"a patch without a path", http.MethodPatch, patch(`{"op":"replace","value":{"active":false}}`),
			journal.Bool(false)},
		{"a patch without a path, in its schema", http.MethodPatch,
			patch(`{"op":"replace","value":{"` + core + `":{"active":false}}}`), journal.Bool(false)},
		{"a patch whose last operation reactivates", http.MethodPatch, patch(`{"op":"replace","path":"active",` +
			`"value":false},{"op":"replace","path":"active","value":true}`), journal.Bool(true)},
		{"a patch of something else", http.MethodPatch, patch(`{"op":"replace","path":"title","value":"x"}`), nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			server, j := serveRecorded(t)
			id, _ := create(t, server, "/scim/v2/Users", `{"userName":"ann","active":true}`)
			path := "/scim/v2/Users"
			if row.method != http.MethodPost {
				path += "/" + id
			}
			if a := ask(t, server, row.method, path, row.body); a.status >= http.StatusBadRequest {
				t.Fatalf("answered by %d %s", a.status, a.raw)
			}
			p, err := j.Read(journal.Filter{Limit: 1})
			if err != nil || len(p.Events) != 1 {
				t.Fatalf("%+v, %v", p, err)
			}
			got := p.Events[0].SentActive
			if (got == nil) != (row.want == nil) || got != nil && *got != *row.want {
				t.Errorf("recorded is %+v", p.Events[0])
			}
		})
	}
}
