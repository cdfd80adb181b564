package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/hashicorp/go-hclog"
)

// remedies are what an operator can do about plain HTTP, with the flags that the
// command has.
type remedies struct{ beforeListening, whileListening string }

var (
	withProxy = remedies{
		beforeListening: "to serve HTTPS, set --tls-cert-file and --tls-key-file; " +
			"if a proxy with HTTPS is in front, name its address with --public-url https://...; ",
		whileListening: "set --tls-cert-file and --tls-key-file, or put a proxy with HTTPS in front and name it " +
			"with --public-url",
	}
	withAccountProxy = remedies{
		beforeListening: "to serve HTTPS, set --account-tls-cert-file and --account-tls-key-file; " +
			"if a proxy with HTTPS is in front, name its address with --account-public-url https://...; ",
		whileListening: "set --account-tls-cert-file and --account-tls-key-file, or put a proxy with HTTPS in front " +
			"and name it with --account-public-url",
	}
	withoutProxy = remedies{
		whileListening: "for production, run scim-bridge serve and scim-bridge account serve with HTTPS",
	}
)

// A plainListener is an address to listen on, with the settings that allow plain HTTP there.
type plainListener struct {
	flag, address string
	publicURL     string
	insecure      bool   // --insecure-http
	https         bool   // a certificate is configured
	vendor        string // what asks for plain HTTP as the vendor's image has it; may be empty
	remedies
}

// check refuses plain HTTP that other machines can reach, unless the settings
// name a proxy with HTTPS or allow plain HTTP explicitly.
func (l plainListener) check() error {
	if l.https || !l.reachable() || l.behindHTTPS() || l.insecure || l.vendor != "" {
		return nil
	}
	return fmt.Errorf("%s=%q can be reached from other machines, and plain HTTP would show them the tokens: "+
		"%sto serve this machine only, listen on 127.0.0.1; to allow it, set --insecure-http",
		l.flag, l.address, l.beforeListening)
}

// warn logs the plain HTTP that check allowed.
func (l plainListener) warn(log hclog.Logger) {
	if l.https || !l.reachable() || l.behindHTTPS() {
		return
	}
	why := "--insecure-http"
	if !l.insecure {
		why = l.vendor
	}
	log.Warn("plain HTTP on an address that other machines can reach: tokens cross the network in clear; "+
		l.whileListening, "address", l.address, "because_of", why)
}

func (l plainListener) behindHTTPS() bool {
	return strings.HasPrefix(strings.ToLower(l.publicURL), "https://")
}

// reachable reports whether other machines can reach the address. A name counts as
// the addresses it resolves to.
func (l plainListener) reachable() bool {
	host, _, err := net.SplitHostPort(l.address)
	if err != nil {
		return false // refused elsewhere
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return !addr.Unmap().IsLoopback()
	}
	if host == "" {
		return true
	}
	addrs, err := net.DefaultResolver.LookupNetIP(context.Background(), "ip", host)
	return err != nil || slices.ContainsFunc(addrs, func(a netip.Addr) bool { return !a.Unmap().IsLoopback() })
}

// vendorPlainHTTP returns what asks for plain HTTP on every address as the vendor's image has it: its port; a domain
// that is set to nothing; or, with the address that is the default, a session where its manifests mount it.
func (s *serveCommand) vendorPlainHTTP() string {
	if s.parsed.vendorPort {
		return "OP_PORT"
	}
	if s.Listen != "" {
		return ""
	}
	for _, name := range []string{"OP_TLS_DOMAIN", "OP_LETSENCRYPT_DOMAIN"} {
		if value, set := os.LookupEnv(name); set && value == "" {
			return name + "="
		}
	}
	if s.Database == "" && s.Session == "" && !exists(filepath.Join(s.DataDir, "session")) && exists(mountedSession()) {
		return mountedSession()
	}
	return ""
}

// fromVendor reports whether a variable of the vendor's image sets a flag: one resolver reads them, and ours count as
// defaults.
func fromVendor(command *kong.Context, flag string) bool {
	return slices.ContainsFunc(command.Path, func(p *kong.Path) bool {
		return p.Resolved && p.Flag != nil && p.Flag.Name == flag
	})
}
