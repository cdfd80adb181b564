package process

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/datadir"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// The files that this package writes to a data folder.
const (
	recordName     = "bridge.json"
	lockName       = "bridge.lock"
	sessionName    = "session"
	tokenName      = "unseal-token"
	monitoringName = "monitoring-token"
	logName        = "bridge.log" // written and rotated by the bridge
	stderrName     = "stderr.log" // output outside the log, such as a crash
	binName        = "bin"
)

const recordVersion = 1

// record is the content of bridge.json: what was deployed and how to find it again. It
// contains no secret but a mark of the monitoring token.
type record struct {
	Version  int               `json:"version"`
	Name     string            `json:"name"`
	Machine  Machine           `json:"machine"`
	Listen   string            `json:"listen"`
	Binary   string            `json:"binary,omitempty"` // as configured
	Build    string            `json:"build"`            // SHA-256 of the program, in hex
	Revision string            `json:"revision"`
	Unseal   deploy.Unseal     `json:"unseal"`
	Size     deploy.Size       `json:"size,omitempty"`
	Settings deploy.Settings   `json:"settings"`
	Triggers map[string]string `json:"triggers,omitempty"`
	Memo     map[string]string `json:"memo,omitempty"`
	// Monitoring is nil without a monitoring token. Mark is deploy.MonitoringToken's: the file beside
	// has the token itself.
	Monitoring *deploy.Monitoring `json:"monitoring,omitempty"`
	Mark       string             `json:"monitoring_mark,omitempty"`
	// Process is nil before the first start.
	Process *running `json:"process,omitempty"`
	// Leaving are processes that have handed over and still answer requests.
	Leaving []running `json:"leaving,omitempty"`
	// Folder is the data folder's path when the record was written. In a copy of
	// the folder, the record describes processes of the original.
	Folder string `json:"folder,omitempty"`
	// Folders were created for this deployment, outermost first.
	Folders []string `json:"folders,omitempty"`
}

// running identifies a process.
type running struct {
	PID      int    `json:"pid"`
	Started  string `json:"started"` // see startOf
	Instance string `json:"instance"`

	answered bool // it just answered at its control socket, so the pid is right
}

func newRecord(t *Target, spec deploy.Spec, revision, build string) record {
	r := record{
		Version: recordVersion, Name: spec.Name,
		Machine: t.Machine, Listen: t.Listen, Binary: t.Binary, Folder: t.DataDir,
		Build: build, Revision: revision, Unseal: spec.Unseal, Size: spec.Size, Settings: spec.Settings,
		Triggers: spec.Triggers, Memo: spec.Memo, Monitoring: spec.Monitoring,
	}
	if spec.Monitoring != nil {
		r.Mark = spec.Monitoring.Token.Mark()
	}
	return r
}

// spec returns the recorded spec, without the session.
func (r record) spec() deploy.Spec {
	return deploy.Spec{Name: r.Name, Unseal: r.Unseal, Size: r.Size, Settings: r.Settings, Triggers: r.Triggers,
		Memo: r.Memo, Monitoring: r.Monitoring}
}

// config returns the recorded config of the target in a data folder.
func (r record) config(dataDir string) Config {
	c := Config{Listen: r.Listen, DataDir: dataDir}
	if r.Binary != "" {
		c.Binary = &r.Binary
	}
	return c
}

// readRecord reads the record of a data folder. It returns deploy.ErrAbsent if there is
// none, an *ElsewhereError if it is from another machine, and a *damagedError if it is
// malformed.
func (t *Target) readRecord() (record, error) {
	path := t.path(recordName)
	b, err := os.ReadFile(path)
	switch {
	case isMissing(err):
		return record{}, deploy.ErrAbsent
	case errors.Is(err, fs.ErrPermission):
		return record{}, fmt.Errorf("reading the deployment's record: %w: run Terraform as the user that deployed "+
			"the bridge", err)
	case err != nil:
		return record{}, &damagedError{path, err}
	}
	var r record
	if err := json.Unmarshal(b, &r); err != nil {
		return record{}, &damagedError{path, err}
	}
	if r.Version == 0 || r.Machine.ID == "" { // JSON, but not a record
		return record{}, &damagedError{path, errors.New("it has no version or no machine")}
	}
	if r.Version != recordVersion {
		return record{}, fmt.Errorf("the deployment's record %s has version %d, but this provider supports %d: "+
			"use the version of the provider that wrote it", path, r.Version, recordVersion)
	}
	if r.Machine.ID != t.Machine.ID {
		return record{}, &ElsewhereError{DataDir: t.DataDir, There: r.Machine, Here: t.Machine}
	}
	return r, nil
}

func (t *Target) writeRecord(r record) error {
	b, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return replaceFile(t.path(recordName), append(b, '\n'))
}

func (t *Target) path(name string) string { return filepath.Join(t.DataDir, name) }

// replaceFile writes a file that only its owner may read. After a crash it has the old or
// the new content.
func replaceFile(path string, content []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*") // 0600
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
	}()
	if _, err := f.Write(content); err != nil {
		return err
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(f.Name(), path); err != nil {
		return err
	}
	_ = f.Close() // written and synced
	return syncFolder(filepath.Dir(path))
}

func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// makeFolder creates a folder and its missing parents, for the owner only, and returns the
// created ones, outermost first.
func makeFolder(path string) (made []string, err error) {
	switch info, err := os.Stat(path); {
	case err == nil && !info.IsDir():
		return nil, fmt.Errorf("%s is not a folder", path)
	case err == nil:
		return nil, nil
	case !errors.Is(err, fs.ErrNotExist):
		return nil, err
	}
	if made, err = makeFolder(filepath.Dir(path)); err != nil {
		return made, err
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		if target, linkErr := os.Readlink(path); linkErr == nil {
			return made, fmt.Errorf("%s is a symbolic link to %s, which does not exist", path, target)
		}
		if errors.Is(err, fs.ErrExist) { // another run was faster
			return made, nil
		}
		return made, err
	}
	return append(made, path), nil
}

// checkPrivate refuses folders in which another user could replace the program or
// the control socket: the data folder, what is in it and all folders above must
// belong to this user or to root, and no other user may write there (as sshd's
// StrictModes).
func (t *Target) checkPrivate() error {
	folders := []string{t.path(binName)}
	copies, err := os.ReadDir(t.path(binName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range copies {
		if e.IsDir() {
			folders = append(folders, filepath.Join(t.path(binName), e.Name()))
		}
	}
	for _, folder := range folders {
		if err := datadir.CheckFolder(folder, "data_dir"); err != nil {
			return err
		}
	}
	return datadir.Check(t.DataDir, "data_dir")
}

// removeFolders removes the folders from makeFolder that are empty.
func removeFolders(made []string) {
	for _, path := range slices.Backward(made) {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) { // not empty
			return
		}
	}
}
