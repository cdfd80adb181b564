package main

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// A witness passes requests on to a bridge, and remembers which.
type witness struct {
	*httptest.Server
	mu   sync.Mutex
	seen []string
}

func newWitness(t *testing.T, target string) *witness {
	t.Helper()
	to, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	w := &witness{}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	w.Server = httptest.NewServer(http.HandlerFunc(func(out http.ResponseWriter, r *http.Request) {
		w.mu.Lock()
		w.seen = append(w.seen, r.Method+" "+r.URL.Path)
		w.mu.Unlock()
		proxy.ServeHTTP(out, r)
	}))
	t.Cleanup(w.Close)
	return w
}

// onlyReads fails the test if a request may have changed something.
func (w *witness) onlyReads(t *testing.T) {
	t.Helper()
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(w.seen) == 0 {
		t.Error("nothing was asked")
	}
	for _, request := range w.seen {
		if !strings.HasPrefix(request, "GET ") && !strings.HasSuffix(request, "/.search") &&
			request != "POST /preview" {
			t.Errorf("a dry run sent %s", request)
		}
	}
}

// state is all that an administrator sees of people.
func (r *realAccount) state() (members []api.Member, audited []api.AuditEvent) {
	r.t.Helper()
	all, err := apitest.Read[api.MemberPage](r.admin.ListMembers(r.t.Context(),
		&api.ListMembersParams{Limit: new(1000)}))
	if err != nil || all.Value == nil {
		r.t.Fatalf("%v %s", err, all.Body)
	}
	events, err := apitest.Read[api.AuditEventPage](r.admin.ListAuditEvents(r.t.Context(),
		&api.ListAuditEventsParams{Limit: new(1000)}))
	if err != nil || events.Value == nil {
		r.t.Fatalf("%v %s", err, events.Body)
	}
	return all.Value.Items, slices.DeleteFunc(events.Value.Items, func(e api.AuditEvent) bool {
		return strings.HasPrefix(e.Action, "session.") // the bridge may sign in meanwhile
	})
}

