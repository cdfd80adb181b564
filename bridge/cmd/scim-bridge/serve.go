package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// serveCommand runs the bridge.
type serveCommand struct {
	Listen    string `placeholder:"ADDRESS" vendor:"OP_PORT" help:"Address (:3002, or :8443 with --tls-domain)."`
	PublicURL string `name:"public-url" placeholder:"URL" help:"URL of the bridge for the identity provider."`

	Session    string `vendor:"OP_SESSION" placeholder:"FILE|BASE64" help:"Sealed session (DATA_DIR/session)."`
	AccountURL string `name:"account-url" placeholder:"URL" help:"URL of the account, instead of the session's."`
	AccountCA  string `name:"account-ca-file" placeholder:"FILE" help:"Root certificates (PEM) of the account."`
	DataDir    string `default:"${data_dir}" placeholder:"DIR" help:"Folder of this instance (${default})."`

	SuspensionLimit string `placeholder:"LIMIT" help:"What a SCIM server's suspensions are held beyond (${limit})."`

	Revision string `help:"Any text; /ready and status report it, to show which configuration is running."`

	ConfirmationInterval time.Duration `default:"300s" vendor:"OP_CONFIRMATION_INTERVAL" help:"${confirmation}"`

	SourceAddress  netip.Addr `placeholder:"IP" help:"Local address for connections to the account."`
	TrustedProxies []string   `placeholder:"CIDR" help:"Proxies whose X-Forwarded-For is trusted; repeatable."`

	LogFormat string `default:"text" enum:"${formats}" vendor:"OP_JSON_LOGS,OP_PRETTY_LOGS" help:"Log format: ${enum}."`
	LogLevel  string `default:"info" enum:"${levels}" vendor:"OP_TRACE,OP_DEBUG" help:"Lowest level logged: ${enum}."`
	logFile

	UnsealTokenFile     string `placeholder:"FILE" help:"File with the bearer token, to unseal at the start."`
	MonitoringTokenFile string `placeholder:"FILE" help:"File with a token for /health and /metrics."`
	InsecureHTTP        bool   `name:"insecure-http" help:"Serve plain HTTP to other machines, without a proxy."`

	ConcurrentRequests int `placeholder:"NUMBER" help:"${concurrent}"`

	DrainDelay time.Duration `placeholder:"DURATION" help:"How long to go on serving after SIGTERM, such as 5s."`
	TakeOver   bool          `help:"Start on standby if another bridge uses the data folder."`
	// StandbyTimeout bounds how long a bridge on standby waits for a request from the
	// process that started it. Only tests set it.
	StandbyTimeout time.Duration `hidden:"" default:"1m" help:"How long a bridge on standby waits."`

	// WithoutJournal is for measuring what the journal and the kept log cost. Only the benches set it.
	WithoutJournal bool `hidden:"" help:"Keep no journal, and the log in memory."`

	TLSCertFile string `placeholder:"FILE" vendor:"OP_TLS_CERT_FILE" help:"Serve HTTPS by this certificate (PEM)."`
	TLSKeyFile  string `placeholder:"FILE" vendor:"OP_TLS_KEY_FILE" help:"Private key of --tls-cert-file (PEM)."`

	TLSDomain     string `placeholder:"NAME" vendor:"OP_TLS_DOMAIN,OP_LETSENCRYPT_DOMAIN" help:"Host name for ACME."`
	ACMEEmail     string `placeholder:"ADDRESS" vendor:"OP_LETSENCRYPT_EMAIL" help:"Contact for the ACME authority."`
	ACMEDirectory string `placeholder:"URL" help:"Directory of the ACME authority (Let's Encrypt)."`
	ACMECAFile    string `name:"acme-ca-file" placeholder:"FILE" help:"Root certificates (PEM) of the authority."`
	PingListen    string `placeholder:"ADDRESS" vendor:"OP_PING_SERVER" help:"Address for /ping by plain HTTP."`

	ownAccountFlags `group:"Account in the same process:"`

	parsed serveSettings
}

// serveSettings are the parsed values of flags that kong reads as text.
type serveSettings struct {
	trustedProxies []netip.Prefix
	account        accountSettings // of the account in this process
	ownAccount     *accountServeCommand
	publicURL      string
	vendorPort     bool   // Listen is OP_PORT's
	vendorHTTP     string // what asks for plain HTTP as the vendor's image has it; may be empty
	credentials    string // the folder of a service manager's credentials; may be empty
	// unsealCredential is the name of the one that --unseal-token-file was taken from; may be empty.
	unsealCredential string
}

