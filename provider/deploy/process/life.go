package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

const (
	oldStderrName = stderrName + ".1"
	// maxStderr is the size at which a start rotates standard error.
	maxStderr = 1 << 20
	// logNamesAside match the bridge's rotated logs.
	logNamesAside = "bridge-*.log"
	// startTime is how long a bridge may take to answer at its control socket.
	// standbyTime is how long one on standby may take to sign in; after that it takes
	// over without a sign-in.
	startTime   = 20 * time.Second
	standbyTime = 15 * time.Second
	// leavingGrace is the grace for a bridge after the hand-over, with few requests left.
	leavingGrace = time.Second
	tick         = 20 * time.Millisecond
)

// A child is a bridge that this program started.
type child struct {
	running
	socket     string        // its control socket, in the data folder
	logFrom    int64         // offset of its part of the log
	stderrFrom int64         // offset of its part of standard error
	ended      chan struct{} // closed when it has exited
}

// run starts the record's bridge and records it. With takeOver, it takes over from the
// running bridge, which then exits.
func (t *Target) run(ctx context.Context, r *record, token session.Token, takeOver bool) error {
	source, err := t.programPath()
	if err != nil {
		return err
	}
	program, err := t.install(source, r.Build)
	if err != nil {
		return err
	}
	c, err := t.start(ctx, program, *r, takeOver)
	if err == nil {
		if err = t.settle(ctx, c, token, takeOver); err != nil {
			t.discard(c)
		}
	}
	switch {
	case err != nil && takeOver:
		return fmt.Errorf("the old bridge is still running: %w", err)
	case err != nil:
		return err
	}
	if takeOver {
		r.Leaving = append(r.Leaving, *r.Process)
	}
	r.Leaving = slices.DeleteFunc(r.Leaving, func(p running) bool {
		alive, err := t.isAlive(&p)
		return err == nil && !alive
	})
	r.Process = &c.running
	if err := t.writeRecord(*r); err != nil {
		return &unrecordedError{err}
	}
	return nil
}

// An unrecordedError is the error for a bridge that runs but could not be recorded. It can
// be found by its control socket.
type unrecordedError struct{ err error }

func (e *unrecordedError) Error() string {
	return fmt.Sprintf("writing the deployment's record: %v", e.err)
}

func (e *unrecordedError) Unwrap() error { return e.err }

func isUnrecorded(err error) bool {
	_, ok := errors.AsType[*unrecordedError](err)
	return ok
}

// discard kills a child that has no clients, and removes its socket.
func (t *Target) discard(c *child) {
	_ = kill(c.PID)
	<-c.ended
	_ = os.Remove(control.StandbySocket(t.DataDir, c.PID))
}

// settle unseals a new bridge. One on standby takes over when it has signed in, or cannot
// sign in for a reason that affects the old bridge too.
func (t *Target) settle(ctx context.Context, c *child, token session.Token, takeOver bool) error {
	if !token.IsZero() {
		if err := t.unseal(ctx, c.socket, token); err != nil {
			return err
		}
	}
	if !takeOver {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, standbyTime+startTime,
		fmt.Errorf("the new bridge did not sign in within %s", standbyTime+startTime))
	defer cancel()
	for begun := time.Now(); time.Since(begun) < standbyTime; {
		s, err := t.ask(ctx, c.socket)
		if ctx.Err() != nil {
			return fmt.Errorf("%w%s", deploy.Ended(ctx), t.logOf(c))
		}
		if err != nil {
			return fmt.Errorf("the new bridge does not answer: %w%s", err, t.logOf(c))
		}
		if refusesSession(s) {
			return &deploy.NotReadyError{Reason: "the new bridge cannot work with its session.", Problems: s.Problems}
		}
		if s.State != control.Starting && s.State != control.SigningIn {
			break
		}
		if err := c.pause(ctx); err != nil {
			return fmt.Errorf("%w%s", err, t.logOf(c))
		}
	}
	return t.letTakeOver(ctx, c)
}

