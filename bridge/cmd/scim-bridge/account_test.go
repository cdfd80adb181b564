package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// The account service says where it listens, serves, sees at once what a
// command beside it did, and ends well.
func TestAccountServe(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	admin := strings.TrimSpace(output(t, "account", "init", "--database", database, "--name", "Acme"))

	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	log := new(sharedBuffer)
	ended := make(chan int, 1)
	go func() {
		ended <- run(ctx, []string{"account", "serve", "--database", database, "--listen", "127.0.0.1:0"},
			&console{Out: log, Err: log})
	}()
	var base string
	await(t, "the address in the log", func() bool {
		m := regexp.MustCompile(`listening: address=(\S+)`).FindStringSubmatch(log.String())
		if m != nil {
			base = "http://" + m[1]
		}
		return m != nil
	})

	if got := request(t, "GET", base+"/v1/firewall", admin, ""); got["enforced"] != true {
		t.Fatalf("the firewall is %v", got)
	}
	got := request(t, "PATCH", base+"/v1/firewall?allow_lockout=true", admin, `{"default_action":"deny"}`)
	if got["default_action"] != "deny" {
		t.Fatalf("the firewall is %v", got)
	}
	if got := request(t, "GET", base+"/v1/firewall", admin, ""); got["code"] != "firewall_blocked" {
		t.Fatalf("locked out, but answered %v", got)
	}
	told := output(t, "account", "firewall", "disable", "--database", database, "--for", "1h")
	if want := "it will block an administrator at 127.0.0.1 by the default action"; !strings.Contains(told, want) {
		t.Errorf("the command does not tell %q:\n%s", want, told)
	}
	if got := request(t, "GET", base+"/v1/firewall", admin, ""); got["enforced"] != false ||
		got["default_action"] != "deny" {
		t.Fatalf("while it is disabled, the firewall is %v", got)
	}

	request(t, "POST", base+"/v1/members", admin, `{"address":"ann@example.com","name":"Ann"}`)
	mail := output(t, "account", "mail", "--database", database)
	if !strings.Contains(mail, "to ann@example.com: ") || !strings.Contains(mail, base+"/join/") {
		t.Errorf("the outbox is\n%s", mail)
	}

	stop()
	select {
	case code := <-ended:
		if code != 0 {
			t.Errorf("ended with %d\n%s", code, log.String())
		}
	case <-time.After(timeout):
		t.Fatal("did not end")
	}
	if text := log.String(); !strings.Contains(text, "stopped") || strings.Contains(text, admin) {
		t.Errorf("the log is\n%s", text)
	}
}

// Root looks after the database of a service in a folder of the service's user.
func TestALinkInPlaceOfADatabasesLogIsRefused(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path, target := filepath.Join(folder, "account.db"), filepath.Join(folder, "another file")
	output(t, "account", "init", "--database", "sqlite:"+path, "--name", "Acme")
	for _, suffix := range []string{"-wal", "-shm"} {
		if err := errors.Join(os.WriteFile(target, nil, 0o600), os.Chmod(target, 0o644),
			os.RemoveAll(path+suffix), os.Symlink(target, path+suffix)); err != nil {
			t.Fatal(err)
		}
		var errs bytes.Buffer
		code := run(t.Context(), []string{"account", "token", "list", "--database", "sqlite:" + path},
			&console{Out: io.Discard, Err: &errs})
		if code == 0 || !strings.Contains(errs.String(), suffix+" is a symbolic link") {
			t.Errorf("%s: exit %d: %s", suffix, code, errs.String())
		}
		if info, err := os.Stat(target); err != nil || info.Mode().Perm() != 0o644 {
			t.Errorf("%s: the file behind the link has mode %v: %v", suffix, info.Mode(), err)
		}
		if err := os.Remove(path + suffix); err != nil {
			t.Fatal(err)
		}
	}
}

// output runs a command that must succeed and returns what it printed.
func output(t *testing.T, args ...string) string {
	t.Helper()
	var out, errs bytes.Buffer
	if code := run(t.Context(), args, &console{Out: &out, Err: &errs}); code != 0 {
		t.Fatalf("scim-bridge %s: exit %d: %s", strings.Join(args, " "), code, errs.String())
	}
	return out.String()
}

func request(t *testing.T, method, url, token, body string) map[string]any {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		t.Fatalf("%s %s: %v", method, url, err)
	}
	return answer
}

type sharedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *sharedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *sharedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}
