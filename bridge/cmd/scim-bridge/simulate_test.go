package main

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// TestEveryIdentityProviderIsAnsweredRight plays all that is known of each
// provider against a real bridge with a real account, as a person would.
func TestEveryIdentityProviderIsAnsweredRight(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	account.limit("off")                       // so many leave within an hour
	bridge := serve(t, folder(t, pair.sealed)) // sealed: the first request opens it
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(pair.token.Reveal()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	play := func(idp string, more ...string) string {
		t.Helper()
		args := append([]string{"simulate", "--idp", idp, "--url", bridge.url(""), "--token-file", token}, more...)
		out, err := exec.CommandContext(t.Context(), "scim-bridge", args...).CombinedOutput()
		if err != nil {
			t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return string(out)
	}
	managed := func() (people, suspended int) {
		t.Helper()
		yes, all := true, 1000
		page, err := apitest.Read[api.MemberPage](account.admin.ListMembers(t.Context(), &api.ListMembersParams{
			Managed: &yes, Limit: &all,
		}))
		if err != nil || page.Value == nil {
			t.Fatalf("listing members: %v", err)
		}
		for _, m := range page.Value.Items {
			if m.Suspended {
				suspended++
			}
		}
		return len(page.Value.Items), suspended
	}

	for _, idp := range simulate.IdPs() {
		if out := play(idp); strings.Contains(out, pair.token.Reveal()) {
			t.Errorf("the output for %s shows the token", idp)
		}
	}
	if people, _ := managed(); people != 0 {
		t.Errorf("the recorded exchanges left %d people behind", people)
	}

	// Of every twenty people one leaves, and one of all returns.
	want, off := 0, 0
	for _, idp := range simulate.IdPs() {
		args := []string{"--people", "40", "--groups", "3", "--domain", idp + ".example.com", "--keep"}
		if idp == "google" {
			args = slices.Delete(args, 2, 4) // it provisions no groups
		}
		play(idp, args...)
		if idp == "authentik" || idp == "keycloak" { // who leaves there is deleted
			want += 39
		} else {
			want, off = want+40, off+1
		}
	}
	if people, suspended := managed(); people != want || suspended != off {
		t.Errorf("the account has %d people, %d of them suspended; want %d and %d", people, suspended, want, off)
	}
	// Again, with fewer: the same people are met, and the groups shrink.
	if out := play("entra", "--people", "30", "--groups", "3", "--domain", "entra.example.com", "--keep",
		"--concurrency", "1"); !strings.Contains(out, "groups matched") {
		t.Errorf("the second run created its groups again:\n%s", out)
	}
	if people, _ := managed(); people != want {
		t.Errorf("a second run made the account %d people", people)
	}
}

func TestProgressSaysHowLongItWillTake(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct {
		done, total int
		took        time.Duration
		want        string
	}{
		{500, 2000, 5 * time.Second, "500 of about 2000 steps, 100 a second, about 15s left"},
		{2000, 2000, 5 * time.Second, "2000 of about 2000 steps, 400 a second"},
	} {
		if got := progressLine(tt.done, tt.total, "steps", tt.took); got != tt.want {
			t.Errorf("got %q, want %q", got, tt.want)
		}
	}
}

func TestSimulateFailsWhenAnAnswerIsWrong(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	bridge := serve(t, folder(t, pair.sealed))
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte(pair.token.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	target, err := url.Parse(bridge.url(""))
	if err != nil {
		t.Fatal(err)
	}
	whole := httputil.NewSingleHostReverseProxy(target)
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			http.Error(w, "\x1b[2Jout of order, "+r.Header.Get("Authorization"), http.StatusInternalServerError)
			return
		}
		whole.ServeHTTP(w, r)
	}))
	t.Cleanup(broken.Close)
	out, err := exec.CommandContext(t.Context(), "scim-bridge", "simulate", "--idp", "google", "--url", broken.URL,
		"--token-file", token).CombinedOutput()
	failure, ok := errors.AsType[*exec.ExitError](err)
	if !ok || failure.ExitCode() != exitFailed || !strings.Contains(string(out), "status 500, want 201") ||
		!strings.Contains(string(out), "[2Jout of order, Bearer [the token]") {
		t.Errorf("got %v\n%s", err, out)
	}
	if strings.Contains(string(out), "\x1b") {
		t.Errorf("a control character of the server is shown: %q", out)
	}
	tellsNothing(t, string(out), pair)
}

// A wrong token says so once, and not for every step.
func TestSimulateWithAWrongTokenSaysOneLine(t *testing.T) {
	t.Parallel()
	bridge := serve(t, folder(t, newAccount(t).activate().sealed))
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("sbt1_not-a-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "scim-bridge", "simulate", "--idp", "google", "--url", bridge.url(""),
		"--token-file", token).CombinedOutput()
	if failure, ok := errors.AsType[*exec.ExitError](err); !ok || failure.ExitCode() != exitFailed ||
		strings.Count(string(out), "\n") != 1 ||
		!strings.Contains(string(out), "the bearer token is refused at "+bridge.url("")) {
		t.Errorf("got %v\n%s", err, out)
	}
	if strings.Contains(string(out), "not-a-token") {
		t.Errorf("the token is shown: %s", out)
	}
}

// What package scim shows over a directory in memory holds over a real
// account too: nothing of it is the memory's doing.
func TestFurtherExchangesAtARealBridge(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	bridge := serve(t, folder(t, pair.sealed), "--log-level", "error")
	var scenarios []simulate.Scenario
	for _, name := range []string{"exchanges.json", "reports.json"} {
		raw, err := os.ReadFile(filepath.Join("..", "..", "scim", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		var file struct {
			Scenarios []simulate.Scenario `json:"scenarios"`
		}
		if err := json.Unmarshal(raw, &file); err != nil || len(file.Scenarios) == 0 {
			t.Fatalf("%d scenarios are in %s: %v", len(file.Scenarios), name, err)
		}
		scenarios = append(scenarios, file.Scenarios...)
	}
	player := &simulate.Player{
		URL: bridge.url("/scim/v2"), Client: http.DefaultClient, RetryWindow: simulate.DefaultRetryWindow,
		Authorize: func(r *http.Request) { r.Header.Set("Authorization", "Bearer "+pair.token.Reveal()) },
	}
	for _, scenario := range scenarios {
		for _, o := range player.Play(t.Context(), scenario, true) {
			if o.Result != simulate.Right && o.Result != simulate.Differs {
				t.Errorf("%s %s %s: %s", o.Phase, o.Step, o.Request, o.Problem)
			}
		}
	}
}
