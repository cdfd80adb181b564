package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"text/template"
	"time"

	"github.com/alecthomas/kong"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/build"
	connector "github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// devCommand runs an account and its bridge in one process, to try them out.
type devCommand struct {
	DataDir       string `required:"" placeholder:"DIR" help:"Folder for the account and the bridge."`
	Listen        string `default:"127.0.0.1:3002" help:"Address of the bridge (${default})."`
	AccountListen string `default:"127.0.0.1:8600" help:"Address of the account service (${default})."`
	InsecureHTTP  bool   `name:"insecure-http" help:"Serve plain HTTP on addresses that other machines can reach."`
	LogLevel      string `default:"warn" enum:"${levels}" help:"Lowest level that is logged: ${enum}."`

	certificateFiles
	acmeFlags

	// WithoutJournal is serve's.
	WithoutJournal bool `hidden:"" help:"Keep no journal, and the log in memory."`
}

const devManager = "provision-manager@example.com"

// Help implements kong.HelpProvider.
func (devCommand) Help() string {
	return `Prints the bearer token and a provider block to paste. The folder holds everything, including both tokens:
run the same command again to continue with it. To start from scratch, stop the command and remove the folder.

  scim-bridge dev --data-dir ./try`
}

// Validate is called by kong.
func (d *devCommand) Validate() error {
	faults := []error{checkDataDir(d.DataDir), d.unserved()}
	for _, l := range d.listeners() {
		faults = append(faults, l.check())
	}
	return errors.Join(faults...)
}

// unserved refuses every setting that asks for HTTPS.
func (d *devCommand) unserved() error {
	unserved := devWithoutTLS
	unserved.flags = append(unserved.flags, d.flags()...)
	return d.acmeFlags.unserved(os.Environ(), unserved)
}

func (d *devCommand) listeners() []plainListener {
	return []plainListener{
		{flag: "--listen", address: d.Listen, insecure: d.InsecureHTTP, remedies: withoutProxy},
		{flag: "--account-listen", address: d.AccountListen, insecure: d.InsecureHTTP, remedies: withoutProxy},
	}
}

// Run creates the account, activates provisioning and serves both.
func (d *devCommand) Run(ctx context.Context, c *console, parser *kong.Kong) error {
	// Both servers receive every signal.
	bridgeSignals, forgetBridge := hearSignals()
	defer forgetBridge()
	accountSignals, forgetAccount := hearSignals()
	defer forgetAccount()
	if err := os.MkdirAll(d.DataDir, 0o700); err != nil {
		return fmt.Errorf("creating the data folder: %w", err)
	}
	database := filepath.Join(d.DataDir, "account.db")
	// Before the account exists, so that the command can be repeated if a port is in use.
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", d.AccountListen)
	if err != nil {
		return fmt.Errorf("listening for the account service: %w: choose another --account-listen", err)
	}
	defer listener.Close()
	bridgeListener, err := config.Listen(ctx, "tcp", d.Listen)
	if err != nil {
		return fmt.Errorf("listening for the bridge: %w: choose another --listen", err)
	}
	defer bridgeListener.Close()
	logger, kept, closeLog := newLogger(c.Err, d.LogLevel, "text", keptIn(d.DataDir, d.WithoutJournal))
	defer closeLog()
	warnOfUnknown(parser.Model, logger)
	for _, l := range d.listeners() {
		l.warn(logger)
	}
	rows, err := openStore(ctx, "sqlite:"+database)
	if err != nil {
		return err
	}
	defer rows.Close()
	a, err := account.Load(ctx, rows)
	if errors.Is(err, account.ErrNone) {
		a, err = account.Create(ctx, rows, "Development", time.Now, rand.Reader)
	}
	if err != nil {
		return err
	}
	adminToken, err := d.adminToken(ctx, a)
	if err != nil {
		return err
	}
	a.PublicURL = "http://" + listener.Addr().String()
	descriptors := httpkit.ShareDescriptors(2)
	service := newAccountService(ctx, a, accountListener{Listener: listener, most: descriptors.Inbound},
		logger.Named("account"))
	bearer, err := d.provisioning(ctx, connector.InProcess(service.handler, loopback), a, adminToken)
	if err != nil {
		return err
	}
	b, err := newBridge(bridgeConfig{
		listen:       d.Listen,
		listener:     bridgeListener,
		dataDir:      d.DataDir,
		connections:  descriptors.Inbound,
		confirmation: minConfirmationInterval,
		logger:       logger,
		log:          kept,
		signals:      bridgeSignals,

		withoutJournal: d.WithoutJournal,
	}.beside(service))
	if err != nil {
		return err
	}
	if err := b.verifier.Verify(bearer.Reveal()); err != nil {
		return err
	}
	return serveBoth(ctx, service, b, accountSignals, func(ctx context.Context) error {
		if !b.waitReady(ctx) {
			return nil
		}
		return devGreeting.Execute(c.Out, map[string]string{
			"AccountURL": a.PublicURL, "AdminToken": adminToken, "URL": b.publicURL(), "Bearer": bearer.Reveal(),
			"Database": database,
		})
	})
}

