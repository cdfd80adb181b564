package main

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
)

// explained asks the command for JSON.
func explained(t *testing.T, args ...string) (a explain.Answer) {
	t.Helper()
	text := output(t, append([]string{"explain", "--json"}, args...)...)
	if err := json.Unmarshal([]byte(text), &a); err != nil || len(a.Found) == 0 {
		t.Fatalf("%v: %s", err, text)
	}
	return a
}

// explainedOne is the only one that is found.
func explainedOne(t *testing.T, args ...string) explain.Explanation {
	t.Helper()
	a := explained(t, args...)
	if len(a.Found) != 1 {
		t.Fatalf("%d are found under %s: %+v", len(a.Found), a.Asked, a.Found)
	}
	return a.Found[0]
}

func (r *realAccount) inviteByHand(address string, role api.Role) {
	r.t.Helper()
	m, err := apitest.Read[api.Member](r.admin.InviteMember(r.t.Context(), nil,
		api.MemberInput{Address: address, Role: &role}))
	if err != nil || m.Value == nil {
		r.t.Fatalf("inviting %s: %v %s", address, err, m.Body)
	}
}

// The whole life of people, as an operator asks for it: by a real bridge, of a real account.
func TestExplain(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	dir := folder(t, pair.sealed)
	b := serve(t, dir)
	token := pair.token.Reveal()
	ask1 := func(method, path, body string) reply { t.Helper(); return ask(t, method, b.url(path), token, body) }
	want := func(name string, verdict explain.Verdict, in bool, texts ...string) explain.Explanation {
		t.Helper()
		e := explainedOne(t, name, dir)
		if e.Verdict != verdict || e.In == nil || *e.In != in {
			t.Errorf("%s: the verdict is %s, in %v; want %s, %v: %s", name, e.Verdict, e.In, verdict, in, e.Conclusion)
		}
		text, _ := json.Marshal(e)
		for _, one := range texts {
			if !strings.Contains(string(text), one) {
				t.Errorf("%s: %q is missing in %s", name, one, text)
			}
		}
		return e
	}

	ann, created := create(t, b, pair, "ann@example.com")
	e := want(" ANN@example.com", explain.Invited, false, "invited to ann@example.com", created)
	if len(e.Requests) != 1 || e.Requests[0].ID != created || e.Requests[0].Method != http.MethodPost ||
		e.Requests[0].Status != http.StatusCreated || e.Requests[0].Client != "127.0.0.1" {
		t.Errorf("the requests are %+v", e.Requests)
	}
	account.accept("ann@example.com")
	// The bridge confirms it in its first round, which may come late.
	if e := explainedOne(t, ann, dir); e.Verdict != explain.Active &&
		(e.Verdict != explain.Pending || !strings.Contains(e.Conclusion, "waits for a bridge to confirm it")) {
		t.Errorf("after the invitation was accepted: %+v", e)
	}
	if err := directory.New(account.model).ConfirmPerson(t.Context(), ann); err != nil {
		t.Fatal(err)
	}
	want("ann@example.com", explain.Active, true, "is an active member")

	suspended := ask1(http.MethodPatch, "/Users/"+ann,
		`{"Operations":[{"op":"replace","path":"active","value":false}]}`)
	e = want("ann@example.com", explain.Suspended, false, "sent active: false", suspended.header.Get("X-Request-Id"))
	if e.Requests[0].Method != http.MethodPatch {
		t.Errorf("the log was not asked for the method: %+v", e.Requests[0])
	}
	ask1(http.MethodPatch, "/Users/"+ann, `{"Operations":[{"op":"replace","path":"active","value":true}]}`)
	people, err := apitest.Read[api.MemberPage](account.admin.ListMembers(t.Context(), &api.ListMembersParams{
		Address: new("ann@example.com"),
	}))
	if err != nil || people.Value == nil || len(people.Value.Items) != 1 {
		t.Fatalf("%v %s", err, people.Body)
	}
	off, err := apitest.Read[api.Member](account.admin.UpdateMember(t.Context(), people.Value.Items[0].Id, nil,
		api.MemberUpdate{Suspended: new(true)}))
	if err != nil || off.Value == nil {
		t.Fatalf("%v %s", err, off.Body)
	}
	want("ann@example.com", explain.Suspended, false, "by hand: an administrator suspended the member")
	ask1(http.MethodPatch, "/Users/"+ann, `{"Operations":[{"op":"replace","path":"active","value":true}]}`)
	want("ann@example.com", explain.Active, true)

	// A new address at a domain that is not allowed for sign-up.
	ask1(http.MethodPatch, "/Users/"+ann,
		`{"Operations":[{"op":"replace","path":"userName","value":"ann@new.example"}]}`)
	for _, name := range []string{"ann@new.example", "ann@example.com", ann} {
		want(name, explain.Active, true, "domain new.example is not allowed", "scimbridge_signup_domain",
			"signs in with ann@example.com")
	}

	// Somebody else's address, and people that provisioning leaves alone.
	ask1(http.MethodPost, "/Users", `{"userName":"bob","emails":[{"value":"ann@example.com","primary":true}]}`)
	want("bob", explain.NotInvited, false, "another member has the address ann@example.com")
	renamed := ask1(http.MethodPost, "/Users", `{"userName":"liz","emails":[{"value":"liz@example.com"}]}`)
	var liz struct{ ID string }
	if err := json.Unmarshal([]byte(renamed.body), &liz); err != nil {
		t.Fatal(err)
	}
	ask1(http.MethodPatch, "/Users/"+liz.ID, `{"Operations":[{"op":"replace","path":"userName","value":"eliza"}]}`)
	want("LIZ", explain.Invited, false, "eliza is not in yet", "It has renamed LIZ to eliza.")
	got := ask1(http.MethodPatch, "/Users/"+liz.ID,
		`{"Operations":[{"op":"replace","path":"userName","value":"bob"}]}`)
	if got.status != http.StatusConflict {
		t.Fatalf("two have a userName: %d", got.status)
	}
	want("eliza", explain.Invited, false, "PATCH 409 user_name_taken", "Another person had the userName")
	ask1(http.MethodPost, "/Users", `{"userName":"nobody"}`)
	want("nobody", explain.NotInvited, false, "names no e-mail address")
	if both := explained(t, "ann@example.com", dir); len(both.Found) != 2 {
		t.Errorf("%d have the address, want 2: %+v", len(both.Found), both.Found)
	}
	account.inviteByHand("owner@example.com", api.RoleOwner)
	if got := ask1(http.MethodPost, "/Users", person("owner@example.com")); got.status != http.StatusConflict {
		t.Fatalf("an owner was adopted: %d %s", got.status, got.body)
	}
	want("owner@example.com", explain.Protected, false, "an owner, an administrator or the Provision Manager",
		"409 protected")
	account.inviteByHand("hand@example.com", api.RoleMember)
	want("hand@example.com", explain.NotProvisioned, false, "invited by hand")

	// Refused, deleted, and never seen.
	ask1(http.MethodPost, "/Users", `{"userName":"broken@example.com","emails":"x","active":"maybe"}`)
	want("broken@example.com", explain.Refused, false, "POST 400")
	gone, _ := create(t, b, pair, "gone@example.com")
	deleted := ask1(http.MethodDelete, "/Users/"+gone, "")
	want("gone@example.com", explain.NotProvisioned, false, "deleted it", deleted.header.Get("X-Request-Id"))
	want(gone, explain.Deleted, false, "deleted it", deleted.header.Get("X-Request-Id"))
	again, _ := create(t, b, pair, "gone@example.com")
	if e := want("gone@example.com", explain.Invited, false); e.ID != again || len(e.Requests) != 3 {
		t.Errorf("the one that came back is %+v", e)
	}
	want("never@example.com", explain.NeverSeen, false, "has not sent it since",
		"example.com is not allowed for sign-up")

	// Beyond the limit.
	account.limit("max(0, 0%)/1h")
	ask1(http.MethodDelete, "/Users/"+again, "")
	want("gone@example.com", explain.SuspensionHeld, false, "deletion of it is held", "account holds approve")
	ask1(http.MethodPatch, "/Users/"+ann, `{"Operations":[{"op":"replace","path":"active","value":false}]}`)
	e = want(ann, explain.SuspensionHeld, true, "suspension of it is held", "bridge:"+b.status().Instance)

	text := output(t, "explain", ann, dir)
	first, rest, _ := strings.Cut(text, "\n")
	if first != e.Conclusion {
		t.Errorf("the first line is %q, want %q", first, e.Conclusion)
	}
	for _, title := range []string{"\nThe identity provider\n", "\nThe account\n", "\nAwaited\n", "\nWhat to do\n",
		"\nLatest requests\n"} {
		if !strings.Contains(rest, title) {
			t.Errorf("the part %q is missing in\n%s", title, text)
		}
	}
	if list := output(t, "explain", "ann@example.com", dir); !strings.HasPrefix(list, "2 have ann@example.com:\n") {
		t.Errorf("several are not listed:\n%s", list)
	}
	for _, line := range strings.Split(b.logText(), "\n") {
		if strings.Contains(line, "@example.com") || strings.Contains(line, "@new.example") {
			t.Errorf("a name is in the log: %s", line)
		}
	}
}

