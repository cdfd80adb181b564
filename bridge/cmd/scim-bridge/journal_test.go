package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// events are those of the journal in a data folder, oldest first, as the command prints them.
func events(t *testing.T, dir string, args ...string) (all []journal.Event) {
	t.Helper()
	text := output(t, slices.Concat([]string{"journal", "--json", "--limit=10000"}, args, []string{dir})...)
	for line := range strings.Lines(text) {
		var e journal.Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		all = append(all, e)
	}
	return all
}

func kindsOf(all []journal.Event) (kinds []journal.Kind) {
	for _, e := range all {
		kinds = append(kinds, e.Kind)
	}
	return kinds
}

// filesBelow reads the files of the journal or the kept log.
func filesBelow(t *testing.T, dir, folder string) (text string) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, folder, "*.*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		content, err := os.ReadFile(path)
		if err != nil && !errors.Is(err, os.ErrNotExist) { // removed meanwhile
			t.Fatal(err)
		}
		text += string(content)
	}
	return text
}

// create makes a person and returns its id and the id of the request.
func create(t *testing.T, b *process, p pair, address string) (id, request string) {
	t.Helper()
	got := ask(t, http.MethodPost, b.url("/Users"), p.token.Reveal(), person(address))
	var made struct{ ID string }
	if err := json.Unmarshal([]byte(got.body), &made); err != nil || got.status != http.StatusCreated {
		t.Fatalf("creating %s: %d %s", address, got.status, got.body)
	}
	return made.ID, got.header.Get("X-Request-Id")
}

// createAt makes a person, in any goroutine, and returns the request's id.
func createAt(ctx context.Context, url string, p pair, address string) (request string, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, strings.NewReader(person(address)))
	if err != nil {
		return "", err
	}
	req.Header.Set("Authorization", "Bearer "+p.token.Reveal())
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusCreated {
		err = fmt.Errorf("creating %s: %s %s", address, resp.Status, text)
	}
	return resp.Header.Get("X-Request-Id"), err
}

// A bridge that was killed at night is asked in the morning.
func TestJournalAndLogOutliveAKill(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed)
	first := serve(t, dir)
	id, request := create(t, first, pair, "ann@example.com")
	await(t, "the journal and the log to be written", func() bool {
		return strings.Contains(filesBelow(t, dir, "journal"), request) &&
			strings.Contains(filesBelow(t, dir, "log"), request)
	})
	first.kill()

	check := func(when string) {
		t.Helper()
		all := events(t, dir, "--person", id)
		if len(all) != 1 || all[0].Kind != journal.PersonCreated || all[0].Request != request || all[0].Status != 201 ||
			all[0].State != "invited" || all[0].Active == nil || !*all[0].Active || all[0].Token != "current" {
			t.Errorf("%s: %+v", when, all)
		}
		if byName := events(t, dir, "--person", "ANN@example.com"); !slices.EqualFunc(byName, all,
			func(a, b journal.Event) bool { return a.Time.Equal(b.Time) }) {
			t.Errorf("%s, by the address: %+v", when, byName)
		}
	}
	check("while no bridge runs")
	second := serve(t, dir)
	check("after the restart")
	if n := len(events(t, dir, "--kind", "started")); n != 2 {
		t.Errorf("%d starts are recorded", n)
	}
	if log := downloadLog(t, second, pair.token); !strings.Contains(log, "request_id="+request) {
		t.Errorf("the download lacks what the killed process said:\n%s", log)
	}
	// Nothing but the killed process's end is missing.
	second.terminate()
	kinds := slices.DeleteFunc(kindsOf(events(t, dir)), func(k journal.Kind) bool {
		return k == journal.ProblemBegan || k == journal.ProblemEnded // sealed, if it took longer
	})
	// The bridge signs in to the account while the operator signs in to the page with the same token.
	if i := slices.Index(kinds, journal.PageSignedIn); i >= 0 && i+1 < len(kinds) && kinds[i+1] == journal.SignedIn {
		kinds[i], kinds[i+1] = kinds[i+1], kinds[i]
	}
	if want := []journal.Kind{
		journal.Started, journal.Unsealed, journal.SignedIn, journal.PersonCreated,
		journal.Started, journal.Unsealed, journal.SignedIn, journal.PageSignedIn, journal.Stopped,
	}; !slices.Equal(kinds, want) {
		t.Errorf("recorded is %v, want %v", kinds, want)
	}
}

