package scim_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	connector "github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/patch"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

const farToken = "the-far-side's-token"

// habits are in what a far side differs from the RFCs. The zero value is a good server.
type habits struct {
	filters       func(string) bool // which it takes; nil takes all
	ignores       bool              // it takes all filters, and minds none
	caseSensitive bool              // in filters
	noVersions    bool
	noPatch       bool
	noPut         bool // of people
	noSort        bool
	noExclude     bool // it refuses excludedAttributes
	noPages       bool // it sends the first page whatever is asked for
	mostOnAPage   int
	totalsOfPage  bool // totalResults counts the page
	notUnique     bool // it creates another one of the same name
	keeps         []string
	created       int  // status of a creation
	hidesMembers  bool // it shows groups without members
	mostMembers   int  // in one PATCH
	refusesRepeat bool // adding who is in and removing who is not are errors
	ignoresPaths  bool // it answers 204 to a removal by a filter, and removes nobody
	emptiesAll    bool // it takes such a removal for one of all members
	keepsUnknown  bool // members that do not exist
	refusesOthers bool // a PATCH with members that do not exist is 400
	noConfig      bool // no ServiceProviderConfig
	ids           func(n int) string
}

// A standIn is a far side.
type standIn struct {
	habits
	*httptest.Server

	mu     sync.Mutex
	next   int
	people []map[string]any
	groups []map[string]any
	counts map[string]int
	// hit decides on a request before it is served; true means that it has answered.
	hit func(http.ResponseWriter, *http.Request) bool
	// largest is the largest number of members in a PATCH.
	largest int
}

func newStandIn(t testing.TB, h habits) *standIn {
	t.Helper()
	s := &standIn{habits: h, counts: make(map[string]int)}
	s.Server = httptest.NewServer(s)
	t.Cleanup(s.Close)
	return s
}

// front is a Directory before the stand-in.
func (s *standIn) front(t testing.TB, change ...func(*connector.Config)) *connector.Directory {
	t.Helper()
	cfg := connector.Config{
		URL:       s.URL + "/scim/v2",
		Token:     func() secret.String { return secret.New(farToken) },
		Transport: newTransport(t),
		Now:       time.Now,
		Rate:      100_000,
	}
	for _, c := range change {
		c(&cfg)
	}
	d, err := connector.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(d.Close)
	return d
}

func newTransport(t testing.TB) *http.Transport {
	transport := &http.Transport{MaxIdleConnsPerHost: 64}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// count is how many requests came that begin with a method and a path.
func (s *standIn) count(request string) (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for r, count := range s.counts {
		if strings.HasPrefix(r, request) {
			n += count
		}
	}
	return n
}

func (s *standIn) forgetCounts() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.counts)
}

// intercept sets what decides on requests.
func (s *standIn) intercept(hit func(http.ResponseWriter, *http.Request) bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hit = hit
}

// once applies hit to the first request of a method whose path begins so.
func once(method, path string, hit http.HandlerFunc) func(http.ResponseWriter, *http.Request) bool {
	var first sync.Once
	return func(w http.ResponseWriter, r *http.Request) (done bool) {
		if r.Method == method && strings.HasPrefix(r.URL.Path, "/scim/v2"+path) {
			first.Do(func() { hit(w, r); done = true })
		}
		return done
	}
}

func (s *standIn) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	path := strings.TrimPrefix(r.URL.EscapedPath(), "/scim/v2")
	s.mu.Lock()
	s.counts[r.Method+" "+path]++
	hit := s.hit
	s.mu.Unlock()
	if hit != nil && hit(w, r) {
		return
	}
	if r.Header.Get("Authorization") != "Bearer "+farToken {
		refuse(w, http.StatusUnauthorized, "", "no")
		return
	}
	answer := httptest.NewRecorder()
	s.mu.Lock()
	s.serve(answer, r, path)
	s.mu.Unlock()
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	_, _ = io.Copy(w, answer.Body)
}

