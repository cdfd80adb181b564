package main

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
)

// A changed audit log takes no account out of service. Its operator is told where it is looked: in the log, with the
// remedy, which works as it is printed; in the metrics; and in the account's own facts.
func TestAServerSaysThatItsAuditLogWasChanged(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	admin := strings.TrimSpace(output(t, "account", "init", "--database", database, "--name", "Test"))
	serve := []string{"account", "serve", "--database", database, "--listen", "127.0.0.1:0"}
	told := func(l *listened, metric, state string) string {
		t.Helper()
		base := "http://" + l.address(t)
		if r := ask(t, http.MethodGet, base+"/ready", "", ""); r.status != http.StatusNoContent {
			t.Errorf("/ready: %d %s", r.status, r.body)
		}
		if text := ask(t, http.MethodGet, base+"/metrics", admin, "").body; !strings.Contains(text,
			"\nscimbridge_account_audit_changed "+metric+"\n") ||
			strings.Contains(text, "\nscimbridge_account_audit_verified_timestamp_seconds 0\n") {
			t.Errorf("the metrics do not say %s:\n%s", metric, text)
		}
		facts := ask(t, http.MethodGet, base+"/v1/account", admin, "").body
		if !strings.Contains(facts, `"state":"`+state+`"`) {
			t.Errorf("the facts do not say %s: %s", state, facts)
		}
		return facts
	}

	l := listenTo(t, serve...)
	l.await(t, "[INFO]  account: the audit log is as it was recorded: newest=1:")
	if facts := told(l, "0", "intact"); !strings.Contains(facts, `"newest":"1:`) {
		t.Errorf("the facts lack the newest event: %s", facts)
	}
	_ = l.cmd.Process.Kill()
	if err := <-l.ended; err == nil {
		t.Error("a killed server ended well")
	}

	changeDatabase(t, database, `UPDATE audit SET actor = 'token:x' WHERE sequence = 1`)
	l = listenTo(t, serve...)
	l.await(t, "[ERROR] account: the audit log was changed; the account goes on.")
	verify := "account audit --verify --database " + database
	if text := l.text(); !strings.Contains(text, "scim-bridge "+verify+";") || !strings.Contains(text, "faults=1") ||
		!strings.Contains(text, `first="event 1 does not have its hash`) {
		t.Errorf("the log says: %s", text)
	}
	facts := told(l, "1", "changed")
	if !strings.Contains(facts, `"changed_since":"`) || !strings.Contains(facts, `"faults":["event 1 does not have`) {
		t.Errorf("the facts lack what was changed: %s", facts)
	}
	if code, out, _ := command(t, strings.Fields(verify)...); code != exitFailed || !strings.HasPrefix(out,
		"broken: event 1 does not have its hash") {
		t.Errorf("what the log says to do: exit %d: %s", code, out)
	}
}

// What is found is logged once, and so is that nothing can be found.
func TestWhatTheAuditWatcherLogs(t *testing.T) {
	t.Parallel()
	type look struct {
		faults []string
		whole  bool
		err    error
	}
	one, two := []string{"event 1"}, []string{"event 1", "event 2"}
	broken := errors.New("broken")
	for _, row := range []struct {
		name  string
		looks []look
		lines string // a letter for each look: the level, or a dot
	}{
		{"a log as it was recorded, once for each whole reading", []look{{whole: true}, {}, {}, {whole: true}}, "I..I"},
		{"a change, once", []look{{whole: true}, {}, {one, true, nil}, {one, false, nil}, {one, true, nil}}, "I.E.."},
		{"a change more", []look{{one, true, nil}, {one, false, nil}, {two, true, nil}}, "E.E"},
		{"a log that is as it was again", []look{{one, true, nil}, {whole: true}, {one, true, nil}}, "EIE"},
		{"a database that cannot be read, once", []look{{err: broken}, {err: broken}, {whole: true}, {err: broken}},
			"W.IW"},
		{"a change is not logged again after that", []look{{one, true, nil}, {err: broken}, {one, false, nil}}, "EW."},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer // of the watcher, until it has stopped
				var lines strings.Builder
				n := 0
				note := func() {
					level := "."
					if out.Len() > 0 {
						level = out.String()[1:2]
					}
					lines.WriteString(level)
					out.Reset()
				}
				w := auditWatcher{
					logger: hclog.New(&hclog.LoggerOptions{Output: &out, DisableTime: true}),
					watch: func(context.Context) (account.AuditFinding, bool, error) {
						if n > 0 {
							note()
						}
						l := row.looks[n]
						n++
						return account.AuditFinding{Faults: l.faults}, l.whole, l.err
					},
				}
				stop := w.start(t.Context())
				time.Sleep(time.Duration(len(row.looks)-1) * auditWatchInterval)
				synctest.Wait()
				stop()
				note()
				if lines.String() != row.lines {
					t.Errorf("logged %s, want %s", lines.String(), row.lines)
				}
			})
		})
	}
}