func TestExplainAGroup(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	dir := folder(t, pair.sealed)
	b := serve(t, dir)
	ann, _ := create(t, b, pair, "ann@example.com")
	made := ask(t, http.MethodPost, b.url("/Groups"), pair.token.Reveal(),
		`{"displayName":"Engineering","externalId":"ext-1","members":[{"value":"`+ann+`"}]}`)
	var group struct{ ID string }
	if err := json.Unmarshal([]byte(made.body), &group); err != nil || group.ID == "" {
		t.Fatalf("%v %s", err, made.body)
	}
	for _, name := range []string{"engineering", " Engineering ", group.ID, "ext-1"} {
		e := explainedOne(t, "--group", name, dir)
		if e.Verdict != explain.Provisioned || !strings.Contains(e.Conclusion, "has one member") ||
			len(e.Requests) != 1 || e.Requests[0].ID != made.header.Get("X-Request-Id") {
			t.Errorf("%q: %+v", name, e)
		}
	}
	if e := explainedOne(t, ann, dir); len(e.Requests) != 2 ||
		!strings.Contains(e.Requests[0].What, "group Engineering") {
		t.Errorf("the person's requests are %+v", e.Requests)
	}
	account.limit("max(0, 0%)/1h")
	ask(t, http.MethodPatch, b.url("/Groups/"+group.ID), pair.token.Reveal(),
		`{"Operations":[{"op":"remove","path":"members"}]}`)
	e := explainedOne(t, "--group", "Engineering", dir)
	if e.Verdict != explain.RemovalsHeld ||
		!strings.Contains(strings.Join(e.Has, " "), "ann@example.com is still in it") {
		t.Errorf("with a held removal: %+v", e)
	}
	if e := explainedOne(t, "ann@example.com", dir); !strings.Contains(strings.Join(e.Has, " "),
		"still in the group Engineering") {
		t.Errorf("the person with a held removal is %+v", e)
	}
	ask(t, http.MethodDelete, b.url("/Groups/"+group.ID), pair.token.Reveal(), "")
	if e := explainedOne(t, "--group", "Engineering", dir); e.Verdict != explain.Deleted {
		t.Errorf("after the deletion: %+v", e)
	}
	if e := explainedOne(t, "--group", "Sales", dir); e.Verdict != explain.NeverSeen {
		t.Errorf("another name: %+v", e)
	}
}

