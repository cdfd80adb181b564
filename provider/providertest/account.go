package providertest

import (
	"context"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// patience bounds the start and the end of the process.
const patience = 30 * time.Second

// An Account is an account service with a new account, running as a process
// until the test ends.
type Account struct {
	URL     string // http://127.0.0.1:PORT
	Token   string // an admin token
	API     *api.ClientWithResponses
	DataDir string // holds the database and the log

	t      testing.TB
	binary string
	flags  []string
	mu     sync.Mutex
	cmd    *exec.Cmd
}

// NewAccount makes an account and serves it on a free port, with further
// flags of scim-bridge account serve.
func NewAccount(t testing.TB, flags ...string) *Account {
	t.Helper()
	a := &Account{t: t, binary: Binary(t), DataDir: t.TempDir(), flags: flags}
	a.Token = strings.TrimSpace(a.Command("init", "--name", "Test"))
	t.Cleanup(a.Stop)
	a.start("127.0.0.1:0")
	return a
}

// Database is the account's database, as --database takes it.
func (a *Account) Database() string { return "sqlite:" + filepath.Join(a.DataDir, "account.db") }

// Command runs scim-bridge account with the arguments beside the server, and
// returns what it printed.
func (a *Account) Command(arguments ...string) string {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, a.binary, append(append([]string{"account"}, arguments...), "--database", a.Database())...)
	cmd.Env = []string{} // nothing of the developer's
	var faults strings.Builder
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		a.t.Fatalf("scim-bridge account %s: %v\n%s", strings.Join(arguments, " "), err, faults.String())
	}
	return string(out)
}

// Log is what the server has logged so far.
func (a *Account) Log() string {
	a.t.Helper()
	text, err := os.ReadFile(a.logPath())
	if err != nil {
		a.t.Fatal(err)
	}
	return string(text)
}

// Start serves again, at the same address, after Stop or Kill.
func (a *Account) Start() {
	a.t.Helper()
	a.start(strings.TrimPrefix(a.URL, "http://"))
}

// Kill ends the server without warning, as a power failure would.
func (a *Account) Kill() {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	if err := a.cmd.Process.Kill(); err != nil {
		a.t.Fatalf("kill the account service: %v", err)
	}
	_ = a.cmd.Wait() // says only that it was killed
	a.cmd = nil
}

// Stop ends the server; harmless when it has ended.
func (a *Account) Stop() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.cmd == nil {
		return
	}
	_ = a.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	kill := time.AfterFunc(patience, func() { _ = a.cmd.Process.Kill() })
	if err := a.cmd.Wait(); err != nil {
		a.t.Errorf("the account service did not end cleanly: %v\n%s", err, a.tail())
	}
	kill.Stop()
	a.cmd = nil
}

var listening = regexp.MustCompile(`listening.*address="?([0-9.:]+)`)

func (a *Account) start(listen string) {
	a.t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	log, err := os.OpenFile(a.logPath(), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		a.t.Fatal(err)
	}
	defer log.Close()
	begin, err := log.Seek(0, 2)
	if err != nil {
		a.t.Fatal(err)
	}
	cmd := exec.Command(a.binary, append([]string{"account", "serve", "--database", a.Database(), "--listen", listen}, a.flags...)...)
	cmd.Env = []string{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		a.t.Fatalf("start the account service: %v", err)
	}
	a.cmd = cmd

	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(patience); ; <-tick.C {
		text, err := os.ReadFile(a.logPath())
		if err != nil {
			a.t.Fatal(err)
		}
		if found := listening.FindSubmatch(text[begin:]); found != nil {
			a.URL = "http://" + string(found[1])
			break
		}
		if time.Now().After(deadline) {
			a.t.Fatalf("the account service does not listen after %s:\n%s", patience, text)
		}
	}
	a.API, err = api.NewClientWithResponses(a.URL, api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+a.Token)
		return nil
	}))
	if err != nil {
		a.t.Fatal(err)
	}
}

func (a *Account) logPath() string { return filepath.Join(a.DataDir, "account.log") }

func (a *Account) tail() string {
	text, _ := os.ReadFile(a.logPath())
	return string(text[max(0, len(text)-2000):])
}

// ProviderBlock configures the provider for the account.
func (a *Account) ProviderBlock() string {
	return `
provider "scimbridge" {
  account_url   = "` + a.URL + `"
  account_token = "` + a.Token + `"
}
`
}
