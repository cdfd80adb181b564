package providertest

import (
	"context"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// An Account is an account service with a new account, running as a process
// until the test ends.
type Account struct {
	URL     string // http://127.0.0.1:PORT
	Token   string // an admin token
	API     *api.Client
	DataDir string // holds the database and the log

	t       testing.TB
	flags   []string
	process process
}

// NewAccount makes an account and serves it on a free port, with more flags of
// account serve if given.
func NewAccount(t testing.TB, flags ...string) *Account {
	t.Helper()
	a := &Account{t: t, DataDir: t.TempDir(), flags: flags}
	a.process = process{t: t, log: filepath.Join(a.DataDir, "account.log")}
	a.Token = strings.TrimSpace(a.Command("init", "--name", "Test"))
	t.Cleanup(a.Stop)
	a.serve("127.0.0.1:0")
	return a
}

// Database is the account's database, as --database takes it.
func (a *Account) Database() string { return "sqlite:" + filepath.Join(a.DataDir, "account.db") }

// Command runs scim-bridge account with the arguments beside the server, and
// returns what it printed.
func (a *Account) Command(arguments ...string) string {
	a.t.Helper()
	binary := Binary(a.t) // building it takes longer than running it
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, binary, append(append([]string{"account"}, arguments...), "--database",
		a.Database())...)
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
func (a *Account) Log() string { return string(a.process.text()) }

// Start serves again, at the same address, after Stop.
func (a *Account) Start() { a.serve(strings.TrimPrefix(a.URL, "http://")) }

// Stop ends the server. It does nothing if the server has ended.
func (a *Account) Stop() { a.process.stop() }

// PID is the server's process.
func (a *Account) PID() int { return a.process.cmd.Process.Pid }

// Kill ends the server by SIGKILL, as a power failure would.
func (a *Account) Kill() { a.process.kill() }

func (a *Account) serve(listen string) {
	a.t.Helper()
	arguments := append([]string{"account", "serve", "--database", a.Database(), "--listen", listen}, a.flags...)
	a.At("http://" + a.process.start(arguments...))
}

// At returns the account as reached at another address, a proxy's for instance.
func (a *Account) At(address string) {
	a.t.Helper()
	a.URL = address
	var err error
	a.API, err = api.NewClient(a.URL, api.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+a.Token)
		return nil
	}))
	if err != nil {
		a.t.Fatal(err)
	}
}

// ProviderBlock configures the provider for the account.
func (a *Account) ProviderBlock() string {
	return fmt.Sprintf("provider \"scimbridge\" {\n  account_url   = %q\n  account_token = %q\n}\n", a.URL, a.Token)
}