// letTakeOver tells the child on standby to serve. An interruption is checked before, and
// then takes effect only after it: killing the child in between might kill the serving
// bridge.
func (t *Target) letTakeOver(ctx context.Context, c *child) error {
	if ctx.Err() != nil {
		return deploy.Ended(ctx)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), startTime)
	defer cancel()
	err := control.Dial(t.path(c.socket)).TakeOver(ctx)
	if err == nil {
		return nil
	}
	if s, asked := t.ask(ctx, control.SocketName); asked == nil && s.PID == c.PID {
		return nil // the child serves; only its answer was lost
	}
	return fmt.Errorf("handing over to the new bridge: %w%s", err, t.logOf(c))
}

// refusesSession reports whether a bridge on standby can never sign in with its session.
// Problems that affect the old bridge as well do not count.
func refusesSession(s control.Status) bool {
	return s.State == control.SessionUnreadable || s.State == control.Refused &&
		slices.ContainsFunc(s.Problems, func(p problem.Problem) bool { return p.Code == problem.CredentialsChanged })
}

// overlaps reports whether two different addresses may conflict because they have the same
// port.
func overlaps(old, listen string) bool {
	_, oldPort, err := net.SplitHostPort(old)
	_, port, err2 := net.SplitHostPort(listen)
	return old != listen && (err != nil || err2 != nil || oldPort == port)
}

// restart stops the old bridge before it starts the new one, if the old one hangs or has
// the new one's port. Stopped reports whether the old one has exited.
func (t *Target) restart(ctx context.Context, old record, r *record, token session.Token) (stopped bool, err error) {
	// check the new address while the old bridge still runs
	if old.Listen != t.Listen && !overlaps(old.Listen, t.Listen) {
		l, err := new(net.ListenConfig).Listen(ctx, "tcp", t.Listen)
		if err != nil {
			return false, fmt.Errorf("the new bridge cannot listen; the old one is still running: %w", err)
		}
		_ = l.Close()
	}
	if ctx.Err() != nil {
		return false, fmt.Errorf("the old bridge is still running: %w", deploy.Ended(ctx))
	}
	if err := t.stop(ctx, old.Process); err != nil {
		return false, err
	}
	// the old bridge has exited: continue even after an interruption
	return true, t.run(context.WithoutCancel(ctx), r, token, false)
}

// revive starts the old bridge again after a new one failed. Its files are unchanged.
func (t *Target) revive(ctx context.Context, old record, token session.Token, failed error) error {
	was := *t
	was.Listen, was.Binary, was.kept = old.Listen, old.Binary, old.Build
	old.Process = nil
	if !was.opens(token) {
		token = session.Token{} // the identity provider's next request unseals it
	}
	if err := was.run(ctx, &old, token, false); err != nil && !isUnrecorded(err) {
		return errors.Join(failed,
			fmt.Errorf("the old bridge was stopped and could not be started again; no bridge is "+
				"running: %w", err))
	}
	return fmt.Errorf("the old bridge was started again: %w", failed)
}

// opens reports whether a token opens the session in the data folder.
func (t *Target) opens(token session.Token) bool {
	if token.IsZero() {
		return false
	}
	file, err := session.ReadFile(t.path(sessionName))
	if err != nil {
		return false
	}
	_, ok := file.Match(token)
	return ok
}