func (s *standIn) serve(w http.ResponseWriter, r *http.Request, path string) {
	endpoint, escaped, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	id, _ := url.PathUnescape(escaped)
	list, kind := &s.people, schema.User
	switch endpoint {
	case "Users":
	case "Groups":
		list, kind = &s.groups, schema.Group
	case "ServiceProviderConfig":
		if s.noConfig {
			refuse(w, http.StatusNotFound, "", "no such endpoint")
			return
		}
		supported := func(yes bool) any { return map[string]any{"supported": yes} }
		answer(w, http.StatusOK, map[string]any{"patch": supported(!s.noPatch), "etag": supported(!s.noVersions),
			"sort": supported(!s.noSort), "filter": supported(true), "bulk": supported(false)})
		return
	default:
		refuse(w, http.StatusNotFound, "", "no such endpoint")
		return
	}
	var body map[string]any
	if r.Body != nil {
		decoder := json.NewDecoder(r.Body)
		decoder.UseNumber()
		_ = decoder.Decode(&body)
	}
	if id == "" {
		switch r.Method {
		case http.MethodGet:
			s.search(w, r.URL.Query(), *list, kind)
		case http.MethodPost:
			s.create(w, body, list, kind)
		default:
			refuse(w, http.StatusMethodNotAllowed, "", "no")
		}
		return
	}
	i := slices.IndexFunc(*list, func(o map[string]any) bool { return o["id"] == id })
	if i < 0 {
		refuse(w, http.StatusNotFound, "", "there is none of this id")
		return
	}
	o := (*list)[i]
	if tag := r.Header.Get("If-Match"); tag != "" && tag != s.tag(o) {
		refuse(w, http.StatusPreconditionFailed, "", "it has changed")
		return
	}
	switch r.Method {
	case http.MethodGet:
		if s.noExclude && r.URL.Query().Has("excludedAttributes") {
			refuse(w, http.StatusBadRequest, "", "no such parameter")
			return
		}
		answer(w, http.StatusOK, s.shown(o, kind, r.URL.Query().Get("excludedAttributes")))
	case http.MethodPut:
		if s.noPut && kind == schema.User {
			refuse(w, http.StatusNotImplemented, "", "no PUT")
			return
		}
		s.write(w, o, body, list, kind)
	case http.MethodPatch:
		if s.noPatch {
			refuse(w, http.StatusNotImplemented, "", "no PATCH")
			return
		}
		s.patch(w, o, body, list, kind)
	case http.MethodDelete:
		*list = slices.Delete(*list, i, i+1)
		for _, g := range s.groups {
			g["members"] = slices.DeleteFunc(membersOf(g), func(m any) bool { return valueOf(m) == id })
		}
		w.WriteHeader(http.StatusNoContent)
	}
}

func membersOf(g map[string]any) []any {
	members, _ := g["members"].([]any)
	return slices.Clone(members)
}

func valueOf(m any) string {
	object, _ := m.(map[string]any)
	id, _ := object["value"].(string)
	return id
}

func unique(kind *schema.Resource) string {
	if kind == schema.User {
		return "userName"
	}
	return "displayName"
}

func (s *standIn) isTaken(name any, except map[string]any, list []map[string]any, kind *schema.Resource) bool {
	text, _ := name.(string)
	return slices.ContainsFunc(list, func(o map[string]any) bool {
		other, _ := o[unique(kind)].(string)
		return (except == nil || o["id"] != except["id"]) && inputtext.Fold(other) == inputtext.Fold(text)
	})
}

func (s *standIn) create(w http.ResponseWriter, body map[string]any, list *[]map[string]any, kind *schema.Resource) {
	if !s.notUnique && s.isTaken(body[unique(kind)], nil, *list, kind) {
		refuse(w, http.StatusConflict, "uniqueness", "it is taken")
		return
	}
	s.next++
	id := fmt.Sprintf("%06d", s.next)
	if s.ids != nil {
		id = s.ids(s.next)
	}
	o := s.kept(body, kind)
	o["id"], o["revision"], o["created"] = id, 1, time.Now().UTC()
	if kind == schema.Group {
		o["members"] = s.known(membersOf(body))
	}
	*list = append(*list, o)
	status := s.created
	if status == 0 {
		status = http.StatusCreated
	}
	w.Header().Set("Location", s.URL+"/scim/v2"+kind.Endpoint+"/"+url.PathEscape(id))
	answer(w, status, s.shown(o, kind, ""))
}

