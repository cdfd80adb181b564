package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
)

// A small disk is full when fill returns, and has room again after empty.
type smallDisk struct {
	folder      string
	fill, empty func(account *accountProcess)
}

// smallDisks are the ways to make one: a file system of its own needs root,
// with the right to mount, the limit of a file's size does not.
func smallDisks(t *testing.T) map[string]func(*testing.T) smallDisk {
	t.Helper()
	ways := map[string]func(*testing.T) smallDisk{"a file must not grow": limitedFile}
	probe := t.TempDir()
	if unix.Mount("tmpfs", probe, "tmpfs", 0, "size=64k") == nil {
		if err := unix.Unmount(probe, unix.MNT_DETACH); err != nil {
			t.Fatal(err)
		}
		ways["the file system is full"] = smallFileSystem
	}
	return ways
}

func limitedFile(t *testing.T) smallDisk {
	limit := func(account *accountProcess, bytes uint64) {
		t.Helper()
		err := unix.Prlimit(account.cmd.Process.Pid, unix.RLIMIT_FSIZE,
			&unix.Rlimit{Cur: bytes, Max: unix.RLIM_INFINITY},
			nil)
		if err != nil {
			t.Fatal(err)
		}
	}
	return smallDisk{
		folder: t.TempDir(),
		fill:   func(account *accountProcess) { limit(account, 64<<10) },
		empty:  func(account *accountProcess) { limit(account, unix.RLIM_INFINITY) },
	}
}

func smallFileSystem(t *testing.T) smallDisk {
	folder := t.TempDir()
	if err := unix.Mount("tmpfs", folder, "tmpfs", 0, "size=8m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(folder, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	filler := filepath.Join(folder, "filler")
	return smallDisk{
		folder: folder,
		fill: func(*accountProcess) {
			t.Helper()
			if err := os.WriteFile(filler, make([]byte, 16<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
				t.Fatalf("filling the disk: %v", err)
			}
		},
		empty: func(*accountProcess) {
			t.Helper()
			if err := os.Remove(filler); err != nil {
				t.Fatal(err)
			}
		},
	}
}

// What was acknowledged stays, what was not is refused, and each client that is
// asked says why: the account's /ready, the bridge's health, SCIM.
func TestAFullDiskIsToldAndHealsByItself(t *testing.T) {
	t.Parallel()
	for name, small := range smallDisks(t) {
		t.Run(name, func(t *testing.T) {
			disk := small(t)
			account := newAccountProcessIn(t, disk.folder)
			pair := account.activate()
			b := serve(t, folder(t, pair.sealed))
			token := pair.token.Reveal()
			made := 0
			post := func() reply {
				return ask(t, http.MethodPost, b.url("/Users"), token, person(fmt.Sprintf("p%d@example.com", made)))
			}
			for ; made < 3; made++ {
				if got := post(); got.status != 201 {
					t.Fatalf("before: %d %s", got.status, got.body)
				}
			}
			admin := strings.TrimSpace(output(t, "account", "token", "create", "--database", "sqlite:"+account.database,
				"--name", "pager"))
			disk.fill(account)
			var refused reply
			await(t, "the disk to be full", func() bool {
				if refused = post(); refused.status == 201 {
					made++
				}
				return refused.status != 201
			})
			if refused.status != 503 || refused.header.Get("Retry-After") == "" {
				t.Errorf("SCIM on a full disk: %d %s", refused.status, refused.body)
			}
			b.awaitProblem("storage_full")
			p := b.status().Problems[0]
			if want := "df -h " + account.database; !strings.Contains(p.Remedy, want) {
				t.Errorf("the remedy does not say %q: %s", want, p.Remedy)
			}
			if h := b.health(token); h.State != health.Unhealthy {
				t.Errorf("the bridge's health on a full disk: %s", h.State)
			}
			got := ask(t, http.MethodGet, account.url+"/ready", "", "")
			if got.status != 503 || !strings.Contains(got.body, "storage_full") {
				t.Errorf("the account's /ready on a full disk: %d %s", got.status, got.body)
			}
			// An operator who looks for the reason can still look: that the token is used for
			// the first time, and that others were refused, is noted later.
			ask(t, http.MethodGet, account.url+"/metrics", "sba_"+strings.Repeat("x", 43), "")
			for _, path := range []string{"/metrics", "/v1/audit-events", "/v1/bridges"} {
				if got := ask(t, http.MethodGet, account.url+path, admin, ""); got.status != 200 {
					t.Errorf("an administrator who reads %s on a full disk: %d %s", path, got.status, got.body)
				}
			}
			if got := ask(t, http.MethodPost, account.url+"/v1/signup-domains", admin,
				`{"domain":"example.com"}`); got.status != 503 ||
				!strings.Contains(got.body, "storage_full") {
				t.Errorf("an administrator who writes on a full disk: %d %s", got.status, got.body)
			}
			disk.empty(account)
			await(t, "the account to be ready", func() bool {
				return ask(t, http.MethodGet, account.url+"/ready", "", "").status == 204
			})
			await(t, "the problem to pass", func() bool { return !slices.Contains(b.codes(), "storage_full") })
			// the refused one may have come in by a repetition
			if got := post(); got.status != 201 && got.status != 409 {
				t.Errorf("after the cure: %d %s", got.status, got.body)
			}
			for i := range made {
				found := ask(t, http.MethodGet,
					b.url(fmt.Sprintf(`/Users?filter=userName+eq+"p%d@example.com"`, i)), token, "")
				if !strings.Contains(found.body, `"totalResults":1`) {
					t.Errorf("p%d was acknowledged and is gone: %s", i, found.body)
				}
			}
		})
	}
}

// The server continues with a file that is no longer at its path: it must not
// take changes, and must say so.
func TestADatabaseThatIsTakenAwayIsToldAndHealsWhenItIsBack(t *testing.T) {
	t.Parallel()
	account := newAccountProcess(t)
	pair := account.activate()
	b := serve(t, folder(t, pair.sealed))
	token := pair.token.Reveal()
	if got := ask(t, http.MethodPost, b.url("/Users"), token, person("a@example.com")); got.status != 201 {
		t.Fatalf("before: %d %s", got.status, got.body)
	}
	if err := os.Rename(account.database, account.database+".away"); err != nil {
		t.Fatal(err)
	}
	if got := ask(t, http.MethodPost, b.url("/Users"), token, person("b@example.com")); got.status != 503 {
		t.Errorf("SCIM without a database: %d %s", got.status, got.body)
	}
	b.awaitProblem("storage_lost")
	got := ask(t, http.MethodGet, account.url+"/ready", "", "")
	if got.status != 503 || !strings.Contains(got.body, "storage_lost") {
		t.Errorf("the account's /ready: %d %s", got.status, got.body)
	}
	if err := os.Rename(account.database+".away", account.database); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
	await(t, "the problem to pass", func() bool { return len(b.codes()) == 0 })
	if got := ask(t, http.MethodPost, b.url("/Users"), token, person("b@example.com")); got.status != 201 {
		t.Errorf("after the cure: %d %s", got.status, got.body)
	}
}
