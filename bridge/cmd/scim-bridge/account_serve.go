package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

type accountServeCommand struct {
	database
	certificateFiles
	acmeFlags
	smtpFlags
	Listen             string   `default:"127.0.0.1:8600" help:"Address to listen on; port 0 picks a free one."`
	PublicURL          string   `name:"public-url" placeholder:"URL" help:"URL of the account for people and bridges."`
	IPDatabase         []string `name:"ip-database" placeholder:"FILE" help:"MMDB file for firewall rules; repeatable."`
	TrustedProxies     []string `placeholder:"CIDR" help:"Proxies whose X-Forwarded-For is trusted; repeatable."`
	InsecureHTTP       bool     `name:"insecure-http" help:"Serve plain HTTP to other machines, without a proxy."`
	AuditRetention     lifetime `placeholder:"400d" help:"Remove older audit events; at least 30d, by default none."`
	ConcurrentRequests int      `placeholder:"NUMBER" help:"${concurrent}"`
	LogFormat          string   `enum:"text,json" default:"text" help:"Log format: ${enum}."`
	LogLevel           string   `enum:"${levels}" default:"info" help:"Lowest level that is logged: ${enum}."`
	logFile

	prefix string // of the names of flags that serve has for an account in its own process
}

const (
	sweepInterval = 10 * time.Minute
	// ipDataInterval is how often the IP databases are checked for newer files.
	ipDataInterval = time.Minute
	accountDrain   = 10 * time.Second
	// turnsWhileDraining is how long requests still get their turn then; those that wait after it are sent away.
	turnsWhileDraining = 2 * time.Second
	// leastAuditRetention is shorter than any rule on audit logs asks for, and longer than most incidents go unnoticed.
	leastAuditRetention = 30 * 24 * time.Hour
)

// Help implements kong.HelpProvider.
func (accountServeCommand) Help() string {
	return `/ping and /ready need no token, /metrics needs an admin token. On SIGTERM the server answers the
requests in flight and stops; a second SIGTERM aborts them.

With --tls-cert-file and --tls-key-file the account serves HTTPS. Both files are read every 5 seconds, and on SIGHUP:
a renewed certificate needs no restart. Without them, to listen on an address that other machines can reach, put a
proxy with HTTPS in front and name its address with --public-url, or set --insecure-http. The public URL is by default
the address that the account listens on. All clients behind a proxy that is not one of the --trusted-proxies
(addresses or networks) count as one network, for instance in the limit on sign-ups.

Audit events are kept for ever unless --audit-retention is set. Then older ones are removed once a day, which is an
event itself, and what is left can still be verified (scim-bridge account audit --verify). The server verifies the log
beside its work, too: all of it when it starts and once a day, and what is new every minute. If it was changed, the
server goes on and says so, in its log, in /metrics and in /v1/account.

Invitations and confirmations are sent by --smtp-url. STARTTLS is required with smtp://, except for a mail server on
this machine without --smtp-ca-file. The password belongs in a file (--smtp-password-file) or percent-encoded in the
variable SCIMBRIDGE_SMTP_URL; a systemd unit can pass it as the credential scim-bridge.smtp-password. Without
--smtp-url no mail is sent, and account mail lists what to hand over.

Of the requests of bridges and admin tokens, --concurrent-requests are carried out at once. Others wait for at most 10
seconds; the next place is given to whoever has the fewest, so that none of them keeps the others out. Heartbeats,
sign-ins, the pages for people, /ping, /ready and /metrics never wait.

Firewall rules on countries, autonomous systems and anonymous addresses need --ip-database. A newer file is loaded
within a minute, or immediately on SIGHUP.

A database in PostgreSQL is brought up to date when the server starts, and asked for again by itself when it was away:
meanwhile requests are answered with 503. The guide "PostgreSQL" has its settings; passwords belong in a password file
(~/.pgpass, or the one that PGPASSFILE names), in PGPASSWORD or in the address in SCIMBRIDGE_DATABASE.

  scim-bridge account serve --database sqlite:account.db --public-url https://account.example.com
  scim-bridge account serve --database 'postgres://scimbridge@db.example.com/account?sslmode=verify-full'`
}

// Run serves until ctx ends, and then waits for the requests in flight.
func (c *accountServeCommand) Run(ctx context.Context, console *console, parser *kong.Kong) error {
	heard, forget := hearSignals()
	defer forget()
	settings, err := c.check()
	if err := errors.Join(c.unserved(os.Environ(), accountWithoutACME), err); err != nil {
		return &exit{exitUsage, err}
	}
	out, closeLog, err := c.openLog(console.Err)
	if err != nil {
		return err
	}
	if err := checkPlaces(c.ConcurrentRequests); err != nil {
		return &exit{exitUsage, err}
	}
	err = c.with(ctx, func(a *account.Account) error {
		logger := hclog.New(&hclog.LoggerOptions{
			Name: "account", Output: out, Level: hclog.LevelFromString(c.LogLevel), JSONFormat: c.LogFormat == "json",
		})
		warnOfUnknown(parser.Model, logger)
		service, err := c.open(ctx, a, settings, httpkit.ShareDescriptors(1).Inbound, logger)
		if err != nil {
			return err
		}
		return service.serve(ctx, heard)
	})
	return errors.Join(err, closeLog())
}

