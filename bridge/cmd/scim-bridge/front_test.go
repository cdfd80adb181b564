package main

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A farServer is a SCIM server for a bridge to stand before: another bridge, with an
// account.
type farServer struct {
	bridge *process
	pair   pair
}

func newFarServer(t *testing.T) farServer {
	t.Helper()
	account := newAccount(t)
	pair := account.activate()
	account.limit("off") // people are deleted in passing
	b := serve(t, folder(t, pair.sealed))
	b.open(pair.token.Reveal())
	return farServer{b, pair}
}

func (f farServer) url() string { return f.bridge.url("/scim/v2") }

// seal seals a session for the server.
func (f farServer) seal(t *testing.T, token session.Token, before session.File, overlap time.Duration) session.File {
	t.Helper()
	d := session.Directory{URL: f.url(), Token: secret.New(f.pair.token.Reveal())}
	sealed, err := session.SealDirectory(token, d, before, overlap, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	file, err := session.Parse(sealed)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func newBearer(t *testing.T) session.Token {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func TestABridgeStandsBeforeASCIMServer(t *testing.T) {
	t.Parallel()
	far := newFarServer(t)
	token := newBearer(t)
	b := serve(t, folder(t, far.seal(t, token, session.File{}, 0).String()), "--revision", "r7")
	if s := b.status(); s.State != control.Sealed || s.DirectoryURL != far.url() || s.AccountID != "" {
		t.Errorf("while sealed: %s before %q of the account %q", s.State, s.DirectoryURL, s.AccountID)
	}
	// The server's own token is none of the bridge's.
	if got := ask(t, "GET", b.url("/Users"), far.pair.token.Reveal(), ""); got.status != http.StatusUnauthorized {
		t.Errorf("the server's token: %d %s", got.status, got.body)
	}

	// The first request with the bearer token opens the bridge, and is carried out there.
	made := ask(t, "POST", b.url("/scim/v2/Users"), token.Reveal(), person("ann@example.com"))
	var ann struct{ ID string }
	if err := json.Unmarshal([]byte(made.body), &ann); made.status != http.StatusCreated || err != nil {
		t.Fatalf("creating through the bridge: %d %s", made.status, made.body)
	}
	if got := ask(t, "GET", far.url()+"/Users/"+ann.ID, far.pair.token.Reveal(), ""); got.status != http.StatusOK ||
		!strings.Contains(got.body, "ann@example.com") {
		t.Errorf("the server has %d %s", got.status, got.body)
	}
	b.awaitState(control.Ready)
	await(t, "the revision that has signed in", func() bool { return b.status().ObservedRevision == "r7" })
	h := b.health(token.Reveal())
	i := slices.IndexFunc(h.Reports, func(r health.Report) bool { return r.Source == "directory" })
	if i < 0 || h.Reports[i].State != health.Healthy {
		t.Errorf("the reports are %+v", h.Reports)
	}
	text, err := exec.CommandContext(t.Context(), "scim-bridge", "status", "--local", b.dir).CombinedOutput()
	if !strings.Contains(string(text), far.url()) || strings.Contains(string(text), "address seen by") {
		t.Errorf("status: %v\n%s", err, text)
	}
	for what, secret := range map[string]string{"bearer": token.Reveal(), "server's": far.pair.token.Reveal()} {
		if strings.Contains(b.logText(), secret) {
			t.Errorf("the log has the %s token", what)
		}
	}
}

// The far side's token is not ours: its rotation is a new seal, and ours has an overlap.
func TestBothTokensAreRotatedWithoutAFailedRequest(t *testing.T) {
	t.Parallel()
	far := newFarServer(t)
	old, fresh := newBearer(t), newBearer(t)
	file := far.seal(t, old, session.File{}, 0)
	dir := folder(t, file.String())
	first := serve(t, dir, "--revision", "r1")
	first.open(old.Reveal())
	requests := startTraffic(t, first.url("/Users"), old, 2)
	await(t, "traffic", func() bool { return requests.count() > 20 })

	// takeOver redeploys the bridge with another session.
	takeOver := func(next session.File, token session.Token, revision string) *process {
		t.Helper()
		if err := session.WriteFile(filepath.Join(dir, "session"), next.String()); err != nil {
			t.Fatal(err)
		}
		b := serve(t, dir, "--revision", revision, "--take-over")
		b.open(token.Reveal())
		if err := b.control().TakeOver(t.Context()); err != nil {
			t.Fatal(err)
		}
		served := requests.count()
		await(t, "traffic at the successor", func() bool { return requests.count() > served+20 })
		return b
	}
	file = far.seal(t, fresh, file, time.Hour)
	second := takeOver(file, fresh, "r2")
	if h := second.health(fresh.Reveal()); h.Overlap == nil || h.Overlap.LastUsed == nil {
		t.Errorf("the overlap is %+v", h.Overlap)
	}
	// The server's token is sealed again; that it is the same one makes no difference to the bridge.
	third := takeOver(far.seal(t, fresh, file, time.Hour), fresh, "r3")
	if failures := requests.end(); len(failures) > 0 {
		t.Errorf("%d requests failed, the first: %s", len(failures), failures[0])
	}
	for name, token := range map[string]session.Token{"new": fresh, "old": old} {
		if got := ask(t, "GET", third.url("/Users"), token.Reveal(), ""); got.status != http.StatusOK {
			t.Errorf("the %s token within the overlap: %d %s", name, got.status, got.body)
		}
	}
}

// A session may be written when the bridge runs already, of either kind.
func TestTheSessionMayComeLaterWhateverItsKind(t *testing.T) {
	t.Parallel()
	far := newFarServer(t)
	token := newBearer(t)
	dir := t.TempDir()
	b := serve(t, dir)
	b.awaitState(control.SessionUnreadable)
	file := filepath.Join(dir, "session")
	if err := session.WriteFile(file, far.seal(t, token, session.File{}, 0).String()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Sealed)
	b.open(token.Reveal())

	// Sealed again, it may be the account's.
	if err := os.WriteFile(file, []byte(far.pair.sealed), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := b.control().Seal(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.open(far.pair.token.Reveal())
	if s := b.status(); s.DirectoryURL != "" || s.AccountID == "" {
		t.Errorf("with the account's session: %+v", s)
	}
}