// kept is what is kept of a resource.
func (s *standIn) kept(body map[string]any, kind *schema.Resource) map[string]any {
	o := map[string]any{}
	for name, value := range body {
		isKept := s.keeps == nil || kind == schema.Group || slices.Contains(s.keeps, name)
		if name != "id" && name != "meta" && isKept {
			o[name] = value
		}
	}
	return o
}

func (s *standIn) exists(id string) bool {
	is := func(o map[string]any) bool { return o["id"] == id }
	return slices.ContainsFunc(s.people, is) || slices.ContainsFunc(s.groups, is)
}

func (s *standIn) known(members []any) []any {
	if s.keepsUnknown {
		return members
	}
	return slices.DeleteFunc(members, func(m any) bool { return !s.exists(valueOf(m)) })
}

func (s *standIn) write(w http.ResponseWriter, o, body map[string]any, list *[]map[string]any, kind *schema.Resource) {
	if !s.notUnique && s.isTaken(body[unique(kind)], o, *list, kind) {
		refuse(w, http.StatusConflict, "uniqueness", "it is taken")
		return
	}
	changed := s.kept(body, kind)
	if kind == schema.Group {
		changed["members"] = s.known(membersOf(body))
	}
	s.replace(o, changed)
	answer(w, http.StatusOK, s.shown(o, kind, ""))
}

func (s *standIn) replace(o, changed map[string]any) {
	changed["id"], changed["created"], changed["revision"] = o["id"], o["created"], o["revision"].(int)+1
	clear(o)
	for name, value := range changed {
		o[name] = value
	}
}

func (s *standIn) patch(w http.ResponseWriter, o, body map[string]any, list *[]map[string]any, kind *schema.Resource) {
	operations, err := patch.Parse(body)
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalidSyntax", err.Error())
		return
	}
	changed := s.kept(o, kind)
	delete(changed, "created")
	delete(changed, "revision")
	members := membersOf(o)
	if kind == schema.Group {
		var split patch.Members
		if split, operations, err = patch.SplitMembers(operations, nil); err == nil {
			members, err = s.change(members, split)
		}
	}
	delete(changed, "members")
	if err == nil && len(operations) > 0 {
		changed, err = patch.Apply(kind, changed, operations)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, "invalidValue", err.Error())
		return
	}
	if !s.notUnique && s.isTaken(changed[unique(kind)], o, *list, kind) {
		refuse(w, http.StatusConflict, "uniqueness", "it is taken")
		return
	}
	if kind == schema.Group {
		changed["members"] = members
	}
	s.replace(o, changed)
	w.WriteHeader(http.StatusNoContent)
}

// change applies a change of members.
func (s *standIn) change(members []any, m patch.Members) ([]any, error) {
	n := len(m.Add) + len(m.Remove)
	if s.mostMembers > 0 && n > s.mostMembers {
		return nil, fmt.Errorf("at most %d members", s.mostMembers)
	}
	s.largest = max(s.largest, n)
	if m.Replace != nil {
		members = nil
	}
	in := map[string]bool{}
	for _, member := range members {
		in[valueOf(member)] = true
	}
	for _, id := range m.Add {
		switch {
		case in[id] && s.refusesRepeat:
			return nil, fmt.Errorf("%s is a member", id)
		case in[id]:
			continue
		case !s.exists(id) && s.refusesOthers:
			return nil, fmt.Errorf("%s is nobody", id)
		case !s.exists(id) && !s.keepsUnknown:
			continue
		}
		in[id] = true
		members = append(members, map[string]any{"value": id})
	}
	switch {
	case len(m.Remove) > 0 && s.emptiesAll:
		return []any{}, nil
	case s.ignoresPaths:
		return members, nil
	}
	for _, id := range m.Remove {
		if !in[id] && s.refusesRepeat {
			return nil, fmt.Errorf("%s is no member", id)
		}
		members = slices.DeleteFunc(members, func(m any) bool { return valueOf(m) == id })
	}
	return members, nil
}

func (s *standIn) tag(o map[string]any) string { return fmt.Sprintf(`W/"%v"`, o["revision"]) }

