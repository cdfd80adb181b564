package process

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// A trace is the JSON in deploy.State.Trace. It serves to find a bridge whose data folder
// was removed, moved, mounted over or damaged.
type trace struct {
	running

	Folders []string `json:"folders,omitempty"` // as in the record
}

// trace reads the target's trace; nil if there is none.
func (t *Target) trace() *trace {
	var known trace
	if t.Trace == "" || json.Unmarshal([]byte(t.Trace), &known) != nil || known.PID == 0 {
		return nil
	}
	return &known
}

// traceOf returns the trace of the record's bridge; empty if none was started.
func traceOf(r record) string {
	if r.Process == nil {
		return ""
	}
	b, err := json.Marshal(trace{running: *r.Process, Folders: r.Folders})
	if err != nil {
		return "" // strings and numbers always marshal
	}
	return string(b)
}

// instanceOf returns the instance id of a trace's bridge; empty if it is not known.
func instanceOf(trace string) string {
	if known := (&Target{Trace: trace}).trace(); known != nil {
		return known.Instance
	}
	return ""
}

// A finding is the result of find.
type finding struct {
	record record
	bridge *control.Status // the bridge that answers at the folder's socket
	// lost says why the record is not reliable; empty if it is.
	lost string
	// ours reports whether the files in the data folder belong to the deployment.
	ours bool
	// stray is the traced process, if it runs but the folder's record names another.
	stray *running
	// foreign reports whether the folder holds another bridge than the stray's.
	foreign bool
}

// find looks for the deployment by its record, its control socket and its trace. It
// returns deploy.ErrAbsent if none of the three leads to a bridge: a missing record alone
// does not mean that no bridge runs.
func (t *Target) find(ctx context.Context) (finding, error) {
	r, err := t.readRecord()
	damaged, isDamaged := errors.AsType[*damagedError](err)
	absent := errors.Is(err, deploy.ErrAbsent)
	if err != nil && !absent && !isDamaged {
		return finding{}, err
	}
	var f finding
	if s, err := t.ask(ctx, control.SocketName); err == nil {
		f.bridge = &s
	}
	known := t.trace()
	if err == nil {
		f.record, f.ours = t.withoutCopied(ctx, r), true
		return t.withStray(f, known)
	}
	f.lost = fmt.Sprintf("the deployment's record %s is missing", t.path(recordName))
	if isDamaged {
		f.lost = damaged.Error()
	}
	f.record = record{Version: recordVersion, Machine: t.Machine, Listen: t.Listen, Binary: t.Binary}
	f.ours = isDamaged || f.bridge != nil
	if known != nil {
		f.record.Folders = known.Folders
		f.ours = f.ours || known.Instance != "" && t.instance() == known.Instance
	}
	if f.bridge != nil {
		f.record.Process = t.processOf(*f.bridge)
		return t.withStray(f, known)
	}
	switch life, err := t.isAlive(known.process()); {
	case err != nil:
		return finding{}, err
	case life || known != nil && f.ours:
		f.record.Process = known.process()
		f.lost += movedTo(known.PID, t.DataDir)
	case !isDamaged:
		return finding{}, deploy.ErrAbsent
	}
	return f, nil
}

// process returns the traced process; nil if there is no trace.
func (k *trace) process() *running {
	if k == nil {
		return nil
	}
	return &k.running
}

// withStray adds the traced process if it runs but the folder does not name it, which
// means that another deployment's folder has replaced it.
func (t *Target) withStray(f finding, known *trace) (finding, error) {
	p := known.process()
	if p == nil || f.record.knows(*p) || f.bridge != nil && f.bridge.PID == p.PID {
		return f, nil
	}
	// If the process cannot be identified, the record decides.
	if alive, _ := t.isAlive(p); !alive {
		return f, nil
	}
	f.stray = p
	other := f.record.Process
	f.foreign = other != nil && other.Instance != "" && p.Instance != "" && other.Instance != p.Instance
	if f.lost == "" {
		f.lost = fmt.Sprintf("%s names another process or none", t.path(recordName))
	}
	f.lost += fmt.Sprintf("; the bridge's earlier process %d is still running%s", p.PID,
		movedTo(p.PID, t.DataDir))
	return f, nil
}