func tokenFile(t *testing.T, p pair) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(path, []byte(p.token.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// dryRun plans a first synchronisation by the command.
func dryRun(t *testing.T, address, token string, args ...string) (p simulate.Plan) {
	t.Helper()
	text := output(t, append([]string{
		"simulate", "--dry-run", "--json", "--url", address, "--token-file", token,
	}, args...)...)
	if err := json.Unmarshal([]byte(text), &p); err != nil {
		t.Fatalf("%v: %s", err, text)
	}
	return p
}

// What is foreseen comes true, and looking changes nothing.
func TestADryRunForeseesAFirstSynchronisation(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	dir := folder(t, pair.sealed)
	b := serve(t, dir)
	token := pair.token.Reveal()
	send := func(method, path, body string) reply { t.Helper(); return ask(t, method, b.url(path), token, body) }

	account.inviteByHand("hand@example.com", api.RoleMember)
	account.inviteByHand("owner@example.com", api.RoleOwner)
	suspended, _ := create(t, b, pair, "suspended@example.com")
	send(http.MethodPatch, "/Users/"+suspended, `{"Operations":[{"op":"replace","path":"active","value":false}]}`)
	leaver, _ := create(t, b, pair, "leaver@example.com")
	stays, _ := create(t, b, pair, "stays@example.com")
	deleted, _ := create(t, b, pair, "deleted@example.com")
	send(http.MethodDelete, "/Users/"+deleted, "")
	create(t, b, pair, "besides@example.com")
	send(http.MethodPost, "/Users", `{"userName":"holder","emails":[{"value":"taken@example.com","primary":true}]}`)
	made := send(http.MethodPost, "/Groups",
		`{"displayName":"R&D","members":[{"value":"`+leaver+`"},{"value":"`+stays+`"}]}`)
	if made.status != http.StatusCreated {
		t.Fatalf("%d %s", made.status, made.body)
	}

	list := filepath.Join(t.TempDir(), "people.csv")
	if err := os.WriteFile(list, []byte("\ufeff\"userName\",active,groups,email\n"+
		"new@example.com,true,R&D;Staff,\nHAND@example.com,,,\nowner@example.com,,Staff,\n"+
		"suspended@example.com,true,,\nleaver@example.com,false,R&D,\nstays@example.com,TRUE,R&D,\n"+
		"deleted@example.com,,,\ntaken@example.com,,,\n"+
		"idle@example.com,false,,\nnobody,,,\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	want := map[string]simulate.Action{
		"new@example.com": simulate.Invite, "HAND@example.com": simulate.Adopt, "owner@example.com": simulate.Refuse,
		"suspended@example.com": simulate.Reactivate, "leaver@example.com": simulate.Suspend,
		"stays@example.com": simulate.Keep, "deleted@example.com": simulate.Adopt, "taken@example.com": simulate.Store,
		"idle@example.com": simulate.Store, "nobody": simulate.Store,
	}
	members, audited := account.state()
	file := tokenFile(t, pair)
	for _, idp := range []string{"okta", "keycloak"} {
		w := newWitness(t, b.url(""))
		p := dryRun(t, w.URL, file, "--idp", idp, "--people-file", list)
		for _, one := range p.People {
			explains := one.Action != simulate.Invite && one.Action != simulate.Keep
			if one.Action != want[one.UserName] || (one.Why != "") != explains {
				t.Errorf("%s: %s would be %q (%s), want %q", idp, one.UserName, one.Action, one.Why, want[one.UserName])
			}
		}
		if len(p.People) != len(want) || p.Untouched != 2 {
			t.Errorf("%s: %d people are planned, and %d are not touched", idp, len(p.People), p.Untouched)
		}
		groups := []simulate.PlannedGroup{
			{Name: "R&D", Action: simulate.Change, Joining: 1, Leaving: 1},
			{Name: "Staff", Action: simulate.Create, Joining: 1},
		}
		if len(p.Groups) == 2 {
			p.Groups[1].Why = ""
		}
		if !reflect.DeepEqual(p.Groups, groups) {
			t.Errorf("%s: the groups are %+v, want %+v", idp, p.Groups, groups)
		}
		w.onlyReads(t)
	}
	if after, events := account.state(); !reflect.DeepEqual(after, members) || !reflect.DeepEqual(events, audited) {
		t.Errorf("the dry runs changed the account")
	}
	if kept := output(t, "journal", "--json", "--kind", "previewed", dir); !strings.Contains(kept, `"count":`) ||
		strings.Contains(kept, "@example.com") {
		t.Errorf("that somebody asked is recorded as %s", kept)
	}
	text := output(t, "simulate", "--dry-run", "--idp", "okta", "--url", b.url(""), "--token-file", file,
		"--people-file", list)
	for _, one := range []string{"of 10 people and 2 groups: 1 to refuse", "Nothing was changed.",
		"owner@example.com  ", "Provisioned besides: 2", "Not known:"} {
		if !strings.Contains(text, one) {
			t.Errorf("%q is missing in\n%s", one, text)
		}
	}

	// Now for real.
	for name, action := range want {
		got := send(http.MethodPost, "/Users", `{"userName":"`+name+`","active":`+
			map[bool]string{true: "false", false: "true"}[name == "idle@example.com"]+`}`)
		var status int
		switch action {
		case simulate.Invite, simulate.Adopt, simulate.Store:
			status = http.StatusCreated
		default:
			status = http.StatusConflict
		}
		if got.status != status {
			t.Errorf("creating %s, which would %s: %d %s", name, action, got.status, got.body)
			continue
		}
		members, err := apitest.Read[api.MemberPage](account.admin.ListMembers(t.Context(),
			&api.ListMembersParams{Address: new(strings.ToLower(name))}))
		if err != nil || members.Value == nil {
			t.Fatalf("%v %s", err, members.Body)
		}
		isMember := len(members.Value.Items) == 1 && members.Value.Items[0].UserName != nil &&
			strings.EqualFold(*members.Value.Items[0].UserName, name)
		invited := action == simulate.Invite || action == simulate.Adopt
		if status == http.StatusCreated && isMember != invited {
			t.Errorf("%s would %s, and is a member: %v", name, action, isMember)
		}
	}
}

// A bridge on which an operator has looked has not seen the identity provider, or nobody would notice that it does not
// come. And like the identity provider, a dry run waits for a bridge that has no time.
func TestADryRunIsNotTheIdentityProvider(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed)
	b := serve(t, dir)
	to, err := url.Parse(b.url(""))
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	var asked atomic.Int32
	busy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/preview" {
			switch asked.Add(1) {
			case 1:
				w.Header().Set("Retry-After", "1")
				w.WriteHeader(http.StatusTooManyRequests)
				return
			case 2:
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(busy.Close)
	for _, idp := range simulate.IdPs() {
		p := dryRun(t, busy.URL, tokenFile(t, pair), "--idp", idp, "--people", "2", "--domain", idp+".example.com")
		if p.Count(simulate.Invite) != 2 || asked.Load() < 3 {
			t.Errorf("%s: the plan is %s, after %d questions", idp, p.Summary(), asked.Load())
		}
	}
	token := pair.token.Reveal()
	lastRequest := func() string {
		t.Helper()
		text := ask(t, http.MethodGet, b.url("/metrics"), token, "").body
		_, after, found := strings.Cut(text, "\nscimbridge_last_request_timestamp_seconds{token=\"current\"} ")
		if !found {
			t.Fatal(text)
		}
		value, _, _ := strings.Cut(after, "\n")
		return value
	}
	if value := lastRequest(); value != "0" {
		t.Errorf("the identity provider came last at %s", value)
	}
	cookie, _ := b.signIn(token)
	if page := ask(t, http.MethodGet, b.url("/app"), "", "", "Cookie", cookie).body; !strings.Contains(page,
		"It has not come yet.") {
		t.Errorf("the page shows the identity provider:\n%s", page)
	}
	// Whatever it says of itself, what writes is the identity provider's.
	ask(t, http.MethodPost, b.url("/Users"), token, person("ann@example.com"), "X-Scimbridge-Look", "1")
	if lastRequest() == "0" {
		t.Error("a write is no sign of the identity provider")
	}
}

// The company that simulate generates: before and after it is there.
func TestADryRunOfTheGeneratedCompany(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	account.limit("off")
	b := serve(t, folder(t, pair.sealed))
	file := tokenFile(t, pair)
	for _, idp := range simulate.IdPs() {
		args := []string{"--idp", idp, "--people", "21", "--domain", idp + ".example.com"}
		if idp != "google" {
			args = append(args, "--groups", "2")
		}
		w := newWitness(t, b.url(""))
		p := dryRun(t, w.URL+"/scim/v2", file, args...)
		w.onlyReads(t)
		if p.Count(simulate.Invite) != 21 || len(p.Attention()) != 0 || idp != "google" && len(p.Groups) != 2 {
			t.Errorf("%s: before, the plan is %s: %+v", idp, p.Summary(), p.Groups)
		}
		if idp != "okta" && idp != "keycloak" {
			continue
		}
		output(t, append([]string{"simulate", "--keep", "--url", b.url(""), "--token-file", file}, args...)...)
		p = dryRun(t, b.url(""), file, args...)
		if p.Count(simulate.Invite) != 0 || p.Count(simulate.Keep)+p.Count(simulate.Update) != 21 {
			t.Errorf("%s: afterwards, the plan is %s", idp, p.Summary())
		}
		for _, g := range p.Groups {
			if g.Action == simulate.Create || g.Leaving > 0 {
				t.Errorf("%s: afterwards, the group is %+v", idp, g)
			}
		}
	}
}

// A server that is no bridge of this version has SCIM alone.
func TestADryRunWithoutAPreviewSaysSo(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	b := serve(t, folder(t, pair.sealed))
	to, err := url.Parse(b.url(""))
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) }}
	older := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/preview" {
			http.NotFound(w, r)
			return
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(older.Close)
	p := dryRun(t, older.URL, tokenFile(t, pair), "--idp", "entra", "--people", "3")
	if p.Count(simulate.Create) != 3 || !strings.Contains(strings.Join(p.Unknown, " "), "does not tell") {
		t.Errorf("the plan is %+v", p)
	}
}

