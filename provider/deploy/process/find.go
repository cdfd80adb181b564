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

// A trace is what deploy.State.Trace holds: with it a bridge is found whose
// data folder was removed, moved, mounted over or damaged.
type trace struct {
	running

	Folders []string `json:"folders,omitempty"` // as the record's
}

// trace reads the target's trace; nil if there is none.
func (t *Target) trace() *trace {
	var known trace
	if t.Trace == "" || json.Unmarshal([]byte(t.Trace), &known) != nil || known.PID == 0 {
		return nil
	}
	return &known
}

// traceOf returns the trace of the bridge that the record describes; empty if none was started.
func traceOf(r record) string {
	if r.Process == nil {
		return ""
	}
	b, err := json.Marshal(trace{running: *r.Process, Folders: r.Folders})
	if err != nil {
		return "" // texts and numbers always marshal
	}
	return string(b)
}

// instanceOf is the id under which the account knows the bridge of a trace; empty if it is not known.
func instanceOf(trace string) string {
	if known := (&Target{Trace: trace}).trace(); known != nil {
		return known.Instance
	}
	return ""
}

// A finding is what find knows of a deployment.
type finding struct {
	record record
	bridge *control.Status // that answers at the folder's socket
	// lost says why the record cannot be relied on; empty if it can.
	lost string
	// ours reports whether the files in the data folder belong to the deployment.
	ours bool
	// stray is the traced process, if it runs and the folder's record names another.
	stray *running
	// foreign reports whether the folder holds another bridge than the stray's.
	foreign bool
}

// find looks for the deployment: by its record, at its control socket and by
// its trace. The absence of the record is not the absence of the bridge:
// deploy.ErrAbsent means that none of the three leads to one.
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
		f.record, f.ours = t.withoutOthers(ctx, r), true
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
		f.record.Process = t.answering(*f.bridge)
		return t.withStray(f, known)
	}
	switch life, err := t.lifeOf(known.process()); {
	case err != nil:
		return finding{}, err
	case life || known != nil && f.ours:
		f.record.Process = known.process()
		f.lost += whereabouts(known.PID, t.DataDir)
	case !isDamaged:
		return finding{}, deploy.ErrAbsent
	}
	return f, nil
}

// process is the traced one; nil if there is no trace.
func (k *trace) process() *running {
	if k == nil {
		return nil
	}
	return &k.running
}

// withStray notes the traced process if it runs beside what the folder knows:
// the folder was replaced by another deployment's.
func (t *Target) withStray(f finding, known *trace) (finding, error) {
	p := known.process()
	if p == nil || f.record.knows(*p) || f.bridge != nil && f.bridge.PID == p.PID {
		return f, nil
	}
	// A process that cannot be judged is not in the way of the one that is on record.
	if alive, _ := t.lifeOf(p); !alive {
		return f, nil
	}
	f.stray = p
	other := f.record.Process
	f.foreign = other != nil && other.Instance != "" && p.Instance != "" && other.Instance != p.Instance
	if f.lost == "" {
		f.lost = fmt.Sprintf("%s names another process, or none", t.path(recordName))
	}
	f.lost += fmt.Sprintf("; process %d, in which the bridge ran before, runs still%s", p.PID, whereabouts(p.PID, t.DataDir))
	return f, nil
}

func (r record) knows(p running) bool {
	return r.Process != nil && r.Process.PID == p.PID && r.Process.Started == p.Started ||
		slices.ContainsFunc(r.Leaving, func(l running) bool { return l.PID == p.PID && l.Started == p.Started })
}

// withoutOthers drops the processes of a record that was copied, folder and
// all, from a deployment that still runs at its own place.
func (t *Target) withoutOthers(ctx context.Context, r record) record {
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

// whereabouts says where a process has its folder now, if that is not where it was deployed.
func whereabouts(pid int, dataDir string) string {
	now, err := os.Readlink(fmt.Sprintf("/proc/%d/cwd", pid))
	if err != nil || now == dataDir {
		return ""
	}
	if _, deleted := strings.CutSuffix(now, " (deleted)"); deleted {
		return ": its folder was removed while it ran"
	}
	if sameFolder(now, dataDir) {
		return ""
	}
	return fmt.Sprintf(": its folder lies at %s now", now)
}

// instance is the id that the bridge keeps in its folder; empty if there is none.
func (t *Target) instance() string {
	b, err := os.ReadFile(t.path("instance"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// answering is the process of a bridge that answered at its socket.
func (t *Target) answering(s control.Status) *running {
	started, _ := t.startOf(s.PID) // it has just answered: that it runs needs no other proof
	return &running{PID: s.PID, Started: started, Instance: s.Instance, answered: true}
}

// startOf tells when a process started; see the function of that name.
func (t *Target) startOf(pid int) (string, error) {
	if t.starts != nil {
		return t.starts(pid)
	}
	return startOf(pid)
}

// lifeOf reports whether a process runs that was recorded; a nil one never
// did. Where the system does not say when a process started, a pid alone
// proves nothing: it may have come round again to somebody else's.
func (t *Target) lifeOf(p *running) (alive bool, err error) {
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
		err = errors.New("when it was started, the system did not say when")
	}
	return false, &UncertainError{PID: p.PID, Err: err}
}

// An UncertainError says that a process runs which may be the bridge, or one
// to which the system gave the same number later.
type UncertainError struct {
	PID int
	Err error
}

func (e *UncertainError) Error() string {
	return fmt.Sprintf("process %d runs, and whether it is the bridge cannot be told: %v. "+
		"If `ps -p %d` shows scim-bridge, end it by `kill %d`, then run Terraform again", e.PID, e.Err, e.PID, e.PID)
}

func (e *UncertainError) Unwrap() error { return e.Err }

// A damagedError says that there is a record, and that it cannot be read.
type damagedError struct {
	path string
	err  error
}

func (e *damagedError) Error() string {
	return fmt.Sprintf("the deployment's record %s is damaged (%v)", e.path, e.err)
}

func (e *damagedError) Unwrap() error { return e.err }

// isMissing reports whether a path leads nowhere: what it names, or a folder above, is not there.
func isMissing(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || isNotFolder(err)
}
