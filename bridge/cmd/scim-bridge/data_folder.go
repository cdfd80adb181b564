package main

import (
	"errors"
	"path/filepath"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/datadir"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// checkPrivateFolder refuses a data folder in which another user could replace
// the session or the control socket. In a container, as process 1, that is only a
// warning: it has no other users, and volumes are often writable for all.
func checkPrivateFolder(path string, pid int) (warning string, err error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	err = datadir.Check(absolute, "--data-dir")
	if open, ok := errors.AsType[*datadir.OpenError](err); ok && pid == 1 {
		return open.Error(), nil
	}
	return "", err
}

// A dataFolder stores the revision that signed in, for which Terraform waits, and knows whether that, the journal and
// the kept log could be written.
type dataFolder struct {
	path string
	log  hclog.Logger
	// keptLog returns why log lines cannot be written to the folder, and since when; it may be nil.
	keptLog func() (since time.Time, err error)

	mu       sync.Mutex
	revision string
	fault    folderFault // of the last write of the revision
	journal  folderFault // of the journal
}

// A folderFault is why something cannot be written; the zero value means that it can.
type folderFault struct {
	err   error
	since time.Time
}

// note records the result of a write. It reports whether it is the first that failed.
func (f *folderFault) note(err error) (news bool) {
	if news = err != nil && f.err == nil; news {
		f.since = time.Now()
	}
	f.err = err
	return news
}

func (d *dataFolder) keep(revision string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.revision = revision
	d.write()
}

// retry repeats a write that failed.
func (d *dataFolder) retry() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault.err != nil {
		d.write()
	}
}

func (d *dataFolder) write() {
	err := durable.WriteFile(filepath.Join(d.path, observedFile), []byte(d.revision))
	if d.fault.note(err) {
		d.logFault("could not write the observed revision", err)
	}
}

// noteJournal records that the journal cannot be written, or with nil that it can again.
func (d *dataFolder) noteJournal(err error) {
	d.mu.Lock()
	news := d.journal.note(err)
	d.mu.Unlock()
	if news {
		d.logFault("could not write the journal; what happens is kept in memory, as much as fits", err)
	}
}

func (d *dataFolder) logFault(message string, err error) {
	d.log.Error(message, problem.LogKey, string(problem.StorageFull), problem.FactDataDir, d.path,
		problem.FactReason, err)
}

// worst returns the first fault of those that there are.
func (d *dataFolder) worst() folderFault {
	d.mu.Lock()
	defer d.mu.Unlock()
	faults := []folderFault{d.fault, d.journal}
	if d.keptLog != nil {
		since, err := d.keptLog()
		faults = append(faults, folderFault{err, since})
	}
	for _, f := range faults {
		if f.err != nil {
			return f
		}
	}
	return folderFault{}
}

// Report reports whether the folder can be written.
func (d *dataFolder) Report() health.Report {
	now := time.Now()
	r := health.Report{Source: "data_folder", Time: now, Expires: now.Add(time.Minute), State: health.Healthy}
	if f := d.worst(); f.err != nil {
		r.State = health.Degraded
		r.Problems = []problem.Problem{problem.New(problem.StorageFull, f.since, problem.Facts{
			problem.FactDataDir: d.path, problem.FactReason: f.err.Error(),
		})}
	}
	return r
}
