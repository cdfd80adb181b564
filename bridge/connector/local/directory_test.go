package local_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	service "github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/local"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

const managerEmail = "manager@example.com"

// A world is an account with a bridge in its process that is signed in, and the two ways between them.
type world struct {
	t         testing.TB
	model     *service.Account
	admin     *api.Client
	token     string // of the admin
	connector *account.Connector
	local     *local.Directory
	sent      atomic.Int64   // requests about people and groups by HTTP
	refused   atomic.Int64   // requests of the bridge by HTTP
	metrics   []http.Handler // of the account and of the bridge
	log       lockedBuffer   // of the account
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func newWorld(t testing.TB, level hclog.Level) *world {
	t.Helper()
	rows, err := store.Open(t.Context(), storetest.New(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { rows.Close() })
	w := &world{t: t}
	if w.model, err = service.Create(t.Context(), rows, "Test", time.Now, rand.Reader); err != nil {
		t.Fatal(err)
	}
	if _, w.token, err = w.model.CreateToken(t.Context(), "test"); err != nil {
		t.Fatal(err)
	}
	loopback := netip.MustParseAddr("127.0.0.1")
	logger := hclog.New(&hclog.LoggerOptions{Output: &w.log, Level: level})
	handler, within := server.NewLocal(server.Config{Account: w.model, Logger: logger}, loopback)
	counted := http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.URL.Path, "/v1/directory/") {
			w.sent.Add(1)
		}
		handler.ServeHTTP(out, r)
		if out.(*httpkit.Recorder).Status() == http.StatusForbidden {
			w.refused.Add(1)
		}
	})
	numbers := httpkit.NewMetrics("scimbridge")
	meter := account.NewMeter(numbers)
	w.metrics = []http.Handler{numbers.Handler(), handler}
	w.admin, err = api.NewClient("http://127.0.0.1", api.WithHTTPClient(&http.Client{
		Transport: account.InProcess(handler, netip.MustParseAddr("127.0.0.2")), // not blocked with the bridge
	}), api.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
		req.Header.Set("Authorization", "Bearer "+w.token)
		return nil
	}))
	if err != nil {
		t.Fatal(err)
	}
	secrets, enrolment, err := client.Enrol(w.model.ID, managerEmail, 1, signin.MinIterations)
	if err != nil {
		t.Fatal(err)
	}
	made, err := apitest.Read[api.Provisioning](w.admin.ActivateProvisioning(t.Context(), nil, api.Activation{
		ManagerEmail: managerEmail, Enrolment: enrolment, Session: "sealed",
	}))
	if err != nil || made.Value == nil {
		t.Fatalf("activating: %v %s", err, made.Body)
	}
	w.connector = account.New(account.Config{
		Bridge:         api.BridgeIdentity{Instance: "test", Version: "test", Revision: "r"},
		Transport:      meter.Transport(account.InProcess(counted, loopback)),
		Log:            hclog.NewNullLogger(),
		Now:            time.Now,
		Random:         rand.Reader,
		Heartbeat:      time.Hour, // the tests count what is recorded
		RetryAtMost:    100 * time.Millisecond,
		WaitTimeout:    5 * time.Minute, // a loaded machine with the race detector signs in slowly
		AttemptTimeout: 5 * time.Minute,
		Health:         func() health.Health { return health.Health{State: health.Healthy} },
	})
	w.local = local.New(w.connector, within, meter)
	ctx, cancel := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.connector.Run(ctx) })
	t.Cleanup(func() { cancel(); running.Wait() })
	w.connector.SetCredentials(session.Integration{
		AccountURL: "http://127.0.0.1", AccountID: w.model.ID, Email: managerEmail, Secrets: secrets,
	}, 1)
	w.await(account.SignedIn)
	return w
}

func (w *world) await(phase account.Phase) {
	w.t.Helper()
	w.awaitThat("the connector is "+string(phase), func() bool { return w.connector.State().Phase == phase })
}

func (w *world) awaitThat(what string, holds func() bool) {
	w.t.Helper()
	deadline := time.Now().Add(time.Minute) // reached only by a fault
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		if time.Now().After(deadline) {
			w.t.Fatalf("waited in vain until %s: %+v", what, w.connector.State())
		}
		<-tick.C
	}
}

// request returns a context as one of the bridge's requests has it, and its id.
func request(t testing.TB) (context.Context, string) {
	t.Helper()
	r, x := httpkit.Begin(httptest.NewRecorder(), httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), nil)
	return r.Context(), x.ID
}