// start starts a program and waits for its control socket.
func (t *Target) start(ctx context.Context, program string, r record, takeOver bool) (*child, error) {
	stderr, err := t.openStderr()
	if err != nil {
		return nil, err
	}
	defer stderr.Close()
	size, err := stderr.Seek(0, io.SeekEnd)
	if err != nil {
		return nil, err
	}
	// it must outlive this program
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program, t.arguments(r, takeOver)...)
	cmd.Dir, cmd.Env = t.DataDir, environment(t.DataDir, r.Size)
	cmd.Stdout, cmd.Stderr = stderr, stderr
	detach(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("starting the bridge: %w", err)
	}
	c := &child{running: running{PID: cmd.Process.Pid}, logFrom: sizeOf(t.path(logName)), stderrFrom: size,
		ended: make(chan struct{})}
	c.Started, _ = t.startOf(c.PID) // if it fails, the bridge is found by its control socket only
	go func() {
		_ = cmd.Wait() // its log has the reason
		close(c.ended)
	}()
	ctx, cancel := context.WithTimeoutCause(ctx, startTime,
		fmt.Errorf("the bridge did not start within %s", startTime))
	defer cancel()
	for {
		for _, socket := range []string{filepath.Base(control.StandbySocket(t.DataDir, c.PID)), control.SocketName} {
			// One that is not on standby answers before it listens, which may fail.
			if s, err := t.ask(ctx, socket); err == nil && s.PID == c.PID &&
				(s.Listen != "" || socket != control.SocketName) {
				c.socket, c.Instance = socket, s.Instance
				return c, nil
			}
		}
		if err := c.pause(ctx); err != nil {
			t.discard(c)
			return nil, fmt.Errorf("%w%s", err, t.logOf(c))
		}
	}
}

// pause waits until the next request to the child. It fails if the child has exited or
// the context has ended.
func (c *child) pause(ctx context.Context) error {
	select {
	case <-c.ended:
		return errors.New("the bridge exited after its start")
	case <-ctx.Done():
		return deploy.Ended(ctx)
	case <-time.After(tick):
		return nil
	}
}

func (t *Target) arguments(r record, takeOver bool) []string {
	args := append([]string{
		"serve",
		"--listen=" + t.Listen,
		"--session=" + t.path(sessionName),
		"--data-dir=" + t.DataDir,
		"--log-file=" + t.path(logName),
		"--revision=" + r.Revision,
	}, r.Settings.Flags()...)
	if r.Unseal == deploy.UnsealStored {
		args = append(args, "--unseal-token-file="+t.path(tokenName))
	}
	if r.Monitoring != nil {
		args = append(args, "--monitoring-token-file="+t.path(monitoringName))
	}
	if takeOver {
		args = append(args, "--take-over")
	}
	return args
}

