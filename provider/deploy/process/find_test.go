//go:build unix

package process_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/process"
)

// removeInUse removes a folder in which a bridge may make a file meanwhile.
func removeInUse(path string) (err error) {
	for range 100 {
		if err = os.RemoveAll(path); !errors.Is(err, syscall.ENOTEMPTY) {
			return err
		}
	}
	return err
}

// losses are ways to lose the record of a bridge that runs, beneath the fixture's folder.
var losses = []struct {
	name  string
	spoil func(f *fixture)
	// says is part of what Observe tells.
	says string
}{
	{"the folder is removed", func(f *fixture) { f.must(removeInUse(f.target.DataDir)) }, "its folder was removed " +
		"while it was running"},
	{"all folders that were made are removed",
		func(f *fixture) { f.must(removeInUse(filepath.Dir(f.target.DataDir))) }, "is missing"},
	{"the record is removed", func(f *fixture) { f.must(os.Remove(f.path("bridge.json"))) }, "is missing"},
	{"record and socket are removed", func(f *fixture) {
		f.must(os.Remove(f.path("bridge.json")))
		f.must(os.Remove(f.path("control.sock")))
	}, "is missing"},
	{"the record is cut", func(f *fixture) { f.must(os.Truncate(f.path("bridge.json"), 40)) }, "is damaged"},
	{"the record is empty", func(f *fixture) { f.must(os.Truncate(f.path("bridge.json"), 0)) }, "is damaged"},
	{"the record is JSON of something else",
		func(f *fixture) { f.must(os.WriteFile(f.path("bridge.json"), []byte("{}"), 0o600)) }, "is damaged"},
	{"the record is a folder", func(f *fixture) {
		f.must(os.Remove(f.path("bridge.json")))
		f.must(os.Mkdir(f.path("bridge.json"), 0o700))
	}, "is damaged"},
	{"the folder is moved", func(f *fixture) { f.must(os.Rename(f.target.DataDir, f.target.DataDir+"-moved")) },
		"bridge-moved"},
	{"another folder lies over it", func(f *fixture) {
		f.must(os.Rename(f.target.DataDir, f.target.DataDir+"-below"))
		f.must(os.Mkdir(f.target.DataDir, 0o700))
	}, "is missing"},
	{"a file lies in its place", func(f *fixture) {
		f.must(os.Rename(f.target.DataDir, f.target.DataDir+"-below"))
		f.must(os.WriteFile(f.target.DataDir, nil, 0o600))
	}, "is missing"},
	{"a link leads elsewhere", func(f *fixture) {
		f.must(os.Rename(f.target.DataDir, f.target.DataDir+"-below"))
		elsewhere := f.target.DataDir + "-elsewhere"
		f.must(os.Mkdir(elsewhere, 0o700))
		f.must(os.Symlink(elsewhere, f.target.DataDir))
	}, "is missing"},
	{"an older record was put back", func(f *fixture) {
		f.record(func(r map[string]any) { delete(r, "process") })
		f.must(os.Remove(f.path("control.sock")))
	}, "is still running"},
}

func (f *fixture) path(name string) string { return filepath.Join(f.target.DataDir, name) }

func (f *fixture) must(err error) {
	f.Helper()
	if err != nil {
		f.Fatal(err)
	}
}

// record changes the deployment's record.
func (f *fixture) record(change func(r map[string]any)) {
	f.Helper()
	b, err := os.ReadFile(f.path("bridge.json"))
	f.must(err)
	var r map[string]any
	f.must(json.Unmarshal(b, &r))
	change(r)
	b, err = json.Marshal(r)
	f.must(err)
	f.must(os.WriteFile(f.path("bridge.json"), b, 0o600))
}

// traced creates a bridge, and makes the target remember it as private state does.
func (f *fixture) traced() (pid int) {
	f.Helper()
	f.create()
	f.target.Trace = f.observe().Trace
	pid = f.pid()
	f.Cleanup(func() { _ = syscall.Kill(pid, syscall.SIGKILL) }) // if the test fails
	return pid
}