func attributes(userName string) bridge.PersonInput {
	return bridge.PersonInput{
		Attributes: json.RawMessage(`{"userName":"` + userName + `", "name":{"formatted":"Ann & Bob"},"active":true,` +
			`"emails":[{"value":"` + userName + `@example.com","type":"work"}],"title":"\u00fc ü"}`),
		SignInAddress: userName + "@example.com",
	}
}

func named(name string) json.RawMessage { return json.RawMessage(`{"displayName":"` + name + `"}`) }

func filter(op string, value any, path ...string) *bridge.Predicate {
	return &bridge.Predicate{Op: op, Path: path, Value: value}
}

const (
	unknownID = "6fzw5vl3n2uk4gqj7xa2cdrt4m"
	slashedID = "../a b"
)

// answers are those of earlier steps, by name.
type answers map[string]any

// A way is how a step is expected to reach the account.
type way int

const (
	byHTTP  way = iota
	within      // the process
	reading     // within the process, and changing nothing
)

// A step is a request to a Directory. It may use what earlier steps have answered.
type step struct {
	name string
	way  way
	ask  asking
}

type asking func(ctx context.Context, d bridge.Directory, past answers) (any, error)

func steps() []step {
	person := func(past answers, name string) bridge.Person { return past[name].(bridge.Person) }
	group := func(past answers, name string) bridge.Group { return past[name].(bridge.Group) }
	find := func(q bridge.Query) asking {
		return func(ctx context.Context, d bridge.Directory, _ answers) (any, error) {
			return d.SearchPeople(ctx, q)
		}
	}
	create := func(in bridge.PersonInput) asking {
		return func(ctx context.Context, d bridge.Directory, _ answers) (any, error) {
			return d.CreatePerson(ctx, in)
		}
	}
	read := func(id string) asking {
		return func(ctx context.Context, d bridge.Directory, _ answers) (any, error) { return d.Person(ctx, id) }
	}
	replace := func(in bridge.PersonInput, ifMatch func(bridge.Person) string,
	) asking {
		return func(ctx context.Context, d bridge.Directory, past answers) (any, error) {
			p := person(past, "ann is created")
			return d.ReplacePerson(ctx, p.ID, in, ifMatch(p))
		}
	}
	anyVersion := func(bridge.Person) string { return "" }
	update := func(c func(past answers) bridge.GroupChange, ifMatch string, withMembers bool,
	) asking {
		return func(ctx context.Context, d bridge.Directory, past answers) (any, error) {
			return d.UpdateGroup(ctx, group(past, "a group is created").ID, c(past), ifMatch, withMembers)
		}
	}
	long := strings.Repeat("x", 100<<10)
	return []step{
		{"ann is created", within, create(attributes("ann"))},
		{"bob is created", within, create(attributes("bob"))},
		{"nobody is found in time", reading, find(bridge.Query{Limit: 10, Filter: filter("eq", "eve", "userName")})},
		{"a name that is taken", byHTTP, create(attributes("ann"))},
		{"a person without a name", byHTTP, create(bridge.PersonInput{Attributes: json.RawMessage(`{}`)})},
		{"a person that is too large", byHTTP, create(bridge.PersonInput{
			Attributes: json.RawMessage(`{"userName":"` + long + `"}`)})},
		{"ann is read", reading, func(ctx context.Context, d bridge.Directory, past answers) (any, error) {
			return d.Person(ctx, person(past, "ann is created").ID)
		}},
		{"a person who is not there", byHTTP, read(unknownID)},
		{"an id that is none", byHTTP, read(slashedID)},
		{"ann is replaced", within, replace(bridge.PersonInput{
			Attributes: json.RawMessage(`{"userName":"ann","title":"<b>"}`)}, anyVersion)},
		{"ann is replaced by the same", within, replace(bridge.PersonInput{
			Attributes: json.RawMessage(`{"title":"<b>","userName":"ann"}`)}, anyVersion)},
		{"ann is replaced by an old version", byHTTP, replace(attributes("ann"), func(p bridge.Person) string {
			return p.Version
		})},
		{"a group is created", within, func(ctx context.Context, d bridge.Directory, past answers) (any, error) {
			return d.CreateGroup(ctx, bridge.GroupInput{Attributes: named("all"), Members: []string{
				person(past, "ann is created").ID, unknownID,
			}})
		}},
		{"an empty group is created", within, func(ctx context.Context, d bridge.Directory, _ answers) (any, error) {
			return d.CreateGroup(ctx, bridge.GroupInput{Attributes: named("none")})
		}},
		{"a group's name that is taken", byHTTP, func(ctx context.Context, d bridge.Directory, _ answers) (any, error) {
			return d.CreateGroup(ctx, bridge.GroupInput{Attributes: named("none")})
		}},
		{"a member is added", within, update(func(past answers) bridge.GroupChange {
			return bridge.GroupChange{Add: []string{person(past, "bob is created").ID}}
		}, "", true)},
		{"a member is removed", within, update(func(past answers) bridge.GroupChange {
			return bridge.GroupChange{
				Remove: []string{person(past, "ann is created").ID}, Attributes: named("every <one>"),
			}
		}, "", false)},
		{"the members are replaced", within, update(func(past answers) bridge.GroupChange {
			return bridge.GroupChange{Replace: &[]string{person(past, "ann is created").ID, group(past,
				"an empty group is created").ID}}
		}, "*", true)},
		{"the members are replaced by unknown ones", byHTTP, update(func(answers) bridge.GroupChange {
			return bridge.GroupChange{Replace: &[]string{unknownID}}
		}, "", true)},
		{"an old version of the group", byHTTP, update(func(answers) bridge.GroupChange {
			return bridge.GroupChange{Replace: &[]string{}}
		}, `"77"`, true)},
		{"members beyond what is small", byHTTP, update(func(answers) bridge.GroupChange {
			return bridge.GroupChange{Add: slices.Repeat([]string{unknownID}, 5000)}
		}, "", false)},
		{"the group with members", reading, func(ctx context.Context, d bridge.Directory, past answers) (any, error) {
			return d.Group(ctx, group(past, "a group is created").ID, true)
		}},
		{"a group without members", reading, func(ctx context.Context, d bridge.Directory, past answers) (any, error) {
			return d.Group(ctx, group(past, "a group is created").ID, false)
		}},
		{"a group that is not there", byHTTP, func(ctx context.Context, d bridge.Directory, _ answers) (any, error) {
			return d.Group(ctx, unknownID, true)
		}},
		{"ann with groups", reading, func(ctx context.Context, d bridge.Directory, past answers) (any, error) {
			return d.Person(ctx, person(past, "ann is created").ID)
		}},
		{"everybody", reading, find(bridge.Query{Limit: 10})},
		{"a page by offset", reading, find(bridge.Query{Limit: 1, Offset: 1})},
		{"the first page", reading, find(bridge.Query{Limit: 1})},
		{"the second page", reading, func(ctx context.Context, d bridge.Directory, past answers) (any, error) {
			return d.SearchPeople(ctx, bridge.Query{Limit: 1, Offset: 5,
				Cursor: past["the first page"].(bridge.Page[bridge.Person]).Next})
		}},
		{"a count", reading, find(bridge.Query{})},
		{"sorted", reading, find(bridge.Query{Limit: 10, SortBy: []string{"userName"}, Descending: true})},
		{"by e-mail", reading, find(bridge.Query{Limit: 10, Filter: &bridge.Predicate{
			Op: "any", Path: []string{"emails"},
			Terms: []bridge.Predicate{{Op: "and", Terms: []bridge.Predicate{
				*filter("eq", "BOB@example.com", "value"), *filter("eq", "work", "type"),
			}}},
		}})},
		{"by a flag", reading, find(bridge.Query{Limit: 10, Filter: filter("eq", true, "active")})},
		{"by a number", byHTTP, find(bridge.Query{Limit: 10, Filter: filter("eq", json.Number("1"), "meta", "n")})},
		{"by what is no text", byHTTP, find(bridge.Query{Limit: 10, Filter: filter("eq", "a\xff", "userName")})},
		{"by a filter that is none", byHTTP, find(bridge.Query{Limit: 10, Filter: filter("nope", "a", "userName")})},
		{"by a cursor that is none", byHTTP, find(bridge.Query{Limit: 10, Cursor: "nope"})},
		{"too many", byHTTP, find(bridge.Query{Limit: 5000})},
		{"groups", reading, func(ctx context.Context, d bridge.Directory, _ answers) (any, error) {
			return d.SearchGroups(ctx, bridge.Query{Limit: 10, WithMembers: true})
		}},
		{"groups by name", reading, func(ctx context.Context, d bridge.Directory, _ answers) (any, error) {
			return d.SearchGroups(ctx, bridge.Query{Limit: 10, Filter: filter("sw", "EVERY", "displayName")})
		}},
		{"bob is deleted by an old version", byHTTP,
			func(ctx context.Context, d bridge.Directory, past answers) (any, error) {
				return nil, d.DeletePerson(ctx, person(past, "bob is created").ID, `"77"`)
			}},
		{"bob is deleted", within, func(ctx context.Context, d bridge.Directory, past answers) (any, error) {
			return nil, d.DeletePerson(ctx, person(past, "bob is created").ID, "")
		}},
		{"bob is deleted again", byHTTP, func(ctx context.Context, d bridge.Directory, past answers) (any, error) {
			return nil, d.DeletePerson(ctx, person(past, "bob is created").ID, "")
		}},
		{"the group is deleted", within, func(ctx context.Context, d bridge.Directory, past answers) (any, error) {
			return nil, d.DeleteGroup(ctx, group(past, "a group is created").ID, "")
		}},
	}
}

