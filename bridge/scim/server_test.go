package scim_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// An answer is what came back.
type answer struct {
	status int
	header http.Header
	raw    []byte
	body   map[string]any
}

// at follows a dotted path of objects.
func (a answer) at(path string) any {
	var value any = a.body
	for key := range strings.SplitSeq(path, ".") {
		object, _ := value.(map[string]any)
		value = object[key]
	}
	return value
}

// ask sends a request with the right token; headers are pairs.
func ask(t *testing.T, server *httptest.Server, method, path, body string, headers ...string) answer {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", token)
	if body != "" {
		r.Header.Set("Content-Type", "application/scim+json")
	}
	for i := 0; i < len(headers); i += 2 {
		if headers[i] == "Host" {
			r.Host = headers[i+1]
		}
		r.Header.Set(headers[i], headers[i+1])
	}
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	a := answer{status: res.StatusCode, header: res.Header, raw: raw}
	if len(raw) > 0 {
		if err := json.Unmarshal(raw, &a.body); err != nil {
			t.Fatalf("%s %s: %v: %s", method, path, err, raw)
		}
	}
	return a
}

// create posts a resource and returns its id and version.
func create(t *testing.T, server *httptest.Server, path, body string) (id, version string) {
	t.Helper()
	a := ask(t, server, http.MethodPost, path, body)
	if a.status != http.StatusCreated {
		t.Fatalf("POST %s: %d %s", path, a.status, a.raw)
	}
	return a.at("id").(string), a.header.Get("ETag")
}

