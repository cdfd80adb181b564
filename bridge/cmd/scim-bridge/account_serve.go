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
	Listen         string   `default:"127.0.0.1:8600" help:"Address to listen on; port 0 picks a free one."`
	PublicURL      string   `name:"public-url" placeholder:"URL" help:"URL of the account for people and bridges."`
	IPDatabase     []string `name:"ip-database" placeholder:"FILE" help:"MMDB file for firewall rules; repeatable."`
	TrustedProxies []string `placeholder:"CIDR" help:"Proxies whose X-Forwarded-For is trusted; repeatable."`
	InsecureHTTP   bool     `name:"insecure-http" help:"Serve plain HTTP to other machines, without a proxy."`
	LogFormat      string   `enum:"text,json" default:"text" help:"Log format: ${enum}."`
	LogLevel       string   `enum:"${levels}" default:"info" help:"Lowest level that is logged: ${enum}."`
	logFile
}

const (
	sweepInterval = 10 * time.Minute
	// ipDataInterval is how often the IP databases are checked for newer files.
	ipDataInterval = time.Minute
	accountDrain   = 10 * time.Second
)

// Help implements kong.HelpProvider.
func (accountServeCommand) Help() string {
	return `/ping and /ready need no token, /metrics needs an admin token. On SIGTERM the server answers the
requests in flight and stops; a second SIGTERM aborts them.

The account serves plain HTTP. To listen on an address that other machines can reach, put a proxy with HTTPS in
front and name its address with --public-url, or set --insecure-http. The public URL is by default the address that
the account listens on. All clients behind a proxy that is not one of the --trusted-proxies (addresses or networks)
count as one network, for instance in the limit on sign-ups.

Firewall rules on countries, autonomous systems and anonymous addresses need --ip-database. A newer file is loaded
within a minute, or immediately on SIGHUP.

  scim-bridge account serve --database sqlite:account.db --public-url https://account.example.com`
}

// Run serves until ctx ends, and then waits for the requests in flight.
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

// check reports all faults of the flags together.
func (c *accountServeCommand) check() (proxies []netip.Prefix, databases *ipdata.Databases, err error) {
	faults := []error{c.exists(), c.unserved(os.Environ(), withProxy), c.listener().check()}
	databases, err = openIPDatabases(c.IPDatabase)
	faults = append(faults, err)
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		faults = append(faults, fmt.Errorf("--listen %q is not an address with a port, like 127.0.0.1:8600", c.Listen))
	}
	if c.PublicURL != "" {
		u, err := url.Parse(c.PublicURL)
		if err != nil || u.Host == "" || u.User != nil ||
			u.Scheme != "http" && u.Scheme != "https" || u.RawQuery != "" ||
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

// serveAccount serves a on listener, with at most most connections at a time, until ctx ends.
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
				logger.Warn("could not delete expired rows; trying again", "error", err)
			}
		case <-newer.C:
			reloadIPData(a, logger)
		case <-heard.reload():
			logger.Info("SIGHUP: loading newer IP databases; changed flags and environment variables need a restart")
			reloadIPData(a, logger)
		case <-ctx.Done():
			logger.Info("stopping after a signal; a second one aborts the requests in flight")
			drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), accountDrain)
			defer cancel()
			drain, calm := heard.hurried(drain)
			defer calm()
			err := srv.Shutdown(drain)
			switch {
			case err != nil && heard.hurry():
				logger.Warn("second signal: aborting the requests in flight")
				_ = srv.Close()
			case err != nil:
				return fmt.Errorf("stopping the account service: %w", errors.Join(err, srv.Close()))
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
