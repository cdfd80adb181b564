package main

import (
	"bytes"
	"context"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

// An account that served on SQLite is copied to PostgreSQL and served from there, and back: with its people, its tokens
// and the bridge's session. It is refused while it is served, and a copy that is killed is begun again.
func TestAnAccountMovesToPostgreSQLAndBack(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t, "fsync=off", "full_page_writes=off")
	db, err := pgx.Connect(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close(context.WithoutCancel(t.Context()))
	if _, err := db.Exec(t.Context(), "CREATE DATABASE account"); err != nil {
		t.Fatal(err)
	}
	const password = "v3ry-s3cret" // which the server does not ask for
	address, err := url.Parse(server.URL("account"))
	if err != nil {
		t.Fatal(err)
	}
	address.User = url.UserPassword("postgres", password)
	onServer := address.String()

	backend := newAccountProcess(t)
	pair := backend.activate()
	bridge := serve(t, folder(t, pair.sealed))
	serveFrom := func(database string) {
		t.Helper()
		backend.setting = database
		backend.start()
		bridge.awaitState(control.Ready)
		await(t, "the bridge to use the account again", func() bool { return len(bridge.codes()) == 0 })
	}
	stop := func() {
		t.Helper()
		if err := backend.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := backend.cmd.Wait(); err != nil {
			t.Fatalf("the account service ended with %v", err)
		}
	}
	post := func(address string) {
		t.Helper()
		if got := ask(t, http.MethodPost, bridge.url("/Users"), pair.token.Reveal(),
			person(address)); got.status != http.StatusCreated {
			t.Fatalf("%s: %d %s", address, got.status, got.body)
		}
	}
	found := func(address string) bool {
		t.Helper()
		got := ask(t, http.MethodGet, bridge.url(`/Users?filter=userName+eq+"`+address+`"`), pair.token.Reveal(), "")
		return strings.Contains(got.body, `"totalResults":1`)
	}
	copied := func(from, to string, want int, texts ...string) {
		t.Helper()
		code, out, errs := command(t, "account", "copy", "--from", from, "--to", to)
		if code != want || strings.Contains(out+errs, password) {
			t.Errorf("exit %d, want %d: %s%s", code, want, out, errs)
		}
		for _, text := range texts {
			if !strings.Contains(out+errs, text) {
				t.Errorf("it does not say %q: %s%s", text, out, errs)
			}
		}
	}

	post("first@example.com")
	onFile := "sqlite:" + backend.database
	copied(onFile, onServer, 1, "another process has the database open", "stop every account service",
		"nothing was copied")
	stop()

	// Killed while a table is written: another client has the lock on it.
	blocker, err := pgx.Connect(t.Context(), server.URL("account"))
	if err != nil {
		t.Fatal(err)
	}
	defer blocker.Close(context.WithoutCancel(t.Context()))
	if s, err := store.Open(t.Context(), server.URL("account")); err != nil || s.Close() != nil {
		t.Fatal(err)
	}
	if _, err := blocker.Exec(t.Context(), "BEGIN; LOCK TABLE person_emails IN EXCLUSIVE MODE"); err != nil {
		t.Fatal(err)
	}
	killed := exec.CommandContext(t.Context(), "scim-bridge", "account", "copy", "--from", onFile)
	killed.Env = append(os.Environ(), "SCIMBRIDGE_TO="+onServer)
	var said bytes.Buffer
	killed.Stdout, killed.Stderr = &said, &said
	if err := killed.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the copy to wait for the lock", func() bool {
		var waiting int
		err := db.QueryRow(t.Context(), `SELECT count(*) FROM pg_locks WHERE NOT granted`).Scan(&waiting)
		return err == nil && waiting > 0
	})
	if err := killed.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = killed.Wait() // it was killed
	if said.Len() > 0 {
		t.Errorf("it said %s", said.String())
	}
	if _, err := blocker.Exec(t.Context(), "ROLLBACK"); err != nil {
		t.Fatal(err)
	}
	serveFrom(onFile)
	post("second@example.com")
	stop()

	copied(onFile, onServer, 0, `Copied the account "Test"`, "from "+onFile+" to postgres://postgres@127.0.0.1",
		"2 of them provisioned", "Both have the same", "start the account service with --database postgres://postgres@")
	copied(onFile, onServer, 1, "it is not empty: it has the account", "create a new database")
	serveFrom(onServer)
	if !found("first@example.com") || !found("second@example.com") {
		t.Error("not everybody came with the account")
	}
	post("third@example.com")
	back := filepath.Join(t.TempDir(), "back.db")
	copied(onServer, "sqlite:"+back, 1, "another process has the database open", "a pooler keeps connections")
	stop()
	copied(onServer, "sqlite:"+back, 0, "3 of them provisioned")
	if info, err := os.Stat(back); err != nil || info.Mode() != 0o600 {
		t.Errorf("the file has the mode %v (%v)", info.Mode(), err)
	}
	serveFrom("sqlite:" + back)
	for _, address := range []string{"first@example.com", "second@example.com", "third@example.com"} {
		if !found(address) {
			t.Errorf("%s did not come back", address)
		}
	}
	post("fourth@example.com")
}

func TestProgressOfACopyIsToldByStepAndTime(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	tell := copyProgressOn(&out, 0)
	tell(store.CheckingSource, 0, 0)
	tell(store.Copying, 0, 12)
	tell(store.Copying, 6, 12)
	seldom := copyProgressOn(&out, timeout)
	seldom(store.Comparing, 0, 12)
	seldom(store.Comparing, 6, 12)
	const want = "checking the source\ncopying 12 rows\ncopying: 6 of 12 rows\ncomparing 12 rows\n"
	if out.String() != want {
		t.Errorf("it says\n%s", out.String())
	}
}
