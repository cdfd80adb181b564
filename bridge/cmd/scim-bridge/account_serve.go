package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

type accountServeCommand struct {
	database
	tlsFlags
	Listen         string   `default:"127.0.0.1:8600" help:"Address to listen on; port 0 takes a free one, which the log tells."`
	PublicURL      string   `name:"public-url" placeholder:"URL" help:"Where people and bridges reach the account; by default what it listens on."`
	IPDatabase     []string `name:"ip-database" placeholder:"FILE" help:"MMDB file that knows countries, autonomous systems or anonymous addresses, for firewall rules on them; repeatable. A newer file is taken up within a minute."`
	TrustedProxies []string `placeholder:"CIDR" help:"Addresses or networks of the proxies whose X-Forwarded-For is believed; repeatable. All clients of a proxy that is not named here count as one network, for sign-ups among others."`
	InsecureHTTP   bool     `name:"insecure-http" help:"Serve plain HTTP on an address that other machines can reach, though no proxy with HTTPS is in front."`
	LogFormat      string   `enum:"text,json" default:"text" help:"How log lines look: ${enum}."`
	LogLevel       string   `enum:"trace,debug,info,warn,error" default:"info" help:"From which level on lines are written: ${enum}."`
	logFile
}

const (
	sweepInterval = 10 * time.Minute
	// ipDataInterval is how soon a newer IP database is taken up.
	ipDataInterval = time.Minute
	accountDrain   = 10 * time.Second
)

// Help shows how it is called.
func (accountServeCommand) Help() string {
	return `/ping and /ready are open, /metrics asks for an admin token. SIGTERM ends it when the requests under
way are answered; a second one cuts them off. SIGHUP takes up newer IP databases at once.

It serves plain HTTP: other machines may reach that only behind a proxy with HTTPS, which --public-url names,
or if --insecure-http says so.

  scim-bridge account serve --database sqlite:account.db --public-url https://account.example.com`
}

// Run serves until ctx ends, and then lets the requests under way finish.
func (c *accountServeCommand) Run(ctx context.Context, console *console, parser *kong.Kong) error {
	heard, forget := hearSignals()
	defer forget()
	proxies, databases, err := c.check()
	if err != nil {
		return &exit{exitUsage, err}
	}
	out, closeLog, err := c.openLog(console.Err)
	if err != nil {
		return err
	}
	err = c.with(ctx, func(a *account.Account) error {
		logger := hclog.New(&hclog.LoggerOptions{
			Name: "account", Output: out, Level: hclog.LevelFromString(c.LogLevel), JSONFormat: c.LogFormat == "json",
		})
		warnOfUnknown(parser.Model, logger)
		c.listener().warn(logger)
		a.IPData = databases
		if err := a.CheckFirewall(ctx); err != nil {
			return err
		}
		if len(c.IPDatabase) > 0 {
			logger.Info("IP databases", "files", c.IPDatabase, "answer", databases.Answers())
		}
		listener, err := (&net.ListenConfig{}).Listen(ctx, "tcp", c.Listen)
		if err != nil {
			return fmt.Errorf("listening for the account service: %w; choose another address with --listen", err)
		}
		a.PublicURL = c.PublicURL
		if a.PublicURL == "" {
			a.PublicURL = "http://" + listener.Addr().String()
		}
		return serveAccount(ctx, a, listener, httpkit.ShareDescriptors(1).Inbound, proxies, heard, logger)
	})
	return errors.Join(err, closeLog())
}

// check finds every fault of the flags at once.
func (c *accountServeCommand) check() (proxies []netip.Prefix, databases *ipdata.Databases, err error) {
	faults := []error{c.exists(), c.unserved(os.Environ(), withProxy), c.listener().check()}
	databases, err = openIPDatabases(c.IPDatabase)
	faults = append(faults, err)
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		faults = append(faults, fmt.Errorf("--listen %q is not an address with a port, like 127.0.0.1:8600", c.Listen))
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || u.User != nil || u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" ||
			u.Fragment != "" {
			faults = append(faults, errors.New("--public-url is not a URL like https://account.example.com, "+
				"without a user or a query"))
		}
		c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	}
	if proxies, err = trustedProxies(c.TrustedProxies); err != nil {
		faults = append(faults, err)
	}
	return proxies, databases, errors.Join(faults...)
}

func (c *accountServeCommand) listener() plainListener {
	return plainListener{flag: "--listen", address: c.Listen, publicURL: c.PublicURL, insecure: c.InsecureHTTP,
		remedies: withProxy}
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

// serveAccount serves a on listener, most connections at a time, until ctx ends.
func serveAccount(ctx context.Context, a *account.Account, listener net.Listener, most int,
	proxies []netip.Prefix, heard *signals, logger hclog.Logger,
) error {
	events := httpkit.NewEventLog(logger)
	defer events.Flush()
	handler := server.New(server.Config{Account: a, TrustedProxies: proxies, Logger: logger, Events: events})
	srv := httpkit.NewServer(handler, events)
	logger.Info("listening", "address", listener.Addr(), "public_url", a.PublicURL, "account", a.ID)

	served := make(chan error, 1)
	go func() { served <- srv.Serve(httpkit.Limit(listener, most, events)) }()
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
				logger.Warn("could not delete what is over; trying again", "error", err)
			}
		case <-newer.C:
			takeUpIPData(a, logger)
		case <-heard.reload():
			logger.Info("SIGHUP: looking for newer IP databases; flags and environment are read at the start only")
			takeUpIPData(a, logger)
		case <-ctx.Done():
			logger.Info("stopping: asked by a signal; a second one cuts off the requests under way")
			drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), accountDrain)
			defer cancel()
			drain, calm := heard.hurried(drain)
			defer calm()
			err := srv.Shutdown(drain)
			switch {
			case err != nil && heard.hurry():
				logger.Warn("a second signal: requests under way are cut off")
				_ = srv.Close()
			case err != nil:
				return fmt.Errorf("stopping the account service: %w", errors.Join(err, srv.Close()))
			}
			// How many writes shared a commit shows if the disk was what they waited for.
			stats := a.Store.Stats()
			logger.Info("stopped", "commits", stats.Commits, "writes", stats.Writes)
			return nil
		}
	}
}

// takeUpIPData reads the IP databases again, as far as they are newer.
func takeUpIPData(a *account.Account, logger hclog.Logger) {
	changed, err := a.IPData.Reload()
	if err != nil {
		logger.Warn("could not take up an IP database", "error", err)
	}
	if changed {
		logger.Info("took up newer IP databases", "answer", a.IPData.Answers())
	}
}