func TestADryRunRefusesWhatItCannotDo(t *testing.T) {
	t.Parallel()
	token, _ := newPair(t)
	dir := t.TempDir()
	write := func(name, text string) string {
		t.Helper()
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	file := write("token", token)
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"no people", []string{"--dry-run"}, "needs --people or --people-file"},
		{"both", []string{"--dry-run", "--people", "3", "--people-file", "x"}, "needs --people or --people-file"},
		{"a list without a dry run", []string{"--people-file", "x"}, "--people-file needs --dry-run"},
		{"all providers", []string{"--dry-run", "--people", "3", "--idp", "all"}, "name it with --idp"},
		{"people that stay", []string{"--dry-run", "--people", "3", "--keep"}, "leave --keep out"},
		{"a report", []string{"--dry-run", "--people", "3", "--report-junit", "x.xml"}, "--report-junit needs a run"},
		{"leavers", []string{"--dry-run", "--people", "3", "--switch-off"}, "leave --switch-off out"},
		{"no list", []string{"--dry-run", "--people-file", filepath.Join(dir, "none")}, "cannot be read"},
		{"an empty list", []string{"--dry-run", "--people-file", write("empty", "")}, "no first line"},
		{"a list of nobody", []string{"--dry-run", "--people-file", write("nobody", "userName\n")}, "has no people"},
		{"a list without names", []string{"--dry-run", "--people-file", write("names", "active\ntrue\n")},
			"no column userName"},
		{"an unknown column", []string{"--dry-run", "--people-file", write("column", "userName,mail\n")},
			`no column "mail"`},
		{"a person without a name", []string{"--dry-run", "--people-file", write("blank", "userName,active\n ,true\n")},
			"line 2"},
		{"a person half active", []string{"--dry-run", "--people-file", write("half", "userName,active\na,maybe\n")},
			"line 2"},
		{"a row that is too long", []string{"--dry-run", "--people-file", write("long", "userName\na,b\n")}, "line 2"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "scim-bridge", append([]string{
				"simulate", "--idp", "okta", "--url", "http://127.0.0.1:1", "--token-file", file,
			}, row.args...)...)
			out, err := cmd.CombinedOutput()
			if err == nil || cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(out), row.want) {
				t.Errorf("exit %d, want %d with %q:\n%s", cmd.ProcessState.ExitCode(), exitUsage, row.want, out)
			}
		})
	}
}