func TestABridgeWithoutItsRecordIsFoundAndEnded(t *testing.T) {
	t.Parallel()
	for _, row := range losses {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			pid := f.traced()
			row.spoil(f)
			s := f.observe()
			if !s.Running && row.says != "is still running" || !strings.Contains(s.Lost, row.says) {
				t.Errorf("observed running: %v, lost: %q, want it to run and %q", s.Running, s.Lost, row.says)
			}
			f.must(f.target.Destroy(t.Context()))
			f.gone(pid)
			if _, err := f.target.Observe(t.Context()); !errors.Is(err, deploy.ErrAbsent) {
				t.Errorf("after Destroy: %v, want ErrAbsent", err)
			}
		})
	}
}

func TestUpdatePutsRightABridgeWithoutItsRecord(t *testing.T) {
	t.Parallel()
	for _, row := range losses {
		if row.name == "a file lies in its place" {
			continue // which is not ours to remove
		}
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			pid := f.traced()
			row.spoil(f)
			if row.name == "the record is a folder" {
				f.must(os.Remove(f.path("bridge.json"))) // likewise
			}
			f.spec.Triggers = map[string]string{"again": "1"}
			f.update()
			if s := f.observe(); s.Lost != "" || s.Bridge == nil || s.Revision != f.revision() || s.Bridge.PID == pid {
				t.Errorf("observed %+v", s)
			}
			f.gone(pid)
			f.must(f.target.Destroy(t.Context()))
		})
	}
}

func TestADamagedRecordIsWrittenAnewWithoutARestart(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	pid := f.traced()
	f.must(os.Truncate(f.path("bridge.json"), 10))
	f.update()
	if s := f.observe(); s.Lost != "" || f.pid() != pid || s.Spec.Memo["note"] != "kept" {
		t.Errorf("pid %d became %d; observed %+v", pid, f.pid(), s)
	}
}

// A bridge that does not run has left its files, which are no stranger's.
func TestAStoppedBridgeWithoutItsRecordIsStartedAgain(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	pid := f.traced()
	f.must(syscall.Kill(pid, syscall.SIGKILL))
	f.gone(pid)
	f.must(os.Remove(f.path("bridge.json")))
	if s := f.observe(); s.Running || s.Lost == "" {
		t.Errorf("observed %+v", s)
	}
	f.update()
	if s := f.observe(); s.Lost != "" || s.Bridge == nil {
		t.Errorf("observed %+v", s)
	}
}

func TestATraceThatLeadsNowhereIsAbsence(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		trace func(pid int, trace map[string]any)
	}{
		{"the process has ended", func(int, map[string]any) {}},
		{"its pid has come round to another process", func(_ int, trace map[string]any) { trace["pid"] = os.Getpid() }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			f := newFixture(t)
			pid := f.traced()
			f.must(syscall.Kill(pid, syscall.SIGKILL))
			f.gone(pid)
			f.must(removeInUse(f.target.DataDir))
			var trace map[string]any
			f.must(json.Unmarshal([]byte(f.target.Trace), &trace))
			tt.trace(pid, trace)
			b, err := json.Marshal(trace)
			f.must(err)
			f.target.Trace = string(b)
			if s, err := f.target.Observe(t.Context()); !errors.Is(err, deploy.ErrAbsent) {
				t.Errorf("observed %+v, %v; want ErrAbsent", s, err)
			}
			f.must(f.target.Destroy(t.Context())) // must not end this test
		})
	}
}

