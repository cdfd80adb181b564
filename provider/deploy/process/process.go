package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// A Target is a data folder on this machine.
type Target struct {
	DataDir string // absolute and clean
	Listen  string
	Binary  string // absolute; empty means the bundled one
	Machine Machine
	// Trace is the last deploy.State.Trace of the deployment; it may be empty. It serves
	// to find the bridge if the folder does not.
	Trace string
	// Grace is how long a bridge may take to answer its requests before it is killed;
	// zero means 20 s.
	Grace time.Duration

	kept   string                        // see Keep
	starts func(pid int) (string, error) // nil means startOf
}

var _ deploy.Target = (*Target)(nil)

// CheckDataDir refuses paths that are not absolute and clean.
func CheckDataDir(path string) error {
	if !filepath.IsAbs(path) {
		return fmt.Errorf("data_dir %q must be an absolute path: a relative one would depend on where Terraform is "+
			"run", path)
	}
	if clean := filepath.Clean(path); clean != path {
		return fmt.Errorf("data_dir %q must be written %q", path, clean)
	}
	if path == "/" {
		return errors.New("data_dir must be its own folder, not the root")
	}
	return nil
}

// ID returns the deployment's id.
func (t *Target) ID() string { return Kind().Prefix() + t.DataDir }

// Observe reads the record and asks the bridge at its control socket.
func (t *Target) Observe(ctx context.Context) (deploy.State, error) {
	found, err := t.find(ctx)
	if err != nil {
		return deploy.State{}, err
	}
	r := found.record
	s := deploy.State{Spec: r.spec(), Revision: r.Revision, Program: r.Build, Lost: found.lost,
		Origin: t.Machine.json()}
	if found.lost == "" {
		s.Config, s.URL = r.config(t.DataDir), urlOf(r.Listen)
		if s.Drift, err = t.monitoringDrift(r); err != nil {
			return deploy.State{}, err
		}
	}
	switch file, err := session.ReadFile(t.path(sessionName)); {
	case err == nil:
		s.Spec.Session = file.String()
	case !isMissing(err) && !errors.Is(err, session.ErrUnreadable):
		return deploy.State{}, err
	}
	if found.bridge != nil {
		r.Process = t.processOf(*found.bridge) // differs from the recorded one after a manual restart
		s.Running, s.Bridge, s.Trace = true, found.bridge, traceOf(r)
		s.Revision, s.ObservedRevision = found.bridge.Revision, found.bridge.ObservedRevision
		if s.Config != nil && s.URL == "" {
			s.URL = urlOf(found.bridge.Listen)
		}
		return s, nil
	}
	s.Trace = traceOf(r)
	if s.Running, err = t.isAlive(r.Process); err != nil {
		return deploy.State{}, err
	}
	observed, err := os.ReadFile(t.path("observed_revision"))
	if err != nil && !isMissing(err) {
		return deploy.State{}, err
	}
	s.ObservedRevision = strings.TrimSpace(string(observed))
	if !s.Running {
		s.Log = strings.TrimSpace(tail(t.path(logName), 0) + "\n" + tail(t.path(stderrName), 0))
	}
	return s, nil
}

// ask returns the status of the bridge at a socket of the data folder. If the run ends
// meanwhile, the error has the reason.
func (t *Target) ask(ctx context.Context, socket string) (control.Status, error) {
	asking, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	s, err := control.Dial(t.path(socket)).Status(asking)
	if err != nil && ctx.Err() != nil {
		return s, deploy.Ended(ctx)
	}
	return s, err
}