func TestErrors(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	id, _ := create(t, server, "/scim/v2/Users", `{"userName":"taken"}`)
	one := "/scim/v2/Users/" + id
	const ok = `{"userName":"x"}`
	tests := []struct {
		name         string
		method, path string
		body         string
		headers      []string
		status       int
		kind         string // scimType
	}{
		{"no person of this id", "GET", "/scim/v2/Users/none", "", nil, 404, ""},
		{"no group of this id", "DELETE", "/scim/v2/Groups/none", "", nil, 404, ""},
		{"no such endpoint", "GET", "/scim/v2/Nothing", "", nil, 404, ""},
		{"no such schema", "GET", "/scim/v2/Schemas/urn:x", "", nil, 404, ""},
		{"no such resource type", "GET", "/scim/v2/ResourceTypes/Device", "", nil, 404, ""},
		{"a resource under a wrong base is no 404", "GET", "/scim/v3/Users/" + id, "", nil, 400, ""},
		{"doubled slashes are no 404", "GET", "//scim//v2//Users//" + id + "//x", "", nil, 400, ""},
		{"a method that does nothing here", "POST", one, ok, nil, 405, ""},
		{"an unknown method", "BREW", "/scim/v2/Users", "", nil, 405, ""},
		{"an answer that the client cannot read", "GET", one, "",
			[]string{"Accept", "text/html, application/xml;q=0.9"}, 406,
			""},
		{"a taken userName, in another case", "POST", "/scim/v2/Users", `{"userName":"TAKEN"}`, nil, 409, "uniqueness"},
		{"an owner is protected", "POST", "/scim/v2/Users", `{"userName":"owner@example.com"}`, nil, 409, ""},
		{"a version that is gone", "PUT", one, `{"userName":"taken"}`, []string{"If-Match", `"old"`}, 412, ""},
		{"a PATCH of a version that is gone", "PATCH", one, `{"Operations":[{"op":"remove","path":"title"}]}`,
			[]string{"If-Match", `"old"`}, 412, ""},
		{"a DELETE of two versions that are gone", "DELETE", one, "", []string{"If-Match", `"old", "older"`}, 412, ""},
		{"a body that is too large", "POST", "/scim/v2/Users",
			`{"userName":"` + strings.Repeat("x", 1<<20) + `"}`, nil, 413,
			""},
		{"operations without end", "PATCH", one,
			`{"Operations":[` + strings.Repeat(`{"op":"remove","path":"title"},`, 5000) +
				`{"op":"remove","path":"title"}]}`, nil, 413, ""},
		{"a form", "POST", "/scim/v2/Users", ok,
			[]string{"Content-Type", "application/x-www-form-urlencoded"}, 415, ""},
		{"a compressed body", "POST", "/scim/v2/Users", ok, []string{"Content-Encoding", "gzip"}, 415, ""},
		{"an empty body", "POST", "/scim/v2/Users", " ", nil, 400, "invalidSyntax"},
		{"a body that is no JSON", "POST", "/scim/v2/Users", `{"userName":`, nil, 400, "invalidSyntax"},
		{"a body that is no object", "POST", "/scim/v2/Users", `[` + ok + `]`, nil, 400, "invalidSyntax"},
		{"a body of two objects", "POST", "/scim/v2/Users", ok + ok, nil, 400, "invalidSyntax"},
		{"a body that nests too deep", "POST", "/scim/v2/Users",
			strings.Repeat(`{"a":`, 10000) + "1" + strings.Repeat("}",
				10000), nil, 400, "invalidSyntax"},
		{"invalid UTF-8", "POST", "/scim/v2/Users", "{\"userName\":\"\xff\"}", nil, 400, "invalidSyntax"},
		{"a NUL", "POST", "/scim/v2/Users", `{"userName":"a\u0000"}`, nil, 400, "invalidValue"},
		{"a userName that is no text", "POST", "/scim/v2/Users", `{"userName":{}}`, nil, 400, "invalidValue"},
		{"no userName", "POST", "/scim/v2/Users", `{}`, nil, 400, "invalidValue"},
		{"no displayName", "POST", "/scim/v2/Groups", `{"members":[]}`, nil, 400, "invalidValue"},
		{"members that are no members", "POST", "/scim/v2/Groups", `{"displayName":"g","members":[true]}`, nil, 400,
			"invalidValue"},
		{"a path that is none", "PATCH", one, `{"Operations":[{"op":"add","path":"a b","value":1}]}`, nil, 400,
			"invalidPath"},
		{"nothing to remove from", "PATCH", one, `{"Operations":[{"op":"remove"}]}`, nil, 400, "noTarget"},
		{"a filter that is none", "GET", "/scim/v2/Users?filter=userName", "", nil, 400, "invalidFilter"},
		{"a projection that is none", "GET", one + "?attributes=a%20b", "", nil, 400, "invalidPath"},
		{"a count that is no number", "GET", "/scim/v2/Users?count=many", "", nil, 400, "invalidValue"},
		{"a count by cursor that is no number", "GET", "/scim/v2/Users?count=many&cursor=",
			"", nil, 400, "invalidCount"},
		{"an order that is none", "GET", "/scim/v2/Users?sortOrder=sideways", "", nil, 400, "invalidValue"},
		{"a query that is not encoded", "GET", "/scim/v2/Users?filter=%zz", "", nil, 400, "invalidValue"},
		{"a search of the wrong types", "POST", "/scim/v2/Users/.search", `{"filter":{"op":"eq"}}`,
			nil, 400, "invalidValue"},
		{"a filter on what is not to be filtered", "GET", "/scim/v2/Schemas?filter=id%20pr", "", nil, 403, ""},
		{"who am I", "GET", "/scim/v2/Me", "", nil, 501, ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			a := ask(t, server, tt.method, tt.path, tt.body, tt.headers...)
			kind, _ := a.body["scimType"].(string)
			if a.status != tt.status || kind != tt.kind {
				t.Fatalf("got %d %q, want %d %q: %s", a.status, kind, tt.status, tt.kind, a.raw)
			}
			schemas, _ := a.body["schemas"].([]any)
			detail, _ := a.body["detail"].(string)
			if !slices.Contains(schemas, "urn:ietf:params:scim:api:messages:2.0:Error") ||
				a.body["status"] != fmt.Sprint(tt.status) || detail == "" || len(detail) > 400 {
				t.Errorf("not a SCIM error: %s", a.raw)
			}
			if got := a.header.Get("Content-Type"); got != "application/scim+json" {
				t.Errorf("it is %q", got)
			}
			allow := a.header.Get("Allow")
			if (tt.status == 405) != (allow != "") ||
				strings.Contains(allow, "GET") != strings.Contains(allow, "HEAD") {
				t.Errorf("the headers are %v", a.header)
			}
		})
	}
}

