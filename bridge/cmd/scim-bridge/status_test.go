package main

import (
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
)

// Over every way of asking, the state is one word of one
// vocabulary, and the document is that of /health.
func TestOneShapeAndOneVocabularyOfStates(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	monitoring := filepath.Join(t.TempDir(), "monitoring")
	if err := os.WriteFile(monitoring, []byte("a token of the monitor"), 0o600); err != nil {
		t.Fatal(err)
	}
	b := serve(t, folder(t, pair.sealed), "--monitoring-token-file", monitoring)
	url := b.url("")
	say := func(args ...string) string {
		t.Helper()
		// the exit code tells the state
		out, _ := exec.CommandContext(t.Context(), "scim-bridge", append([]string{"status"}, args...)...).Output()
		return string(out)
	}
	for _, state := range []string{health.Sealed, health.Healthy} {
		if state == health.Healthy {
			if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
				t.Fatal(err)
			}
			b.awaitState(control.Ready)
			await(t, "all components to be healthy", func() bool { return b.status().Health.State == health.Healthy })
		}
		shapes := map[string]map[string]any{}
		for name, text := range map[string]string{
			"/health":      ask(t, http.MethodGet, url+"/health", "a token of the monitor", "").body,
			"--url --json": say("--url", url, "--token-file", monitoring, "--json"),
			"--local":      say("--local", "--json", b.dir),
		} {
			var document map[string]any
			if err := json.Unmarshal([]byte(text), &document); err != nil {
				t.Fatalf("%s: %v in %q", name, err, text)
			}
			shapes[name] = document
			if document["state"] != state {
				t.Errorf("%s says %v, want %s", name, document["state"], state)
			}
		}
		want := slices.Sorted(maps.Keys(shapes["/health"]))
		for name, document := range shapes {
			if got := slices.Sorted(maps.Keys(document)); !slices.Equal(got, want) {
				t.Errorf("%s has the members %v, /health has %v", name, got, want)
			}
		}
		if got := ask(t, http.MethodGet, url+"/ready", "", ""); !strings.Contains(got.body, `"state":"`+state+`"`) {
			t.Errorf("/ready: %s, want the state %s", got.body, state)
		}
		for _, component := range []string{"session", "account", "confirmation", "tokens"} {
			if text := say("--local", b.dir); !strings.Contains(text, "\n"+component+" ") {
				t.Errorf("status --local does not show the component %s:\n%s", component, text)
			}
		}
	}
}

// What deploys the bridge needs more than /health has, and may be on another machine.
func TestTheDocumentOfTheControlSocketCanBePrinted(t *testing.T) {
	t.Parallel()
	b := serve(t, folder(t, newAccount(t).activate().sealed), "--revision", "r1")
	out, err := exec.CommandContext(t.Context(), "scim-bridge", "status", "--local", "--control", b.dir).Output()
	var exit *exec.ExitError
	if !errors.As(err, &exit) || exit.ExitCode() != exitProblems {
		t.Errorf("a sealed bridge: %v, want exit code %d", err, exitProblems)
	}
	var got control.Status
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	if got.State != control.Sealed || got.Revision != "r1" || got.Instance != b.status().Instance {
		t.Errorf("got %+v", got)
	}
	text, err := exec.CommandContext(t.Context(), "scim-bridge", "status", "--control", "--url", "http://127.0.0.1:1",
		"--token-file", "x").CombinedOutput()
	if err == nil || !strings.Contains(string(text), "--control needs --local") {
		t.Errorf("from afar: %v %s", err, text)
	}
}