// Both processes of a redeploy write, and nothing that either records is lost or twice.
func TestJournalOfARedeploy(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed)
	first := serve(t, dir)
	create(t, first, pair, "first@example.com")
	first.awaitState(control.Ready)
	url := first.url("/Users")

	var mu sync.Mutex
	var requests []string
	writing, stop := context.WithCancel(t.Context())
	var writers sync.WaitGroup
	for w := range 3 {
		writers.Go(func() {
			for i := 0; writing.Err() == nil; i++ {
				id, err := createAt(t.Context(), url, pair, fmt.Sprintf("w%d-%d@example.com", w, i))
				if err != nil {
					t.Error(err)
					return
				}
				mu.Lock()
				requests = append(requests, id)
				mu.Unlock()
			}
		})
	}
	count := func() int {
		mu.Lock()
		defer mu.Unlock()
		return len(requests)
	}
	second := serve(t, dir, "--take-over")
	if _, err := second.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	second.awaitState(control.Ready)
	await(t, "writes by the old one", func() bool { return count() > 5 })
	if err := second.control().TakeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	served := count()
	await(t, "writes by the new one", func() bool { return count() > served+5 })
	stop()
	writers.Wait()
	first.awaitEnd("stopped")

	all := events(t, dir)
	found := map[string]int{}
	for _, e := range all {
		found[e.Request]++
	}
	for _, id := range requests {
		if found[id] != 1 {
			t.Errorf("the request %s is there %d times", id, found[id])
		}
	}
	pids := map[journal.Kind][]int{}
	for _, e := range all {
		if e.PID != 0 {
			pids[e.Kind] = append(pids[e.Kind], e.PID)
		}
	}
	one, two := first.cmd.Process.Pid, second.cmd.Process.Pid
	for kind, want := range map[journal.Kind][]int{
		journal.Started: {one, two}, journal.HandedOver: {one}, journal.TookOver: {two}, journal.Stopped: {one},
	} {
		if !slices.Equal(pids[kind], want) {
			t.Errorf("%s is recorded of the processes %v, want %v", kind, pids[kind], want)
		}
	}
	if log := downloadLog(t, second, pair.token); !strings.Contains(log, "handed over to a newer bridge") {
		t.Error("the download lacks the old process's last words")
	}
	if !slices.IsSortedFunc(all, func(a, b journal.Event) int { return a.Time.Compare(b.Time) }) {
		t.Error("the events of both are not in the order of their times")
	}
}

