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

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/build"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/logring"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/provision"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// bridgeConfig is what a bridge is made of.
type bridgeConfig struct {
	listen, publicURL string
	listener          net.Listener // for listen, bound before; nil binds it
	accountURL        string
	dataDir           string
	revision          string
	readSession       func() (session.File, error)
	unsealTokenFile   string
	monitoring        secret.String
	transport         http.RoundTripper
	confirmation      time.Duration
	trustedProxies    []netip.Prefix
	logger            hclog.Logger
	ring              *logring.Ring
	connections       int // at a time
	// readMonitoring reads monitoring anew; nil where it comes from no file.
	readMonitoring func() (secret.String, error)
	signals        *signals
	// standbyTimeout is how long a bridge on standby waits for a word of who
	// started it; zero means server.ControlSocket's.
	standbyTimeout time.Duration
}

// runningBridge holds the parts of a bridge and the strings between them.
type runningBridge struct {
	cfg      bridgeConfig
	instance string
	started  time.Time
	events   *httpkit.EventLog

	connector     *account.Connector
	keyring       *account.Keyring
	watcher       *provision.Watcher
	unknown       *provision.UnknownMembers
	authenticator *server.Authenticator
	checker       *health.Checker
	listener      *server.Listener
	socket        *server.ControlSocket

	folder    *dataFolder
	replaced  chan struct{} // closed when another process serves
	abandoned chan struct{} // closed when this one waited on standby in vain

	failure error // why the server has ended by itself

	mu       sync.Mutex
	observed string // the last revision that signed in
	signedIn bool   // in this process
	// unsealFault is why the token file does not open the bridge; may be empty.
	unsealFault string
}

func newBridge(cfg bridgeConfig) (*runningBridge, error) {
	var err error
	if cfg.dataDir, err = filepath.Abs(cfg.dataDir); err != nil { // as remedies name it
		return nil, err
	}
	instance, err := instanceID(cfg.dataDir)
	if err != nil {
		return nil, err
	}
	b := &runningBridge{
		cfg:       cfg,
		instance:  instance,
		started:   time.Now(),
		replaced:  make(chan struct{}),
		abandoned: make(chan struct{}),
		observed:  readObserved(cfg.dataDir),
		folder:    &dataFolder{path: cfg.dataDir, log: cfg.logger},
	}
	info := build.Read()
	b.connector = account.New(account.Config{
		URL:       cfg.accountURL,
		Bridge:    api.BridgeIdentity{Instance: instance, Version: info.Version, Revision: cfg.revision},
		Transport: cfg.transport,
		Log:       cfg.logger.Named("connector"),
		Now:       time.Now,
		Random:    rand.Reader,
		Health:    b.heartbeat,
		Changed:   b.connectorChanged,
	})
	b.keyring = account.NewKeyring(cfg.readSession, b.connector, time.Now)
	b.watcher = &provision.Watcher{
		Room:    b.connector,
		Every:   cfg.confirmation,
		Log:     cfg.logger.Named("confirmation"),
		Now:     time.Now,
		Changed: b.connector.Tell,
	}
	b.unknown = &provision.UnknownMembers{Log: cfg.logger.Named("members"), Now: time.Now, Changed: b.connector.Tell}
	b.checker = &health.Checker{Version: info.Version, Build: info.Commit, Revision: cfg.revision, Now: time.Now, Overlap: b.overlap}
	b.events = httpkit.NewEventLog(cfg.logger.Named("http"))
	metrics := server.NewMetrics(info.Version, info.Commit, b.checker.Health)
	b.authenticator = &server.Authenticator{
		Verifier:   b.keyring,
		Monitoring: cfg.monitoring,
		Events:     b.events,
		Now:        time.Now,
		Checked:    metrics.TokenChecked,
		OnChange:   b.connector.Tell,
		Draining:   func() bool { return b.listener.Draining() }, // which is made below
	}

	httpServer := &server.Server{
		Checker:       b.checker,
		Authenticator: b.authenticator,
		Metrics:       metrics,
		Page: &server.Page{
			Health:  b.checker.Health,
			Status:  b.status,
			Waiting: b.watcher.Waiting,
			Verify:  b.authenticator.Verify,
			Pass:    b.keyring.Pass,
			Valid:   b.keyring.Valid,
			Logs:    cfg.ring,
			Logger:  cfg.logger.Named("page"),
			Now:     time.Now,
			Key:     randomKey(),
			Secure:  strings.HasPrefix(cfg.publicURL, "https:"),
		},
		AccessLog: &server.AccessLog{
			Logger:         cfg.logger.Named("http"),
			Events:         b.events,
			TrustedProxies: cfg.trustedProxies,
			Metrics:        metrics,
			Now:            time.Now,
		},
		SCIM:       server.SCIM{Handler: b.scimHandler(), RouteOf: scim.RouteOf},
		Connection: b.state,
	}
	b.listener = &server.Listener{
		Address:     cfg.listen,
		Handler:     httpServer.Handler(),
		Log:         cfg.logger.Named("http"),
		Events:      b.events,
		Connections: cfg.connections,
	}
	b.checker.Checks = []func() health.Report{
		b.sessionReport, b.connector.Report, b.watcher.Report, b.unknown.Report, b.authenticator.Report, b.listener.Report,
		b.folder.Report,
	}
	b.socket = &server.ControlSocket{
		DataDir:       cfg.dataDir,
		Listener:      b.listener,
		Authenticator: b.authenticator,
		Status:        b.status,
		Log:           cfg.logger.Named("control"),
		OnReplaced:    func() { close(b.replaced) },

		OnAbandoned:    func() { close(b.abandoned) },
		StandbyTimeout: cfg.standbyTimeout,
	}
	return b, nil
}

