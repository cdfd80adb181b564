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
	"sync"
	"text/template"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	connector "github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/ingress"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// devCommand is an account with a bridge in front of it, to try things out.
type devCommand struct {
	DataDir       string `required:"" placeholder:"DIR" help:"Folder for the new account and the bridge; an account that is there already is refused."`
	Listen        string `default:"127.0.0.1:3002" help:"Address of the bridge (${default})."`
	AccountListen string `default:"127.0.0.1:8600" help:"Address of the account service, for Terraform and for the pages people see (${default})."`
	InsecureHTTP  bool   `name:"insecure-http" help:"Serve plain HTTP on addresses that other machines can reach."`
	LogLevel      string `default:"warn" enum:"trace,debug,info,warn,error" help:"From which level on lines are written: ${enum}."`
}

const devManager = "provision-manager@example.com"

// Help shows how it is called.
func (devCommand) Help() string {
	return `Prints the bearer token and a provider block to paste. Everything lies in the folder; to start afresh,
stop it and remove the folder.

  scim-bridge dev --data-dir ./try`
}

// Validate is called by kong.
func (d *devCommand) Validate() error {
	bridge := plainListener{flag: "--listen", address: d.Listen, insecure: d.InsecureHTTP}
	account := plainListener{flag: "--account-listen", address: d.AccountListen, insecure: d.InsecureHTTP}
	return errors.Join(checkDataDir(d.DataDir), bridge.check(), account.check())
}

// Run makes the account, activates provisioning and serves both.
func (d *devCommand) Run(ctx context.Context, c *console) error {
	if err := os.MkdirAll(d.DataDir, 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	database := filepath.Join(d.DataDir, "account.db")
	if _, err := os.Stat(database); !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("%q is there already: dev makes a new account each time; remove it or choose another --data-dir", database)
	}
	// Before there is an account: whoever has a port in use may try again.
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
	logger, ring := newLogger(c.Err, d.LogLevel, "text")
	rows, err := store.Open(ctx, "sqlite:"+database)
	if err != nil {
		return err
	}
	defer rows.Close()
	a, err := account.Create(ctx, rows, "Development", time.Now, rand.Reader)
	if err != nil {
		return err
	}
	_, adminToken, err := a.CreateToken(ctx, "dev")
	if err != nil {
		return err
	}
	a.PublicURL = "http://" + listener.Addr().String()
	transport := connector.InProcess(server.New(server.Config{Account: a, Logger: logger.Named("account")}), netip.MustParseAddr("127.0.0.1"))

	descriptors := ingress.ShareDescriptors(2)
	bearer, sealed, err := activate(ctx, transport, a.PublicURL, a.ID, adminToken)
	if err != nil {
		return fmt.Errorf("activating provisioning: %w", err)
	}
	if err := session.WriteFile(filepath.Join(d.DataDir, "session"), sealed); err != nil {
		return err
	}
	b, err := newBridge(bridgeConfig{
		listen:       d.Listen,
		listener:     bridgeListener,
		dataDir:      d.DataDir,
		readSession:  readSessionFile("--data-dir", filepath.Join(d.DataDir, "session")),
		transport:    transport,
		connections:  descriptors.Inbound,
		confirmation: minConfirmationInterval,
		logger:       logger,
		ring:         ring,
	})
	if err != nil {
		return err
	}
	if err := b.keyring.Admit(bearer.Reveal()); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var parts sync.WaitGroup
	var accountErr, bridgeErr error
	// The account stays until the bridge has taken leave.
	serving, stopAccount := context.WithCancel(context.WithoutCancel(ctx))
	parts.Go(func() {
		accountErr = serveAccount(serving, a, listener, descriptors.Inbound, nil, nil, logger.Named("account"))
		cancel()
	})
	parts.Go(func() {
		bridgeErr = b.run(ctx, false)
		stopAccount()
	})
	if b.waitReady(ctx) {
		err = devGreeting.Execute(c.Out, map[string]string{
			"AccountURL": a.PublicURL, "AdminToken": adminToken, "URL": b.publicURL(), "Bearer": bearer.Reveal(), "Database": database,
		})
	}
	parts.Wait()
	return errors.Join(err, bridgeErr, accountErr)
}

// activate does by the account API what Terraform does by it.
func activate(ctx context.Context, transport http.RoundTripper, url, accountID, adminToken string) (bearer session.Token, sealed string, err error) {
	client, err := api.NewClientWithResponses(url,
		api.WithHTTPClient(&http.Client{Transport: transport}),
		api.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
			req.Header.Set("Authorization", "Bearer "+adminToken)
			return nil
		}))
	if err != nil {
		return bearer, "", err
	}
	now, err := client.GetProvisioningWithResponse(ctx)
	if err != nil {
		return bearer, "", err
	}
	if now.JSON200 == nil {
		return bearer, "", fmt.Errorf("reading the integration: %s", now.Status())
	}
	epoch := now.JSON200.NextEpoch
	secrets, err := signin.GenerateSecrets()
	if err != nil {
		return bearer, "", err
	}
	kdf, verifier, err := signin.Enrol(accountID, devManager, secrets, signin.DefaultIterations)
	if err != nil {
		return bearer, "", err
	}
	if bearer, err = session.NewToken(); err != nil {
		return bearer, "", err
	}
	credentials := session.Credentials{AccountURL: url, AccountID: accountID, Email: devManager, Secrets: secrets}
	if sealed, err = session.Seal(bearer, epoch, credentials, nil); err != nil {
		return bearer, "", err
	}
	made, err := client.ActivateProvisioningWithResponse(ctx, nil, api.Activation{
		ManagerEmail: devManager,
		Enrolment: api.Enrolment{
			Epoch:    epoch,
			Kdf:      api.KDF{Algorithm: api.KDFAlgorithm(kdf.Algorithm), Iterations: kdf.Iterations, Salt: kdf.Salt},
			Verifier: verifier,
		},
		Session: sealed,
	})
	if err != nil {
		return bearer, "", err
	}
	if made.JSON201 == nil {
		return bearer, "", fmt.Errorf("the account answered %s", made.Status())
	}
	return bearer, sealed, nil
}

// waitReady waits until the bridge is signed in; false if ctx ends first.
func (b *runningBridge) waitReady(ctx context.Context) bool {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for b.front.Addr() == "" || b.state() != control.Ready {
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
