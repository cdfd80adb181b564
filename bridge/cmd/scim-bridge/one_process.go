package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"time"

	"github.com/alecthomas/kong"
	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	connector "github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// ownAccountFlags are serve's flags for an account in its own process. They are those of account serve, some under
// another name.
type ownAccountFlags struct {
	Database         string `placeholder:"DATABASE" help:"Serve this account too: sqlite:PATH, or postgres://..."`
	AccountListen    string `placeholder:"ADDRESS" help:"Address of the account service: 127.0.0.1:8600."`
	AccountPublicURL string `name:"account-public-url" placeholder:"URL" help:"URL of the account for its users."`
	AccountTLSCert   string `name:"account-tls-cert-file" placeholder:"FILE" help:"Certificate (PEM) of the account."`
	AccountTLSKey    string `name:"account-tls-key-file" placeholder:"FILE" help:"Private key of that certificate."`
	smtpFlags
	IPDatabase     []string `name:"ip-database" placeholder:"FILE" help:"MMDB file for firewall rules; repeatable."`
	AuditRetention lifetime `placeholder:"400d" help:"Remove older audit events; at least 30d, by default none."`
}

// hasOwnAccount reports whether the account is served in this process.
func (s *serveCommand) hasOwnAccount() bool { return s.Database != "" && s.AccountListen != "" }

// checkOwnAccount refuses settings that do not fit together, and parses those of an account in this process.
func (s *serveCommand) checkOwnAccount(command *kong.Context) (err error) {
	var faults []error
	if !s.hasOwnAccount() {
		for _, flag := range []flagValue{
			{"--database", s.Database}, {"--account-listen", s.AccountListen},
			{"--account-public-url", s.AccountPublicURL}, {"--account-tls-cert-file", s.AccountTLSCert},
			{"--account-tls-key-file", s.AccountTLSKey}, {"--smtp-url", s.SMTPURL},
			{"--smtp-password-file", s.SMTPPasswordFile}, {"--smtp-ca-file", s.SMTPCAFile},
			{"--mail-from", s.MailFrom}, {"--ip-database", firstOf(s.IPDatabase)},
			{"--audit-retention", isSet(s.AuditRetention != 0)},
		} {
			// Variables that are all an account's may be meant for account serve, which this is run beside.
			isOthers := s.AccountListen == "" && !isOnCommandLine(command, flag.name)
			if flag.value != "" && !isOthers {
				faults = append(faults, fmt.Errorf("%s is for an account in the bridge's own process, which needs "+
					"both --database and --account-listen: set them, or leave it out", flag.name))
			}
		}
		return errors.Join(faults...)
	}
	for _, flag := range []flagValue{
		{"--session", s.Session}, {"--account-ca-file", s.AccountCA}, {"--suspension-limit", s.SuspensionLimit},
		{"--source-address", isSet(s.SourceAddress.IsValid())}, {"--take-over", isSet(s.TakeOver)},
		{"--account-url", s.AccountURL},
	} {
		// Terraform reads this variable too, and its value is then right: it is not needed.
		isTerraforms := flag.name == "--account-url" && os.Getenv(variableOf(flag.name)) == s.AccountURL
		if flag.value != "" && !isTerraforms {
			faults = append(faults, fmt.Errorf("%s is for a bridge whose account, or SCIM server, is elsewhere: with "+
				"--database, leave it out", flag.name))
		}
	}
	s.parsed.ownAccount = s.ownAccount()
	s.parsed.account, err = s.parsed.ownAccount.check()
	return errors.Join(append(faults, err)...)
}

func firstOf(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return texts[0]
}

func isSet(set bool) string {
	if set {
		return "set"
	}
	return ""
}

// ownAccount returns the account service with the settings of the flags.
func (s *serveCommand) ownAccount() *accountServeCommand {
	const prefix = "account-"
	return &accountServeCommand{
		database: database{s.Database},
		certificateFiles: certificateFiles{
			TLSCertFile: s.AccountTLSCert, TLSKeyFile: s.AccountTLSKey, prefix: prefix,
		},
		smtpFlags:          s.smtpFlags,
		Listen:             s.AccountListen,
		ConcurrentRequests: s.ConcurrentRequests,
		PublicURL:          s.AccountPublicURL,
		IPDatabase:         s.IPDatabase,
		TrustedProxies:     s.TrustedProxies,
		InsecureHTTP:       s.InsecureHTTP,
		AuditRetention:     s.AuditRetention,
		prefix:             prefix,
	}
}

// serveBoth serves the bridge and its account.
func (s *serveCommand) serveBoth(ctx context.Context, cfg bridgeConfig, logger hclog.Logger) error {
	heard, forget := hearSignals() // as the bridge does, too
	defer forget()
	settings := s.parsed.ownAccount
	return settings.with(ctx, func(a *account.Account) error {
		service, err := settings.open(ctx, a, s.parsed.account, cfg.connections, logger.Named("account"))
		if err != nil {
			return err
		}
		defer service.listener.Close()
		b, err := newBridge(cfg.beside(service))
		if err != nil {
			return err
		}
		return serveBoth(ctx, service, b, heard, func(context.Context) error { return nil })
	})
}

// beside returns the configuration of a bridge in the process of its account, whose sealed session it follows.
func (cfg bridgeConfig) beside(service *accountService) bridgeConfig {
	cfg.own = service
	cfg.accountURL = service.url()
	cfg.readSession = sessionOf(service.account)
	cfg.transport = connector.InProcess(service.handler, loopback)
	return cfg
}

// loopback is the address of a bridge in the process of its account, as the account's firewall sees it.
var loopback = netip.MustParseAddr("127.0.0.1")

// url returns the account's URL for the bridge: the public one, unless that is plain HTTP of other machines, too.
func (s *accountService) url() string {
	if client.CheckURL(s.account.PublicURL) == nil {
		return s.account.PublicURL
	}
	_, port, _ := net.SplitHostPort(s.listener.Addr().String()) // an address of the system
	return "http://" + net.JoinHostPort(loopback.String(), port)
}

// sessionTimeout bounds the reading of the session.
const sessionTimeout = 5 * time.Second

// sessionOf returns a function that reads the sealed session that an account keeps.
func sessionOf(a *account.Account) func() (session.File, error) {
	return func() (session.File, error) {
		ctx, cancel := context.WithTimeout(context.Background(), sessionTimeout)
		defer cancel()
		sealed, err := a.SealedSession(ctx)
		switch {
		case err != nil:
			return session.File{}, fmt.Errorf("reading the session that the account keeps: %w", err)
		case sealed == "":
			return session.File{}, auth.ErrInactive
		default:
			return session.Parse(sealed)
		}
	}
}

// serveBoth serves an account and its bridge until ctx ends or one of them does. The account serves until the bridge
// has signed out. Beside them it calls meanwhile, with a context that ends when they stop.
func serveBoth(ctx context.Context, service *accountService, b *runningBridge, accountSignals *signals,
	meanwhile func(context.Context) error,
) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	serving, stopAccount := context.WithCancel(context.WithoutCancel(ctx))
	var parts sync.WaitGroup
	var accountErr, bridgeErr error
	parts.Go(func() {
		accountErr = service.serve(serving, accountSignals)
		cancel()
	})
	parts.Go(func() {
		bridgeErr = b.run(ctx, false)
		cancel()
		stopAccount()
	})
	err := meanwhile(ctx)
	parts.Wait()
	stopAccount()
	return errors.Join(err, bridgeErr, accountErr)
}