// Every identity provider's traffic leaves no name, no address and no secret.
func TestTheJournalHasNoNamesAndNoSecrets(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	account.limit("off")
	dir := folder(t, pair.sealed)
	b := serve(t, dir)
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(pair.token.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, idp := range []string{"entra", "okta", "jumpcloud"} {
		args := []string{"simulate", "--idp", idp, "--url", b.url(""), "--token-file", token, "--people", "12",
			"--groups", "2", "--domain", idp + ".example.com", "--keep"}
		if out, err := exec.CommandContext(t.Context(), "scim-bridge", args...).CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	ask(t, http.MethodGet, b.url("/Users/eve@secret.example.com"), pair.token.Reveal(), "")
	ask(t, http.MethodPut, b.url("/Users/eve@secret.example.com"), pair.token.Reveal(),
		person("mallory@secret.example.com"))
	ask(t, http.MethodPatch, b.url("/Groups/Secret%20Group"), pair.token.Reveal(), `{"Operations":[{"op":"add",`+
		`"path":"members","value":[{"value":"eve@secret.example.com"}]}]}`, "User-Agent", "carol@secret.example.com")
	b.signIn(pair.token.Reveal())

	names := []string{"secret.example.com", "Secret"}
	yes, all := true, 1000
	members, err := apitest.Read[api.MemberPage](account.admin.ListMembers(t.Context(),
		&api.ListMembersParams{Managed: &yes, Limit: &all}))
	if err != nil || members.Value == nil || len(members.Value.Items) < 30 {
		t.Fatalf("listing members: %v %s", err, members.Body)
	}
	for kind, attributes := range map[string][]string{
		"Users": {"userName", "displayName", "name", "emails", "externalId", "title"}, "Groups": {"displayName"},
	} {
		var list struct{ Resources []map[string]any }
		got := ask(t, http.MethodGet, b.url("/"+kind+"?count=1000"), pair.token.Reveal(), "")
		if err := json.Unmarshal([]byte(got.body), &list); err != nil || len(list.Resources) == 0 {
			t.Fatalf("listing %s: %v %s", kind, err, got.body)
		}
		for _, r := range list.Resources {
			for _, attribute := range attributes {
				names = append(names, textsIn(r[attribute])...)
			}
		}
	}
	b.terminate()
	text := filesBelow(t, dir, "journal")
	if !strings.Contains(text, `"person_created"`) || !strings.Contains(text, `"group_updated"`) ||
		!strings.Contains(text, `"person_read"`) || !strings.Contains(text, `"traffic"`) {
		t.Fatalf("the journal has\n%s", text)
	}
	if len(names) < 150 {
		t.Fatalf("there are %d names: the test would prove nothing", len(names))
	}
	for _, name := range names {
		if strings.Contains(strings.ToLower(text), strings.ToLower(name)) {
			t.Errorf("the journal has %q", name)
		}
	}
	tellsNothing(t, text, pair)
	tellsNothing(t, filesBelow(t, dir, "log"), pair)
	for _, fingerprint := range []string{"127.0.0.1", "example.com", "@"} {
		if strings.Contains(text, fingerprint) {
			t.Errorf("the journal has %q", fingerprint)
		}
	}
}

// textsIn are the texts in a value that are long enough not to be there by chance.
func textsIn(value any) (texts []string) {
	switch v := value.(type) {
	case string:
		if len(v) > 4 && !slices.Contains([]string{"other", "active"}, v) {
			texts = append(texts, v)
		}
	case []any:
		for _, element := range v {
			texts = append(texts, textsIn(element)...)
		}
	case map[string]any:
		for _, member := range v {
			texts = append(texts, textsIn(member)...)
		}
	}
	return texts
}

// Whoever has no secret writes nothing into the journal but that the token is rejected, once.
func TestStrangersWriteNothingIntoTheJournal(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed)
	b := serve(t, dir)
	create(t, b, pair, "ann@example.com")
	b.awaitState(control.Ready)
	wrong, _ := newPair(t)
	for range 50 {
		for _, token := range []string{"", "x", wrong} {
			ask(t, http.MethodPost, b.url("/Users"), token, person("eve@example.com"))
			ask(t, http.MethodDelete, b.url("/Users/"+strings.Repeat("a", 26)), token, "")
			ask(t, http.MethodGet, b.url("/scim/v2/Groups"), token, "")
		}
		b.signIn(wrong)
		ask(t, http.MethodPost, b.url("/app/sign-out"), "", "", "Cookie", "scim-bridge=AAAA")
	}
	b.awaitProblem("token_rejected")
	b.terminate()
	for _, e := range events(t, dir) {
		switch e.Kind {
		case journal.Started, journal.Unsealed, journal.SignedIn, journal.PersonCreated, journal.Stopped:
		case journal.ProblemBegan, journal.ProblemEnded: // sealed, token_rejected
		default:
			t.Errorf("strangers left %+v", e)
		}
	}
	if all := events(t, dir); len(all) > 10 {
		t.Errorf("there are %d events: %v", len(all), kindsOf(all))
	}
	for _, e := range events(t, dir, "--kind", "traffic") {
		if e.Requests.Reads+e.Requests.Writes != 1 {
			t.Errorf("strangers' requests are counted: %+v", e.Requests)
		}
	}
}

func TestTheJournalHasWhatBecameOfRequests(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	dir := folder(t, pair.sealed)
	b := serve(t, dir)
	token := pair.token.Reveal()
	ann, _ := create(t, b, pair, "ann@example.com")
	bob, _ := create(t, b, pair, "bob@example.com")
	const nobody = "aaaaaaaaaaaaaaaaaaaaaaaaaa"
	patch := func(operation string) string { return `{"Operations":[` + operation + `]}` }
	type sent struct{ method, path, body string }
	group := ask(t, http.MethodPost, b.url("/Groups"), token, `{"displayName":"All","members":[{"value":"`+ann+`"}]}`)
	var all struct{ ID string }
	if err := json.Unmarshal([]byte(group.body), &all); err != nil || group.status != 201 {
		t.Fatalf("creating a group: %d %s", group.status, group.body)
	}
	for _, row := range []struct {
		name string
		sent sent
		want journal.Event
	}{
		{"suspending a person", sent{"PATCH", "/Users/" + ann, patch(`{"op":"replace","path":"active","value":false}`)},
			journal.Event{Kind: journal.PersonUpdated, Person: ann, Status: 200, SentActive: journal.Bool(false),
				Active: journal.Bool(false), State: "invited"}},
		{"a change that changes nothing", sent{"PATCH", "/Users/" + ann,
			patch(`{"op":"replace","path":"active","value":false}`)},
			journal.Event{Kind: journal.PersonUpdated, Person: ann, Status: 200, SentActive: journal.Bool(false),
				Active: journal.Bool(false), State: "invited", Unchanged: true}},
		{"a userName that is taken", sent{"POST", "/Users", person("bob@example.com")},
			journal.Event{Kind: journal.PersonRefused, Method: "POST", Status: 409, Code: "user_name_taken"}},
		{"a person that there is not", sent{"DELETE", "/Users/" + nobody, ""},
			journal.Event{Kind: journal.PersonRefused, Method: "DELETE", Person: nobody, Status: 404,
				Code: "not_found"}},
		{"a body that is no person", sent{"POST", "/Users", `{"userName":7`},
			journal.Event{Kind: journal.PersonRefused, Method: "POST", Status: 400, Code: "invalidSyntax"}},
		{"adding and removing members", sent{"PATCH", "/Groups/" + all.ID,
			patch(`{"op":"add","path":"members","value":[{"value":"` + bob + `"}]},` +
				`{"op":"remove","path":"members[value eq \"` + ann + `\"]"}`)},
			journal.Event{Kind: journal.GroupUpdated, Group: all.ID, Status: 204,
				Added: journal.NewMembers([]string{bob}), Removed: journal.NewMembers([]string{ann})}},
		{"members that there are not", sent{"PUT", "/Groups/" + all.ID,
			`{"displayName":"All","members":[{"value":"` + nobody + `"}]}`},
			journal.Event{Kind: journal.GroupRefused, Method: "PUT", Group: all.ID, Status: 400,
				Code: "members_unknown", Set: journal.NewMembers([]string{nobody})}},
		{"a member that there is not, beside one", sent{"PUT", "/Groups/" + all.ID,
			`{"displayName":"All","members":[{"value":"` + nobody + `"},{"value":"` + ann + `"}]}`},
			journal.Event{Kind: journal.GroupUpdated, Group: all.ID, Status: 200, Unknown: 1,
				Set: journal.NewMembers([]string{nobody, ann})}},
		{"an empty group", sent{"PUT", "/Groups/" + all.ID, `{"displayName":"All"}`},
			journal.Event{Kind: journal.GroupUpdated, Group: all.ID, Status: 200, Set: journal.NewMembers(nil)}},
		{"deleting a group", sent{"DELETE", "/Groups/" + all.ID, ""},
			journal.Event{Kind: journal.GroupDeleted, Group: all.ID, Status: 204}},
		{"a bulk request without operations", sent{"POST", "/Bulk", `{}`},
			journal.Event{Kind: journal.RequestRefused, Method: "POST", Status: 400, Code: "invalidSyntax"}},
		{"deleting a person", sent{"DELETE", "/Users/" + ann, ""},
			journal.Event{Kind: journal.PersonDeleted, Person: ann, Status: 204}},
	} {
		got := ask(t, row.sent.method, b.url(row.sent.path), token, row.sent.body)
		found := events(t, dir, "--request", got.header.Get("X-Request-Id"))
		if len(found) != 1 {
			t.Errorf("%s: %d events", row.name, len(found))
			continue
		}
		e := found[0]
		row.want.Time, row.want.Request, row.want.Token = e.Time, e.Request, "current"
		row.want.Subject, row.want.Milliseconds = e.Subject, e.Milliseconds
		have, want := new(bytes.Buffer), new(bytes.Buffer)
		_, _ = json.NewEncoder(have).Encode(e), json.NewEncoder(want).Encode(row.want)
		if have.String() != want.String() {
			t.Errorf("%s: recorded is\n%swant\n%s", row.name, have, want)
		}
	}
	// Operations of a bulk request are recorded singly.
	got := ask(t, http.MethodPost, b.url("/Bulk"), token, `{"Operations":[`+
		`{"method":"POST","path":"/Users","bulkId":"1","data":`+person("carol@example.com")+`},`+
		`{"method":"DELETE","path":"/Users/`+nobody+`"}]}`)
	if found := kindsOf(events(t, dir, "--request", got.header.Get("X-Request-Id"))); !slices.Equal(found,
		[]journal.Kind{journal.PersonCreated, journal.PersonRefused}) {
		t.Errorf("of a bulk request, recorded is %v", found)
	}
	// Reads are not, but they are counted.
	got = ask(t, http.MethodGet, b.url("/Users/"+bob), token, "")
	if found := events(t, dir, "--request", got.header.Get("X-Request-Id")); len(found) != 0 {
		t.Errorf("a read is recorded as %+v", found)
	}
	page, err := b.control().Journal(t.Context(), journal.Filter{Person: bob})
	if err != nil || page.Lookups == nil || page.Lookups.Count != 1 {
		t.Errorf("reads of bob: %+v, %v", page.Lookups, err)
	}
}

func TestTheJournalHasProblemsThatBeganAndEnded(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	dir := folder(t, pair.sealed)
	b := serve(t, dir)
	create(t, b, pair, "ann@example.com")
	b.awaitState(control.Ready)
	address := account.address()
	account.down()
	recorded := func(kind journal.Kind, code problem.Code) bool {
		return slices.ContainsFunc(events(t, dir, "--kind", string(kind)), func(e journal.Event) bool {
			return e.Code == string(code) && !e.Since.IsZero()
		})
	}
	await(t, "the problem to begin", func() bool { return recorded(journal.ProblemBegan, problem.AccountUnreachable) })
	got := ask(t, http.MethodPost, b.url("/Users"), pair.token.Reveal(), person("bob@example.com"))
	if found := events(t, dir, "--request", got.header.Get("X-Request-Id")); len(found) != 1 ||
		found[0].Code != "unavailable" || found[0].Status != 503 {
		t.Errorf("a request meanwhile is recorded as %+v", found)
	}
	account.up(address)
	await(t, "the problem to end", func() bool { return recorded(journal.ProblemEnded, problem.AccountUnreachable) })
	cookie, _ := b.signIn(pair.token.Reveal())
	ask(t, http.MethodPost, b.url("/app/sign-out"), "", "", "Cookie", cookie)
	if err := b.control().Reload(t.Context()); err != nil {
		t.Fatal(err)
	}
	kinds := kindsOf(events(t, dir))
	for _, kind := range []journal.Kind{journal.PageSignedIn, journal.PageSignedOut, journal.Reloaded} {
		if !slices.Contains(kinds, kind) {
			t.Errorf("%s is not recorded: %v", kind, kinds)
		}
	}
}

func TestProblemsOfOneCodeAreOne(t *testing.T) {
	t.Parallel()
	now := time.Now()
	var w problemWatch
	domain := func(name string, since time.Time) problem.Problem {
		return problem.New(problem.SignupDomainMissing, since, problem.Facts{problem.FactDomain: name})
	}
	for _, row := range []struct {
		name string
		now  []problem.Problem
		want []string
	}{
		{"nothing is wrong", nil, nil},
		{"two of one code begin as one", []problem.Problem{domain("a.example", now), domain("b.example", now)},
			[]string{"problem_began signup_domain_missing"}},
		{"one of two ends", []problem.Problem{domain("b.example", now)}, nil},
		{"another begins", []problem.Problem{domain("b.example", now), problem.New(problem.Overloaded, now, nil)},
			[]string{"problem_began overloaded"}},
		{"all end", nil, []string{"problem_ended overloaded", "problem_ended signup_domain_missing"}},
		{"and do not end again", nil, nil},
	} {
		var got []string
		for _, e := range w.changes(row.now) {
			got = append(got, string(e.Kind)+" "+e.Code)
		}
		slices.Sort(got)
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}

// What an operator types at night, and what it says.
func TestTheJournalCommand(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	dir := folder(t, pair.sealed)
	b := serve(t, dir)
	create(t, b, pair, "bob@example.com")
	refused := ask(t, http.MethodPost, b.url("/Users"), pair.token.Reveal(),
		`{"userName":"ann@example.com","active":"perhaps"}`)
	if refused.status != 400 {
		t.Fatalf("got %d %s", refused.status, refused.body)
	}
	for _, row := range []struct {
		name      string
		args      []string
		out, errs string
		code      int
	}{
		{"what happened", []string{dir}, "person_created", "", 0},
		{"the latest only", []string{"--limit", "1", dir}, "person_refused", "There are older events; --limit 10", 0},
		{"the latest only, for a program", []string{"--json", "--limit", "1", dir}, "person_refused",
			"There are older events; --limit 10", 0},
		{"nothing, for a program", []string{"--json", "--until", "2020-01-01T00:00:00Z", dir}, "",
			"Nothing that was asked for is in the journal, which goes back to", 0},
		{"a person whose create was refused", []string{"--person", "ANN@example.com", dir}, "person_refused", "", 0},
		{"a time without events", []string{"--until", "2020-01-01T00:00:00Z", dir}, "",
			"Nothing that was asked for is in the journal, which goes back to", 0},
		{"a person of whom nothing is known", []string{"--person", "eve@example.com", dir}, "",
			"ask by the id, too", 0},
		{"a kind that there is not", []string{"--kind", "sbt1_secret", dir}, "", "there are no events of that kind", 1},
		{"a time that is none", []string{"--since", "sbt1_secret", dir}, "", "expected a time", 2},
		{"no events at all", []string{"--limit", "0", dir}, "", "--limit must be at least 1", 2},
		{"a folder of no bridge", []string{t.TempDir()}, "", "name the data folder of a bridge", 1},
	} {
		out, errs, code := say(t, append([]string{"journal"}, row.args...)...)
		if code != row.code || !strings.Contains(out, row.out) || !strings.Contains(errs, row.errs) ||
			strings.Contains(out+errs, "secret") || row.out == "" && out != "" {
			t.Errorf("%s: exit %d\n%s%s", row.name, code, out, errs)
		}
	}
	out, _, _ := say(t, "journal", "--since", "1h", "--person", "ann@example.com", dir)
	if strings.Contains(out, "person_created") {
		t.Errorf("of another person, it has\n%s", out)
	}
}

// say runs a command here.
func say(t *testing.T, args ...string) (out, errs string, code int) {
	t.Helper()
	var o, e bytes.Buffer
	code = run(t.Context(), args, &console{Out: &o, Err: &e})
	return o.String(), e.String(), code
}

// A program that counts events must not get a part of them.
func TestAProgramGetsAllEvents(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := journal.Open(journal.Config{DataDir: dir})
	const events = 1234
	for range events {
		j.Append(journal.Event{Kind: journal.PersonRefused, Status: 409})
	}
	j.Close()
	for _, row := range []struct {
		name string
		args []string
		want int
		errs string
	}{
		{"a person", nil, 101, "There are older events; --limit 1000 shows more."}, // with the line of titles
		{"a person with a limit", []string{"--limit", "600"}, 601, "There are older events; --limit 6000 shows more."},
		{"a program", []string{"--json"}, events, ""},
		{"a program with a limit", []string{"--json", "--limit", "600"}, 600,
			"There are older events; --limit 6000 shows more."},
		{"a program with a limit above all", []string{"--json", "--limit", "5000"}, events, ""},
	} {
		out, errs, code := say(t, slices.Concat([]string{"journal"}, row.args, []string{dir})...)
		if n := strings.Count(out, "\n"); code != 0 || n != row.want || strings.TrimSpace(errs) != row.errs {
			t.Errorf("%s: exit %d, %d lines, want %d; %q", row.name, code, n, row.want, errs)
		}
	}
}

// The program in the package is newer than the bridge that runs, until that is restarted.
func TestTheJournalOfAnOlderBridge(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	l, err := control.Listen(filepath.Join(dir, control.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	older := &http.Server{Handler: http.NotFoundHandler()}
	go func() { _ = older.Serve(l) }()
	t.Cleanup(func() { _ = older.Close() })
	if out, errs, code := say(t, "journal", dir); code != 1 || out != "" ||
		!strings.Contains(errs, "older than the journal: restart it with this version") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	// What a newer one has left there is read.
	j := journal.Open(journal.Config{DataDir: dir})
	j.Append(journal.Event{Kind: journal.Stopped})
	j.Close()
	if out, errs, code := say(t, "journal", dir); code != 0 || !strings.Contains(out, "stopped") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
}

// A service manager starts again and again what cannot run, which must not drive out what happened.
func TestABridgeThatCannotRunIsNotInTheJournal(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed)
	first := serve(t, dir)
	other := folder(t, pair.sealed)
	for name, args := range map[string][]string{
		"a second bridge in the folder":    serveArgs(dir, nil),
		"a bridge whose address is in use": append(serveArgs(other, nil), "--listen", first.address()),
	} {
		out, err := exec.CommandContext(t.Context(), "scim-bridge", args...).CombinedOutput()
		if err == nil {
			t.Errorf("%s ran:\n%s", name, out)
		}
	}
	if kinds := kindsOf(events(t, dir, "--kind", "started", "--kind", "stopped")); len(kinds) != 1 {
		t.Errorf("of one bridge that runs, recorded is %v", kinds)
	}
	if kept, err := filepath.Glob(filepath.Join(other, journal.Folder, "*.jsonl")); err != nil || len(kept) != 0 {
		t.Errorf("a bridge that never ran has left %q, %v", kept, err)
	}
	first.terminate()
	if got, want := kindsOf(events(t, dir, "--kind", "started", "--kind", "stopped")),
		[]journal.Kind{journal.Started, journal.Stopped}; !slices.Equal(got, want) {
		t.Errorf("recorded is %v, want %v", got, want)
	}
}
