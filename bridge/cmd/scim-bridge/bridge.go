package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/build"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

const (
	// checkEvery is how often the session and the token file are read again
	// while they are missing or wrong.
	checkEvery = 5 * time.Second
	// drainTimeout is how long requests in flight may take when the process ends.
	drainTimeout = 20 * time.Second
	// lingerTime is how long a replaced bridge keeps its connections, so that its
	// clients learn with their next answer that they must reconnect. Busy clients
	// do so in this time; idle ones would not in any.
	lingerTime = 5 * time.Second
)

// open starts serving on the configured listener, or on a new one.
func (b *runningBridge) open(ctx context.Context) error {
	if b.cfg.listener != nil {
		return b.listener.ServeInherited(ctx, b.cfg.listener)
	}
	return b.listener.Listen(ctx)
}

// run serves until ctx ends, serving fails, another process has taken over, or
// standby times out.
func (b *runningBridge) run(ctx context.Context, takeOver bool) error {
	log := b.cfg.logger
	info := build.Read()
	log.Info("starting", "version", info.Version, "commit", info.Commit, "instance", b.instance,
		"revision", b.cfg.revision, "pid", os.Getpid())
	defer b.journal.Close()
	defer b.recordStop()
	isStandby, err := b.socket.Open(ctx, takeOver)
	if err != nil {
		return err
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
		defer cancel()
		b.socket.Close(ctx)
	}()
	if isStandby {
		log.Info("another bridge serves this data folder; waiting on standby to take over")
		b.recordStart()
	} else {
		if err := b.lockHolds(); err != nil {
			return err
		}
		if err := b.open(ctx); err != nil {
			return err
		}
	}
	ping, err := b.listenPing(ctx, isStandby)
	if err != nil {
		return err
	}
	b.logSession()

	// Not ended by ctx: requests in flight still need the account, so the bridge
	// signs out last.
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var parts sync.WaitGroup
	parts.Go(func() { b.far.account.Run(working) })
	parts.Go(func() { b.far.front.Run(working) })
	parts.Go(func() { b.far.guard.Run(working) })
	parts.Go(func() { b.watcher.Run(working) })
	parts.Go(func() { b.watchSession(working) })
	serving, stopServing := context.WithCancel(working)
	defer stopServing()
	if b.cfg.certificate != nil {
		parts.Go(func() {
			if b.awaitServing(serving) {
				b.cfg.certificate.Run(serving)
			}
		})
	}

	if b.cfg.pingListen != "" {
		parts.Go(func() { b.servePing(serving, ping) })
	}

	linger := b.serveUntilTold(ctx)
	stopServing() // another bridge may have the certificate's files now
	drain, cancelDrain := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout+linger)
	defer cancelDrain()
	drain, calm := b.cfg.signals.hurried(drain)
	defer calm()
	err = b.listener.Drain(drain, linger)
	if b.cfg.signals.hurry() {
		log.Warn("second signal: aborting the requests in flight", "reason", err)
		err = nil
	}
	cancel()
	parts.Wait()
	b.events.Flush()
	log.Info("stopped")
	return errors.Join(err, b.failure)
}