// The files of the tokens. They are kept so that the next start can use them;
// only a command for trying things out may do that.
func (d *devCommand) bearerFile() string { return filepath.Join(d.DataDir, "bearer-token") }
func (d *devCommand) adminFile() string  { return filepath.Join(d.DataDir, "admin-token") }

// adminToken returns the admin token of an earlier start if it still works, or a new one.
func (d *devCommand) adminToken(ctx context.Context, a *account.Account) (string, error) {
	if kept, err := readSecret("--data-dir", d.adminFile(), toStandardError); err == nil {
		if _, err := a.AdmitToken(ctx, kept.Reveal(), loopback); err == nil {
			return kept.Reveal(), nil
		}
	}
	_, token, err := a.CreateToken(ctx, "dev")
	if err != nil {
		return "", err
	}
	return token, durable.WriteFile(d.adminFile(), []byte(token+"\n"))
}

// provisioning returns the bearer token of the integration. It activates one if the account
// has none: an earlier start may have been killed at any point.
func (d *devCommand) provisioning(
	ctx context.Context, transport http.RoundTripper, a *account.Account, adminToken string,
) (session.Token, error) {
	admin, err := client.New(client.Config{
		URL: a.PublicURL, Transport: transport, UserAgent: "scim-bridge/" + build.Read().Version, Token: adminToken,
	})
	if err != nil {
		return session.Token{}, err
	}
	now, err := client.Call[api.Provisioning](admin.GetProvisioning(ctx))
	if err != nil {
		return session.Token{}, fmt.Errorf("reading the integration: %w", err)
	}
	if !now.Active || now.Session == nil {
		token, err := d.activate(ctx, admin, a, now.NextEpoch)
		if err != nil {
			return token, fmt.Errorf("activating provisioning: %w", err)
		}
		return token, nil
	}
	file, err := session.Parse(*now.Session)
	if err != nil {
		return session.Token{}, err
	}
	kept, err := readSecret("--data-dir", d.bearerFile(), toStandardError)
	token, malformed := session.ParseToken(kept.Reveal())
	if _, ok := file.Match(token); err != nil || malformed != nil || !ok {
		return session.Token{}, fmt.Errorf("provisioning was activated again since the last start, "+
			"and %q does not hold its bearer token: write it there, or remove %q to start from scratch",
			d.bearerFile(), d.DataDir)
	}
	return token, nil
}

// activate activates an integration with the account API. The token is written first:
// otherwise the account could have a session that no token opens.
func (d *devCommand) activate(
	ctx context.Context, admin *api.Client, a *account.Account, epoch int64,
) (bearer session.Token, err error) {
	secrets, enrolment, err := client.Enrol(a.ID, devManager, epoch, signin.DefaultIterations)
	if err != nil {
		return bearer, err
	}
	if bearer, err = session.NewToken(); err != nil {
		return bearer, err
	}
	credentials := session.Integration{AccountURL: a.PublicURL, AccountID: a.ID, Email: devManager, Secrets: secrets}
	sealed, err := session.Seal(bearer, epoch, credentials, nil)
	if err != nil {
		return bearer, err
	}
	if err := durable.WriteFile(d.bearerFile(), []byte(bearer.Reveal()+"\n")); err != nil {
		return bearer, err
	}
	_, err = client.Call[api.Provisioning](admin.ActivateProvisioning(ctx, nil, api.Activation{
		ManagerEmail: devManager, Enrolment: enrolment, Session: sealed,
	}))
	return bearer, err
}

// waitReady waits until the bridge has signed in or was refused. It reports false
// if ctx ends first.
func (b *runningBridge) waitReady(ctx context.Context) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for b.listener.Addr() == "" || b.connection() != control.Ready && b.connection() != control.Refused {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}

var devGreeting = template.Must(template.New("").Parse(`An account and its bridge are running until you press Ctrl-C.

  SCIM base URL   {{.URL}}/scim
  bearer token    {{.Bearer}}
  status page     {{.URL}}/app
  mail            scim-bridge account mail --database sqlite:{{.Database}}

To manage the account with Terraform:

  provider "scimbridge" {
    account_url   = "{{.AccountURL}}"
    account_token = "{{.AdminToken}}"
  }
`))
