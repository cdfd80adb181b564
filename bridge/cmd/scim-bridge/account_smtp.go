package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/delivery"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/smtp"
)

// smtpFlags say by which mail server the account's mails are sent.
type smtpFlags struct {
	SMTPURL          string `name:"smtp-url" placeholder:"URL" help:"Mail server: smtp://USER@HOST:587 or smtps://..."`
	SMTPPasswordFile string `name:"smtp-password-file" placeholder:"FILE" help:"File with the password for --smtp-url."`
	SMTPCAFile       string `name:"smtp-ca-file" placeholder:"FILE" help:"Authorities of the mail server, in addition."`
	MailFrom         string `name:"mail-from" placeholder:"ADDRESS" help:"Sender of all mails: Acme <it@example.com>."`
}

// variableSMTPURL is where a URL may have a password: other users of the machine see command lines.
const variableSMTPURL = ownPrefix + "_SMTP_URL"

// mailServer returns the mail server, or nil without one. All faults of the flags are reported together. The flag
// has the account's public URL.
func (f smtpFlags) mailServer(flag, publicURL string, say func(string)) (*smtp.Server, error) {
	if f.SMTPURL == "" {
		for _, flag := range []flagValue{{"--smtp-password-file", f.SMTPPasswordFile}, {"--smtp-ca-file", f.SMTPCAFile},
			{"--mail-from", f.MailFrom}} {
			if flag.value != "" {
				return nil, fmt.Errorf("%s is for sending mails: set --smtp-url too", flag.name)
			}
		}
		return nil, nil
	}
	server, err := smtp.ParseURL(f.SMTPURL)
	if err != nil {
		err = fmt.Errorf("--smtp-url: %w", err)
		server = new(smtp.Server) // for the other faults
	}
	faults := []error{err, f.password(server, say)}
	if f.MailFrom == "" {
		faults = append(faults, errors.New("--smtp-url needs --mail-from, the sender of the mails: an address that "+
			"the mail server lets you send from"))
	} else if server.From, err = smtp.ParseFrom(f.MailFrom); err != nil {
		faults = append(faults, fmt.Errorf("--mail-from: %w", err))
	}
	if publicURL == "" {
		faults = append(faults, fmt.Errorf("--smtp-url needs %s, with which the links in the mails begin", flag))
	}
	if server.Roots, err = f.roots(); err != nil {
		faults = append(faults, err)
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	return server, nil
}

// password adds the password from the file to the server.
func (f smtpFlags) password(server *smtp.Server, say func(string)) error {
	inURL := !server.Password.IsZero()
	switch {
	case inURL && (os.Getenv(variableSMTPURL) != f.SMTPURL || isArgument(f.SMTPURL)):
		return errors.New("--smtp-url has a password, which every user of this machine can see on the command line: " +
			"put it in a file for --smtp-password-file, or the URL in the variable " + variableSMTPURL)
	case f.SMTPPasswordFile == "":
		if f.SMTPPasswordFile = smtpCredential(); server.User != "" && !inURL && f.SMTPPasswordFile != "" {
			break
		}
		if server.User != "" && !inURL {
			return errors.New("--smtp-url has a user and no password: name a file with it by --smtp-password-file")
		}
		return nil
	case inURL:
		return errors.New("--smtp-url has a password, and --smtp-password-file another: leave one out")
	}
	password, err := readSecret("--smtp-password-file", f.SMTPPasswordFile, say)
	if err != nil {
		return err
	}
	if server.User == "" && server.Host != "" {
		return errors.New("--smtp-password-file is of no use without a user in --smtp-url: smtp://USER@HOST")
	}
	server.Password = password
	return nil
}

// isArgument reports whether a flag's value is on this process's command line, after the flag or in one with it.
func isArgument(value string) bool {
	return slices.ContainsFunc(os.Args, func(arg string) bool { return strings.HasSuffix(arg, value) })
}

// smtpCredential returns the file in which a service manager passes the password; empty if it does not.
func smtpCredential() string {
	folder := os.Getenv(credentialsDirectory)
	path := filepath.Join(folder, smtpPasswordCredential)
	if _, err := os.Stat(path); folder == "" || err != nil {
		return ""
	}
	return path
}

func (f smtpFlags) roots() (*x509.CertPool, error) {
	if f.SMTPCAFile == "" {
		return nil, nil
	}
	return readRoots("--smtp-ca-file", f.SMTPCAFile)
}

// openMails returns what begins to send the account's mails, if there is a server for them.
func openMails(ctx context.Context, a *account.Account, mailServer *smtp.Server, cfg *server.Config,
) (start func(context.Context) (stop func())) {
	logger, name := cfg.Logger, ""
	if mailServer != nil {
		name = mailServer.Address()
	}
	// A service on a full disk starts all the same, to say so.
	if err := a.SetMailServer(ctx, name); err != nil {
		logger.Warn("could not note the mail server and the public URL for the account commands", "error", err)
	}
	if mailServer == nil {
		logger.Info("no mail is sent, since there is no --smtp-url: scim-bridge account mail lists invitations and " +
			"confirmations with their links, to be handed over another way")
		return func(context.Context) func() { return func() {} }
	}
	logger.Info("mails are sent", "server", name, "from", mailServer.From.Address)
	sender := delivery.New(a, mailServer, logger.Named("mail"))
	a.MailQueued = sender.Wake
	cfg.Collectors = append(cfg.Collectors, sender)
	return sender.Start
}