// broken refuses everything in the same way.
type broken struct {
	bridge.Directory
	err error
}

func (b broken) Person(context.Context, string) (bridge.Person, error) {
	return bridge.Person{}, b.err
}

func TestRefusalsOfTheDirectory(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		err    error
		status int
		retry  string
		says   string
	}{
		{"the account is away", fmt.Errorf("signing in: %w", bridge.ErrUnavailable), 503, "10", "try again"},
		{"the firewall blocks the bridge", fmt.Errorf("asking: %w", &bridge.UnavailableError{
			Detail: "the account's firewall blocks the bridge", Err: errors.New("secret cause"),
		}),
			503, "10", "the account's firewall blocks the bridge; the bridge's status page"},
		{"the account is busy",
			&bridge.Error{Code: bridge.TooMany, Detail: "slow down", RetryAfter: 1500_000_000}, 429, "2",
			"slow down"},
		{"the attributes are too large", &bridge.Error{Code: bridge.TooLarge, Detail: "more than 64 KiB"},
			413, "", "64 KiB"},
		{"a value that the account refuses", &bridge.Error{Code: bridge.InvalidValue, Detail: "no such zone"}, 400, "",
			"no such zone"},
		{"something unknown tells nothing", errors.New("secret cause"), 500, "", "internal error"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var log syncBuffer
			server := serve(t, broken{err: tt.err}, hclog.New(&hclog.LoggerOptions{Output: &log}))
			a := ask(t, server, http.MethodGet, "/scim/v2/Users/1", "")
			detail, _ := a.body["detail"].(string)
			if a.status != tt.status || a.header.Get("Retry-After") != tt.retry || !strings.Contains(detail, tt.says) {
				t.Errorf("got %d, Retry-After %q: %s", a.status, a.header.Get("Retry-After"), a.raw)
			}
			if tt.status == 503 && strings.Contains(detail, "secret") {
				t.Errorf("answered %q", detail)
			}
			if tt.status == 500 {
				id := detail[strings.LastIndexByte(detail, ' ')+1:]
				if strings.Contains(detail, "secret") || !strings.Contains(log.String(), id) ||
					!strings.Contains(log.String(), "secret cause") {
					t.Errorf("answered %q and logged %q", detail, log.String())
				}
			}
		})
	}
}