// Create deploys to a folder without a bridge. If it fails, it removes the files that it
// created.
func (t *Target) Create(ctx context.Context, spec deploy.Spec, revision string, token session.Token) (err error) {
	if err := Supported(); err != nil {
		return err
	}
	if err := CheckDataDir(t.DataDir); err != nil {
		return err
	}
	folders, err := makeFolder(t.DataDir)
	if err != nil {
		return fmt.Errorf("creating the data folder: %w", err)
	}
	if err := t.checkPrivate(); err != nil {
		removeFolders(folders)
		return err
	}
	unlock, err := t.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := t.checkVacant(); err != nil {
		return err
	}
	build, err := t.digest()
	if err != nil {
		return err
	}
	r := newRecord(t, spec, revision, build)
	r.Folders = folders
	if err := t.writeRecord(r); err != nil {
		return fmt.Errorf("writing the deployment's record: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, t.remove(context.WithoutCancel(ctx), finding{record: r, ours: true}))
		}
	}()
	if err := t.writeInputs(spec, token); err != nil {
		return err
	}
	return t.run(ctx, &r, token, false)
}

// checkVacant refuses a folder that has a bridge.
func (t *Target) checkVacant() error {
	switch r, err := t.readRecord(); {
	case err == nil:
		return &deploy.ExistsError{Name: r.Name}
	case !errors.Is(err, deploy.ErrAbsent):
		return err
	}
	for _, name := range []string{sessionName, "instance"} {
		if _, err := os.Stat(t.path(name)); err == nil {
			// Create has created only the lock.
			_ = os.Remove(t.path(lockName))
			return fmt.Errorf("%s has a bridge that Terraform did not deploy (%s): choose another data_dir, or "+
				"stop that bridge and remove its files", t.DataDir, name)
		}
	}
	return nil
}

// Update implements deploy.Target.
func (t *Target) Update(ctx context.Context, spec deploy.Spec, revision string, token session.Token) error {
	if _, err := t.find(ctx); err != nil {
		return err
	}
	folders, err := makeFolder(t.DataDir) // it may have been removed while the bridge was running
	if err != nil {
		return fmt.Errorf("creating the data folder: %w", err)
	}
	unlock, err := t.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := t.checkPrivate(); err != nil {
		return err
	}
	found, err := t.find(ctx)
	if err != nil {
		return err
	}
	if found.foreign {
		return fmt.Errorf("%s has another bridge (instance %q), and this deployment's process %d is still running: "+
			"move that folder, or choose another data_dir",
			t.DataDir, found.record.Process.Instance, found.stray.PID)
	}
	old := found.record
	if len(old.Folders) == 0 {
		old.Folders = folders
	}
	before, err := t.Observe(ctx)
	if err != nil {
		return err
	}
	build, err := t.digest()
	if err != nil {
		return err
	}
	t.endStandbys(ctx)
	spec.Monitoring = spec.Monitoring.OrStored(old.Monitoring, old.Mark, t.storedMonitoring())
	r := newRecord(t, spec, revision, build)
	r.Process, r.Leaving, r.Folders = old.Process, old.Leaving, old.Folders
	if before.Bridge != nil { // differs from the recorded one after a manual restart
		r.Process = t.processOf(*before.Bridge)
	}
	if err := t.end(ctx, found.stray, t.grace()); err != nil {
		return err
	}

	if b := before.Bridge; b != nil && b.Revision == revision && b.State != control.SessionUnreadable {
		if err := t.writeInputs(spec, token); err != nil {
			return err
		}
		if err := t.reloadMonitoring(ctx, spec.Monitoring); err != nil {
			return err
		}
		if !token.IsZero() && before.Bridge.State == control.Sealed {
			if err := t.unseal(ctx, control.SocketName, token); err != nil {
				return err
			}
		}
		return t.writeRecord(r)
	}

	restore, err := t.backUp(sessionName, tokenName, monitoringName)
	if err != nil {
		return err
	}
	stopped := false
	err = t.writeInputs(spec, token)
	switch {
	case err != nil:
	case !before.Running:
		err = t.run(ctx, &r, token, false)
	case before.Bridge == nil || overlaps(old.Listen, t.Listen):
		stopped, err = t.restart(ctx, old, &r, token)
	default:
		err = t.run(ctx, &r, token, true)
	}
	if isUnrecorded(err) { // the new bridge serves, so its files stay
		return fmt.Errorf("the new bridge is running but could not be recorded: run terraform apply again: %w", err)
	}
	if err != nil {
		err = errors.Join(err, restore())
		if stopped {
			return t.revive(context.WithoutCancel(ctx), old, token, err)
		}
		return err
	}
	return t.removeOtherBuilds(build)
}