// accountSettings are the parsed values of flags.
type accountSettings struct {
	proxies    []netip.Prefix
	databases  *ipdata.Databases
	mailServer *smtp.Server // nil if no mails are sent
}

// check reports all faults of the flags together.
func (c *accountServeCommand) check() (settings accountSettings, err error) {
	faults := []error{c.exists(), c.certificateFiles.check(""), c.listener().check()}
	if c.given() {
		faults = append(faults, checkHTTPS(c.flag("public-url"), c.PublicURL))
	}
	settings.databases, err = openIPDatabases(c.IPDatabase)
	faults = append(faults, err)
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		faults = append(faults, fmt.Errorf("%s %q is not an address with a port, like 127.0.0.1:8600",
			c.flag("listen"), c.Listen))
	}
	c.PublicURL, err = accountPublicURL(c.flag("public-url"), c.PublicURL)
	faults = append(faults, err)
	if kept := time.Duration(c.AuditRetention); kept != 0 && kept < leastAuditRetention {
		faults = append(faults, fmt.Errorf("--audit-retention %s is less than 30d: a log that short hides what an "+
			"operator looks for; omit the flag to keep all events", kept))
	}
	if settings.proxies, err = trustedProxies(c.TrustedProxies); err != nil {
		faults = append(faults, err)
	}
	settings.mailServer, err = c.mailServer(c.flag("public-url"), c.PublicURL, toStandardError)
	return settings, errors.Join(append(faults, err)...)
}

// flag returns the flag of a setting that serve has under a name of its own.
func (c *accountServeCommand) flag(name string) string { return "--" + c.prefix + name }

// accountPublicURL returns an account's public URL, given by a flag, as links begin with it; nothing if it is not
// given.
func accountPublicURL(flag, given string) (string, error) {
	if given == "" {
		return "", nil
	}
	u, err := url.Parse(given)
	if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" ||
		u.Fragment != "" {
		return given, fmt.Errorf("%s is not a URL like https://account.example.com, without a user or a query", flag)
	}
	return strings.TrimRight(given, "/"), nil
}

func (c *accountServeCommand) listener() plainListener {
	l := plainListener{flag: c.flag("listen"), address: c.Listen, publicURL: c.PublicURL, insecure: c.InsecureHTTP,
		https: c.given(), remedies: withProxy}
	if c.prefix != "" {
		l.remedies = withAccountProxy
	}
	return l
}

// openCertificate returns the source of the account's certificate; nil for plain HTTP.
func (c *accountServeCommand) openCertificate(logger hclog.Logger) (certificateSource, error) {
	if !c.given() {
		return nil, nil
	}
	return openFiles(c.certificateFiles, "", logger)
}

func openIPDatabases(paths []string) (*ipdata.Databases, error) {
	var present []string
	var faults []error
	for _, path := range paths {
		if _, err := os.Stat(path); err != nil {
			faults = append(faults, session.FileError("--ip-database", path, err))
			continue
		}
		present = append(present, path)
	}
	databases, err := ipdata.Open(present...)
	return databases, errors.Join(append(faults, err)...)
}

// An accountListener is where an account service listens.
type accountListener struct {
	net.Listener
	most        int // connections at a time
	proxies     []netip.Prefix
	certificate certificateSource // nil for plain HTTP
	mailServer  *smtp.Server      // nil if no mails are sent
	places      int               // requests carried out at once; 0 for the default
}

// serve serves until srv is closed.
func (l accountListener) serve(srv *http.Server, events *httpkit.EventLog) error {
	limited := httpkit.Limit(l.Listener, l.most, events)
	if l.certificate == nil {
		return srv.Serve(limited)
	}
	srv.TLSConfig = l.certificate.TLS()
	return srv.ServeTLS(limited, "", "")
}

// open opens the service of an account: it listens, and serves nothing yet.
func (c *accountServeCommand) open(ctx context.Context, a *account.Account, settings accountSettings, most int,
	logger hclog.Logger,
) (*accountService, error) {
	c.listener().warn(logger)
	certificate, err := c.openCertificate(logger)
	if err != nil {
		return nil, err
	}
	a.IPData, a.AuditKept = settings.databases, time.Duration(c.AuditRetention)
	if err := a.CheckFirewall(ctx); err != nil {
		return nil, err
	}
	if len(c.IPDatabase) > 0 {
		logger.Info("IP databases", "files", c.IPDatabase, "answer", settings.databases.Answers())
	}
	listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
	if err != nil {
		return nil, fmt.Errorf("listening for the account service: %w; choose another address with %s", err,
			c.flag("listen"))
	}
	a.PublicURL = c.PublicURL
	if a.PublicURL == "" {
		a.PublicURL = scheme(certificate) + "://" + listener.Addr().String()
	}
	return newAccountService(ctx, a, accountListener{
		Listener: listener, most: most, proxies: settings.proxies, certificate: certificate,
		mailServer: settings.mailServer, places: c.ConcurrentRequests,
	}, logger), nil
}