// People whose userName is not their address are foreseen by the address that the provider sends, and none is adopted
// twice.
func TestADryRunForeseesPeopleByTheirAddresses(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	b := serve(t, folder(t, pair.sealed))
	send := func(method, path, body string) reply {
		t.Helper()
		return ask(t, method, b.url(path), pair.token.Reveal(), body)
	}
	account.inviteByHand("ann@example.com", api.RoleMember)
	moved, _ := create(t, b, pair, "old@example.com")
	account.accept("old@example.com")
	send(http.MethodPatch, "/Users/"+moved,
		`{"Operations":[{"op":"replace","path":"userName","value":"new@example.com"}]}`)
	send(http.MethodDelete, "/Users/"+moved, "")
	list := filepath.Join(t.TempDir(), "people.csv")
	plan := func(text string) map[string]simulate.Action {
		t.Helper()
		if err := os.WriteFile(list, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		actions := map[string]simulate.Action{}
		for _, one := range dryRun(t, b.url(""), tokenFile(t, pair), "--idp", "okta", "--people-file", list).People {
			actions[one.UserName] = one.Action
		}
		return actions
	}
	if got := plan("userName\nann\n")["ann"]; got != simulate.Create {
		t.Errorf("without an address, ann would be %q, which is not known", got)
	}
	want := map[string]simulate.Action{
		"ann": simulate.Adopt, "new@example.com": simulate.Adopt, "old@example.com": simulate.Store,
	}
	got := plan("\ufeff\"userName\";\"email\"\r\nann;ann@example.com\r\nnew@example.com;\r\nold@example.com;\r\n")
	if !maps.Equal(got, want) {
		t.Errorf("planned is %v, want %v", got, want)
	}

	// Now for real.
	for _, one := range []struct {
		body, address string // which is the person's then
	}{
		{`{"userName":"ann","emails":[{"value":"ann@example.com","primary":true}]}`, "ann@example.com"},
		{`{"userName":"new@example.com"}`, "old@example.com"},
		{`{"userName":"old@example.com"}`, ""},
	} {
		var p struct{ ID string }
		made := send(http.MethodPost, "/Users", one.body)
		if err := json.Unmarshal([]byte(made.body), &p); err != nil || made.status != http.StatusCreated {
			t.Fatalf("%s: %d %s", one.body, made.status, made.body)
		}
		e := explainedOne(t, p.ID, "--url", b.url(""), "--token-file", tokenFile(t, pair))
		if e.Address != one.address {
			t.Errorf("%s has the address %q, want %q", one.body, e.Address, one.address)
		}
	}
}
