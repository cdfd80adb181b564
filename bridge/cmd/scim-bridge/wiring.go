package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/netip"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/build"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/bundle"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/front"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/local"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/guard"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/keptlog"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/provision"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/server/page"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// bridgeConfig configures a bridge.
type bridgeConfig struct {
	listen, publicURL string
	listener          net.Listener    // already bound; nil binds listen
	own               *accountService // the account, if it is in this process; nil if it is elsewhere
	accountURL        string
	suspensionLimit   string // of a SCIM server's session; empty for the default
	dataDir           string
	revision          string
	readSession       func() (session.File, error)
	unsealTokenFile   string
	unsealCredential  string // its name, if a service manager passed that file; may be empty
	monitoring        secret.String
	transport         http.RoundTripper
	confirmation      time.Duration
	trustedProxies    []netip.Prefix
	logger            hclog.Logger
	log               *keptlog.Log // for download
	withoutJournal    bool
	connections       int // maximum, at a time
	places            int // SCIM requests carried out at once; 0 for the default
	// readMonitoring reads the monitoring token again; nil if it has no file.
	readMonitoring func() (secret.String, error)
	signals        *signals
	// standbyTimeout is how long a bridge on standby waits for a request from the
	// process that started it; zero means server.ControlSocket's default.
	standbyTimeout time.Duration
	// pingListen is where /ping is served by plain HTTP; empty for nowhere.
	pingListen string
	// certificate is nil for plain HTTP.
	certificate certificateSource
	// settings are shown in support bundles.
	settings []setting
	// drainDelay is how long the bridge goes on serving after the signal to stop.
	drainDelay time.Duration
}

// runningBridge holds the components of a bridge.
type runningBridge struct {
	cfg      bridgeConfig
	instance string
	started  time.Time

	folder        *dataFolder
	journal       *journal.Journal // nil without one
	recorded      atomic.Bool      // that it was started
	problems      problemWatch
	events        *httpkit.EventLog
	checker       *health.Checker
	history       health.History
	far           *farSide
	verifier      *auth.TokenVerifier
	watcher       *provision.Watcher
	unknown       *provision.UnknownMembers
	queue         *fair.Queue // of SCIM requests
	listener      *server.Listener
	authenticator *server.Authenticator
	socket        *server.ControlSocket
	metrics       *server.Metrics
	bundles       *bundle.Builder

	reloads   chan chan<- struct{} // asks for a reload; what is sent is closed when it is done
	replaced  chan struct{}        // closed when another process serves
	abandoned chan struct{}        // closed when standby has timed out

	failure   error  // why serving ended without a request to stop
	lockFault string // that was logged last; for watchSession alone

	mu       sync.Mutex
	observed string // the last revision that signed in
	signedIn bool   // in this process
	// unsealFault is why the token file does not unseal the bridge; may be empty.
	unsealFault string
}

