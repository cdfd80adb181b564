package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

// command runs scim-bridge as a process of its own.
func command(t *testing.T, args ...string) (code int, out, errs string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "scim-bridge", args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil && cmd.ProcessState == nil {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()
}

// A written is what a client was told of a change that was acknowledged.
type written struct{ id, name string }

// load is clients that change an account without end, and note what was acknowledged.
type load struct {
	mu      sync.Mutex
	done    []written
	stop    context.CancelFunc
	writers sync.WaitGroup
}

func startLoad(t *testing.T, bridgeURL, token string, clients int) *load {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	l := &load{stop: stop}
	c := &stubbornClient{t: t, url: bridgeURL, token: token,
		http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}}
	for i := range clients {
		l.writers.Go(func() {
			for n := 0; ctx.Err() == nil; n++ {
				w := written{name: fmt.Sprintf("w%d-%d@example.com", i, n)}
				var made struct {
					ID string `json:"id"`
				}
				// Not with ctx: what is under way when it ends is answered, too.
				answer := c.send(t.Context(), http.MethodPost, "/scim/v2/Users", person(w.name))
				if err := json.Unmarshal(answer, &made); err != nil {
					t.Error(err)
					return
				}
				w.id = made.ID
				l.mu.Lock()
				l.done = append(l.done, w)
				l.mu.Unlock()
			}
		})
	}
	t.Cleanup(l.end)
	return l
}

// acknowledged is what was acknowledged until now.
func (l *load) acknowledged() []written {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.done)
}

func (l *load) end() {
	l.stop()
	l.writers.Wait()
}

// A backup that is taken under load, restored in a new folder and served from there, has everything that was
// acknowledged before the command began; it is sound, and its audit log is as it was recorded.
func TestABackupUnderLoadHasWhatWasAcknowledged(t *testing.T) {
	t.Parallel()
	account := newAccountProcess(t)
	pair := account.activate()
	bridge := serve(t, folder(t, pair.sealed))
	clients := startLoad(t, bridge.url(""), pair.token.Reveal(), 8)
	await(t, "a load", func() bool { return len(clients.acknowledged()) > 100 })

	file := filepath.Join(t.TempDir(), "backup.db")
	before := clients.acknowledged()
	if code, out, errs := command(t, "account", "backup", "--database", "sqlite:"+account.database, file); code != 0 {
		t.Fatalf("backing up: exit %d: %s%s", code, out, errs)
	}
	during := len(clients.acknowledged()) - len(before)
	clients.end()

	path := filepath.Join(t.TempDir(), "account.db")
	restored := &accountProcess{
		realAccount: account.realAccount, database: path, setting: "sqlite:" + path, listen: account.listen,
		stderr: os.Stderr,
	}
	code, out, errs := command(t, "account", "restore", "--database", restored.setting, file)
	if code != 0 || !strings.Contains(out, "\nMails that waited in the backup, and may have been sent after it: ") {
		t.Fatalf("restoring: exit %d: %s%s", code, out, errs)
	}
	account.kill() // what is asked from here on is the restored one, at the same address
	restored.start()
	t.Cleanup(restored.kill)
	bridge.awaitState(control.Ready)
	await(t, "the bridge to be signed in again", func() bool { return len(bridge.codes()) == 0 })
	for _, w := range before {
		got := ask(t, http.MethodGet, bridge.url("/scim/v2/Users/"+w.id), pair.token.Reveal(), "")
		if got.status != 200 || !strings.Contains(got.body, `"userName":"`+w.name+`"`) {
			t.Errorf("%s was acknowledged before the backup began, and is not in it: %d %s", w.name, got.status,
				got.body)
		}
	}
	if during == 0 {
		t.Error("nothing was acknowledged while the backup was made: it was under no load")
	}
	t.Logf("%d people were acknowledged before the backup began, and %d while it was made", len(before), during)
	for _, args := range [][]string{{"check"}, {"check", "--quick"}, {"audit", "--verify"}} {
		args = append([]string{"account"}, append(args, "--database", "sqlite:"+restored.database)...)
		if code, out, errs := command(t, args...); code != 0 {
			t.Errorf("%v: exit %d: %s%s", args, code, out, errs)
		}
	}
}

