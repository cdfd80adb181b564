//go:build unix

package process_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/process"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A fixture is a data folder, a session for it and the token that opens it.
// No account stands behind the session: what these tests are about happens
// before a bridge signs in.
type fixture struct {
	*testing.T
	target *process.Target
	token  session.Token
	spec   deploy.Spec
}

func newFixture(t *testing.T) *fixture {
	t.Helper()
	target := &process.Target{
		DataDir: filepath.Join(t.TempDir(), "made", "bridge"),
		Listen:  providertest.FreeAddress(t),
		Binary:  providertest.Binary(t),
		Machine: process.ThisMachine(),
		Grace:   10 * time.Second,
	}
	token, sealed := seal(t)
	t.Cleanup(func() {
		if err := target.Destroy(context.Background()); err != nil {
			t.Errorf("destroying: %v", err)
		}
	})
	return &fixture{T: t, target: target, token: token, spec: deploy.Spec{
		Name: "test", Session: sealed, Unseal: deploy.UnsealOnce, Size: deploy.SizeBase,
		Memo: map[string]string{"note": "kept"},
	}}
}

func seal(t *testing.T) (session.Token, string) {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := signin.GenerateSecrets()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := session.Seal(token, 1, session.Integration{
		AccountURL: "http://127.0.0.1:1", AccountID: "acme", Email: "pm@example.com", Secrets: secrets,
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return token, sealed
}

// revision is what the fixture's spec means.
func (f *fixture) revision() string {
	f.Helper()
	program, err := f.target.Program(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return f.spec.Revision(f.target.Build(program.Digest))
}

func (f *fixture) create() {
	f.Helper()
	if err := f.target.Create(f.Context(), f.spec, f.revision(), session.Token{}); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) update() {
	f.Helper()
	if err := f.target.Update(f.Context(), f.spec, f.revision(), session.Token{}); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) observe() deploy.State {
	f.Helper()
	s, err := f.target.Observe(f.Context())
	if err != nil {
		f.Fatal(err)
	}
	return s
}

// pid is the process that answers.
func (f *fixture) pid() int {
	f.Helper()
	s := f.observe()
	if s.Bridge == nil {
		f.Fatalf("no bridge answers; log:\n%s", f.log())
	}
	return s.Bridge.PID
}

func (f *fixture) log() string {
	b, _ := os.ReadFile(filepath.Join(f.target.DataDir, "bridge.log"))
	return string(b)
}

// gone waits until a process is no more.
func (f *fixture) gone(pid int) {
	f.Helper()
	f.eventually(fmt.Sprintf("process %d has ended", pid), func() bool { return !providertest.Runs(pid) })
}

func (f *fixture) eventually(what string, ok func() bool) {
	f.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(30 * time.Second); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			f.Fatalf("still waiting until %s", what)
		}
	}
}

func TestCreateRunsADetachedBridgeThatObserveFinds(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create()
	s := f.observe()
	if !s.Running || s.Status() != deploy.Sealed || s.Revision != f.revision() || s.Spec.Session != f.spec.Session ||
		s.Spec.Memo["note"] != "kept" {
		t.Errorf("observed %+v", s)
	}
	if sid, err := unix.Getsid(f.pid()); err != nil || sid != f.pid() {
		t.Errorf("the bridge is in session %d (%v), want one of its own", sid, err)
	}
	if err := f.ping(t.Context(), http.DefaultClient); err != nil {
		t.Error(err)
	}

	want := process.Config{Listen: f.target.Listen, DataDir: f.target.DataDir, Binary: &f.target.Binary}
	if s := f.observe(); !reflect.DeepEqual(s.Config, want) || s.URL != "http://"+f.target.Listen {
		t.Errorf("the record says %+v at %s, want %+v", s.Config, s.URL, want)
	}
}

func TestNothingSecretReachesTheProcess(t *testing.T) {
	t.Setenv("SCIMBRIDGE_ACCOUNT_TOKEN", "sba_must-not-leak")
	t.Setenv("TF_PLUGIN_MAGIC_COOKIE", "must-not-leak")
	f := newFixture(t)
	f.spec.Unseal = deploy.UnsealStored
	if err := f.target.Create(t.Context(), f.spec, f.revision(), f.token); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"environ", "cmdline"} {
		b, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", f.pid(), file))
		if errors.Is(err, os.ErrNotExist) {
			t.Skip("needs /proc")
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, secret := range []string{"must-not-leak", f.token.Reveal()} {
			if strings.Contains(string(b), secret) {
				t.Errorf("%s of the process shows a secret", file)
			}
		}
	}
	for name, want := range map[string]os.FileMode{"unseal-token": 0o600, "session": 0o600, "bridge.json": 0o600,
		"bridge.log": 0o600, "stderr.log": 0o600, ".": 0o700} {
		info, err := os.Stat(filepath.Join(f.target.DataDir, name))
		if err != nil || info.Mode().Perm() != want {
			t.Errorf("%s has mode %v (%v), want %v", name, info.Mode().Perm(), err, want)
		}
	}
	for _, name := range []string{"bridge.json", "bridge.log", "session"} {
		b, err := os.ReadFile(filepath.Join(f.target.DataDir, name))
		if err != nil || strings.Contains(string(b), f.token.Reveal()) {
			t.Errorf("%s shows the token (%v)", name, err)
		}
	}
}

func TestUpdateReplacesARunningBridgeWithoutLosingARequest(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create()
	before := f.pid()

	stop, failed := f.traffic()
	f.spec.Triggers = map[string]string{"again": "1"}
	f.update()
	after := f.pid()
	f.gone(before)
	stop()
	if n := failed.Load(); n != 0 {
		t.Errorf("%d requests were lost", n)
	}
	if after == before {
		t.Error("the bridge was not replaced")
	}
	if s := f.observe(); s.Revision != f.revision() {
		t.Errorf("revision %s runs, want %s", s.Revision, f.revision())
	}
}

// ping asks the bridge for a sign of life.
func (f *fixture) ping(ctx context.Context, client *http.Client) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+f.target.Listen+"/ping", http.NoBody)
	if err != nil {
		return err
	}
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// traffic asks the bridge all the time until stop is called, over kept and
// over new connections.
func (f *fixture) traffic() (stop func(), failed *atomic.Int64) {
	failed = new(atomic.Int64)
	ctx, cancel := context.WithCancel(f.Context())
	done := make(chan struct{}, 2)
	for _, fresh := range []bool{false, true} {
		go func() {
			defer func() { done <- struct{}{} }()
			client := &http.Client{Transport: &http.Transport{DisableKeepAlives: fresh}}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				if err := f.ping(f.Context(), client); err != nil {
					failed.Add(1)
					f.Log(err)
				}
			}
		}()
	}
	return func() { cancel(); <-done; <-done }, failed
}