// What an identity provider, an administrator and a monitor see is the same by either way.
func TestBothWaysAnswerAndRecordAlike(t *testing.T) {
	t.Parallel()
	over, within := newWorld(t, hclog.Debug), newWorld(t, hclog.Debug)
	ids := []*names{newNames(), newNames()}
	pasts := []answers{{}, {}}
	for _, s := range steps() {
		var told [2]string
		for i, w := range []*world{over, within} {
			ctx, id := request(t)
			ids[i].byID[id] = "request " + s.name
			d := []bridge.Directory{w.connector, w.local}[i]
			before := w.sent.Load()
			answer, err := s.ask(ctx, d, pasts[i])
			pasts[i][s.name] = answer
			told[i] = ids[i].in(show(ordered(answer), err))
			if sent := w.sent.Load() - before; i == 1 && (sent > 0) != (s.way == byHTTP) {
				t.Errorf("%s: %d requests by HTTP, %v", s.name, sent, err)
			}
			if s.way != byHTTP && err != nil {
				t.Errorf("%s: %v", s.name, err)
			}
		}
		if told[0] != told[1] {
			t.Errorf("%s: by HTTP\n%s\nand within the process\n%s", s.name, told[0], told[1])
		}
	}
	for what, read := range map[string]func(*world) string{
		"audit log": (*world).audit, "metrics": (*world).counters, "access log": (*world).accessLog,
	} {
		a, b := ids[0].in(read(over)), ids[1].in(read(within))
		if a != b || len(a) < 500 {
			t.Errorf("the %s by HTTP\n%s\nand within the process\n%s", what, a, b)
		}
	}
}