func (r record) knows(p running) bool {
	return r.Process != nil && r.Process.PID == p.PID && r.Process.Started == p.Started ||
		slices.ContainsFunc(r.Leaving, func(l running) bool { return l.PID == p.PID && l.Started == p.Started })
}

// withoutCopied removes the processes from a record whose folder was copied from a
// deployment that still runs in its own folder.
func (t *Target) withoutCopied(ctx context.Context, r record) record {
	if r.Folder == "" || r.Folder == t.DataDir || r.Process == nil || sameFolder(r.Folder, t.DataDir) {
		return r
	}
	origin := &Target{DataDir: r.Folder}
	if s, err := origin.ask(ctx, control.SocketName); err == nil && s.PID == r.Process.PID {
		r.Process, r.Leaving, r.Folders = nil, nil, nil
	}
	return r
}

func sameFolder(a, b string) bool {
	x, errX := os.Stat(a)
	y, errY := os.Stat(b)
	return errX == nil && errY == nil && os.SameFile(x, y)
}

// movedTo describes where the folder of a process is now, if it was moved or removed.
func movedTo(pid int, dataDir string) string {
	now, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil || now == dataDir {
		return ""
	}
	if _, deleted := strings.CutSuffix(now, " (deleted)"); deleted {
		return ": its folder was removed while it was running"
	}
	if sameFolder(now, dataDir) {
		return ""
	}
	return fmt.Sprintf(": its folder is now %s", now)
}

// instance returns the id that the bridge stores in its folder; empty if there is none.
func (t *Target) instance() string {
	b, err := os.ReadFile(t.path("instance"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// processOf returns the process of a bridge that answered at its socket.
func (t *Target) processOf(s control.Status) *running {
	started, _ := t.startOf(s.PID) // it has answered, so it runs
	return &running{PID: s.PID, Started: started, Instance: s.Instance, answered: true}
}

// startOf returns when a process started; see the function of that name.
func (t *Target) startOf(pid int) (string, error) {
	if t.starts != nil {
		return t.starts(pid)
	}
	return startOf(pid)
}

// isAlive reports whether a recorded process runs; false for nil. If the system does not
// report when the process started, it returns an *UncertainError: another process may have
// the pid.
func (t *Target) isAlive(p *running) (alive bool, err error) {
	if p == nil {
		return false, nil
	}
	started, err := t.startOf(p.PID)
	switch {
	case err == nil && p.Started != "":
		return started == p.Started, nil
	case err == nil && started == "":
		return false, nil
	case p.answered:
		return exists(p.PID), nil
	case err == nil:
		err = errors.New("its start time was not recorded")
	}
	return false, &UncertainError{PID: p.PID, Err: err}
}

// An UncertainError is the error for a process that may be the bridge, or another process
// with the same pid.
type UncertainError struct {
	PID int
	Err error
}

func (e *UncertainError) Error() string {
	return fmt.Sprintf("process %d may be the bridge or another process: %v. "+
		"If `ps -p %d` shows scim-bridge, run `kill %d`, then run Terraform again", e.PID, e.Err, e.PID, e.PID)
}

func (e *UncertainError) Unwrap() error { return e.Err }

// A damagedError is the error for an unreadable record.
type damagedError struct {
	path string
	err  error
}

func (e *damagedError) Error() string {
	return fmt.Sprintf("the deployment's record %s is damaged (%v)", e.path, e.err)
}

func (e *damagedError) Unwrap() error { return e.err }

// isMissing reports whether err means that a path or a parent folder does not exist.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || isNotFolder(err)
}