// scimHandler is made at the first request: without --public-url, locations
// are made of the address that is bound by then.
func (b *runningBridge) scimHandler() http.Handler {
	made := sync.OnceValue(func() http.Handler {
		return scim.New(scim.Config{
			Directory: provision.Directory{Directory: b.connector, Waits: b.watcher.Look, Unknown: b.unknown},
			BaseURL:   b.publicURL(),
			Logger:    b.cfg.logger.Named("scim"),
		})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { made().ServeHTTP(w, r) })
}

const (
	// checkEvery is the pause between two looks for what an operator may have
	// put right: the session, the token file.
	checkEvery = 5 * time.Second
	// drainTimeout bounds the requests under way when the process ends.
	drainTimeout = 20 * time.Second
	// lingerTime is how long clients of a replaced bridge have to learn that
	// they must connect anew. Those that are busy do within it; for the others
	// no length would help.
	lingerTime = 5 * time.Second
)

// open serves on the listener that was bound before, or binds one.
func (b *runningBridge) open(ctx context.Context) error {
	if b.cfg.listener != nil {
		return b.listener.ServeInherited(ctx, b.cfg.listener)
	}
	return b.listener.Listen(ctx)
}

// run serves until ctx ends, the control socket says stop, or another process
// has taken over.
func (b *runningBridge) run(ctx context.Context, takeOver bool) error {
	log := b.cfg.logger
	info := build.Read()
	log.Info("starting", "version", info.Version, "commit", info.Commit, "instance", b.instance, "revision", b.cfg.revision, "pid", os.Getpid())
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
	} else if err := b.open(ctx); err != nil {
		return err
	}
	b.tellSession()

	// Not ended by ctx: requests under way still need the account, so it is
	// left last.
	working, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	var parts sync.WaitGroup
	parts.Go(func() { b.connector.Run(working) })
	parts.Go(func() { b.watcher.Run(working) })
	parts.Go(func() { b.healByItself(working) })

	linger := b.serveUntilTold(ctx)
	drain, cancelDrain := context.WithTimeout(context.WithoutCancel(ctx), drainTimeout+linger)
	defer cancelDrain()
	drain, calm := b.cfg.signals.hurried(drain)
	defer calm()
	err = b.listener.Drain(drain, linger)
	if b.cfg.signals.hurry() {
		log.Warn("a second signal: requests under way are cut off", "reason", err)
		err = nil
	}
	cancel()
	parts.Wait()
	b.events.Flush()
	log.Info("stopped")
	return errors.Join(err, b.failure)
}