// The two ways to one account answer byte by byte the same, times and empty lists included.
func TestBothWaysReadTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hclog.Info)
	past := answers{}
	for _, s := range steps() {
		ctx, _ := request(t)
		past[s.name], _ = s.ask(ctx, w.local, past)
		if s.name == "the members are replaced" {
			break
		}
	}
	for _, s := range steps() {
		if s.way != reading {
			continue
		}
		ctx, _ := request(t)
		a, err := s.ask(ctx, w.connector, past)
		if err != nil {
			t.Errorf("%s: %v", s.name, err)
		}
		b, err := s.ask(ctx, w.local, past)
		past[s.name] = b
		if !reflect.DeepEqual(a, b) || err != nil {
			t.Errorf("%s: by HTTP\n%#v\nand within the process\n%#v", s.name, a, b)
		}
	}
}

// ordered returns an answer with members in the order of their names: the account has them in that of their ids, which
// are random.
func ordered(answer any) any {
	order := func(g *bridge.Group) {
		slices.SortFunc(g.Members, func(a, b bridge.Reference) int { return strings.Compare(a.Display, b.Display) })
	}
	switch answer := answer.(type) {
	case bridge.Group:
		order(&answer)
		return answer
	case bridge.Page[bridge.Group]:
		for i := range answer.Items {
			order(&answer.Items[i])
		}
	}
	return answer
}