// A restore refuses while the account serves, and changes nothing. After it, the bridge signs in by itself, and what
// was revoked after the backup stays so.
func TestARestoreOverALiveAccountIsRefused(t *testing.T) {
	t.Parallel()
	account := newAccountProcess(t)
	pair := account.activate()
	token := pair.token.Reveal()
	bridge := serve(t, folder(t, pair.sealed))
	post := func(address string) {
		t.Helper()
		if got := ask(t, http.MethodPost, bridge.url("/Users"), token, person(address)); got.status != 201 {
			t.Fatalf("%s: %d %s", address, got.status, got.body)
		}
	}
	found := func(address string) bool {
		t.Helper()
		got := ask(t, http.MethodGet, bridge.url(`/Users?filter=userName+eq+"`+address+`"`), token, "")
		return strings.Contains(got.body, `"totalResults":1`)
	}
	post("before@example.com")
	lost := strings.TrimSpace(output(t, "account", "token", "create", "--database", "sqlite:"+account.database,
		"--name", "lost"))
	file := filepath.Join(t.TempDir(), "backup.db")
	if code, out, errs := command(t, "account", "backup", "--database", "sqlite:"+account.database, file); code != 0 {
		t.Fatalf("backing up: exit %d: %s%s", code, out, errs)
	}
	post("after@example.com")
	who, err := apitest.Read[api.TokenPage](account.admin.ListTokens(t.Context(), nil))
	if err != nil || who.Value == nil {
		t.Fatal(err)
	}
	for _, k := range who.Value.Items {
		if k.Name == "lost" {
			output(t, "account", "token", "revoke", "--database", "sqlite:"+account.database, k.Id)
		}
	}

	restore := []string{"account", "restore", "--database", "sqlite:" + account.database, file}
	code, out, errs := command(t, restore...)
	if code != 1 || out != "" || !strings.Contains(errs, "stop the account service") ||
		!strings.Contains(errs, "nothing was changed") {
		t.Errorf("over a live account: exit %d: %s%s", code, out, errs)
	}
	if !found("after@example.com") {
		t.Error("the refused restore changed the account")
	}
	post("third@example.com")
	if entries, err := filepath.Glob(filepath.Join(filepath.Dir(account.database), "*restore*")); err != nil ||
		len(entries) > 0 {
		t.Errorf("the refused restore left %v (%v)", entries, err)
	}

	if err := account.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := account.cmd.Wait(); err != nil {
		t.Fatalf("the account service ended with %v", err)
	}
	if code, out, errs = command(t, restore...); code != 0 || !strings.Contains(out, "admin tokens: 1") {
		t.Fatalf("over a stopped account: exit %d: %s%s", code, out, errs)
	}
	account.start()
	bridge.awaitState(control.Ready)
	await(t, "the bridge to be signed in again", func() bool { return found("before@example.com") })
	if found("after@example.com") {
		t.Error("somebody who came after the backup is in it")
	}
	if got := ask(t, http.MethodGet, account.url+"/v1/whoami", lost, ""); got.status != 401 {
		t.Errorf("a token that was revoked after the backup: %d", got.status)
	}
	aside, err := filepath.Glob(account.database + ".before-restore-*")
	if err != nil || len(aside) != 1 || !strings.Contains(out, "kept as "+aside[0]) {
		t.Errorf("kept aside: %v (%v); printed: %s", aside, err, out)
	}
}

// Somebody who writes the database by other means cannot hide it, and an operator can save the database nevertheless.
func TestAChangedLineOfTheAuditLogIsFoundInTheDatabase(t *testing.T) {
	t.Parallel()
	account := newAccountProcess(t)
	account.activate()
	verify := []string{"account", "audit", "--database", "sqlite:" + account.database, "--verify"}
	if code, out, errs := command(t, verify...); code != 0 || !strings.Contains(out, "as it was recorded") {
		t.Fatalf("before: exit %d: %s%s", code, out, errs)
	}
	changeDatabase(t, "sqlite:"+account.database,
		`UPDATE audit SET address = '198.51.100.7' WHERE action = 'provisioning.activate'`)
	if code, out, _ := command(t, verify...); code != 1 || !strings.Contains(out, "does not have its hash") {
		t.Errorf("after: exit %d: %s", code, out)
	}
	if code, out, _ := command(t, "account", "check", "--database", "sqlite:"+account.database); code != 1 ||
		!strings.Contains(out, "an audit event follows the one before it") ||
		!strings.Contains(out, "scim-bridge account audit --verify --database sqlite:"+account.database) {
		t.Errorf("the check: exit %d: %s", code, out)
	}
}

// changeDatabase executes a statement as somebody does who can write the file.
func changeDatabase(t *testing.T, database, statement string) {
	t.Helper()
	s, err := store.Open(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, statement)
		return err
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
}