// writeInputs writes the files that the bridge reads when it starts.
func (t *Target) writeInputs(spec deploy.Spec, token session.Token) error {
	if m := spec.Monitoring; m != nil && m.Token.IsZero() {
		return deploy.ErrNoMonitoringToken
	}
	if spec.Unseal == deploy.UnsealStored && token.IsZero() && !t.storedTokenOpens(spec.Session) {
		return errors.New(`with unseal = "stored", no token is stored that opens the session: set unseal_token_wo`)
	}
	if err := session.WriteFile(t.path(sessionName), spec.Session); err != nil {
		return fmt.Errorf("writing the session: %w", err)
	}
	switch {
	case spec.Unseal != deploy.UnsealStored:
		if err := os.Remove(t.path(tokenName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the stored token: %w", err)
		}
	case !token.IsZero():
		if err := replaceFile(t.path(tokenName), []byte(token.Reveal()+"\n")); err != nil {
			return fmt.Errorf("storing the token: %w", err)
		}
	}
	return t.writeMonitoring(spec.Monitoring)
}

func (t *Target) storedTokenOpens(sealed string) bool {
	text, err := os.ReadFile(t.path(tokenName))
	if err != nil {
		return false
	}
	token, err := session.ParseToken(strings.TrimSpace(string(text)))
	if err != nil {
		return false
	}
	file, err := session.Parse(sealed)
	if err != nil {
		return false
	}
	// The previous token of a bundle is not valid after the overlap.
	return token.Fingerprint() == file.Entries[0].Header.TokenFingerprint
}

// backUp reads files and returns a function that restores them.
func (t *Target) backUp(names ...string) (restore func() error, err error) {
	contents := map[string][]byte{}
	for _, name := range names {
		b, err := os.ReadFile(t.path(name))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		contents[name] = b
	}
	return func() error {
		var errs []error
		for name, b := range contents {
			err := os.Remove(t.path(name))
			if b != nil {
				err = replaceFile(t.path(name), b)
			}
			if !errors.Is(err, fs.ErrNotExist) {
				errs = append(errs, err)
			}
		}
		return errors.Join(errs...)
	}, nil
}

// Destroy stops the bridge and removes its files and those of this package.
func (t *Target) Destroy(ctx context.Context) error {
	found, err := t.find(ctx)
	if errors.Is(err, deploy.ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	if info, err := os.Stat(t.DataDir); isMissing(err) || err == nil && !info.IsDir() { // no other run can use it
		return t.remove(ctx, found)
	}
	unlock, err := t.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	found, err = t.find(ctx)
	if errors.Is(err, deploy.ErrAbsent) {
		return nil
	}
	if err != nil {
		return err
	}
	return t.remove(ctx, found)
}

// remove stops the bridge and removes its files, the record last, so that the deployment
// is still found after a crash.
func (t *Target) remove(ctx context.Context, found finding) error {
	if err := t.end(ctx, found.stray, t.grace()); err != nil || found.foreign {
		return err
	}
	t.endStandbys(ctx)
	r := found.record
	if err := t.stop(ctx, r.Process); err != nil {
		return err
	}
	for _, p := range r.Leaving {
		if err := t.end(ctx, &p, leavingGrace); err != nil {
			return err
		}
	}
	if !found.ours { // the folder is not the bridge's
		_ = os.Remove(t.path(lockName)) // created by Destroy
		removeFolders(r.Folders)
		return nil
	}
	if err := t.removeOtherBuilds(""); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := t.removeOldLogs(); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := t.removeKept(); err != nil {
		return err
	}
	for _, name := range []string{
		binName, sessionName, tokenName, monitoringName, "instance", "observed_revision", control.SocketName,
		logName, stderrName, oldStderrName, lockName, recordName,
	} {
		err := os.Remove(t.path(name))
		if name == binName && err != nil && !errors.Is(err, fs.ErrNotExist) {
			continue // it has other files
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	removeFolders(r.Folders)
	return nil
}