// checkPlaces checks --concurrent-requests.
func checkPlaces(places int) error {
	if places < 0 || places > mostPlaces {
		return fmt.Errorf("--concurrent-requests=%d must be from 1 to %d, or 0 for the default", places, mostPlaces)
	}
	return nil
}

// mostPlaces is more than the connections that a server has at a time.
const mostPlaces = 10_000

// An accountService is an account with what answers for it.
type accountService struct {
	account    *account.Account
	listener   accountListener
	handler    http.Handler
	local      *server.Local // for a bridge in this process
	events     *httpkit.EventLog
	queue      *fair.Queue
	releaser   *holdReleaser
	startMails func(context.Context) (stop func())
	logger     hclog.Logger
}

func newAccountService(ctx context.Context, a *account.Account, listener accountListener, logger hclog.Logger,
) *accountService {
	s := &accountService{account: a, listener: listener, events: httpkit.NewEventLog(logger), logger: logger,
		queue: fair.New(cmp.Or(listener.places, fair.DefaultPlaces()))}
	s.releaser = newHoldReleaser(directory.New(a).ReleaseHolds, logger)
	cfg := server.Config{
		Account: a, TrustedProxies: listener.proxies, Logger: logger, Events: s.events, LimitRaised: s.releaser.wake,
		Queue: s.queue,
	}
	if listener.certificate != nil {
		cfg.Certificate = listener.certificate.Validity
	}
	s.startMails = openMails(ctx, a, listener.mailServer, &cfg)
	s.handler, s.local = server.NewLocal(cfg, loopback)
	return s
}

// serve serves until ctx ends, and then waits for the requests in flight.
func (s *accountService) serve(ctx context.Context, heard *signals) error {
	a, listener, logger := s.account, s.listener, s.logger
	defer s.events.Flush()
	if listener.certificate != nil {
		go listener.certificate.Run(ctx)
	}
	defer s.startMails(ctx)()
	srv := httpkit.NewServer(s.handler, s.events)
	logger.Info("listening", "address", listener.Addr(), "public_url", a.PublicURL, "account", a.ID)

	defer s.releaser.start(ctx)()
	defer (&auditWatcher{watch: a.WatchAudit, database: a.Store.Setting(), logger: logger}).start(ctx)()
	served := make(chan error, 1)
	go func() { served <- listener.serve(srv, s.events) }()
	sweep := time.NewTicker(sweepInterval)
	defer sweep.Stop()
	newer := time.NewTicker(ipDataInterval)
	defer newer.Stop()
	for {
		select {
		case err := <-served:
			return fmt.Errorf("serving the account: %w", err)
		case <-sweep.C:
			if err := a.Sweep(ctx); err != nil {
				logger.Warn("could not delete expired rows; trying again", "error", err)
			}
		case <-newer.C:
			reloadIPData(a, logger)
		case <-heard.reload():
			logger.Info("SIGHUP: loading newer IP databases and the certificate; " +
				"changed flags and environment variables need a restart")
			reloadIPData(a, logger)
			if listener.certificate != nil {
				listener.certificate.Reload()
			}
		case <-ctx.Done():
			logger.Info("stopping after a signal; a second one aborts the requests in flight")
			drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), accountDrain)
			defer cancel()
			drain, calm := heard.hurried(drain)
			defer calm()
			defer time.AfterFunc(turnsWhileDraining, s.queue.Close).Stop()
			err := srv.Shutdown(drain)
			switch {
			case err != nil && heard.hurry():
				logger.Warn("second signal: aborting the requests in flight")
				_ = srv.Close()
			case err != nil:
				return fmt.Errorf("stopping the account service: %w", errors.Join(err, srv.Close()))
			}
			if err := a.KeepAuditTime(drain); err != nil {
				logger.Warn("could not store the time by which the age of audit events is judged", "error", err)
			}
			// Many writes in one commit show that the disk was the bottleneck.
			stats := a.Store.Stats()
			logger.Info("stopped", "commits", stats.Commits, "writes", stats.Writes)
			return nil
		}
	}
}

// reloadIPData loads the IP databases whose files are newer.
func reloadIPData(a *account.Account, logger hclog.Logger) {
	changed, err := a.IPData.Reload()
	if err != nil {
		logger.Warn("could not load a newer IP database", "error", err)
	}
	if changed {
		logger.Info("loaded newer IP databases", "answer", a.IPData.Answers())
	}
}