func TestUpdateLeavesABridgeAloneWhoseRevisionStays(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create()
	before := f.pid()
	f.spec.Name = "renamed"
	f.spec.Memo = map[string]string{"note": "changed"}
	f.update()
	if s := f.observe(); f.pid() != before || s.Spec.Name != "renamed" || s.Spec.Memo["note"] != "changed" {
		t.Errorf("pid %d became %d, spec %+v", before, f.pid(), s.Spec)
	}
}

func TestUpdatePutsADamagedSessionRightWithoutARestart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create()
	before := f.pid()
	if err := os.WriteFile(filepath.Join(f.target.DataDir, "session"), []byte("damaged"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := f.observe(); s.Spec.Session != "" {
		t.Errorf("a damaged session is observed as %q", s.Spec.Session)
	}
	f.update()
	if s := f.observe(); s.Spec.Session != f.spec.Session || f.pid() != before {
		t.Errorf("pid %d became %d, session %q", before, f.pid(), s.Spec.Session)
	}
}

func TestUpdateStartsABridgeThatWasKilled(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create()
	before := f.pid()
	if err := syscall.Kill(before, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.gone(before)
	if s := f.observe(); s.Running || s.Status() != deploy.Stopped || s.Revision != f.revision() {
		t.Errorf("observed %+v", s)
	}
	f.update()
	if f.pid() == before {
		t.Error("the old process answers")
	}
}

func TestUpdateMovesToAnotherAddress(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create()
	before := f.pid()
	f.target.Listen = providertest.FreeAddress(t)
	f.update()
	f.gone(before)
	if s := f.observe(); s.Bridge == nil || s.Bridge.Listen != f.target.Listen {
		t.Errorf("observed %+v", s)
	}
}

func TestUpdateThatCannotRunLeavesTheOldBridge(t *testing.T) {
	t.Parallel()
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { taken.Close() })
	tests := []struct {
		name  string
		spoil func(f *fixture)
		want  string
	}{
		{"the new address is taken", func(f *fixture) { f.target.Listen = taken.Addr().String() },
			"address already in use"},
		{"the bridge refuses a setting", func(f *fixture) { f.spec.Settings.AccountURL = "ftp://nowhere" },
			"--account-url"},
		{"the program is no bridge", func(f *fixture) { f.target.Binary = "/bin/false" }, "exited after its start"},
		{"the bridge refuses a setting, and another address", func(f *fixture) {
			f.target.Listen, f.spec.Settings.AccountURL = providertest.FreeAddress(f.T), "ftp://nowhere"
		}, "--account-url"},
		{"the program is no bridge, and another address", func(f *fixture) {
			f.target.Listen, f.target.Binary = providertest.FreeAddress(f.T), "/bin/false"
		}, "exited after its start"},
		{"the session opens nothing, and another address", func(f *fixture) {
			f.target.Listen, f.spec.Session = providertest.FreeAddress(f.T), "damaged"
		}, "cannot work with its session"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.create()
			before, revision, spec, target := f.pid(), f.revision(), f.spec, *f.target
			_, f.spec.Session = seal(t)
			tt.spoil(f)
			err := f.target.Update(t.Context(), f.spec, "new", session.Token{})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want an error that says %q", err, tt.want)
			}
			*f.target = target
			if s := f.observe(); f.pid() != before || s.Revision != revision || s.Spec.Session != spec.Session {
				t.Errorf("pid %d became %d; observed %+v", before, f.pid(), s)
			}
		})
	}
}

