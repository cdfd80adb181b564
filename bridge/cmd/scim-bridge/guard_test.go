package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/guard"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A guardedServer is a SCIM server that does all it is told at once, for a bridge that holds something.
type guardedServer struct {
	farServer
	account *realAccount
	token   session.Token // of the bridge before it
	dir     string        // of that bridge
}

func newGuardedServer(t *testing.T) guardedServer {
	t.Helper()
	account := newAccount(t)
	pair := account.activate()
	account.limit("off")
	b := serve(t, folder(t, pair.sealed))
	b.open(pair.token.Reveal())
	far := farServer{b, pair}
	token := newBearer(t)
	return guardedServer{far, account, token, folder(t, far.seal(t, token, session.File{}, 0).String())}
}

// serve starts the bridge before the server.
func (s guardedServer) serve(t *testing.T, limit string, args ...string) *process {
	t.Helper()
	b := serve(t, s.dir, append([]string{"--suspension-limit", limit}, args...)...)
	b.open(s.token.Reveal())
	return b
}

// create creates people through a bridge, and returns their ids.
func (s guardedServer) create(t *testing.T, b *process, people int) (ids []string) {
	t.Helper()
	for i := range people {
		name := fmt.Sprintf("p%d@example.com", i)
		got := ask(t, http.MethodPost, b.url("/scim/v2/Users"), s.token.Reveal(), person(name))
		var made struct{ ID string }
		if err := json.Unmarshal([]byte(got.body), &made); err != nil || made.ID == "" {
			t.Fatalf("creating: %d %s", got.status, got.body)
		}
		ids = append(ids, made.ID)
	}
	return ids
}

// setActive wants the answer to say that it is done.
func (s guardedServer) setActive(t *testing.T, b *process, id string, active bool) {
	t.Helper()
	got := ask(t, http.MethodPatch, b.url("/scim/v2/Users/"+id), s.token.Reveal(), fmt.Sprintf(
		`{"schemas":["urn:ietf:params:scim:api:messages:2.0:PatchOp"],`+
			`"Operations":[{"op":"replace","path":"active","value":%t}]}`, active))
	if got.status != http.StatusOK || !strings.Contains(got.body, fmt.Sprintf(`"active":%t`, active)) {
		t.Fatalf("setting active: %d %s", got.status, got.body)
	}
}

// wantSuspended compares how many people are suspended at the server.
func (s guardedServer) wantSuspended(t *testing.T, want int) {
	t.Helper()
	if _, suspended := s.account.people(); suspended != want {
		t.Errorf("%d are suspended at the server, want %d", suspended, want)
	}
}

// held is what scim-bridge holds list prints.
func (s guardedServer) held(t *testing.T) (holds []bridge.Hold) {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(output(t, "holds", "list", "--data-dir", s.dir, "--json")))
	for d.More() {
		var h bridge.Hold
		if err := d.Decode(&h); err != nil {
			t.Fatal(err)
		}
		holds = append(holds, h)
	}
	return holds
}

// What a bridge holds is on disk before the identity provider hears that it is done.
func TestWhatABridgeHoldsOutlivesAKill(t *testing.T) {
	t.Parallel()
	far := newGuardedServer(t)
	const limit = "max(2, 0%)/24h"
	b := far.serve(t, limit)
	ids := far.create(t, b, 7)
	for _, id := range ids[:4] {
		far.setActive(t, b, id, false)
	}
	if got := ask(t, http.MethodDelete, b.url("/scim/v2/Users/"+ids[4]), far.token.Reveal(), ""); got.status != 204 {
		t.Fatalf("deleting: %d %s", got.status, got.body)
	}
	b.kill()
	b = far.serve(t, limit)

	far.setActive(t, b, ids[5], false) // the count survived, too
	far.wantSuspended(t, 2)
	token := far.token.Reveal()
	for filter, want := range map[string]int{"active eq false": 5, "active ne false": 1} {
		if got := total(t, b, token, filter); got != want {
			t.Errorf("%s finds %d, want %d", filter, got, want)
		}
	}
	if got := ask(t, http.MethodGet, b.url("/scim/v2/Users/"+ids[4]), token, ""); got.status != http.StatusNotFound {
		t.Errorf("the deleted person is %d %s", got.status, got.body)
	}
	b.awaitProblem("suspensions_held")
	holds := far.held(t)
	if len(holds) != 4 || holds[0].UserName != "p2@example.com" || !holds[2].Deleted || holds[0].RequestID == "" {
		t.Fatalf("held are %+v", holds)
	}
	far.setActive(t, b, ids[3], true)

	// An operator decides one, and then all.
	if got := output(t, "holds", "cancel", "--data-dir", far.dir, holds[0].ID); got != "Cancelled one hold.\n" {
		t.Errorf("cancelling says %q", got)
	}
	if got := total(t, b, token, "active eq false"); got != 3 {
		t.Errorf("%d are inactive, want 3", got)
	}
	if got := output(t, "holds", "approve", "--data-dir", far.dir, "--all"); got != "Approved 2 holds.\n" {
		t.Errorf("approving says %q", got)
	}
	far.wantSuspended(t, 4) // a deleted person is suspended in the account behind the server
	if holds := far.held(t); len(holds) != 0 {
		t.Errorf("held are %+v", holds)
	}
	await(t, "the problem to pass", func() bool { return !slices.Contains(b.codes(), "suspensions_held") })
}