// A changed audit log cannot be made whole again. So what the account has can be saved and restored nevertheless, which
// is said each time until somebody allows it, and older backups, which may have the log unchanged, are not deleted.
func TestADatabaseWithAChangedAuditLogIsBackedUpAndRestored(t *testing.T) {
	t.Parallel()
	database, backups := "sqlite:"+filepath.Join(t.TempDir(), "account.db"), t.TempDir()
	output(t, "account", "init", "--database", database, "--name", "Acme")
	backup := []string{"account", "backup", "--database", database, "--keep", "1", backups}
	list := func() []string {
		t.Helper()
		names, err := filepath.Glob(filepath.Join(backups, "account-*.db"))
		if err != nil {
			t.Fatal(err)
		}
		return names
	}
	output(t, backup...)
	changeDatabase(t, database, `UPDATE audit SET address = '198.51.100.7' WHERE sequence = 1`)

	code, out, errs := command(t, backup...)
	if code != 4 || !strings.HasPrefix(out, "Wrote ") ||
		!strings.Contains(errs, "the backup is complete, but the audit log in it was changed: event 1;") ||
		!strings.Contains(errs, "no older backup was deleted") ||
		!strings.Contains(errs, "scim-bridge account audit --verify --database "+database) {
		t.Errorf("a backup: exit %d: %s%s", code, out, errs)
	}
	if len(list()) != 2 {
		t.Errorf("in the folder are %q, want the older one, too", list())
	}
	code, out, errs = command(t, append(slices.Clone(backup), "--allow-changed-audit-log")...)
	if code != 0 || errs != "" || !strings.Contains(out, "The audit log in it was changed: event 1.") ||
		len(list()) != 1 {
		t.Errorf("a backup that allows it: exit %d: %s%s; in the folder are %q", code, out, errs, list())
	}

	restore := []string{"account", "restore", "--database", database, list()[0]}
	code, out, errs = command(t, restore...)
	if code != 1 || out != "" || !strings.Contains(errs, "the audit log in it was changed: event 1:") ||
		!strings.Contains(errs, "--allow-changed-audit-log") || !strings.Contains(errs, "nothing was changed") {
		t.Errorf("a restore: exit %d: %s%s", code, out, errs)
	}
	code, out, errs = command(t, append(slices.Clone(restore), "--allow-changed-audit-log")...)
	if code != 0 || !strings.Contains(out, "The audit log in it was changed: event 1.") {
		t.Errorf("a restore that allows it: exit %d: %s%s", code, out, errs)
	}
	if log := output(t, "account", "audit", "--database", database, "--action", "account.restore"); !strings.Contains(
		log, "its audit log was changed: event 1") {
		t.Errorf("the event of the restore: %s", log)
	}
	if code, out, _ := command(t, "account", "audit", "--verify", "--database", database); code != 1 ||
		!strings.Contains(out, "event 1 does not have its hash") {
		t.Errorf("after the restore: exit %d: %s", code, out)
	}
}

// A backup that does not fit leaves nothing, and says what to do.
func TestABackupOnAFullDiskLeavesNothing(t *testing.T) {
	t.Parallel()
	account := newAccountProcess(t)
	folder := t.TempDir()
	// As on a full disk, no file of this process can grow beyond so many kilobytes.
	cmd := exec.CommandContext(t.Context(), "sh", "-c", `ulimit -f 64; exec "$0" "$@"`, "scim-bridge", "account",
		"backup", "--database", "sqlite:"+account.database, filepath.Join(folder, "backup.db"))
	text, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(text), "has no room for the backup: free as much as the database takes") {
		t.Errorf("it ended with %v and said %s", err, text)
	}
	if entries, err := os.ReadDir(folder); err != nil || len(entries) > 0 {
		t.Errorf("left behind: %v (%v)", entries, err)
	}
	if got := ask(t, http.MethodGet, account.url+"/ready", "", ""); got.status != 204 {
		t.Errorf("the account is not ready: %d %s", got.status, got.body)
	}
}