// An interruption may come while the bridge is being asked: it is called one,
// and not a bridge that is silent.
func TestAQuestionThatARunEndsSaysWhyTheRunEnded(t *testing.T) {
	target := &process.Target{DataDir: t.TempDir()}
	l, err := new(net.ListenConfig).Listen(t.Context(), "unix", filepath.Join(target.DataDir, control.SocketName))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	limit := &deploy.TimeoutError{Limit: time.Minute, Argument: "timeouts.update"}
	for name, test := range map[string]struct {
		cause error
		want  error
	}{
		"an interruption":               {nil, deploy.ErrInterrupted},
		"a time limit of the operation": {limit, limit},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, end := context.WithCancelCause(context.Background())
			asked := make(chan error, 1)
			go func() { asked <- target.Ask(ctx, control.SocketName) }()
			conn, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			end(test.cause)
			if err := <-asked; !errors.Is(err, test.want) {
				t.Errorf("asking ended with %v, want %v", err, test.want)
			}
		})
	}
}

// Every address of the machine, at the port that the old bridge holds on one of
// them: the new one can listen when the old one is gone, and not before.
func TestUpdateMovesToAnotherAddressAtTheSamePort(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		spoil func(f *fixture)
		want  string // of the error; empty for none
	}{
		{"and the new bridge runs", func(*fixture) {}, ""},
		{"and the new bridge refuses a setting", func(f *fixture) { f.spec.Settings.AccountURL = "ftp://nowhere" },
			"--account-url"},
		{"and the new program is no bridge", func(f *fixture) {
			f.target.Binary = "/bin/false"
		}, "exited after its start"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.spec.Unseal = deploy.UnsealStored
			if err := f.target.Create(f.Context(), f.spec, f.revision(), f.token); err != nil {
				t.Fatal(err)
			}
			revision, old, before := f.revision(), *f.target, f.spec
			_, port, err := net.SplitHostPort(old.Listen)
			if err != nil {
				t.Fatal(err)
			}
			f.target.Listen, f.spec.Settings.InsecureHTTP = "0.0.0.0:"+port, true
			token, sealed := seal(t)
			f.spec.Session = sealed
			row.spoil(f)
			err = f.target.Update(t.Context(), f.spec, "new", token)
			if row.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if s := f.observe(); s.Bridge == nil || s.Bridge.Listen == old.Listen || s.Revision != "new" {
					t.Errorf("observed %+v", s)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), row.want) ||
				!strings.Contains(err.Error(), "the old bridge was started again") {
				t.Errorf("got %v, want an error that says %q and what runs", err, row.want)
			}
			*f.target, f.spec = old, before
			s := f.observe()
			if s.Bridge == nil || s.Bridge.Listen != old.Listen || s.Revision != revision ||
				s.Spec.Session != before.Session {
				t.Errorf("observed %+v", s)
			}
			if err := f.ping(t.Context(), http.DefaultClient); err != nil {
				t.Errorf("the old bridge does not answer: %v", err)
			}
		})
	}
}