// serveUntilTold returns when it is time to end, and how long connections may linger.
func (b *runningBridge) serveUntilTold(ctx context.Context) (linger time.Duration) {
	for {
		select {
		case <-ctx.Done():
			b.cfg.logger.Info("stopping: asked by a signal; a second one cuts off the requests under way")
			if b.socket.IsStandby() {
				b.connector.HandedOver() // the one that serves goes on under this name
			}
			return 0
		case b.failure = <-b.listener.Failed():
			return 0
		case <-b.replaced:
			b.connector.HandedOver()
			return lingerTime
		case <-b.abandoned:
			b.cfg.logger.Warn("stopping: nobody has asked this bridge to take over, or how it is, for a while; the one that serves goes on")
			b.connector.HandedOver()
			return 0
		case <-b.cfg.signals.reload():
			b.reload()
		}
	}
}

// reload reads again what can be, and says what cannot.
func (b *runningBridge) reload() {
	log := b.cfg.logger
	log.Info("SIGHUP: reading token files and session again; flags and environment are read at the start only")
	if b.cfg.readMonitoring != nil {
		if token, err := b.cfg.readMonitoring(); err != nil {
			log.Error("the monitoring token stays as it was", "error", err)
		} else {
			b.authenticator.SetMonitoring(token)
		}
	}
	before := b.keyring.State()
	b.keyring.Reload()
	file, err := b.cfg.readSession()
	switch after := b.keyring.State(); {
	case before.Sealed:
		b.tellSession()
		if err := b.admitStored(); err != nil { // the token file may be another now
			log.Error("the bridge could not be opened with --unseal-token-file", "error", err)
		}
	case err != nil:
		log.Warn("the session cannot be read; the one that is open stays in use until the bridge ends", "reason", err)
	case file.Fingerprint() != after.Fingerprint:
		log.Warn("the session has changed; the one that is open stays in use until the bridge is restarted",
			"in_use", after.Fingerprint, "found", file.Fingerprint())
	}
}