// After a rotation, a restore brings back credentials that do not work any more. The remedy that it prints works.
func TestARestoreAfterARotationSaysHowToSignInAgain(t *testing.T) {
	t.Parallel()
	account := newAccountProcess(t)
	old := account.activate()
	file := filepath.Join(t.TempDir(), "backup.db")
	if code, out, errs := command(t, "account", "backup", "--database", "sqlite:"+account.database, file); code != 0 {
		t.Fatalf("backing up: exit %d: %s%s", code, out, errs)
	}
	fresh := account.rotate(old, time.Hour)
	bridge := serve(t, folder(t, fresh.sealed))
	post := func(b *process, token, address string) {
		t.Helper()
		if got := ask(t, http.MethodPost, b.url("/Users"), token, person(address)); got.status != 201 {
			t.Fatalf("%s: %d %s", address, got.status, got.body)
		}
	}
	post(bridge, fresh.token.Reveal(), "before@example.com")

	account.kill()
	code, out, errs := command(t, "account", "restore", "--database", "sqlite:"+account.database, file)
	if code != 0 {
		t.Fatalf("restoring: exit %d: %s%s", code, out, errs)
	}
	if strings.Contains(out, "by themselves") || !strings.Contains(out, "Bridges cannot sign in") ||
		!strings.Contains(out, "set a new bearer_token_wo_version and run terraform apply") {
		t.Errorf("it printed %s", out)
	}
	account.start()
	await(t, "the bridge to be refused", func() bool { return len(bridge.codes()) > 0 })
	// As terraform apply does with a new version.
	third := account.rotate(fresh, 0)
	renewed := serve(t, folder(t, third.sealed))
	post(renewed, third.token.Reveal(), "after@example.com")
}

// An account without an admin token that can make changes cannot be administered, which must not be found out later.
func TestARestoreThatLeavesNoAdminTokenSaysSo(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	file := filepath.Join(t.TempDir(), "backup.db")
	output(t, "account", "init", "--database", database, "--name", "Acme")
	output(t, "account", "token", "create", "--database", database, "--name", "reads", "--scope", "read")
	output(t, "account", "backup", "--database", database, file)
	restore := func() string {
		t.Helper()
		code, out, errs := command(t, "account", "restore", "--database", database, file)
		if code != 0 {
			t.Fatalf("exit %d: %s%s", code, out, errs)
		}
		return out
	}
	if out := restore(); strings.Contains(out, "Create one") || !strings.Contains(out, "  account init  scope admin") ||
		!strings.Contains(out, "  reads  scope read") {
		t.Errorf("with a token: %s", out)
	}
	// It was replaced by a newer one, which the backup does not have.
	fields := strings.Fields(output(t, "account", "token", "list", "--database", database))
	id := fields[slices.Index(fields, "init")-2]
	output(t, "account", "token", "create", "--database", database, "--name", "newer")
	output(t, "account", "token", "revoke", "--database", database, id)
	out := restore()
	_, after, found := strings.Cut(out, "No admin token works that can make changes. Create one: ")
	line, _, _ := strings.Cut(after, "\n")
	if !found || strings.Contains(out, "account init") {
		t.Fatalf("without a token: %s", out)
	}
	if secret := output(t, strings.Fields(line)[1:]...); !strings.HasPrefix(secret, "sba_") {
		t.Errorf("%s printed %s", line, secret)
	}
}

// Cron mails what is printed on standard error.
func TestProgressIsForTerminals(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	c := &console{Err: &out}
	c.progress(0)(1, 2)
	c.progress(0)(2, 2)
	if out.Len() > 0 {
		t.Errorf("without a terminal it printed %q", out.String())
	}
	p := progressOn(&out, 0)
	p(1<<20, 2<<20)
	p(2<<20, 2<<20)
	if want := "copied 50% of 2.0 MiB\ncopied 100% of 2.0 MiB\nchecking the copy\n"; out.String() != want {
		t.Errorf("on a terminal it printed %q, want %q", out.String(), want)
	}
}

// A server whose database was moved goes on serving it; a restore to the old name must not begin a second life.
func TestARestoreBesideAServerWhoseDatabaseWasMoved(t *testing.T) {
	t.Parallel()
	account := newAccountProcess(t)
	file := filepath.Join(t.TempDir(), "backup.db")
	output(t, "account", "backup", "--database", "sqlite:"+account.database, file)
	if err := os.Rename(account.database, account.database+".moved"); err != nil {
		t.Fatal(err)
	}
	code, out, errs := command(t, "account", "restore", "--database", "sqlite:"+account.database, file)
	if code != 1 || out != "" || !strings.Contains(errs, "Stop the account service, and move the -wal") ||
		!strings.Contains(errs, "nothing was changed") {
		t.Errorf("exit %d: %s%s", code, out, errs)
	}
	if _, err := os.Stat(account.database); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is a database: %v", err)
	}
}
