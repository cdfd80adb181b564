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

// A dataFolder stores the revision that signed in, for which Terraform waits,
// and whether the last write succeeded. A running bridge writes nothing else there.
type dataFolder struct {
	path string
	log  hclog.Logger

	mu       sync.Mutex
	revision string
	fault    error // of the last write
	since    time.Time
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
	if d.fault != nil {
		d.write()
	}
}

func (d *dataFolder) write() {
	err := durable.WriteFile(filepath.Join(d.path, observedFile), []byte(d.revision))
	if err != nil && d.fault == nil {
		d.since = time.Now()
		d.log.Error("could not write the observed revision", problem.LogKey, string(problem.StorageFull),
			problem.FactDataDir, d.path, problem.FactReason, err)
	}
	d.fault = err
}

// Report reports whether the last write succeeded.
func (d *dataFolder) Report() health.Report {
	now := time.Now()
	r := health.Report{Source: "data_folder", Time: now, Expires: now.Add(time.Minute), State: health.Healthy}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.fault != nil {
		r.State = health.Degraded
		r.Problems = []problem.Problem{problem.New(problem.StorageFull, d.since, problem.Facts{
			problem.FactDataDir: d.path, problem.FactReason: d.fault.Error(),
		})}
	}
	return r
}