// minConfirmationInterval bounds the load on the account: each bridge asks it for
// members to confirm at this interval.
const minConfirmationInterval = 30 * time.Second

// maxDrainDelay bounds how long a stop takes: service managers and container engines kill
// what has not ended after a while.
const maxDrainDelay = 5 * time.Minute

// Help implements kong.HelpProvider.
func (serveCommand) Help() string {
	return `The bridge starts sealed. The bearer token unseals it: with the identity provider's next request, on the
status page, by scim-bridge unseal, or from --unseal-token-file. The bridge has no database; people and groups are
stored at the account. On SIGTERM it answers the requests in flight and stops; a second SIGTERM aborts them.
SIGHUP reads the token files, the session and the certificate again, and closes idle connections to the account;
changed flags, environment variables and a session that is open already need a restart, which the log says.

SCIM locations begin with the --public-url. The data folder has the instance's identity and the control socket; with
--take-over, a bridge on standby replaces the one that uses the folder when it is asked to over that socket. The
monitoring token is a text of your choice. An --account-url with http is allowed only on loopback. An account whose
certificate is from an authority of its own is known by --account-ca-file, beside the roots of this machine. With
--source-address, connections to the account leave from the address that its firewall allows. A session for a SCIM
server (scim-bridge session seal) has the bridge stand before that server, without an account: --account-ca-file and
--source-address are then about the server, and --account-url is refused. What the identity provider suspends, or
removes from groups, beyond its --suspension-limit is held in the data folder: see scim-bridge holds. The limit is off,
or as max(10, 5%)/1h for 10 or 5 %, whichever is more, within one hour. Several bridges before one server need
--suspension-limit=off, since each would hold and count by itself. During a
--drain-delay, every answer asks its client to reconnect: it is for bridges of which a new one already serves under
the same name. All clients behind a proxy that is not one of the --trusted-proxies (addresses or networks) count as
one network, including the identity provider.

Of the identity providers' requests, --concurrent-requests are carried out at once. Others wait for at most 10 seconds;
the next place is given to whoever has the fewest, so that the full synchronisation of one leaves room for another.

  scim-bridge serve --data-dir /var/lib/scim-bridge --public-url https://scim.example.com

With --database and --account-listen the account is served in the same process, for whoever has no reason for two:
scim-bridge account serve --help explains its settings, which have the same names or begin with account- here. The
database may be one of PostgreSQL. The
bridge then needs no --session. It reads the sealed one in its account, and follows activation and rotation by itself;
the bearer token opens it as ever. It asks the account without a network, as 127.0.0.1 in the account's firewall.
--trusted-proxies, --insecure-http and the settings of the log are for both. The account stops last.

  scim-bridge account init --database sqlite:account.db --name Example > admin-token
  scim-bridge serve --database sqlite:account.db --account-listen 127.0.0.1:8600 --listen 127.0.0.1:3002

From a service manager that passes credentials (systemd, LoadCredential=), the session and the tokens are read as
scim-bridge.session, scim-bridge.bearer-token and scim-bridge.monitoring-token, unless their flags are set.

These variables of the vendor's image are read too, with the same meaning: OP_PORT, OP_SESSION,
OP_TLS_DOMAIN (once OP_LETSENCRYPT_DOMAIN), OP_TLS_CERT_FILE, OP_TLS_KEY_FILE, OP_LETSENCRYPT_EMAIL,
OP_PING_SERVER (1 means :80), OP_CONFIRMATION_INTERVAL, OP_JSON_LOGS, OP_PRETTY_LOGS, OP_DEBUG, OP_TRACE. Flags take
precedence over SCIMBRIDGE_ variables, and those over OP_ variables. Where that image's manifests mount the session,
/home/opuser/.op/scimsession, it is read if there is none in the data folder.

With --tls-cert-file and --tls-key-file the bridge serves HTTPS. Both files are read every 5 seconds: a renewed
certificate needs no restart. With --tls-domain alone it gets a certificate for that name by ACME, renews it, and keeps
it in the data folder; the authority must reach port 443 of the name, which leads to :8443 here, and by using it you
accept its terms of service. Without a certificate the bridge serves plain HTTP: to listen on an address that other
machines can reach, as with OP_PORT or an empty OP_TLS_DOMAIN, put a proxy with HTTPS in front and name its address with
--public-url, or set --insecure-http. --ping-listen serves /ping by plain HTTP, and on port 80 the authority's
challenges too.`
}