// The body, the header and both log lines of a request name it alike.
func TestAnInternalErrorIsLoggedUnderTheIdOfTheRequest(t *testing.T) {
	t.Parallel()
	var log syncBuffer
	w := httptest.NewRecorder()
	r, begun := httpkit.Begin(w, httptest.NewRequestWithContext(t.Context(), http.MethodGet,
		"/scim/v2/Users/1", nil), nil)
	newHandler(broken{err: errors.New("secret cause")}, hclog.New(&hclog.LoggerOptions{Output: &log})).
		ServeHTTP(w, r)
	if !strings.Contains(w.Body.String(), begun.ID) || !strings.Contains(log.String(), begun.ID) {
		t.Errorf("request %s: answered %s and logged %q", begun.ID, w.Body, log.String())
	}
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// A client may claim any Host; addresses are made of the public URL and of the
// prefix that the client uses.
func TestLocations(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{"/scim/v2", "/scim", ""} {
		t.Run("under "+prefix, func(t *testing.T) {
			t.Parallel()
			server := serve(t, newMemory(), nil)
			a := ask(t, server, http.MethodPost, prefix+"/Users", `{"userName":"u"}`, "Host",
				"evil.example", "X-Forwarded-Host",
				"evil.example")
			want := "https://scim.example.com" + prefix + "/Users/" + a.at("id").(string)
			if a.header.Get("Location") != want || a.at("meta.location") != want {
				t.Errorf("Location is %q, meta.location %v, want %q", a.header.Get("Location"),
					a.at("meta.location"), want)
			}
			g := ask(t, server, http.MethodPost, prefix+"/Groups",
				`{"displayName":"g","members":["`+a.at("id").(string)+`"]}`,
				"Host", "evil.example")
			member := g.at("members").([]any)[0].(map[string]any)
			if member["$ref"] != want || member["type"] != "User" {
				t.Errorf("the member is %v, want $ref %q", member, want)
			}
		})
	}
}

func TestVersions(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	for _, kind := range []struct{ path, body string }{
		{"/scim/v2/Users", `{"userName":"u"}`}, {"/scim/v2/Groups", `{"displayName":"g"}`},
	} {
		id, version := create(t, server, kind.path, kind.body)
		path := kind.path + "/" + id
		a := ask(t, server, http.MethodGet, path, "")
		if version == "" || a.header.Get("ETag") != version || a.at("meta.version") != version {
			t.Fatalf("POST says %s, GET %s, meta.version %v", version, a.header.Get("ETag"), a.at("meta.version"))
		}
		quoted, err := json.Marshal(version)
		if err != nil {
			t.Fatal(err)
		}
		if a := ask(t, server, http.MethodGet, kind.path+"?filter="+url.QueryEscape("meta.version eq "+string(quoted)),
			""); a.at("totalResults") != 1.0 {
			t.Errorf("by version %s: %s", version, a.raw)
		}
		for _, tag := range []string{version, "W/" + version, `"x", ` + version, "*"} {
			if a := ask(t, server, http.MethodGet, path, "", "If-None-Match",
				tag); a.status != http.StatusNotModified ||
				len(a.raw) > 0 {
				t.Errorf("If-None-Match %s of version %s: %d", tag, version, a.status)
			}
		}
		if a := ask(t, server, http.MethodGet, path, "", "If-None-Match", `"x"`); a.status != http.StatusOK {
			t.Errorf("If-None-Match of another version: %d", a.status)
		}
		changed := strings.Replace(kind.body, "}", `,"externalId":"e"}`, 1)
		for _, tag := range []string{`"x", ` + version, "*"} {
			if a := ask(t, server, http.MethodPut, path, changed, "If-Match", tag); a.status != http.StatusOK {
				t.Errorf("PUT If-Match %s of version %s: %d %s", tag, version, a.status, a.raw)
			}
		}
		if a := ask(t, server, http.MethodDelete, path, "", "If-Match",
			version); a.status != http.StatusPreconditionFailed {
			t.Errorf("DELETE of the old version: %d", a.status)
		}
		if a := ask(t, server, http.MethodDelete, path, ""); a.status != http.StatusNoContent {
			t.Errorf("DELETE: %d", a.status)
		}
	}
}

// A PUT without active must not reactivate a suspended person.
func TestPutWithoutActiveKeepsIt(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), hclog.NewNullLogger())
	id, _ := create(t, server, "/Users", `{"userName":"ada"}`)
	for _, step := range []struct {
		body string
		want any
	}{
		{`{"userName":"ada","displayName":"Ada"}`, true},
		{`{"userName":"ada","active":false}`, false},
		{`{"userName":"ada","displayName":"Ada L."}`, false},
		{`{"userName":"ada","active":null}`, false},
		{`{"userName":"ada","Active":"True"}`, true},
		{`{"` + schema.UserURI + `":{"userName":"ada","active":false}}`, false},
		{`{"` + schema.UserURI + `":{"userName":"ada"}}`, false},
	} {
		if got := ask(t, server, http.MethodPut, "/Users/"+id, step.body).at("active"); got != step.want {
			t.Errorf("after %s active is %v, want %v", step.body, got, step.want)
		}
	}
}

// A PATCH that another change overtakes is applied to what is there now, unless
// the client asked for a version.
func TestPatchIsRetried(t *testing.T) {
	t.Parallel()
	m := newMemory()
	server := serve(t, m, nil)
	id, version := create(t, server, "/scim/v2/Users", `{"userName":"u"}`)
	path := "/scim/v2/Users/" + id
	const patchTitle = `{"Operations":[{"op":"add","path":"title","value":"T"}]}`
	m.before = func() {
		raw := json.RawMessage(`{"schemas":["` + schema.UserURI + `"],"userName":"u","nickName":"faster",` +
			`"active":true}`)
		if _, err := m.ReplacePerson(context.Background(), id,
			bridge.PersonInput{Attributes: raw}, version); err != nil {
			t.Errorf("the faster one: %v", err)
		}
	}
	a := ask(t, server, http.MethodPatch, path, patchTitle)
	if a.status != http.StatusOK || a.at("nickName") != "faster" || a.at("title") != "T" {
		t.Errorf("got %d %s", a.status, a.raw)
	}
	if a := ask(t, server, http.MethodPatch, path, patchTitle, "If-Match",
		version); a.status != http.StatusPreconditionFailed {
		t.Errorf("with a version: %d", a.status)
	}
}