// Where /proc is not mounted, a pid proves nothing, and neither does its absence.
func TestWithoutProcABridgeIsNeverTakenForGone(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	f.target.SetStarts(func(pid int) (string, error) {
		if errors.Is(syscall.Kill(pid, 0), syscall.ESRCH) {
			return "", nil
		}
		return "", errors.New("/proc is not there")
	})
	pid := f.traced()
	if s := f.observe(); !s.Running {
		t.Errorf("a bridge that answers is observed as %+v", s)
	}
	moved := f.target.DataDir + "-moved"
	f.must(os.Rename(f.target.DataDir, moved))
	for what, do := range map[string]func() error{
		"Observe": func() error { _, err := f.target.Observe(t.Context()); return err },
		"Update":  func() error { return f.target.Update(t.Context(), f.spec, "r", session.Token{}) },
		"Destroy": func() error { return f.target.Destroy(t.Context()) },
	} {
		if e, ok := errors.AsType[*process.UncertainError](do()); !ok || e.PID != pid {
			t.Errorf("%s does not say that process %d may be the bridge: %v", what, pid, e)
		}
	}
	f.must(os.Rename(moved, f.target.DataDir))
	f.must(f.target.Destroy(t.Context())) // by its answer at the socket
	f.gone(pid)
}

// A copy of a data folder does not copy the process.
func TestACopyOfAFolderDoesNotOwnTheProcess(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	pid := f.traced()
	b, err := os.ReadFile(f.path("bridge.json"))
	f.must(err)
	twin := *f.target
	twin.DataDir, twin.Trace = f.target.DataDir+"-copy", ""
	f.must(os.Mkdir(twin.DataDir, 0o700))
	f.must(os.WriteFile(filepath.Join(twin.DataDir, "bridge.json"), b, 0o600))

	s, err := twin.Observe(t.Context())
	if err != nil || s.Running {
		t.Errorf("the copy is observed as %+v (%v)", s, err)
	}
	f.must(twin.Destroy(t.Context()))
	if f.pid() != pid {
		t.Error("destroying the copy ended the bridge")
	}
}

// Where another deployment's folder was put in the place of ours, ours is
// ended and the other is left alone.
func TestAnotherBridgeInTheFolderIsLeftAlone(t *testing.T) {
	t.Parallel()
	f, other := newFixture(t), newFixture(t)
	pid, others := f.traced(), other.traced()
	f.must(os.Rename(f.target.DataDir, f.target.DataDir+"-below"))
	f.must(os.Rename(other.target.DataDir, f.target.DataDir))
	if s := f.observe(); !strings.Contains(s.Lost, "is still running") {
		t.Errorf("observed %q", s.Lost)
	}
	if err := f.target.Update(t.Context(), f.spec, "r", session.Token{}); err == nil ||
		!strings.Contains(err.Error(), "another bridge") {
		t.Errorf("Update: %v, want a refusal", err)
	}
	f.must(f.target.Destroy(t.Context()))
	f.gone(pid)
	there, err := process.Kind().Open(f.target.DataDir, "")
	f.must(err)
	if s, err := there.Observe(t.Context()); err != nil || s.Bridge == nil || s.Bridge.PID != others {
		t.Errorf("the other bridge: %+v, %v", s, err)
	}
	f.must(there.Destroy(context.Background()))
}

func TestADataFolderMayBeALink(t *testing.T) {
	t.Parallel()
	f := newFixture(t)
	place := t.TempDir()
	f.chmod(place, 0o700)
	f.must(os.MkdirAll(filepath.Dir(f.target.DataDir), 0o700))
	f.must(os.Symlink(place, f.target.DataDir))
	pid := f.traced()
	direct := *f.target
	direct.DataDir = place
	if s, err := direct.Observe(t.Context()); err != nil || s.Bridge == nil || s.Bridge.PID != pid {
		t.Errorf("by its own path: %+v, %v", s, err)
	}
	f.must(f.target.Destroy(t.Context()))
	f.gone(pid)

	f.must(os.RemoveAll(place))
	err := f.target.Create(t.Context(), f.spec, "r", session.Token{})
	if err == nil || !strings.Contains(err.Error(), "symbolic link") {
		t.Errorf("a link that leads nowhere: %v", err)
	}
}
