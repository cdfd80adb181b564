package main

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"

	"github.com/hashicorp/go-hclog"
)

// tlsFlags ask for HTTPS, which this version does not serve. They are defined so
// that they can be refused: if they were ignored, the operator would get plain
// HTTP without noticing.
type tlsFlags struct {
	TLSDomain     string `name:"tls-domain" hidden:"" help:"Refused: HTTPS is not served yet."`
	TLSCertFile   string `name:"tls-cert-file" hidden:"" help:"Refused: HTTPS is not served yet."`
	TLSKeyFile    string `name:"tls-key-file" hidden:"" help:"Refused: HTTPS is not served yet."`
	ACMEEmail     string `name:"acme-email" hidden:"" help:"Refused: HTTPS is not served yet."`
	ACMEDirectory string `name:"acme-directory" hidden:"" help:"Refused: HTTPS is not served yet."`
}

// unserved refuses every setting that asks for TLS: flags, our variables and
// those of the vendor's image.
func (f tlsFlags) unserved(environ []string, r remedies) error {
	var asked []string
	for _, flag := range []struct{ name, value string }{
		{"--tls-domain", f.TLSDomain}, {"--tls-cert-file", f.TLSCertFile}, {"--tls-key-file", f.TLSKeyFile},
		{"--acme-email", f.ACMEEmail}, {"--acme-directory", f.ACMEDirectory},
	} {
		variable := "SCIMBRIDGE_" + strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(flag.name, "--"), "-", "_"))
		if flag.value != "" && !slices.Contains(environ, variable+"="+flag.value) {
			asked = append(asked, flag.name)
		}
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		asks := name == "OP_LETSENCRYPT_EMAIL"
		for _, prefix := range []string{"OP_TLS_", "SCIMBRIDGE_TLS_", "SCIMBRIDGE_ACME_"} {
			asks = asks || strings.HasPrefix(name, prefix)
		}
		if asks && value != "" {
			asked = append(asked, name)
		}
	}
	if asked == nil {
		return nil
	}
	slices.Sort(asked)
	return fmt.Errorf("%s asks for HTTPS, which this version does not serve itself: %s", strings.Join(asked, ", "),
		r.forTLS)
}

// remedies are what an operator can do about plain HTTP, with the flags that the
// command has.
type remedies struct{ forTLS, beforeListening, whileListening string }

var (
	withProxy = remedies{
		forTLS: "put a proxy or a load balancer with the certificate in front, " +
			"name its address with --public-url https://..., and remove the setting",
		beforeListening: "if a proxy with HTTPS is in front, name its address with --public-url https://...; ",
		whileListening:  "put a proxy with HTTPS in front and name it with --public-url",
	}
	withoutProxy = remedies{
		forTLS: "remove the setting to try things out on this machine; where HTTPS is needed, " +
			"run scim-bridge serve and scim-bridge account serve behind a proxy with the certificate, " +
			"whose address their --public-url https://... names",
		whileListening: "for production, run scim-bridge serve and scim-bridge account serve behind a proxy with HTTPS",
	}
)

// A plainListener is an address to listen on, with the settings that allow plain HTTP there.
type plainListener struct {
	flag, address string
	publicURL     string
	insecure      bool // --insecure-http
	vendorPort    bool // the address is OP_PORT's
	remedies
}

// check refuses plain HTTP that other machines can reach, unless the settings
// name a proxy with HTTPS or allow plain HTTP explicitly.
func (l plainListener) check() error {
	if !l.reachable() || l.behindHTTPS() || l.insecure || l.vendorPort {
		return nil
	}
	return fmt.Errorf("%s=%q can be reached from other machines, and plain HTTP would show them the tokens: "+
		"%sto serve this machine only, listen on 127.0.0.1; to allow it, set --insecure-http",
		l.flag, l.address, l.beforeListening)
}

// warn logs the plain HTTP that check allowed.
func (l plainListener) warn(log hclog.Logger) {
	if !l.reachable() || l.behindHTTPS() {
		return
	}
	why := "--insecure-http"
	if !l.insecure {
		why = "OP_PORT"
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

// fromVendorPort reports whether an address comes from OP_PORT.
func fromVendorPort(address string) bool {
	port := os.Getenv("OP_PORT")
	return port != "" && os.Getenv("SCIMBRIDGE_LISTEN") == "" && address == ":"+port
}