// A search of both kinds runs over people and then over groups, page by page.
func TestSearchOfEverything(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	for i := range 3 {
		create(t, server, "/scim/v2/Users", fmt.Sprintf(`{"userName":"u%d","displayName":"same"}`, i))
		create(t, server, "/scim/v2/Groups", fmt.Sprintf(`{"displayName":"g%d"}`, i))
	}
	var seen []any
	for start := 1; start <= 6; start += 2 {
		a := ask(t, server, http.MethodPost, "/scim/v2/.search", fmt.Sprintf(`{"startIndex":%d,"count":"2"}`, start))
		if a.at("totalResults") != 6.0 || a.at("itemsPerPage") != 2.0 {
			t.Fatalf("got %s", a.raw)
		}
		for _, resource := range a.at("Resources").([]any) {
			seen = append(seen, answer{body: resource.(map[string]any)}.at("meta.resourceType"))
		}
	}
	if want := []any{"User", "User", "User", "Group", "Group", "Group"}; !slices.Equal(seen, want) {
		t.Errorf("got %v", seen)
	}
	a := ask(t, server, http.MethodGet, `/scim/v2?filter=meta.resourceType%20eq%20%22Group%22%20and%20displayName%20pr`,
		"")
	if a.at("totalResults") != 3.0 {
		t.Errorf("got %s", a.raw)
	}
}

// By cursor a search of both kinds says the same, whatever the size of a page.
func TestSearchOfEverythingByCursor(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ people, groups int }{{3, 3}, {4, 2}, {3, 0}, {0, 3}, {0, 0}} {
		server := serve(t, newMemory(), nil)
		for i := range size.people {
			create(t, server, "/scim/v2/Users", fmt.Sprintf(`{"userName":"u%d"}`, i))
		}
		for i := range size.groups {
			create(t, server, "/scim/v2/Groups", fmt.Sprintf(`{"displayName":"g%d"}`, i))
		}
		for count := 1; count <= 7; count++ {
			var seen []string
			cursor := ""
			for pages := 0; pages < 10; pages++ {
				a := ask(t, server, http.MethodGet, fmt.Sprintf("/scim/v2/?count=%d&cursor=%s",
					count, url.QueryEscape(cursor)), "")
				if a.status != http.StatusOK || a.at("totalResults") != float64(size.people+size.groups) ||
					a.at("startIndex") != nil {
					t.Fatalf("%+v in pages of %d: %s", size, count, a.raw)
				}
				for _, resource := range a.at("Resources").([]any) {
					seen = append(seen, answer{body: resource.(map[string]any)}.at("meta.resourceType").(string))
				}
				if cursor, _ = a.at("nextCursor").(string); cursor == "" {
					break
				}
			}
			want := append(slices.Repeat([]string{"User"}, size.people),
				slices.Repeat([]string{"Group"}, size.groups)...)
			if !slices.Equal(seen, want) {
				t.Errorf("%+v in pages of %d: got %v", size, count, seen)
			}
		}
		for _, cursor := range []string{"x", "\u00ff", "u%21", "g!"} {
			a := ask(t, server, http.MethodPost, "/scim/v2/.search", `{"cursor":"`+cursor+`"}`)
			if a.status != http.StatusBadRequest || a.at("scimType") != "invalidCursor" {
				t.Errorf("the cursor %s: %d %s", cursor, a.status, a.raw)
			}
		}
	}
}