// The disk may be full when the old bridge has ended: a new one that runs is
// worth more than its record, and another apply writes that.
func TestANewBridgeKeepsRunningIfItsRecordCannotBeWritten(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		listen func(old string) string
	}{
		{"after a move to another address at the same port", func(old string) string {
			_, port, _ := net.SplitHostPort(old)
			return "0.0.0.0:" + port
		}},
		{"after it took over", func(old string) string { return old }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.create()
			binary := f.target.Binary
			f.target.Binary = filepath.Join(t.TempDir(), "scim-bridge")
			f.must(os.WriteFile(f.target.Binary, []byte("#!/bin/sh\nrm -f bridge.json; mkdir bridge.json\nexec "+
				binary+" \"$@\"\n"), 0o700))
			f.target.Listen, f.spec.Settings.InsecureHTTP = row.listen(f.target.Listen), true
			_, f.spec.Session = seal(t)
			err := f.target.Update(t.Context(), f.spec, "new", session.Token{})
			if err == nil || !strings.Contains(err.Error(), "the new bridge is running") ||
				strings.Contains(err.Error(), "the old bridge") {
				t.Errorf("got %v, want an error that says what runs", err)
			}
			s := f.observe()
			if s.Bridge == nil || s.Revision != "new" || s.Spec.Session != f.spec.Session {
				t.Errorf("observed %+v", s)
			}
			f.must(os.Remove(f.path("bridge.json")))
			if err := f.target.Update(t.Context(), f.spec, "new", session.Token{}); err != nil {
				t.Fatal(err)
			}
			if now := f.observe(); now.Lost != "" || now.Bridge == nil || now.Bridge.PID != s.Bridge.PID {
				t.Errorf("after another apply: %+v", now)
			}
		})
	}
}

func TestCreateThatFailsLeavesNothing(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	taken, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	f.target.Listen = taken.Addr().String()
	err = f.target.Create(t.Context(), f.spec, f.revision(), session.Token{})
	if err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("got %v, want the reason from the bridge's log", err)
	}
	if _, err := os.Stat(filepath.Dir(f.target.DataDir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there (%v)", err)
	}
}

// A bridge opens its control socket first, so that it may answer there and yet never listen.
func TestABridgeRunsOnlyWhenItListens(t *testing.T) {
	t.Parallel()
	answering, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	t.Run("created", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.target.Binary = answering
		err := f.target.Create(t.Context(), f.spec, f.revision(), session.Token{})
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("got %v, want the reason from the bridge's log", err)
		}
	})
	t.Run("in the place of one that was killed", func(t *testing.T) {
		t.Parallel()
		f := newFixture(t)
		f.create()
		providertest.Kill(t, f.pid())
		f.target.Binary = answering
		err := f.target.Update(t.Context(), f.spec, f.revision(), session.Token{})
		if err == nil || !strings.Contains(err.Error(), "address already in use") {
			t.Errorf("got %v, want the reason from the bridge's log", err)
		}
	})
}

func TestCreateRefusesAFolderInWhichABridgeLives(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create()
	other := *f.target
	err := other.Create(t.Context(), f.spec, "r", session.Token{})
	if exists, ok := errors.AsType[*deploy.ExistsError](err); !ok || exists.Name != "test" {
		t.Errorf("got %v, want an error that names the deployment", err)
	}

	byHand := *f.target
	byHand.DataDir = t.TempDir()
	f.chmod(byHand.DataDir, 0o700)
	if err := os.WriteFile(filepath.Join(byHand.DataDir, "instance"), []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := byHand.Create(t.Context(), f.spec, "r", session.Token{}); err == nil ||
		!strings.Contains(err.Error(), "did not deploy") {
		t.Errorf("got %v, want a refusal of a bridge that Terraform did not start", err)
	}
	if names := list(t, byHand.DataDir); !slices.Equal(names, []string{"instance"}) {
		t.Errorf("a refused folder holds %v", names)
	}
}

func TestAFolderThatOthersMayWriteToIsRefused(t *testing.T) {
	t.Parallel()
	for name, mode := range map[string]os.FileMode{"all users may": 0o707, "the group may": 0o770} {
		t.Run("create: "+name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.target.DataDir = t.TempDir()
			f.chmod(f.target.DataDir, mode)
			f.refusesWriters(f.target.Create(t.Context(), f.spec, f.revision(), session.Token{}), f.target.DataDir)
			if names := list(t, f.target.DataDir); len(names) != 0 {
				t.Errorf("a refused folder holds %v", names)
			}
		})
		t.Run("update: "+name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.create()
			before := f.pid()
			f.spec.Settings.LogLevel = "debug"
			copies, err := filepath.Glob(filepath.Join(f.target.DataDir, "bin", "*"))
			if err != nil || len(copies) != 1 {
				t.Fatalf("copies of the program: %v (%v)", copies, err)
			}
			for _, folder := range []string{f.target.DataDir, filepath.Dir(copies[0]), copies[0]} {
				f.chmod(folder, mode)
				f.refusesWriters(f.target.Update(t.Context(), f.spec, f.revision(), session.Token{}), folder)
				f.refusesWriters(f.target.Redeploy(t.Context(), f.token), folder)
				f.chmod(folder, 0o700)
			}
			if f.pid() != before {
				t.Error("a refused update touched the bridge")
			}
			f.update()
		})
	}
}