// show prints an answer, with nil and empty lists apart.
func show(answer any, err error) string {
	text := fmt.Sprintf("%#v", answer)
	text = regexp.MustCompile(`json.RawMessage\{[^}]*\}`).ReplaceAllStringFunc(text, func(list string) string {
		var raw []byte
		for _, b := range regexp.MustCompile(`0x[0-9a-f]+`).FindAllString(list, -1) {
			var n int
			_, _ = fmt.Sscanf(b, "0x%x", &n)
			raw = append(raw, byte(n))
		}
		var document any // the way by HTTP escapes more
		if json.Unmarshal(raw, &document) != nil {
			return list
		}
		plain, _ := json.Marshal(document)
		return string(plain)
	})
	text = regexp.MustCompile(`time\.Date\([^)]*\)`).ReplaceAllString(text, "time")
	text = regexp.MustCompile(`Next:"[^"]+"`).ReplaceAllString(text, `Next:"cursor"`) // it holds an id
	if refused, ok := errors.AsType[*bridge.Error](err); ok {
		return text + fmt.Sprintf(" %#v", *refused)
	}
	return fmt.Sprint(text, " ", err)
}

// names replaces ids by the order of their appearance.
type names struct{ byID map[string]string }

func newNames() *names { return &names{map[string]string{}} }

var someID = regexp.MustCompile(`\b[a-z2-7]{26}\b|\b[A-Z2-7]{26}\b`)

func (n *names) in(text string) string {
	return someID.ReplaceAllStringFunc(text, func(id string) string {
		if n.byID[id] == "" {
			n.byID[id] = fmt.Sprintf("id-%d", len(n.byID))
		}
		return n.byID[id]
	})
}

// audit returns the audit log without times and numbers.
func (w *world) audit() string {
	limit := 500
	page, err := apitest.Read[api.AuditEventPage](w.admin.ListAuditEvents(w.t.Context(),
		&api.ListAuditEventsParams{Limit: &limit}))
	if err != nil || page.Value == nil {
		w.t.Fatalf("reading the audit log: %v %s", err, page.Body)
	}
	text := ""
	for _, e := range slices.Backward(page.Value.Items) {
		e.Id, e.Time = "", time.Time{}
		line, err := json.Marshal(e)
		if err != nil {
			w.t.Fatal(err)
		}
		text += string(line) + "\n"
	}
	return text
}

// counters returns how many requests about people and groups the account and the bridge have counted.
func (w *world) counters() string {
	var counts []string
	for _, handler := range w.metrics {
		r := httptest.NewRequestWithContext(w.t.Context(), http.MethodGet, "/metrics", http.NoBody)
		r.Header.Set("Authorization", "Bearer "+w.token)
		out := httptest.NewRecorder()
		handler.ServeHTTP(out, r)
		for line := range strings.Lines(out.Body.String()) {
			isCount := strings.Contains(line, "requests_total{") || strings.Contains(line, "duration_seconds_count{")
			if isCount && strings.Contains(line, "directory") {
				counts = append(counts, line)
			}
		}
	}
	slices.Sort(counts)
	return strings.Join(counts, "")
}

// accessLog returns the lines of the account's requests about people and groups, without what differs each time.
func (w *world) accessLog() string {
	text := ""
	for line := range strings.Lines(w.log.String()) {
		_, fields, found := strings.Cut(line, "request: ")
		if found && strings.Contains(fields, "/v1/directory/") {
			text += regexp.MustCompile(`(bytes|duration|request_id)=\S+ ?`).ReplaceAllString(fields, "")
		}
	}
	return text
}