// What the bridge cannot ask is said so, in each state of it.
func TestExplainWithoutTheAccount(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	dir := folder(t, pair.sealed)
	b := serve(t, dir)
	_, request := create(t, b, pair, "ann@example.com")
	check := func(when, why string) {
		t.Helper()
		a := explained(t, "ann@example.com", dir)
		e := a.Found[0]
		if e.Verdict != explain.Undetermined || e.In != nil || !strings.Contains(e.Conclusion, why) ||
			len(e.Requests) != 1 || e.Requests[0].ID != request || len(a.Unknown) != 1 {
			t.Errorf("%s: %+v", when, a)
		}
	}
	if _, err := b.control().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	check("while it is sealed", "the bridge is sealed")
	if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
	account.down()
	check("while the account is away", "account")
	b.terminate()
	check("while no bridge runs", "no bridge is running in "+dir)
}

// Over HTTP, nothing is told without the bearer token.
func TestExplainOverHTTP(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	dir := folder(t, pair.sealed)
	monitoring := filepath.Join(t.TempDir(), "monitoring")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(monitoring, "monitoring-token-of-the-test-0123456789")
	b := serve(t, dir, "--monitoring-token-file", monitoring)
	create(t, b, pair, "ann@example.com")
	right, wrong := filepath.Join(t.TempDir(), "token"), filepath.Join(t.TempDir(), "wrong")
	write(right, pair.token.Reveal()+"\n")
	other, _ := newPair(t)
	write(wrong, other)

	e := explainedOne(t, "ann@example.com", "--url", b.url(""), "--token-file", right)
	if e.Verdict != explain.Invited || !strings.Contains(strings.Join(e.ToDo, " "), "account mail") {
		t.Errorf("with the token: %+v", e)
	}
	for name, file := range map[string]string{"a wrong token": wrong, "the monitoring token": monitoring} {
		out, err := exec.CommandContext(t.Context(), "scim-bridge", "explain", "ann@example.com", "--url", b.url(""),
			"--token-file", file).CombinedOutput()
		if err == nil || strings.Contains(string(out), "invited") || !strings.Contains(string(out), "401") {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
	kept := output(t, "journal", "--json", "--kind", "explained", "--person", "ann@example.com", dir)
	if !strings.Contains(kept, `"kind":"explained"`) || !strings.Contains(kept, `"token":"current"`) ||
		strings.Contains(kept, "@example.com") {
		t.Errorf("that somebody asked is recorded as %s", kept)
	}
	question := `{"person":"ann@example.com"}`
	for _, shown := range []string{"", other, "x"} {
		got := ask(t, http.MethodPost, b.url("/explain"), shown, question)
		if got.status != http.StatusUnauthorized || strings.Contains(got.body, "ann") {
			t.Errorf("a stranger gets %d %s", got.status, got.body)
		}
	}
	for _, broken := range []string{"{", "{}", `{"person":"a","group":"b"}`} {
		got := ask(t, http.MethodPost, b.url("/explain"), pair.token.Reveal(), broken)
		if got.status != http.StatusBadRequest {
			t.Errorf("the question %s gets %d %s", broken, got.status, got.body)
		}
	}
}

// What answers at an address may be anything: it is no bridge if it explains nothing, and what it says cannot drive the
// terminal.
func TestExplainTrustsNoAnswer(t *testing.T) {
	t.Parallel()
	token, _ := newPair(t)
	file := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(file, []byte(token), 0o600); err != nil {
		t.Fatal(err)
	}
	const evil = "\x1b]0;pwned\x07\x1b[2J"
	request, _ := json.Marshal(explain.Answer{Found: []explain.Explanation{{
		Conclusion: evil, Requests: []explain.Request{{Method: evil, Client: evil, ID: evil, What: evil, Code: evil}},
	}}})
	refusal, _ := json.Marshal(map[string]string{"detail": evil})
	for _, row := range []struct {
		name, body string
		status     int
		fails      bool
	}{
		{"an empty document", "{}", http.StatusOK, true},
		{"control characters in a request", string(request), http.StatusOK, false},
		{"control characters in a refusal", string(refusal), http.StatusTeapot, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(row.status)
				_, _ = w.Write([]byte(row.body))
			}))
			defer s.Close()
			out, err := exec.CommandContext(t.Context(), "scim-bridge", "explain", "ann", "--url", s.URL,
				"--token-file", file).CombinedOutput()
			if (err != nil) != row.fails || strings.ContainsAny(string(out), "\x1b\x07") {
				t.Errorf("%v: %q", err, out)
			}
		})
	}
}