// Validate reports all contradictory settings together. Kong calls it.
func (s *serveCommand) Validate(command *kong.Context) error {
	s.parsed.vendorPort = fromVendor(command, "listen")
	s.parsed.vendorHTTP = s.vendorPlainHTTP()
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if err := checkDataDir(s.DataDir); err != nil {
		faults = append(faults, err)
	} else if _, err := checkPrivateFolder(s.DataDir, os.Getpid()); err != nil {
		faults = append(faults, err)
	}
	if _, _, err := net.SplitHostPort(s.address()); err != nil {
		fault("--listen=%q is not an address: write HOST:PORT or :PORT", s.Listen)
	}
	if s.PublicURL != "" {
		u, err := url.Parse(s.PublicURL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
			strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "" {
			fault("--public-url is not the address of a site: write it as https://scim.example.com, without a user, " +
				"a path or a query")
		}
		s.parsed.publicURL = strings.TrimRight(s.PublicURL, "/")
	}
	faults = append(faults, s.checkTLS(), s.listener().check(), s.checkOwnAccount(command))
	if s.AccountURL != "" {
		if err := client.CheckURL(s.AccountURL); err != nil {
			fault("--account-url: %w", err)
		}
	}
	if _, err := suspension.ParseLimit(s.SuspensionLimit); err != nil {
		fault("--suspension-limit: %w", err)
	}
	if err := checkPlaces(s.ConcurrentRequests); err != nil {
		faults = append(faults, err)
	}
	if s.DrainDelay < 0 || s.DrainDelay > maxDrainDelay {
		fault("--drain-delay=%s must be from 0s to %s", s.DrainDelay, maxDrainDelay)
	}
	if s.ConfirmationInterval < minConfirmationInterval {
		fault("--confirmation-interval=%s is too short: at least %s", s.ConfirmationInterval, minConfirmationInterval)
	}
	var err error
	if s.parsed.trustedProxies, err = trustedProxies(s.TrustedProxies); err != nil {
		faults = append(faults, err)
	}
	if s.UnsealTokenFile != "" && s.UnsealTokenFile == s.MonitoringTokenFile {
		fault("--unseal-token-file and --monitoring-token-file name the same file: " +
			"a monitor must not hold the bearer token")
	}
	return errors.Join(faults...)
}

func (s *serveCommand) listener() plainListener {
	return plainListener{
		flag: "--listen", address: s.address(), publicURL: s.PublicURL, insecure: s.InsecureHTTP,
		vendor: s.parsed.vendorHTTP, https: s.servesTLS(), remedies: withProxy,
	}
}

func (s *serveCommand) files() certificateFiles {
	return certificateFiles{TLSCertFile: s.TLSCertFile, TLSKeyFile: s.TLSKeyFile}
}

// trustedProxies parses --trusted-proxies and reports all faults together.
func trustedProxies(texts []string) ([]netip.Prefix, error) {
	proxies := make([]netip.Prefix, len(texts))
	var faults []error
	for i, text := range texts {
		var err error
		if proxies[i], err = firewall.ParseRange(text); err != nil {
			faults = append(faults, fmt.Errorf("--trusted-proxies: %w", err))
		}
	}
	return proxies, errors.Join(faults...)
}

// Run serves until a signal stops it.
func (s *serveCommand) Run(ctx context.Context, c *console, parser *kong.Kong, command *kong.Context) (err error) {
	heard, forget := hearSignals()
	defer forget()
	out, closeFile, err := s.openLog(c.Err)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, closeFile()) }()
	noFolder := os.MkdirAll(s.DataDir, 0o700) // before the log, which has files there
	logger, kept, closeLog := newLogger(out, s.LogLevel, s.LogFormat, keptIn(s.DataDir, s.WithoutJournal))
	defer closeLog()
	if s.LogFile != "" {
		defer func() {
			if err != nil { // main prints it on standard error
				logger.Error("the bridge has ended", "error", err)
			}
		}()
	}
	warnOfUnknown(parser.Model, logger)
	warnOfRoots(logger)
	s.takeCredentials(os.Getenv(credentialsDirectory))
	s.listener().warn(logger)
	if warning, _ := checkPrivateFolder(s.DataDir, os.Getpid()); warning != "" {
		logger.Warn("other users can write to the data folder", "reason", warning)
	}
	if noFolder != nil {
		return fmt.Errorf("creating the data folder: %w: choose another --data-dir", noFolder)
	}
	readMonitoring := func() (secret.String, error) {
		return readSecret("--monitoring-token-file", s.MonitoringTokenFile, func(text string) { logger.Warn(text) })
	}
	monitoring, err := readMonitoring()
	if err != nil {
		return err
	}
	certificate, err := s.openCertificate(logger)
	if err != nil {
		return err
	}
	accountRoots, err := s.accountRoots()
	if err != nil {
		return err
	}
	servers := 1
	if s.hasOwnAccount() {
		servers = 2
	}
	descriptors := httpkit.ShareDescriptors(servers)
	if s.PingListen != "" {
		descriptors.Inbound -= min(maxPingConnections, descriptors.Inbound/2)
	}
	transport := client.NewTransport(s.SourceAddress, accountRoots)
	transport.MaxConnsPerHost = descriptors.Outbound
	cfg := bridgeConfig{
		listen:           s.address(),
		publicURL:        s.publicURL(),
		accountURL:       s.AccountURL,
		suspensionLimit:  s.SuspensionLimit,
		dataDir:          s.DataDir,
		revision:         s.Revision,
		readSession:      s.sessionReader(),
		unsealTokenFile:  s.UnsealTokenFile,
		unsealCredential: s.parsed.unsealCredential,
		monitoring:       monitoring,
		transport:        transport,
		connections:      descriptors.Inbound,
		places:           s.ConcurrentRequests,
		confirmation:     s.ConfirmationInterval,
		trustedProxies:   s.parsed.trustedProxies,
		logger:           logger,
		log:              kept,
		withoutJournal:   s.WithoutJournal,
		readMonitoring:   readMonitoring,
		signals:          heard,
		standbyTimeout:   s.StandbyTimeout,
		drainDelay:       s.DrainDelay,
		certificate:      certificate,
		pingListen:       s.PingListen,
		settings:         s.settings(command),
	}
	if s.hasOwnAccount() {
		return s.serveBoth(ctx, cfg, logger)
	}
	if file, err := cfg.readSession(); err == nil {
		if err := (kindSettings{s.AccountURL, s.SuspensionLimit}).check(file.Entries[0].Header); err != nil {
			return &exit{exitUsage, err}
		}
	}
	b, err := newBridge(cfg)
	if err != nil {
		return err
	}
	return b.run(ctx, s.TakeOver)
}