// A refusal is recorded once, and a firewall rule is in force for the next request.
func TestARefusalIsRecordedOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hclog.Info)
	ctx, _ := request(t)
	if _, err := w.local.CreatePerson(ctx, attributes("ann")); err != nil || w.sent.Load() != 0 {
		t.Fatalf("before: %v, %d requests by HTTP", err, w.sent.Load())
	}
	deny, yes, ranges := api.Deny, true, []string{"127.0.0.1"}
	rule, err := apitest.Read[api.FirewallRule](w.admin.CreateFirewallRule(t.Context(),
		&api.CreateFirewallRuleParams{AllowLockout: &yes}, api.FirewallRuleInput{Action: &deny, IpRanges: &ranges}))
	if err != nil || rule.Value == nil {
		t.Fatalf("making the rule: %v %s", err, rule.Body)
	}
	_, err = w.local.SearchPeople(ctx, bridge.Query{Limit: 1})
	if away, ok := errors.AsType[*bridge.UnavailableError](err); !ok ||
		!strings.Contains(away.Detail, "firewall blocks the bridge") {
		t.Errorf("the next request after the rule: %v", err)
	}
	w.await(account.Refused)
	w.awaitThat("each refusal is recorded once", func() bool { // the connector goes on trying
		before, recorded := w.refused.Load(), 0
		list, err := apitest.Read[api.SignInAttemptPage](w.admin.ListSignInAttempts(t.Context(), nil))
		if err != nil || list.Value == nil {
			t.Fatalf("reading the attempts: %v %s", err, list.Body)
		}
		for _, a := range list.Value.Items {
			if a.Result == "firewall_blocked" {
				recorded += a.Count
			}
		}
		return before > 0 && w.refused.Load() == before && recorded == int(before)
	})

	id := rule.Value.Id
	if _, err := apitest.Read[api.FirewallRule](w.admin.DeleteFirewallRule(t.Context(), id, nil)); err != nil {
		t.Fatal(err)
	}
	w.await(account.SignedIn)
	before := w.sent.Load()
	if _, err := w.local.SearchPeople(ctx, bridge.Query{Limit: 1}); err != nil || w.sent.Load() != before {
		t.Errorf("after the rule: %v, %d requests by HTTP", err, w.sent.Load()-before)
	}
}

// The account ends sessions, by a deactivation for instance: the bridge is not served by one that is over.
func TestAnEndedSessionIsNotServed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hclog.Info)
	ctx, _ := request(t)
	if err := w.model.DeactivateProvisioning(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := w.local.CreatePerson(ctx, attributes("ann")); !errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("after the deactivation: %v", err)
	}
	w.await(account.Refused)
	w.connector.ClearCredentials()
	if _, err := w.local.SearchPeople(ctx, bridge.Query{}); !errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("while the bridge is sealed: %v", err)
	}
}

// Whether the write of a request that was given up has had its effect is not known: it is not sent again.
func TestARequestThatWasGivenUpIsNotSentAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hclog.Info)
	ctx, _ := request(t)
	ctx, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := w.local.CreatePerson(ctx, attributes("ann")); !errors.Is(err, bridge.ErrUnavailable) {
		t.Errorf("given up: %v", err)
	}
	if n := w.sent.Load(); n != 0 {
		t.Errorf("%d requests were sent by HTTP", n)
	}
}

// Acknowledged writes are read by either way, whoever made them.
func TestManyRequestsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, hclog.Info)
	ctx, _ := request(t)
	g, err := w.local.CreateGroup(ctx, bridge.GroupInput{Attributes: named("all")})
	if err != nil {
		t.Fatal(err)
	}
	var working sync.WaitGroup
	for i := range 8 {
		working.Go(func() {
			ways := []bridge.Directory{w.local, w.connector}
			for n := range 10 {
				write, read := ways[(i+n)%2], ways[(i+n+1)%2]
				p, err := write.CreatePerson(ctx, attributes(fmt.Sprintf("p%d-%d", i, n)))
				if err != nil {
					t.Error(err)
					return
				}
				joins := bridge.GroupChange{Add: []string{p.ID}}
				if _, err := write.UpdateGroup(ctx, g.ID, joins, "", false); err != nil {
					t.Error(err)
				}
				if got, err := read.Person(ctx, p.ID); err != nil || len(got.Groups) != 1 {
					t.Errorf("the other way reads %+v, %v", got, err)
				}
			}
		})
	}
	working.Wait()
	if got, err := w.local.Group(ctx, g.ID, true); err != nil || len(got.Members) != 80 {
		t.Errorf("the group has %d members, %v", len(got.Members), err)
	}
}

// BenchmarkQuestions is what a question costs by either way.
func BenchmarkQuestions(b *testing.B) {
	w := newWorld(b, hclog.Info)
	ctx, _ := request(b)
	p, err := w.local.CreatePerson(ctx, attributes("ann"))
	if err != nil {
		b.Fatal(err)
	}
	find := bridge.Query{Limit: 100, Filter: filter("eq", "ann", "userName")}
	for _, row := range []struct {
		name string
		ask  func(bridge.Directory) error
	}{
		{"a person by id", func(d bridge.Directory) error { _, err := d.Person(ctx, p.ID); return err }},
		{"by userName", func(d bridge.Directory) error { _, err := d.SearchPeople(ctx, find); return err }},
	} {
		for way, d := range map[string]bridge.Directory{"HTTP": w.connector, "local": w.local} {
			b.Run(row.name+" "+way, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if err := row.ask(d); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
