package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// TestEveryIdentityProviderIsAnsweredRight plays all that is known of each
// provider against a real bridge with a real account, as a person would.
func TestEveryIdentityProviderIsAnsweredRight(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
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
		page, err := account.admin.ListMembersWithResponse(t.Context(), &api.ListMembersParams{Managed: &yes, Limit: &all})
		if err != nil || page.JSON200 == nil {
			t.Fatalf("listing members: %v", err)
		}
		for _, m := range page.JSON200.Items {
			if m.Suspended {
				suspended++
			}
		}
		return len(page.JSON200.Items), suspended
	}

	for _, idp := range simulate.IdPs() {
		if out := play(idp); strings.Contains(out, pair.token.Reveal()) {
			t.Errorf("the output for %s shows the token", idp)
		}
	}
	if people, _ := managed(); people != 0 {
		t.Errorf("the recorded exchanges left %d people behind", people)
	}

	play("entra", "--people", "60", "--groups", "3", "--domain", "entra.example.com")
	play("okta", "--people", "40", "--groups", "2", "--domain", "okta.example.com")
	if people, suspended := managed(); people != 100 || suspended != 3 { // of every twenty one leaves, and one of all returns
		t.Errorf("the account has %d people, %d of them suspended; want 100 and 3", people, suspended)
	}
	// Again, with fewer: the same people are met, and the groups shrink.
	if out := play("entra", "--people", "30", "--groups", "3", "--domain", "entra.example.com"); !strings.Contains(out, "groups matched") {
		t.Errorf("the second run made its groups anew:\n%s", out)
	}
	if people, _ := managed(); people != 100 {
		t.Errorf("a second run made the account %d people", people)
	}
}

func TestSimulateFailsWhenAnAnswerIsWrong(t *testing.T) {
	t.Parallel()
	account := newAccount(t)
	pair := account.activate()
	bridge := serve(t, folder(t, pair.sealed))
	token := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(token, []byte("sbt1_not-a-token"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), "scim-bridge", "simulate", "--idp", "google", "--url", bridge.url(""), "--token-file", token).CombinedOutput()
	if failure, ok := errors.AsType[*exec.ExitError](err); !ok || failure.ExitCode() != exitFailed || !strings.Contains(string(out), "status 401, want 201") {
		t.Errorf("got %v\n%s", err, out)
	}
}