func (f *fixture) chmod(path string, mode os.FileMode) {
	f.Helper()
	if err := os.Chmod(path, mode); err != nil {
		f.Fatal(err)
	}
}

func (f *fixture) refusesWriters(err error, folder string) {
	f.Helper()
	if err == nil || !strings.Contains(err.Error(), "chmod go-w "+folder) {
		f.Errorf("got %v, want a refusal of %s with its remedy", err, folder)
	}
}

func TestOfTwoCreatesAtOnceOneWins(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	revision := f.revision()
	results := make(chan error, 2)
	for range 2 {
		go func() {
			target := *f.target
			results <- target.Create(f.Context(), f.spec, revision, session.Token{})
		}()
	}
	var won, refused int
	for range 2 {
		err := <-results
		if _, exists := errors.AsType[*deploy.ExistsError](err); exists {
			refused++
		} else if err == nil {
			won++
		} else {
			t.Error(err)
		}
	}
	if won != 1 || refused != 1 {
		t.Errorf("%d were made and %d refused", won, refused)
	}
}

func TestAnotherMachinesFolderIsAnErrorThatNamesIt(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create()
	here := f.target.Machine
	f.target.Machine = process.Machine{ID: "other", Name: "build-7"}
	_, observed := f.target.Observe(t.Context())
	for what, err := range map[string]error{"Observe": observed, "Destroy": f.target.Destroy(t.Context())} {
		e, ok := errors.AsType[*process.ElsewhereError](err)
		if !ok || !errors.Is(err, deploy.ErrElsewhere) || !strings.Contains(e.Error(), here.Name) ||
			!strings.Contains(e.Error(), "build-7") {
			t.Errorf("%s: got %v, want an error that names both machines", what, err)
		}
	}
	f.target.Machine = here
	if f.pid() == 0 {
		t.Error("the bridge does not run any more")
	}
}

func TestDestroyRemovesWhatWasMadeAndNothingElse(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create()
	f.spec.Triggers = map[string]string{"again": "1"}
	f.update() // leaves an old bridge that drains
	pid := f.pid()
	strangers := []string{
		filepath.Join(f.target.DataDir, "notes.txt"), filepath.Join(f.target.DataDir, "bin", "tool"),
		filepath.Join(f.target.DataDir, "log", "mine.log"),
	}
	if kept, err := filepath.Glob(filepath.Join(f.target.DataDir, "journal", "*")); err != nil || len(kept) == 0 {
		t.Fatalf("the bridge keeps no journal: %v, %v", kept, err)
	}
	aside := filepath.Join(f.target.DataDir, "bridge-2026-01-01T00-00-00.000-size.log") // by the bridge
	for _, path := range append(strangers, aside) {
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.target.Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	f.gone(pid)
	want := []string{"bin", "bin/tool", "log", "log/mine.log", "notes.txt"}
	if names := list(t, f.target.DataDir); !slices.Equal(names, want) {
		t.Errorf("left behind: %v", names)
	}
	if err := f.target.Destroy(t.Context()); err != nil {
		t.Errorf("destroying what is gone: %v", err)
	}
}

func TestDestroyLeavesNoFolderThatItMade(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create()
	if err := f.target.Destroy(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Dir(f.target.DataDir)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there (%v)", filepath.Dir(f.target.DataDir), err)
	}
}

func TestAPidThatCameRoundAgainIsNotTheBridge(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.create()
	pid := f.pid()
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	f.gone(pid)
	// As if the pid had come round to this very process.
	path := filepath.Join(f.target.DataDir, "bridge.json")
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var record map[string]any
	if err := json.Unmarshal(b, &record); err != nil {
		t.Fatal(err)
	}
	record["process"].(map[string]any)["pid"] = os.Getpid()
	if b, err = json.Marshal(record); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if f.observe().Running {
		t.Error("a stranger is taken for the bridge")
	}
	if err := f.target.Destroy(t.Context()); err != nil { // must not end this test
		t.Error(err)
	}
}

func TestAStoredTokenIsKeptAndMustOpenTheSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.spec.Unseal = deploy.UnsealStored
	if err := f.target.Create(t.Context(), f.spec, f.revision(), f.token); err != nil {
		t.Fatal(err)
	}
	f.eventually("the bridge has opened by itself", func() bool { return f.observe().Status() != deploy.Sealed })

	_, f.spec.Session = seal(t)
	if err := f.target.Update(t.Context(), f.spec, f.revision(), session.Token{}); err == nil ||
		!strings.Contains(err.Error(), "unseal_token_wo") {
		t.Errorf("got %v, want a refusal to deploy a session that the stored token does not open", err)
	}
}