// environment returns a new environment: Terraform's own contains tokens.
func environment(home string, size deploy.Size) []string {
	env := []string{
		"HOME=" + home,
		"PATH=/usr/local/bin:/usr/bin:/bin",
		"GOMEMLIMIT=" + strconv.FormatInt(size.Memory(), 10),
	}
	for _, name := range []string{"TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"} { // settings of this machine
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// unseal sends the token to the bridge at a socket of the data folder.
func (t *Target) unseal(ctx context.Context, socket string, token session.Token) error {
	ctx, cancel := context.WithTimeoutCause(ctx, startTime,
		fmt.Errorf("the bridge did not answer within %s", startTime))
	defer cancel()
	_, err := control.Dial(t.path(socket)).Unseal(ctx, token.Reveal())
	if refused, ok := errors.AsType[*control.Error](err); ok && refused.Code != "" {
		return &deploy.NotReadyError{Reason: "the bridge refused the token: " + refused.Error() + ".",
			Problems: []problem.Problem{problem.New(refused.Code, time.Now(), nil)}}
	}
	if ctx.Err() != nil {
		err = deploy.Ended(ctx)
	}
	if err != nil {
		return fmt.Errorf("unsealing the bridge: %w", err)
	}
	return nil
}

// stop stops the bridges of the data folder: the one that answers and the recorded one.
func (t *Target) stop(ctx context.Context, recorded *running) error {
	if s, err := t.ask(ctx, control.SocketName); err == nil {
		if err := t.end(ctx, t.processOf(s), t.grace()); err != nil {
			return err
		}
	}
	return t.end(ctx, recorded, t.grace())
}

func (t *Target) grace() time.Duration {
	if t.Grace == 0 {
		return 20 * time.Second
	}
	return t.Grace
}

// end terminates a process, and kills it after the grace.
func (t *Target) end(ctx context.Context, p *running, grace time.Duration) error {
	alive, err := t.isAlive(p)
	if err != nil || !alive {
		return err
	}
	if err := terminate(p.PID); err != nil {
		return err
	}
	for deadline := time.Now().Add(grace); ; {
		if alive, err = t.isAlive(p); err != nil || !alive {
			return err
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			if err := kill(p.PID); err != nil {
				return err
			}
			deadline, ctx = time.Now().Add(grace), context.WithoutCancel(ctx)
		}
		select {
		case <-time.After(tick):
		case <-ctx.Done():
		}
	}
}

// endStandbys kills bridges that an earlier run left on standby, and removes their
// sockets.
func (t *Target) endStandbys(ctx context.Context) {
	entries, _ := os.ReadDir(t.DataDir)
	for _, e := range entries {
		if standby, _ := filepath.Match("control.[0-9]*.sock", e.Name()); !standby {
			continue
		}
		if s, err := t.ask(ctx, e.Name()); err == nil {
			_ = kill(s.PID) // it has no clients
		}
		_ = os.Remove(t.path(e.Name()))
	}
}

func (t *Target) openStderr() (*os.File, error) {
	path := t.path(stderrName)
	if sizeOf(path) > maxStderr {
		if err := os.Rename(path, t.path(oldStderrName)); err != nil {
			return nil, fmt.Errorf("rotating the bridge's standard error: %w", err)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening the file for the bridge's standard error: %w", err)
	}
	return f, nil
}

// removeOldLogs removes the bridge's rotated logs.
func (t *Target) removeOldLogs() error {
	entries, err := os.ReadDir(t.DataDir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if aside, _ := filepath.Match(logNamesAside, e.Name()); aside {
			err = errors.Join(err, os.Remove(t.path(e.Name())))
		}
	}
	return err
}

// removeKept removes the journal and the kept log of the bridge, and their folders unless they have other files.
func (t *Target) removeKept() (err error) {
	for folder, patterns := range journal.Kept() {
		if folder == journal.Folder {
			patterns = append(patterns, journal.KeyFile+"*") // and one that was not written to its end
		}
		entries, _ := os.ReadDir(t.path(folder)) // there may be none
		for _, e := range entries {
			if isKept(patterns, e.Name()) {
				err = errors.Join(err, os.Remove(filepath.Join(t.path(folder), e.Name())))
			}
		}
		_ = os.Remove(t.path(folder)) // unless it has other files
	}
	return err
}

func isKept(patterns []string, name string) bool {
	return slices.ContainsFunc(patterns, func(pattern string) bool {
		ok, _ := filepath.Match(pattern, name) // they are well formed
		return ok
	})
}

// sizeOf returns a file's size; 0 if it does not exist.
func sizeOf(path string) int64 {
	info, err := os.Stat(path)
	if err != nil {
		return 0
	}
	return info.Size()
}

// logOf returns the end of a child's log and standard error, to append to an error.
func (t *Target) logOf(c *child) (text string) {
	if end := tail(t.path(logName), c.logFrom); end != "" {
		text += "\n\nThe end of the bridge's log:\n" + end
	}
	if end := tail(t.path(stderrName), c.stderrFrom); end != "" {
		text += "\n\nThe end of its standard error:\n" + end
	}
	return text
}

// tail returns the last lines of a file after an offset.
func tail(path string, from int64) string {
	const lines, bytes = 12, 4 << 10
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil {
		return ""
	}
	if size < from { // it was rotated meanwhile
		from = 0
	}
	b := make([]byte, min(size-from, bytes))
	n, _ := f.ReadAt(b, size-int64(len(b)))
	all := strings.Split(strings.TrimSpace(string(b[:n])), "\n")
	return strings.Join(all[max(0, len(all)-lines):], "\n")
}