// What the bridge is able to do is what it says.
func TestDiscovery(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	config := ask(t, server, http.MethodGet, "/scim/v2/ServiceProviderConfig", "")
	for path, want := range map[string]any{
		"patch.supported": true, "filter.supported": true, "filter.maxResults": 1000.0, "sort.supported": true,
		"etag.supported": true, "bulk.supported": true, "bulk.maxPayloadSize": 10485760.0,
		"changePassword.supported": false,
		"meta.location":            "https://scim.example.com/scim/v2/ServiceProviderConfig",
	} {
		if got := config.at(path); got != want {
			t.Errorf("%s is %v, want %v", path, got, want)
		}
	}
	// Clients made before RFC 9865 forbid the key that it brought.
	if got := config.at("pagination"); got != nil {
		t.Errorf("pagination, which was not asked for, is %v", got)
	}
	paged := ask(t, server, http.MethodGet, "/scim/v2/ServiceProviderConfig?attributes=patch,Pagination", "")
	if paged.at("pagination.cursor") != true || paged.at("pagination.index") != true ||
		paged.at("patch.supported") != true {
		t.Errorf("asked for: %s", paged.raw)
	}
	if n, _ := config.at("bulk.maxOperations").(float64); n < 1 {
		t.Errorf("bulk.maxOperations is %v; clients take it for the size of a PATCH", n)
	}
	for _, list := range []string{"Schemas", "ResourceTypes"} {
		a := ask(t, server, http.MethodGet, "/scim/v2/"+list, "")
		resources, _ := a.at("Resources").([]any)
		if len(resources) == 0 || a.at("totalResults") != float64(len(resources)) {
			t.Fatalf("%s: %s", list, a.raw)
		}
		for _, resource := range resources {
			single := ask(t, server, http.MethodGet, "/scim/v2/"+list+"/"+resource.(map[string]any)["id"].(string), "")
			if fmt.Sprint(single.body) != fmt.Sprint(resource) {
				t.Errorf("%s singly is %v, in the list %v", list, single.body, resource)
			}
		}
	}
}

// Some editors and PowerShell put a byte order mark before what they send.
func TestAByteOrderMarkIsPassedOver(t *testing.T) {
	t.Parallel()
	server := serve(t, newMemory(), nil)
	if a := ask(t, server, http.MethodPost, "/Users", "\ufeff"+`{"userName":"u"}`); a.status != http.StatusCreated {
		t.Errorf("got %d %s", a.status, a.raw)
	}
}

// Arbitrary bytes are answered, and never by a 500.
func FuzzServer(f *testing.F) {
	f.Add("POST", "/scim/v2/Users", []byte(`{"userName":"u"}`))
	f.Add("PATCH", "/scim/v2/Users/p1",
		[]byte(`{"Operations":[{"op":"replace","path":"emails[type eq \"work\"].value","value":"x"}]}`))
	f.Add("PATCH", "/Groups/g2", []byte(`{"Operations":[{"op":"add","path":"members","value":[{"value":"p1"}]}]}`))
	f.Add("POST", "/scim/Bulk",
		[]byte(
			`{"Operations":[{"method":"POST","path":"/Users","bulkId":"q","data":{"userName":"v"}},{"method":"DELETE",`+
				`"path":"/Users/bulkId:q"}]}`))
	f.Add("POST", "/scim/.search", []byte(`{"filter":"emails[type eq \"work\"].value eq \"x\"","count":1}`))
	f.Add("GET", "/Users?filter=userName%20sw%20%22u%22&sortBy=name.givenName&attributes=emails.value", []byte(nil))
	f.Fuzz(func(t *testing.T, method, target string, body []byte) {
		m := newMemory()
		if _, err := m.CreatePerson(t.Context(), bridge.PersonInput{
			Attributes: json.RawMessage(`{"userName":"u","emails":[{"value":"x"}]}`),
		}); err != nil {
			t.Fatal(err)
		}
		if _, err := m.CreateGroup(t.Context(), bridge.GroupInput{
			Attributes: json.RawMessage(`{"displayName":"g"}`),
		}); err != nil {
			t.Fatal(err)
		}
		r, err := http.NewRequestWithContext(t.Context(), method, "http://bridge.example"+target, bytes.NewReader(body))
		if err != nil {
			return // the law says nothing of it
		}
		w := httptest.NewRecorder()
		newHandler(m, nil).ServeHTTP(w, r)
		if w.Code == http.StatusInternalServerError {
			t.Errorf("%s %s: %s", method, target, w.Body)
		}
		if w.Body.Len() > 0 && !json.Valid(w.Body.Bytes()) {
			t.Errorf("%s %s answers %q", method, target, w.Body)
		}
	})
}