// A bundle opens with the previous token too, until the overlap ends.
func TestAStoredTokenMustOpenTheNewestSession(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.spec.Unseal = deploy.UnsealStored
	if err := f.target.Create(t.Context(), f.spec, f.revision(), f.token); err != nil {
		t.Fatal(err)
	}
	previous, err := session.Parse(f.spec.Session)
	if err != nil {
		t.Fatal(err)
	}
	newest, _ := seal(t)
	if f.spec.Session, err = session.Seal(newest, 2, session.Integration{AccountID: "acme", Email: "pm@example.com"},
		&session.Previous{Entry: previous.Entries[0]}); err != nil {
		t.Fatal(err)
	}
	if err := f.target.Update(t.Context(), f.spec, f.revision(), session.Token{}); err == nil ||
		!strings.Contains(err.Error(), "unseal_token_wo") {
		t.Errorf("got %v, want a refusal to deploy a session whose previous part alone the stored token opens", err)
	}
	if err := f.target.Update(t.Context(), f.spec, f.revision(), newest); err != nil {
		t.Error(err)
	}
}

func TestAMissingProgramNamesAllPlaces(t *testing.T) {
	t.Setenv(deploy.BinaryVariable, "/nowhere/scim-bridge")
	target := &process.Target{DataDir: "/x", Listen: ":0"}
	_, err := target.Program(t.Context())
	if err == nil || !strings.Contains(err.Error(), "/nowhere/scim-bridge") ||
		!strings.Contains(err.Error(), filepath.Dir(os.Args[0])) {
		t.Errorf("got %v", err)
	}
}

func TestCheckDataDir(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, path string
		ok         bool
	}{
		{"an absolute path is taken", "/var/lib/bridge", true},
		{"a relative path depends on where Terraform runs", "bridge", false},
		{"a detour would give one folder two ids", "/var/lib/../lib/bridge", false},
		{"the root is not a folder of its own", "/", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if err := process.CheckDataDir(tt.path); (err == nil) != tt.ok {
				t.Errorf("%q: %v", tt.path, err)
			}
		})
	}
}

// list returns every file below a folder, in order.
func list(t *testing.T, folder string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(folder, func(path string, _ os.DirEntry, err error) error {
		if path != folder {
			rel, _ := filepath.Rel(folder, path)
			names = append(names, rel)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestAKeptProgramMustBeUndamaged(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		damage func(copied string) error
	}{
		{"its copy is gone", os.Remove},
		{"its copy was changed", func(copied string) error {
			return os.WriteFile(copied, []byte("#!/bin/sh\n"), 0o700)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			f.create()
			pid, kept := f.pid(), f.observe().Program
			copied := filepath.Join(f.target.DataDir, "bin", kept, "scim-bridge")
			if err := os.Remove(copied); err != nil { // it runs, so it cannot be written
				t.Fatal(err)
			}
			if err := row.damage(copied); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
			f.spec.Settings.LogLevel = "debug"
			f.target.Keep(kept)
			err := f.target.Update(t.Context(), f.spec, f.revision(), session.Token{})
			if err == nil || !strings.Contains(err.Error(), copied+", is missing or damaged: deploy another version") {
				t.Errorf("updating: %v", err)
			}
			if now := f.pid(); now != pid {
				t.Errorf("process %d runs, before %d", now, pid)
			}
		})
	}
}