func TestExplainRefusesWhatAsksForNobody(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, row := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"nobody", nil, exitUsage, "name a person"},
		{"two questions", []string{"ann", dir, "--group", "g"}, exitUsage, "or with --group"},
		{"an address without a token", []string{"ann", "--url", "http://127.0.0.1:1"}, exitUsage, "--url needs"},
		{"a token without an address", []string{"ann", "--token-file", "x"}, exitUsage, "--token-file needs --url"},
		{"two bridges", []string{"ann", dir, "--url", "http://127.0.0.1:1", "--token-file", "x"}, exitUsage,
			"DATA_DIR, or"},
		{"no address of a bridge", []string{"ann", "--url", "bridge", "--token-file", os.Args[0]}, exitUsage, ""},
		{"a folder without a bridge", []string{"ann", dir}, exitFailed, "no bridge is running there"},
		{"a folder without a bridge, for a group", []string{"--group", "g", dir}, exitFailed, "no bridge is running"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "scim-bridge", append([]string{"explain"}, row.args...)...)
			out, err := cmd.CombinedOutput()
			if err == nil || cmd.ProcessState.ExitCode() != row.code || !strings.Contains(string(out), row.want) {
				t.Errorf("exit %d, want %d with %q:\n%s", cmd.ProcessState.ExitCode(), row.code, row.want, out)
			}
		})
	}
}

// A shell that has SCIMBRIDGE_TOKEN_FILE for bridges elsewhere can ask the one here.
func TestWhatAsksHereNeedsNoTokenFile(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"explain":        {"explain", "ann", t.TempDir()},
		"support-bundle": {"support-bundle", "--pseudonym", "ann", t.TempDir()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			cmd := exec.CommandContext(ctx, "scim-bridge", args...)
			cmd.Env = append(os.Environ(), "SCIMBRIDGE_TOKEN_FILE=/elsewhere")
			out, err := cmd.CombinedOutput()
			if err == nil || cmd.ProcessState.ExitCode() == exitUsage {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