// healByItself opens the bridge with the token file, and looks for a better
// session as long as there is none that can be read.
func (b *runningBridge) healByItself(ctx context.Context) {
	tick := time.NewTicker(checkEvery)
	defer tick.Stop()
	said := ""
	for {
		b.keyring.Reconsider() // the overlap may have ended meanwhile
		s := b.keyring.State()
		if s.Err != nil {
			b.keyring.Reload()
			if b.keyring.State().Err == nil {
				b.tellSession()
			}
		}
		b.folder.retry()
		if b.connector.State().Strange != nil {
			b.watcher.Look() // its request finds out whether that has passed
		}
		if err := b.admitStored(); s.Sealed && err != nil && err.Error() != said {
			said = err.Error()
			b.cfg.logger.Error("the bridge could not be opened with --unseal-token-file", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// noteUnseal remembers why the token file does not open the bridge; nil if it does.
func (b *runningBridge) noteUnseal(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unsealFault = ""
	if err != nil {
		b.unsealFault = err.Error()
	}
}

// sessionReport is the keyring's, with what is known here of how to open it.
func (b *runningBridge) sessionReport() health.Report {
	r := b.keyring.Report()
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, p := range r.Problems {
		if p.Code == problem.Sealed {
			r.Problems[i] = problem.New(p.Code, p.Since, problem.Facts{
				problem.FactDataDir: b.cfg.dataDir, problem.FactReason: b.unsealFault,
			})
		}
	}
	return r
}

// admitStored opens a sealed bridge with the token file, if there is one.
func (b *runningBridge) admitStored() error {
	if b.cfg.unsealTokenFile == "" || !b.keyring.State().Sealed {
		return nil
	}
	token, err := readSecret("--unseal-token-file", b.cfg.unsealTokenFile, func(text string) { b.cfg.logger.Warn(text) })
	if err == nil {
		err = b.keyring.Verify(token.Reveal())
	}
	b.noteUnseal(err)
	return err
}

// overlap is what is to be told while two tokens work; nil when one does.
func (b *runningBridge) overlap() *health.Overlap {
	until, runs := b.keyring.OverlapEnd()
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

// tellSession logs what the session is before anybody has shown a token.
func (b *runningBridge) tellSession() {
	switch s := b.keyring.State(); {
	case s.Err != nil:
		b.cfg.logger.Error("the session cannot be read: run terraform apply, which gives it to the bridge again",
			"problem", "session_unreadable", "reason", s.Err)
	case s.Sealed:
		b.cfg.logger.Info("the bridge is sealed: the first request with the bearer token opens it",
			"problem", "sealed", "account_id", s.Header.AccountID, "epoch", s.Header.Epoch, "session", s.Fingerprint)
	}
}

// heartbeat is what the account is told.
func (b *runningBridge) heartbeat() (api.HeartbeatState, []string) {
	h := b.checker.Health()
	codes := health.Codes(h.Problems)
	switch {
	case h.State == health.Healthy:
		return api.Healthy, codes
	case b.connector.State().Phase != account.SignedIn && len(h.Problems) == 0:
		return api.Healthy, codes // this heartbeat is what ends the signing in
	default:
		return api.Degraded, codes
	}
}

// connectorChanged follows the connector's state.
func (b *runningBridge) connectorChanged() {
	b.keyring.Reconsider()
	if b.connector.State().Phase != account.SignedIn {
		return
	}
	b.mu.Lock()
	first := !b.signedIn
	b.signedIn = true
	if first {
		b.observed = b.cfg.revision
	}
	b.mu.Unlock()
	b.watcher.Look()
	if first {
		b.folder.keep(b.cfg.revision)
	}
}

// state is the bridge's state in one word.
func (b *runningBridge) state() string {
	k := b.keyring.State()
	switch {
	case b.listener.Draining():
		return control.Draining
	case k.Sealed && k.Err != nil:
		return control.SessionUnreadable
	case k.Sealed:
		return control.Sealed
	}
	switch b.connector.State().Phase {
	case account.SignedIn:
		return control.Ready
	case account.Refused:
		return control.Refused
	default:
		return control.SigningIn
	}
}

func (b *runningBridge) status() control.Status {
	k := b.keyring.State()
	b.mu.Lock()
	observed := b.observed
	b.mu.Unlock()
	now := b.checker.Health()
	return control.Status{
		Instance:           b.instance,
		PID:                os.Getpid(),
		StartedAt:          b.started.UTC(),
		Version:            build.Read().Version,
		Revision:           b.cfg.revision,
		ObservedRevision:   observed,
		State:              b.state(),
		Problems:           now.Problems,
		Health:             now,
		EgressAddress:      b.connector.State().Address,
		AccountID:          k.Header.AccountID,
		AccountURL:         b.connector.URL(),
		SessionFingerprint: k.Fingerprint,
		Epoch:              k.Header.Epoch,
		Listen:             b.listener.Addr(),
		PublicURL:          b.publicURL(),
	}
}

// publicURL is --public-url, or this machine's address of what is bound.
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
	return "http://" + net.JoinHostPort(host, fmt.Sprint(bound.Port()))
}

const (
	instanceFile = "instance"
	observedFile = "observed_revision"
)

// instanceID is this bridge's name at the account, made once for a data folder.
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
		return "", fmt.Errorf("keeping the bridge's instance id: %w: the data folder must be writable", err)
	}
	return id, nil
}

// readObserved reads what an earlier process kept; nothing is no fault.
func readObserved(dataDir string) string {
	text, err := durable.ReadFile(filepath.Join(dataDir, observedFile), 64<<10)
	if err != nil {
		return ""
	}
	return string(text)
}

func randomKey() []byte {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails; the process ends if the system has no randomness
	return key
}
