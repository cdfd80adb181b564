package stories

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// After an interrupted apply the state has everything that was created: the next
// apply creates the rest, and nothing twice.
func TestAnInterruptedApplyIsFinishedByTheNext(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, config string
		write        int // the one during which the interruption comes
	}{
		{"single rules and domains", many(30), 25},
		{"a whole policy", requirements + `
resource "scimbridge_firewall_policy" "it" {
  default_action = "allow"
  rules          = { for i in range(20) : "rule ${i}" => { ip_ranges = ["10.0.${i}.0/24"] } }
}
`, 1},
		{"a whole list of domains", requirements + `
resource "scimbridge_signup_domains" "it" {
  domains = [for i in range(60) : "d${i}.example"]
}
`, 30},
		{"an integration", requirements + `
variable "token" {
  type      = string
  ephemeral = true
}
resource "scimbridge_provisioning" "it" {
  manager_email           = "manager@example.com"
  bearer_token_wo         = var.token
  bearer_token_wo_version = 1
}
`, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			account := providertest.NewAccount(t)
			line := &slowLine{write: row.write, reached: make(chan struct{}), interrupted: make(chan struct{})}
			w := newWorkspace(t, providertest.Installation(t), "SCIMBRIDGE_ACCOUNT_URL="+line.before(t, account),
				"SCIMBRIDGE_ACCOUNT_TOKEN="+account.Token)
			w.config(row.config)
			v := vars{"token": newToken(t).Reveal()}

			out := w.interruptedApply(v, line)
			if !strings.Contains(out, "Stopping operation") || strings.Contains(out, "Apply complete!") {
				t.Fatalf("the apply was not interrupted:\n%s", out)
			}
			w.apply(v)
			w.plan(v).expectNoChanges(t)
		})
	}
}

// A slowLine is a proxy before an account. From a given write on, it forwards
// requests at once and returns their responses when Terraform has been told to
// stop.
type slowLine struct {
	write       int
	reached     chan struct{} // closed by that write
	interrupted chan struct{} // closed when Terraform stops

	mu     sync.Mutex
	writes int
}

func (l *slowLine) before(t *testing.T, account *providertest.Account) (address string) {
	t.Helper()
	target, err := url.Parse(account.URL)
	if err != nil {
		t.Fatal(err)
	}
	proxy := httputil.NewSingleHostReverseProxy(target)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !l.slow(r) {
			proxy.ServeHTTP(w, r)
			return
		}
		whole := httptest.NewRecorder()
		proxy.ServeHTTP(whole, r)
		<-l.interrupted
		select { // who hangs up has gone by now
		case <-r.Context().Done():
		case <-time.After(time.Second):
		}
		for name, values := range whole.Header() {
			w.Header()[name] = values
		}
		w.WriteHeader(whole.Code)
		_, _ = w.Write(whole.Body.Bytes())
	}))
	t.Cleanup(server.Close)
	return server.URL
}

func (l *slowLine) slow(r *http.Request) bool {
	if r.Method == http.MethodGet || strings.HasSuffix(r.URL.Path, "/evaluate") {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.writes++
	if l.writes == l.write {
		close(l.reached)
	}
	return l.writes >= l.write
}

// interruptedApply applies until the line is slow, then interrupts Terraform as
// Ctrl-C does.
func (w *workspace) interruptedApply(v vars, line *slowLine) string {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, providertest.Terraform(w.t), "apply", "-auto-approve", "-no-color", "-input=false")
	cmd.Dir, cmd.Env = w.dir, w.env
	for name, value := range v {
		cmd.Env = append(cmd.Env, fmt.Sprintf("TF_VAR_%s=%s", name, value))
	}
	out := &watched{words: "Stopping operation", seen: line.interrupted}
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		w.t.Fatal(err)
	}
	select {
	case <-line.reached:
	case <-ctx.Done():
		w.t.Fatalf("the apply made fewer than %d writes:\n%s", line.write, out)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		w.t.Fatal(err)
	}
	if err := cmd.Wait(); err == nil {
		w.t.Fatalf("an interrupted apply ended well:\n%s", out)
	}
	out.close() // what waits for the words waits no longer
	return out.String()
}

// watched is an output that signals when words first appear in it.
type watched struct {
	words string
	seen  chan struct{}

	mu   sync.Mutex
	text bytes.Buffer
	told bool
}

func (o *watched) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	n, err := o.text.Write(p)
	if bytes.Contains(o.text.Bytes(), []byte(o.words)) {
		o.tell()
	}
	return n, err
}

func (o *watched) tell() {
	if !o.told {
		o.told = true
		close(o.seen)
	}
}

func (o *watched) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.tell()
}

func (o *watched) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}
