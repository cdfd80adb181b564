//go:build unix

package process_test

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

const (
	oneMonitoringToken     = "one-monitoring-token-of-tests"
	anotherMonitoringToken = "another-monitoring-token-of-tests"
)

// monitored gives the deployment a monitoring token; an empty one is not given.
func (f *fixture) monitored(text string) {
	f.Helper()
	f.spec.Monitoring = &deploy.Monitoring{Version: new(int64(len(text)))}
	if text == "" {
		return
	}
	var err error
	if f.spec.Monitoring.Token, err = deploy.ParseMonitoringToken(text); err != nil {
		f.Fatal(err)
	}
}

// expectMonitoring checks which of the two tokens the running bridge accepts, and that nothing has drifted.
func (f *fixture) expectMonitoring(want string) {
	f.Helper()
	for _, token := range []string{oneMonitoringToken, anotherMonitoringToken} {
		req, err := http.NewRequestWithContext(f.Context(), http.MethodGet, "http://"+f.target.Listen+"/health",
			http.NoBody)
		if err != nil {
			f.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := new(http.Transport).RoundTrip(req)
		if err != nil {
			f.Fatal(err)
		}
		res.Body.Close()
		if accepted := res.StatusCode != http.StatusUnauthorized; accepted != (token == want) {
			f.Errorf("%s is accepted: %t", token, accepted)
		}
	}
	if s := f.observe(); len(s.Drift) > 0 {
		f.Errorf("it has drifted: %q", s.Drift)
	}
}

func (f *fixture) monitoringFile() string { return filepath.Join(f.target.DataDir, "monitoring-token") }

func TestAMonitoringTokenIsAFileOfTheDataFolderAndNothingElse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.monitored(oneMonitoringToken)
	f.create()
	f.expectMonitoring(oneMonitoringToken)
	info, err := os.Stat(f.monitoringFile())
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v (%v)", info, err)
	}
	if m := f.observe().Spec.Monitoring; m == nil || *m.Version != int64(len(oneMonitoringToken)) || !m.Token.IsZero() {
		t.Errorf("observed %v", m)
	}
	places := []string{
		filepath.Join(f.target.DataDir, "bridge.json"), filepath.Join(f.target.DataDir, "bridge.log"),
		filepath.Join(f.target.DataDir, "stderr.log"), fmt.Sprintf("/proc/%d/cmdline", f.pid()),
		fmt.Sprintf("/proc/%d/environ", f.pid()),
	}
	for _, path := range places {
		content, err := os.ReadFile(path)
		if err != nil && (!strings.HasPrefix(path, "/proc") || !errors.Is(err, fs.ErrNotExist)) {
			t.Error(err)
		}
		if strings.Contains(string(content), oneMonitoringToken) {
			t.Errorf("%s has the token", path)
		}
	}
}

func TestARunningBridgeGetsANewMonitoringToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.monitored(oneMonitoringToken)
	f.create()
	before := f.pid()
	f.monitored(anotherMonitoringToken)
	f.update()
	f.expectMonitoring(anotherMonitoringToken)
	if now := f.pid(); now != before {
		t.Errorf("the process %d became %d", before, now)
	}
	f.spec.Monitoring = nil
	f.update()
	f.expectMonitoring("")
	if _, err := os.Stat(f.monitoringFile()); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("its file: %v", err)
	}
}

// A version alone decides: an ephemeral token may be new in every run.
func TestTheStoredMonitoringTokenIsKeptUntilTheVersionChanges(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.monitored(oneMonitoringToken)
	f.create()
	version := f.spec.Monitoring.Version
	f.monitored(anotherMonitoringToken)
	f.spec.Monitoring.Version = version
	f.update()
	f.expectMonitoring(oneMonitoringToken)
	f.monitored("")
	f.spec.Settings.LogLevel = "debug"
	f.update()
	f.expectMonitoring(oneMonitoringToken)
	if err := os.Remove(f.monitoringFile()); err != nil {
		t.Fatal(err)
	}
	err := f.target.Update(t.Context(), f.spec, f.revision(), session.Token{})
	if !errors.Is(err, deploy.ErrNoMonitoringToken) {
		t.Errorf("without a stored one: %v", err)
	}
	f.monitored(anotherMonitoringToken) // to heal it, what is given is written
	f.spec.Monitoring.Version = version
	f.update()
	f.expectMonitoring(anotherMonitoringToken)
}

func TestARedeploymentKeepsTheMonitoringToken(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.monitored(oneMonitoringToken)
	f.create()
	before := f.pid()
	if err := f.target.Redeploy(t.Context(), f.token); err != nil {
		t.Fatal(err)
	}
	f.gone(before)
	f.expectMonitoring(oneMonitoringToken)
}

func TestAnUpdateThatFailsKeepsTheMonitoringToken(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		spoil func(f *fixture)
		want  string
	}{
		{"the new bridge cannot run", func(f *fixture) {
			f.monitored(anotherMonitoringToken)
			f.target.Binary = "/bin/false"
		}, "exited after its start"},
		{"the new bridge cannot run at another address", func(f *fixture) {
			f.monitored(anotherMonitoringToken)
			f.target.Listen, f.target.Binary = providertest.FreeAddress(f.T), "/bin/false"
		}, "exited after its start"},
		{"it was to be taken", func(f *fixture) {
			f.spec.Monitoring = nil
			f.target.Binary = "/bin/false"
		}, "exited after its start"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.monitored(oneMonitoringToken)
			f.create()
			listen := f.target.Listen
			row.spoil(f)
			err := f.target.Update(t.Context(), f.spec, f.revision(), session.Token{})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("the update ends with %v, want %q", err, row.want)
			}
			f.target.Listen = listen
			f.expectMonitoring(oneMonitoringToken)
		})
	}
}

func TestWhatIsDoneToTheMonitoringTokenIsDrift(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.monitored(oneMonitoringToken)
	f.create()
	before := f.pid()
	write := func(content string) func() error {
		return func() error { return os.WriteFile(f.monitoringFile(), []byte(content), 0o600) }
	}
	for _, row := range []struct {
		name string
		do   func() error
		want string
	}{
		{"it is edited", write(anotherMonitoringToken), "was changed"},
		{"it is emptied", write(""), "was changed"},
		{"it has a second line", write(oneMonitoringToken + "\nmore"), "was changed"},
		{"it is removed", func() error { return os.Remove(f.monitoringFile()) }, "is missing"},
		{"others may read it", func() error { return os.Chmod(f.monitoringFile(), 0o640) }, "mode 0640"},
	} {
		if err := row.do(); err != nil {
			t.Fatal(err)
		}
		if s := f.observe(); len(s.Drift) != 1 || !strings.Contains(s.Drift[0], row.want) ||
			strings.Contains(s.Drift[0], oneMonitoringToken) {
			t.Errorf("%s: the drift is %q, want %q", row.name, s.Drift, row.want)
		}
		f.update()
		f.expectMonitoring(oneMonitoringToken)
	}
	if now := f.pid(); now != before {
		t.Errorf("the process %d became %d", before, now)
	}
}