// newBridge creates the components in order, each from earlier ones. The checker and
// the listener, which need all of them, are filled last. The connector signals its
// changes; watchSession follows them.
func newBridge(cfg bridgeConfig) (*runningBridge, error) {
	var err error
	if cfg.dataDir, err = filepath.Abs(cfg.dataDir); err != nil { // remedies name the absolute path
		return nil, err
	}
	limit, err := suspension.ParseLimit(cfg.suspensionLimit)
	if err != nil {
		return nil, err
	}
	instance, err := instanceID(cfg.dataDir)
	if err != nil {
		return nil, err
	}
	info := build.Read()
	httpLog := cfg.logger.Named("http")
	b := &runningBridge{
		cfg:       cfg,
		instance:  instance,
		started:   time.Now(),
		folder:    &dataFolder{path: cfg.dataDir, log: cfg.logger, keptLog: cfg.log.Fault},
		events:    httpkit.NewEventLog(httpLog),
		queue:     fair.New(cmp.Or(cfg.places, fair.DefaultPlaces())),
		checker:   &health.Checker{Version: info.Version, Build: info.Commit, Revision: cfg.revision, Now: time.Now},
		observed:  readObserved(cfg.dataDir),
		reloads:   make(chan chan<- struct{}),
		replaced:  make(chan struct{}),
		abandoned: make(chan struct{}),
	}
	metrics := server.NewMetrics(info.Version, info.Commit, b.checker.Health)
	metrics.RegisterQueue("scimbridge", b.queue)
	b.metrics = metrics
	b.bundles = &bundle.Builder{Folder: cfg.dataDir, Source: b.bundleSource}
	b.openJournal()
	meter := account.NewMeter(metrics)
	transport := meter.Transport(cfg.transport)
	b.far = &farSide{
		account: account.New(account.Config{
			URL:       cfg.accountURL,
			Bridge:    api.BridgeIdentity{Instance: instance, Version: info.Version, Revision: cfg.revision},
			Transport: transport,
			Log:       cfg.logger.Named("connector"),
			Now:       time.Now,
			Random:    rand.Reader,
			Health:    b.checker.Health,
			OnSignIn:  b.recordSignIn,
		}),
		front: front.New(front.Config{
			Transport: transport,
			UserAgent: "scim-bridge/" + info.Version,
			Log:       cfg.logger.Named("connector"),
			Now:       time.Now,
			OnSignIn:  b.recordSignIn,
		}),
	}
	b.far.directory = b.far.account
	if cfg.own != nil {
		b.far.directory = local.New(b.far.account, cfg.own.local, meter)
	}
	b.far.guard = guard.New(guard.Config{
		Directory: b.far.front,
		DataDir:   cfg.dataDir,
		Limit:     limit,
		Client:    "bridge:" + instance,
		RequestID: func(ctx context.Context) string { return httpkit.RequestFrom(ctx).ID },
		Log:       cfg.logger.Named("holds"),
		Now:       time.Now,
	})
	b.verifier = auth.NewTokenVerifier(
		b.far.reader(cfg.readSession, kindSettings{cfg.accountURL, cfg.suspensionLimit}),
		recordedConnector{b.far, b.journal}, time.Now)
	if cfg.own != nil {
		b.verifier.Follow()
	}
	b.watcher = &provision.Watcher{
		Room:     b.far,
		Every:    cfg.confirmation,
		Log:      cfg.logger.Named("confirmation"),
		Now:      time.Now,
		OnChange: b.far.account.NotifyHeartbeat,

		OnConfirmed: b.recordConfirmation,
	}
	b.unknown = &provision.UnknownMembers{
		Log:      cfg.logger.Named("members"),
		Now:      time.Now,
		OnChange: b.far.account.NotifyHeartbeat,
	}
	b.listener = &server.Listener{
		OnListening: b.recordStart,
		Address:     cfg.listen,
		Log:         httpLog,
		Events:      b.events,
		Connections: cfg.connections,
		Queue:       b.queue,
	}
	if cfg.certificate != nil {
		b.listener.TLS = cfg.certificate.TLS()
		metrics.RegisterCertificate("scimbridge", cfg.certificate.Validity)
	}
	b.authenticator = &server.Authenticator{
		Verifier:   b.verifier,
		Monitoring: cfg.monitoring,
		Events:     b.events,
		Now:        time.Now,
		Checked:    metrics.TokenChecked,
		OnChange:   b.far.account.NotifyHeartbeat,
		Draining:   b.listener.Draining,
	}
	metrics.RegisterAuthenticator(b.authenticator)
	explainer := b.explainer()
	httpServer := &server.Server{
		Checker:       b.checker,
		Authenticator: b.authenticator,
		Metrics:       metrics,
		Explain:       b.explain(explainer),
		Preview:       b.preview(explainer),
		Page: &page.Page{
			Health:    b.checker.Health,
			Status:    b.status,
			Sections:  b.pageSections(explainer),
			Verify:    b.authenticator.Verify,
			Pass:      b.verifier.Pass,
			IsValid:   b.verifier.IsValid,
			CookieKey: b.verifier.CookieKey,
			Journal:   b.journal,
			Logger:    cfg.logger.Named("page"),
			Now:       time.Now,
			Secure:    strings.HasPrefix(cfg.publicURL, "https:") || cfg.certificate != nil,
		},
		AccessLog: httpkit.AccessLog{
			Logger:         httpLog,
			Events:         b.events,
			TrustedProxies: cfg.trustedProxies,
			Metrics:        metrics.Metrics,
		},
		SCIM:       server.SCIM{Handler: b.scimHandler(), RouteOf: scim.RouteOf},
		Queue:      b.queue,
		Connection: b.connection,
	}
	b.socket = &server.ControlSocket{
		DataDir:        cfg.dataDir,
		Listener:       b.listener,
		Authenticator:  b.authenticator,
		Status:         b.status,
		Journal:        b.journal,
		Bundles:        b.bundles,
		Explain:        b.explain(explainer),
		Holds:          b.far,
		Log:            cfg.logger.Named("control"),
		OnReload:       b.reloadWhenAsked,
		OnSeal:         b.seal,
		OnReplaced:     func() { close(b.replaced) },
		OnAbandoned:    func() { close(b.abandoned) },
		StandbyTimeout: cfg.standbyTimeout,
	}
	// The checker and the listener need all components.
	b.listener.Handler = httpServer.Handler()
	b.checker.Overlap = b.overlap
	b.checker.Checks = []func() health.Report{
		b.sessionReport, b.far.report, b.watcher.Report, b.unknown.Report,
		b.authenticator.Report, b.listener.Report,
		b.folder.Report,
	}
	if cfg.certificate != nil {
		b.checker.Checks = append(b.checker.Checks, cfg.certificate.Report)
	}
	return b, nil
}