// sessionReader returns a function that reads --session, again with each call: the
// file may be corrected while the bridge runs.
func (s *serveCommand) sessionReader() func() (session.File, error) {
	value := strings.TrimSpace(s.Session)
	if value == "" {
		read := readDefaultSession(s.DataDir)
		if s.parsed.credentials != "" {
			read = readSessionCredential(s.parsed.credentials, read)
		}
		return read
	}
	if sealed, ok := session.Sealed(value); ok {
		return func() (session.File, error) { return session.Parse(sealed) }
	}
	setting := sessionSetting(value)
	if mistake := session.Mistake(value); mistake != "" && !session.IsPath(value) {
		return func() (session.File, error) {
			return session.File{}, &session.MistakeError{Setting: setting, Mistake: mistake}
		}
	}
	return readSessionFile(setting, value)
}

// sessionSetting returns the setting that the value of --session came from.
func sessionSetting(value string) string {
	for _, name := range []string{"SCIMBRIDGE_SESSION", "OP_SESSION"} {
		if strings.TrimSpace(os.Getenv(name)) == value {
			return name
		}
	}
	return "--session"
}

func readSessionFile(setting, path string) func() (session.File, error) {
	return func() (session.File, error) {
		file, err := session.ReadFile(path)
		if _, refused := errors.AsType[syscall.Errno](err); refused || errors.Is(err, fs.ErrNotExist) {
			err = session.FileError(setting, path, err)
		}
		return file, err
	}
}
