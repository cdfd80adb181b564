package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// pingCommand reports whether a server answers, for the health checks of container engines. It has the name of
// the path that it asks: /health and status say how a bridge is, and a bridge must not be restarted for that.
type pingCommand struct {
	URL     string        `xor:"where" placeholder:"URL" help:"Address of the server, https://scim.example.com."`
	Listen  string        `xor:"where" env:"-" placeholder:"ADDRESS" help:"The --listen of a server on this machine."`
	Timeout time.Duration `default:"3s" help:"How long to wait for the answer (${default})."`
}

// Help says which server is asked.
func (pingCommand) Help() string {
	return `Exit 0 if a bridge or an account service answers, 1 if not; one line says what was asked. It needs no token.

Without a flag it asks the server of the container that it runs in, at the address which the command line of process 1
and the variables say. Elsewhere it asks the bridge that scim-bridge serve would be with these variables
(SCIMBRIDGE_LISTEN, OP_PORT). The certificate of a server on this machine is not verified: it has another name.

  scim-bridge ping
  scim-bridge ping --listen 127.0.0.1:8600
  scim-bridge ping --url https://scim.example.com`
}

// Validate is called by kong.
func (p *pingCommand) Validate() error {
	if p.Timeout <= 0 {
		return fmt.Errorf("--timeout=%s must be positive, such as 3s", p.Timeout)
	}
	return nil
}

// Run asks once.
func (p *pingCommand) Run(ctx context.Context, c *console) error {
	ctx, cancel := context.WithTimeout(ctx, p.Timeout)
	defer cancel()
	target, err := p.target(ctx)
	if err != nil {
		return err
	}
	status, err := target.ask(ctx)
	if err != nil {
		return fmt.Errorf("%s does not answer as a bridge or an account service (address from %s): %w",
			target.url, target.from, err)
	}
	fmt.Fprintf(c.Out, "%s: %s\n", target.url, status)
	return nil
}

// A pingTarget is a server to ask.
type pingTarget struct {
	url   string // of /ping
	from  string // where the address was found
	local bool   // the server is on this machine
}

func (p *pingCommand) target(ctx context.Context) (pingTarget, error) {
	if p.URL != "" {
		return remoteTarget(p.URL)
	}
	address, from, err := p.server()
	if err != nil {
		return pingTarget{}, err
	}
	host, err := loopbackOf(ctx, address.listen)
	if err != nil {
		return pingTarget{}, fmt.Errorf("%s: %w", from, err)
	}
	return pingTarget{url: address.scheme + "://" + host + "/ping", from: from, local: true}, nil
}

func remoteTarget(text string) (pingTarget, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
		return pingTarget{}, &exit{exitUsage, errors.New("--url is not the address of a server: " +
			"write it as https://scim.example.com, without a user or a query")}
	}
	ip, err := netip.ParseAddr(u.Hostname())
	local := err == nil && ip.Unmap().IsLoopback() || u.Hostname() == "localhost"
	return pingTarget{url: u.JoinPath("ping").String(), from: "--url", local: local}, nil
}

// server returns where the server of this machine is, and what says so.
func (p *pingCommand) server() (a serverAddress, from string, err error) {
	if p.Listen != "" {
		a, err = addressOf([]string{"serve", "--listen", p.Listen})
		return a, "--listen", err
	}
	if a, err = addressOf(firstProcess("/proc/1/cmdline")); err != nil || a.listen != "" {
		return a, "the settings of process 1", err
	}
	a, err = addressOf([]string{"serve"})
	return a, "the settings of scim-bridge serve", err
}

// firstProcess returns the arguments of the scim-bridge that is process 1, or that process 1 has started, as an
// init does; nil if there is none. In a container that is the server: its flags are in no variable.
func firstProcess(file string) []string {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil
	}
	words := strings.Split(strings.TrimSuffix(string(text), "\x00"), "\x00")
	for i, word := range words {
		if filepath.Base(word) == "scim-bridge" {
			return words[i+1:]
		}
	}
	return nil
}

// A serverAddress is where the settings of a server let it listen.
type serverAddress struct{ scheme, listen string }

// addressOf reads a command line and the environment as the server itself does, but checks nothing: the server has
// checked its settings, some of them against its own process. The zero value is no server.
func addressOf(args []string) (serverAddress, error) {
	var grammar cli
	parser, err := newParser(&grammar, &console{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	if err != nil {
		return serverAddress{}, err
	}
	command, err := kong.Trace(parser.Kong, args)
	if err == nil {
		err = errors.Join(command.Error, command.Reset(), command.Resolve(), errors.Join(parser.vendor.faults...))
	}
	if err != nil {
		return serverAddress{}, fmt.Errorf("reading the settings of the server: %w", err)
	}
	path, err := command.Apply()
	if err != nil {
		return serverAddress{}, err
	}
	switch path {
	case "serve":
		grammar.Serve.parsed.vendorPort = fromVendor(command, "listen")
		return grammar.Serve.at(), nil
	case "account serve":
		return grammar.Account.Serve.at(grammar.Account.Serve.Listen), nil
	case "dev":
		return grammar.Dev.at(grammar.Dev.Listen), nil
	default:
		return serverAddress{}, nil
	}
}

// at returns where a bridge with these flags answers.
func (s *serveCommand) at() serverAddress {
	if s.servesTLS() {
		return serverAddress{"https", s.address()}
	}
	return serverAddress{"http", s.address()}
}

// at returns where a server with these files answers.
func (c certificateFiles) at(listen string) serverAddress {
	if c.given() {
		return serverAddress{"https", listen}
	}
	return serverAddress{"http", listen}
}

// loopbackOf returns where this machine reaches a server that listens on an address.
func loopbackOf(ctx context.Context, listen string) (string, error) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil {
		return "", fmt.Errorf("%q is not an address: write HOST:PORT or :PORT", listen)
	}
	number, err := net.DefaultResolver.LookupPort(ctx, "tcp", port)
	if err != nil {
		return "", err
	}
	if number == 0 {
		return "", errors.New("port 0 is a different port at each start: use --url with the address in the log")
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.Unmap().IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, fmt.Sprint(number)), nil
}

// ask returns the status of the answer, if it is one of ours.
func (t pingTarget) ask(ctx context.Context) (status string, err error) {
	transport := &http.Transport{DisableKeepAlives: true, Proxy: http.ProxyFromEnvironment}
	if t.local {
		transport.Proxy = nil
		transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: true} // no secret is sent, and none is told
	}
	client := &http.Client{
		Transport: transport,
		// A proxy's sign-in page would answer in the server's place.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, t.url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return "", wrapped.Err // without the address, which is told once
	} else if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64))
	switch {
	case err != nil:
		return "", err
	case resp.StatusCode == http.StatusNoContent, resp.StatusCode == http.StatusOK && string(body) == "pong\n":
		return resp.Status, nil
	default:
		return "", fmt.Errorf("the answer is %s", resp.Status)
	}
}