// pageSections returns the sections of the status page, in the order of display.
func (b *runningBridge) pageSections(explainer *explain.Explainer) []page.Section {
	return []page.Section{
		page.State(),
		page.Problems(),
		page.Holds(b.far),
		page.Overlap(),
		page.IdentityProvider(b.journal, b.authenticator.Visitors, b.far),
		page.Waiting(b.far, b.watcher),
		page.Components(&b.history),
		page.Bridges(b.far),
		page.Facts(),
		page.Explain(b.explain(explainer)),
		page.SignIns(b.far),
		page.Log(b.cfg.log, b.journal),
		page.Bundle(b.bundles),
	}
}

// explainer returns what explains people and groups, by the account and the journal.
func (b *runningBridge) explainer() *explain.Explainer {
	return &explain.Explainer{
		Account: b.far,
		Journal: b.journal.Search,
		Log:     server.RequestsInLog(b.cfg.log),
		Now:     time.Now,

		SignInAddress: provision.SignInAddress,
		DataDir:       b.cfg.dataDir,
		Instance:      func() string { return b.status().Instance },
	}
}

// scimHandler returns the handler of SCIM, created with the first request: without
// --public-url, locations begin with the address that is bound by then.
func (b *runningBridge) scimHandler() http.Handler {
	to := func(far bridge.Directory) func() http.Handler {
		return sync.OnceValue(func() http.Handler {
			return scim.New(scim.Config{
				Directory: provision.Directory{Directory: far, OnAttention: b.watcher.Trigger, Unknown: b.unknown},
				BaseURL:   b.publicURL(),
				Logger:    b.cfg.logger.Named("scim"),
				Journal:   b.journal,
			})
		})
	}
	toAccount, toServer := to(b.far.directory), to(b.far.guard)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if b.far.isServer.Load() {
			toServer().ServeHTTP(w, r)
			return
		}
		toAccount().ServeHTTP(w, r)
	})
}