// awaitServing waits until this bridge serves, after its standby. It reports false if ctx ends first.
func (b *runningBridge) awaitServing(ctx context.Context) bool {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for b.listener.Addr() == "" {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// lockHolds keeps a second bridge before a SCIM server from the data folder, from when this one serves. At a
// hand-over it succeeds when the old bridge has let go.
func (b *runningBridge) lockHolds() error {
	if !b.far.isServer.Load() || b.socket.IsStandby() || b.listener.Draining() {
		return nil
	}
	return b.far.guard.Lock()
}

// serveUntilTold returns when the bridge must stop, and how long connections may linger.
func (b *runningBridge) serveUntilTold(ctx context.Context) (linger time.Duration) {
	for {
		select {
		case <-ctx.Done():
			b.cfg.logger.Info("stopping after a signal; a second one aborts the requests in flight")
			if b.socket.IsStandby() {
				b.far.account.OnHandover() // the serving bridge keeps this instance's name
				return 0
			}
			return b.leave()
		case b.failure = <-b.listener.Failed():
			return 0
		case <-b.replaced:
			b.far.account.OnHandover()
			b.far.guard.Unlock()
			return lingerTime
		case <-b.abandoned:
			b.cfg.logger.Warn("stopping: this bridge has been on standby without a request to take over; " +
				"the other bridge continues to serve")
			b.far.account.OnHandover()
			return 0
		case <-b.cfg.signals.reload():
			b.reload("SIGHUP")
		case done := <-b.reloads:
			b.reload("scim-bridge reload")
			close(done)
		}
	}
}

// leave keeps serving for the drain delay, or until a second signal. Every answer tells its
// client to reconnect, and the clients that look the bridge's name up anew find another one. It
// returns how long the connections that are left may linger.
func (b *runningBridge) leave() (linger time.Duration) {
	if b.cfg.drainDelay <= 0 {
		return 0
	}
	b.listener.Leave()
	b.cfg.logger.Info("still serving, so that clients can find another bridge", "for", b.cfg.drainDelay.String())
	wait, cancel := context.WithTimeout(context.Background(), b.cfg.drainDelay)
	defer cancel()
	wait, calm := b.cfg.signals.hurried(wait)
	defer calm()
	<-wait.Done()
	if b.cfg.signals.hurry() {
		return 0
	}
	if err := b.listener.Refuse(); err != nil {
		b.cfg.logger.Warn("a client may find its new connection reset", "reason", err)
	}
	return lingerTime
}

// reloadWhenAsked reloads in the loop that handles the signals, and waits for it.
func (b *runningBridge) reloadWhenAsked(ctx context.Context, asked control.Reload) error {
	if b.listener.Draining() {
		return &control.Error{Status: http.StatusConflict, Detail: "this bridge is shutting down"}
	}
	if asked.MonitoringToken != "" {
		if err := b.checkMonitoringFile(secret.New(asked.MonitoringToken)); err != nil {
			return &control.Error{Status: http.StatusConflict, Detail: err.Error()}
		}
	}
	done := make(chan struct{})
	select {
	case b.reloads <- done:
		<-done
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// seal refuses if the bridge would unseal itself a moment later.
func (b *runningBridge) seal() error {
	if b.listener.Draining() {
		return &control.Error{Status: http.StatusConflict, Detail: "this bridge is shutting down"}
	}
	if b.cfg.unsealTokenFile != "" {
		if _, err := readSecret(b.unsealSetting(), b.cfg.unsealTokenFile, func(string) {}); err == nil {
			return &control.Error{Status: http.StatusConflict, Detail: fmt.Sprintf("this bridge unseals itself "+
				"with the token of %s: start it without that first; if Terraform deployed it, set unseal = \"once\" "+
				"and apply", b.unsealSetting())}
		}
	}
	b.verifier.Seal()
	b.queue.Interrupt() // what waits could do nothing without the credentials
	b.cfg.logger.Info("sealed over the control socket")
	b.logSession()
	return nil
}

// checkMonitoringFile returns why a reload would not make the token the monitoring token. A Secret
// of Kubernetes reaches the files of a pod a minute after it was written.
func (b *runningBridge) checkMonitoringFile(token secret.String) error {
	if b.cfg.readMonitoring == nil || b.cfg.monitoring.IsZero() {
		return errors.New("this bridge was started without --monitoring-token-file: restart it")
	}
	found, err := b.cfg.readMonitoring()
	if err != nil {
		return err
	}
	if !found.Equal(token) {
		return errors.New("the file of --monitoring-token-file has another token; nothing was reloaded")
	}
	return nil
}

// reload reads the token files, the session and the certificate again, and logs what needs a restart.
func (b *runningBridge) reload(asked string) {
	log := b.cfg.logger
	log.Info(asked + ": reading the token files, the session and the certificate; " +
		"changed flags and environment variables need a restart")
	b.journal.Append(journal.Event{Kind: journal.Reloaded})
	if t, ok := b.cfg.transport.(interface{ CloseIdleConnections() }); ok {
		t.CloseIdleConnections() // the machine's network may have changed, which leaves them without an end
	}
	if b.cfg.readMonitoring != nil {
		if token, err := b.cfg.readMonitoring(); err != nil {
			log.Error("could not read the monitoring token; the old one stays in use", "error", err)
		} else {
			b.authenticator.SetMonitoring(token)
		}
	}
	if b.cfg.certificate != nil {
		b.cfg.certificate.Reload()
	}
	before := b.verifier.State()
	b.verifier.Reload()
	file, err := b.cfg.readSession()
	switch after := b.verifier.State(); {
	case before.Sealed:
		b.logSession()
		if err := b.verifyStored(); err != nil { // the token file may have changed
			log.Error("could not unseal the bridge with "+b.unsealSetting(), "error", err)
		}
	case err != nil && !errors.Is(err, auth.ErrInactive):
		log.Warn("could not read the new session; the open one stays in use until a restart", "reason", err)
	case b.cfg.own == nil && file.Fingerprint() != after.Fingerprint:
		log.Warn("the session file has changed; the open session stays in use until a restart",
			"in_use", after.Fingerprint, "found", file.Fingerprint())
	}
}

// watchSession follows the connector's state, unseals the bridge with the token
// file, and reads the session again until it is readable.
func (b *runningBridge) watchSession(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	lastLogged := b.checkSession("")
	for {
		select {
		case <-ctx.Done():
			return
		case <-b.far.account.Changes():
			b.onConnectorChange()
		case <-b.far.front.Changes():
			b.onConnectorChange()
		case <-tick.C:
			lastLogged = b.checkSession(lastLogged)
		}
		b.recordProblems()
	}
}

// checkSession checks the overlap, the session and the token file again. It logs
// why the token file does not unseal the bridge, unless that is lastLogged, and
// returns what was logged last.
func (b *runningBridge) checkSession(lastLogged string) string {
	b.verifier.OnConnectorChange() // the overlap may have ended
	s := b.verifier.State()
	if s.Err != nil || b.cfg.own != nil {
		b.verifier.Reload()
		if now := b.verifier.State(); now.Err == nil && now.Fingerprint != s.Fingerprint {
			b.logSession()
		}
	}
	b.folder.retry()
	if err := b.lockHolds(); err != nil && err.Error() != b.lockFault { // after standby, or with a new session
		b.cfg.logger.Error("could not lock what the bridge holds", "error", err)
		b.lockFault = err.Error()
	}
	if b.far.account.State().Strange != nil {
		b.watcher.Trigger() // its request shows whether the refusal still stands
	}
	if err := b.verifyStored(); s.Sealed && err != nil && err.Error() != lastLogged {
		lastLogged = err.Error()
		b.cfg.logger.Error("could not unseal the bridge with "+b.unsealSetting(), "error", err)
	}
	return lastLogged
}

// noteUnseal records why the token file does not unseal the bridge; nil clears it.
func (b *runningBridge) noteUnseal(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unsealFault = ""
	if err != nil {
		b.unsealFault = err.Error()
	}
}

// sessionReport returns the verifier's report, with the facts needed to unseal it.
func (b *runningBridge) sessionReport() health.Report {
	r := b.verifier.Report()
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, p := range r.Problems {
		if p.Code == problem.Sealed {
			facts := problem.Facts{problem.FactDataDir: b.cfg.dataDir, problem.FactReason: b.unsealFault}
			if b.cfg.unsealCredential != "" { // which is read only at a start
				facts[problem.FactSetting] = credential(b.cfg.unsealCredential)
			}
			r.Problems[i] = problem.New(p.Code, p.Since, facts)
		}
	}
	return r
}

// verifyStored unseals a sealed bridge with the token file, if there is one, or opens a newer session.
func (b *runningBridge) verifyStored() error {
	s := b.verifier.State()
	if b.cfg.unsealTokenFile == "" || !s.Sealed && !s.Newer || errors.Is(s.Err, auth.ErrInactive) {
		return nil
	}
	token, err := readSecret(b.unsealSetting(), b.cfg.unsealTokenFile, func(text string) { b.cfg.logger.Warn(text) })
	if err == nil {
		err = b.verifier.Verify(token.Reveal())
	}
	b.noteUnseal(err)
	return err
}

// unsealSetting returns the setting that names the token file.
func (b *runningBridge) unsealSetting() string {
	if b.cfg.unsealCredential != "" {
		return credential(b.cfg.unsealCredential)
	}
	return "--unseal-token-file"
}

// overlap describes the overlap while two tokens are valid, and is nil otherwise.
func (b *runningBridge) overlap() *health.Overlap {
	until, runs := b.verifier.OverlapEnd()
	if !runs {
		return nil
	}
	o := &health.Overlap{Until: until.UTC()}
	if at, from := b.authenticator.PreviousUse(); !at.IsZero() {
		at = at.UTC()
		o.LastUsed, o.LastUsedFrom = &at, from
	}
	return o
}

// logSession logs the state of the session at the start.
func (b *runningBridge) logSession() {
	switch s := b.verifier.State(); {
	case errors.Is(s.Err, auth.ErrInactive):
		b.cfg.logger.Info("provisioning is not active at the account: the bridge follows its activation",
			problem.LogKey, string(problem.ProvisioningInactive))
	case s.Newer:
		b.cfg.logger.Info("the account has a new session: the first request with its bearer token opens it",
			"session", s.Fingerprint)
	case s.Err != nil:
		b.cfg.logger.Error("could not read the session: if Terraform deployed it, "+
			"run terraform apply to write it again",
			"problem", "session_unreadable", "reason", s.Err)
	case s.Sealed:
		far := []any{"account_id", s.Header.AccountID}
		if s.Header.Kind() == session.KindDirectory {
			far = []any{"url", s.Header.DirectoryURL}
		}
		b.cfg.logger.Info("the bridge is sealed: the first request with the bearer token opens it",
			append([]any{"problem", "sealed", "epoch", s.Header.Epoch, "session", s.Fingerprint}, far...)...)
	}
}

// onConnectorChange follows the connector's state.
func (b *runningBridge) onConnectorChange() {
	b.verifier.OnConnectorChange()
	if b.far.phase() != account.SignedIn {
		return
	}
	b.observedRevision()
	b.mu.Lock()
	first := !b.signedIn
	b.signedIn = true
	b.mu.Unlock()
	b.watcher.Trigger()
	if first {
		b.folder.keep(b.cfg.revision)
	}
}

// observedRevision returns the last revision that signed in. It asks the connector,
// since onConnectorChange may not have run yet.
func (b *runningBridge) observedRevision() string {
	signedIn := b.far.phase() == account.SignedIn
	b.mu.Lock()
	defer b.mu.Unlock()
	if signedIn {
		b.observed = b.cfg.revision
	}
	return b.observed
}

// connection returns the state of the connection in one word.
func (b *runningBridge) connection() string {
	k := b.verifier.State()
	switch {
	case b.listener.Draining():
		return control.Draining
	case k.Sealed && k.Err != nil && !errors.Is(k.Err, auth.ErrInactive):
		return control.SessionUnreadable
	case k.Sealed:
		return control.Sealed
	}
	switch b.far.phase() {
	case account.SignedIn:
		return control.Ready
	case account.Refused:
		return control.Refused
	default:
		return control.SigningIn
	}
}

func (b *runningBridge) status() control.Status {
	k := b.verifier.State()
	now := b.checker.Health()
	return control.Status{
		Instance:           b.instance,
		PID:                os.Getpid(),
		StartedAt:          b.started.UTC(),
		Version:            build.Read().Version,
		Revision:           b.cfg.revision,
		ObservedRevision:   b.observedRevision(),
		State:              b.connection(),
		Problems:           now.Problems,
		Health:             now,
		EgressAddress:      b.far.account.State().Address,
		AccountID:          k.Header.AccountID,
		AccountURL:         b.far.account.URL(),
		DirectoryURL:       k.Header.DirectoryURL,
		SessionFingerprint: k.Fingerprint,
		Epoch:              k.Header.Epoch,
		Listen:             b.listener.Addr(),
		PublicURL:          b.publicURL(),
	}
}

// publicURL returns --public-url, or else the address that is bound.
func (b *runningBridge) publicURL() string {
	if b.cfg.publicURL != "" {
		return b.cfg.publicURL
	}
	bound, err := netip.ParseAddrPort(b.listener.Addr())
	if err != nil {
		return "" // on standby
	}
	host := bound.Addr().Unmap().String()
	if bound.Addr().IsUnspecified() {
		host = "localhost"
	}
	return scheme(b.cfg.certificate) + "://" + net.JoinHostPort(host, fmt.Sprint(bound.Port()))
}

const (
	instanceFile = "instance"
	observedFile = "observed_revision"
)

// instanceID returns the bridge's name at the account, chosen once for a data folder.
func instanceID(dataDir string) (string, error) {
	path := filepath.Join(dataDir, instanceFile)
	text, err := durable.ReadFile(path, 1<<10)
	switch {
	case err == nil:
		if id := strings.TrimSpace(string(text)); id != "" {
			return id, nil
		}
	case !errors.Is(err, fs.ErrNotExist):
		return "", fmt.Errorf("reading the bridge's instance id: %w", err)
	}
	id := strings.ToLower(rand.Text())
	if err := durable.WriteFile(path, []byte(id+"\n")); err != nil {
		return "", fmt.Errorf("writing the bridge's instance id: %w: the data folder must be writable", err)
	}
	return id, nil
}

// readObserved reads the revision that an earlier process wrote, if any.
func readObserved(dataDir string) string {
	text, err := durable.ReadFile(filepath.Join(dataDir, observedFile), 64<<10)
	if err != nil {
		return ""
	}
	return string(text)
}