// A redeploy loses neither a hold nor a count, and the new bridge keeps others from the folder.
func TestASuccessorHoldsWhatItsPredecessorHeld(t *testing.T) {
	t.Parallel()
	far := newGuardedServer(t)
	const limit = "max(1, 0%)/24h"
	old := far.serve(t, limit)
	ids := far.create(t, old, 4)
	far.setActive(t, old, ids[0], false)
	far.setActive(t, old, ids[1], false)
	next := far.serve(t, limit, "--take-over")
	far.setActive(t, old, ids[2], false) // while the new one is on standby
	if err := next.control().TakeOver(t.Context()); err != nil {
		t.Fatal(err)
	}
	far.setActive(t, next, ids[3], false)
	if holds := far.held(t); len(holds) != 3 {
		t.Errorf("held are %+v", holds)
	}
	far.wantSuspended(t, 1)
	old.awaitEnd("stopped")
	await(t, "the new bridge to have the lock", func() bool {
		another := guard.New(guard.Config{DataDir: far.dir})
		defer another.Unlock()
		_, locked := errors.AsType[*guard.LockedError](another.Lock())
		return locked
	})
}

// A bridge on another machine sees the folder, and not the socket of the bridge that uses it.
func TestASecondBridgeInTheFolderIsRefused(t *testing.T) {
	t.Parallel()
	far := newGuardedServer(t)
	far.serve(t, "max(1, 0%)/24h")
	if err := os.Remove(filepath.Join(far.dir, "control.sock")); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "scim-bridge", "serve", "--data-dir", far.dir, "--listen", "127.0.0.1:0")
	text, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(text), "set --suspension-limit=off for both") {
		t.Errorf("a second bridge: %v\n%s", err, text)
	}
}

func TestASuspensionLimitIsForSCIMServers(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	for _, row := range []struct{ limit, want string }{
		{"max(5, 0%)/1h", "--suspension-limit is for a session of a SCIM server"},
		{"off", "--suspension-limit is for a session of a SCIM server"},
		{"5", `--suspension-limit: the suspension limit "5" must be "off" or like`},
	} {
		cmd := exec.CommandContext(t.Context(), "scim-bridge", "serve", "--data-dir", folder(t, pair.sealed),
			"--listen", "127.0.0.1:0", "--suspension-limit", row.limit)
		text, err := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != exitUsage || !strings.Contains(string(text), row.want) {
			t.Errorf("%s: %v\n%s", row.limit, err, text)
		}
	}
}

// Providers that lose sight of all their people see them go, and they stay at the server.
func TestAMassSuspensionIsHeldBeforeASCIMServer(t *testing.T) {
	t.Parallel()
	people := massSuspended(t)
	for _, idp := range []string{"okta", "entra", "google"} {
		t.Run(fmt.Sprintf("%d people of %s", people, idp), func(t *testing.T) {
			t.Parallel()
			far := newGuardedServer(t)
			const limit = 25
			b := far.serve(t, fmt.Sprintf("max(%d, 0%%)/24h", limit), "--log-level", "warn")
			token := filepath.Join(t.TempDir(), "token")
			if err := os.WriteFile(token, []byte(far.token.Reveal()), 0o600); err != nil {
				t.Fatal(err)
			}
			play := exec.CommandContext(t.Context(), "scim-bridge", "simulate", "--idp", idp, "--url", b.url(""),
				"--token-file", token, "--people", strconv.Itoa(people), "--switch-off", "--concurrency", "16")
			if idp != "google" {
				play.Args = append(play.Args, "--groups", "2")
			}
			if text, err := play.CombinedOutput(); err != nil {
				t.Fatalf("%v\n%s", err, text)
			}
			all, suspended := far.account.people()
			if suspended > limit || suspended == 0 {
				t.Errorf("%d are suspended at the server", suspended)
			}
			if left := total(t, b, far.token.Reveal(), "active ne false"); left != 0 {
				t.Errorf("SCIM shows %d people as active who were switched off", left)
			}
			var suspensions, deleted int
			for _, h := range far.held(t) {
				if !h.Removal {
					suspensions++
				}
				if h.Deleted {
					deleted++
				}
			}
			if suspensions != all-suspended {
				t.Errorf("%d suspensions are held of %d people, of whom %d are suspended", suspensions, all, suspended)
			}
			b.awaitProblem("suspensions_held")
			command, want := "approve", all
			if idp == "entra" {
				command, want = "cancel", suspended
			}
			output(t, "holds", command, "--data-dir", far.dir, "--all")
			if holds := far.held(t); len(holds) != 0 {
				t.Errorf("%d are held after holds %s, the first %+v", len(holds), command, holds[0])
			}
			far.wantSuspended(t, want)
			await(t, "the problem to pass", func() bool { return !slices.Contains(b.codes(), "suspensions_held") })
		})
	}
}