// shown is a resource as it is sent.
func (s *standIn) shown(o map[string]any, kind *schema.Resource, excluded string) map[string]any {
	out := map[string]any{}
	for name, value := range o {
		if name != "revision" && name != "created" && name != excluded {
			out[name] = value
		}
	}
	meta := map[string]any{"resourceType": kind.Name, "location": "https://internal.example/" + kind.Endpoint}
	if created, ok := o["created"].(time.Time); ok {
		meta["created"] = created.Format(time.RFC3339Nano)
		meta["lastModified"] = created.AddDate(0, 0, o["revision"].(int)).Format(time.RFC3339Nano)
	}
	if !s.noVersions {
		meta["version"] = s.tag(o)
	}
	out["meta"] = meta
	if kind == schema.Group {
		if s.hidesMembers {
			out["members"] = []any{}
		}
		return out
	}
	var groups []any
	for _, g := range s.groups {
		if slices.ContainsFunc(membersOf(g), func(m any) bool { return valueOf(m) == o["id"] }) {
			groups = append(groups, map[string]any{"value": g["id"], "display": g["displayName"]})
		}
	}
	if groups != nil {
		out["groups"] = groups
	}
	return out
}

func (s *standIn) search(w http.ResponseWriter, q url.Values, list []map[string]any, kind *schema.Resource) {
	if s.noExclude && q.Has("excludedAttributes") {
		refuse(w, http.StatusBadRequest, "", "no such parameter")
		return
	}
	found := list
	if text := q.Get("filter"); text != "" && !s.ignores {
		if s.filters != nil && !s.filters(text) {
			refuse(w, http.StatusBadRequest, "invalidFilter", "this filter is not supported")
			return
		}
		p, err := compile(text, kind, s.caseSensitive)
		if err != nil {
			refuse(w, http.StatusBadRequest, "invalidFilter", err.Error())
			return
		}
		found = nil
		for _, o := range list {
			if filter.Match(p, s.shown(o, kind, "")) {
				found = append(found, o)
			}
		}
	}
	if path := q.Get("sortBy"); path != "" && !s.noSort {
		found = slices.Clone(found)
		slices.SortStableFunc(found, func(a, b map[string]any) int {
			order := strings.Compare(inputtext.Fold(fmt.Sprint(a[path])), inputtext.Fold(fmt.Sprint(b[path])))
			if q.Get("sortOrder") == "descending" {
				return -order
			}
			return order
		})
	}
	start, _ := strconv.Atoi(q.Get("startIndex"))
	count, err := strconv.Atoi(q.Get("count"))
	if err != nil {
		count = 100
	}
	if s.noPages {
		start = 1
	}
	if s.mostOnAPage > 0 {
		count = min(count, s.mostOnAPage)
	}
	total := len(found)
	from := min(max(start-1, 0), total)
	resources := []any{}
	for _, o := range found[from:min(from+count, total)] {
		resources = append(resources, s.shown(o, kind, q.Get("excludedAttributes")))
	}
	if s.totalsOfPage {
		total = len(resources)
	}
	answer(w, http.StatusOK, map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:ListResponse"},
		"totalResults": total, "startIndex": start, "itemsPerPage": len(resources), "Resources": resources})
}

func compile(text string, kind *schema.Resource, caseSensitive bool) (bridge.Predicate, error) {
	e, err := filter.Parse(text)
	if err != nil {
		return bridge.Predicate{}, err
	}
	p, err := filter.Compile(e, kind)
	if caseSensitive {
		p = exact(p)
	}
	return p, err
}

func exact(p bridge.Predicate) bridge.Predicate {
	p.CaseExact = true
	for i := range p.Terms {
		p.Terms[i] = exact(p.Terms[i])
	}
	return p
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/scim+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func refuse(w http.ResponseWriter, status int, kind, detail string) {
	body := map[string]any{"schemas": []string{"urn:ietf:params:scim:api:messages:2.0:Error"}, "detail": detail,
		"status": strconv.Itoa(status)}
	if kind != "" {
		body["scimType"] = kind
	}
	answer(w, status, body)
}
