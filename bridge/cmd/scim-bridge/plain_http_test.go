package main

import (
	"bytes"
	"os/exec"
	"strings"
	"testing"

	"github.com/hashicorp/go-hclog"
)

// A server that was asked for HTTPS in a way that it does not serve must not serve plain HTTP.
func TestASettingThatAsksForUnservedTLSIsRefused(t *testing.T) {
	t.Parallel()
	account := []string{"account", "serve", "--listen", "127.0.0.1:0", "--database", "sqlite:nowhere.db"}
	dev := []string{"dev", "--listen", "127.0.0.1:0", "--account-listen", "127.0.0.1:0", "--data-dir", "DIR"}
	for _, row := range []struct {
		name    string
		command []string
		environ []string
		flags   []string
		want    string
	}{
		{"the vendor's domain, of dev", dev, []string{"OP_TLS_DOMAIN=scim.example.com"}, nil,
			"dev: OP_TLS_DOMAIN asks for HTTPS"},
		{"the vendor's certificate, of dev", dev, []string{"OP_TLS_CERT_FILE=/c", "OP_TLS_KEY_FILE=/k"}, nil,
			"OP_TLS_CERT_FILE, OP_TLS_KEY_FILE asks for HTTPS"},
		{"a variable of the vendor's that is not known, of dev", dev, []string{"OP_TLS_MIN_VERSION=1.3"}, nil,
			"OP_TLS_MIN_VERSION asks for HTTPS"},
		{"our certificate, of dev", dev, []string{"SCIMBRIDGE_TLS_CERT_FILE=/c"}, []string{"--tls-key-file", "/k"},
			"--tls-key-file, SCIMBRIDGE_TLS_CERT_FILE asks for HTTPS"},
		{"our domain, of dev", dev, []string{"SCIMBRIDGE_ACME_EMAIL=a@example.com"},
			[]string{"--tls-domain=dev.example.com"},
			"--tls-domain, SCIMBRIDGE_ACME_EMAIL asks"},
		{"the vendor's domain, of the account", account, []string{"OP_TLS_DOMAIN=scim.example.com"}, nil,
			"OP_TLS_DOMAIN asks for HTTPS"},
		{"the vendor's certificate, of the account", account, []string{"OP_TLS_CERT_FILE=/c"}, nil,
			"OP_TLS_CERT_FILE asks for HTTPS"},
		{"our domain, of the account", account, nil, []string{"--tls-domain=account.example.com"},
			"--tls-domain asks for HTTPS"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			out := refused(t, row.environ, append(append([]string{}, row.command...), row.flags...)...)
			if !strings.Contains(out, row.want) || !strings.Contains(out, "--tls-cert-file") {
				t.Errorf("want %q and what to do, got %s", row.want, out)
			}
		})
	}
}

// refused runs a command whose settings are to be refused, and returns what it says. DIR stands
// for a new folder.
func refused(t *testing.T, environ []string, args ...string) string {
	t.Helper()
	for i := range args {
		if args[i] == "DIR" {
			args[i] = t.TempDir()
		}
	}
	cmd := exec.CommandContext(t.Context(), "scim-bridge", args...)
	cmd.Env = append(cmd.Environ(), environ...)
	out, err := cmd.CombinedOutput()
	if err == nil || cmd.ProcessState.ExitCode() != exitUsage {
		t.Fatalf("it must be refused as a setting: %v %s", err, out)
	}
	return string(out)
}

func TestAnEmptySettingForTLSAsksForNothing(t *testing.T) {
	t.Parallel()
	err := (acmeFlags{}).unserved([]string{"OP_TLS_DOMAIN=", "SCIMBRIDGE_TLS_CERT_FILE=", "OP_PORT=80"}, devWithoutTLS)
	if err != nil {
		t.Error(err)
	}
}

// What asks for HTTPS is served so, on the address of the contract; the vendor's variables mean what they mean there.
func TestASettingThatAsksForTLSIsServed(t *testing.T) {
	own := newOwnCertificate(t)
	for _, row := range []struct {
		name    string
		environ map[string]string
		args    []string
		address string
		https   bool
		acme    bool
		url     string
		ping    string
	}{
		{name: "nothing", args: []string{"--listen=127.0.0.1:3002"}, address: "127.0.0.1:3002"},
		{name: "a domain", args: []string{"--tls-domain=scim.example.com"}, address: ":8443", https: true, acme: true,
			url: "https://scim.example.com"},
		{name: "a domain as people write it", args: []string{"--tls-domain=SCIM.Example.com."}, address: ":8443",
			https: true, acme: true, url: "https://scim.example.com"},
		{name: "a domain of another script", args: []string{"--tls-domain=bücher.example"}, address: ":8443",
			https: true, acme: true, url: "https://xn--bcher-kva.example"},
		{name: "a domain and an address", args: []string{"--tls-domain=scim.example.com", "--listen=:443"},
			address: ":443", https: true, acme: true, url: "https://scim.example.com"},
		{name: "a domain and a public URL", args: []string{"--tls-domain=scim.example.com",
			"--public-url=https://scim.example.com:8443"}, address: ":8443", https: true, acme: true,
			url: "https://scim.example.com:8443"},
		{name: "a domain and a certificate", args: append(own.flags(), "--tls-domain=scim.example.com"),
			address: ":8443", https: true, url: "https://scim.example.com"},
		{name: "a certificate", args: own.flags(), address: ":3002", https: true},
		{name: "the vendor's domain", environ: map[string]string{"OP_TLS_DOMAIN": "scim.example.com",
			"OP_LETSENCRYPT_EMAIL": "ops@example.com"}, address: ":8443", https: true, acme: true,
			url: "https://scim.example.com"},
		{name: "the vendor's domain and the port of plain HTTP", environ: map[string]string{
			"OP_TLS_DOMAIN": "scim.example.com", "OP_PORT": "80"}, address: ":8443", https: true, acme: true,
			url: "https://scim.example.com"},
		{name: "a domain and the address of plain HTTP", args: []string{"--tls-domain=scim.example.com",
			"--listen=:3002"}, address: ":3002", https: true, acme: true, url: "https://scim.example.com"},
		{name: "a domain and an address that is the vendor's port, too", environ: map[string]string{"OP_PORT": "443"},
			args: []string{"--tls-domain=scim.example.com", "--listen=:443"}, address: ":443", https: true, acme: true,
			url: "https://scim.example.com"},
		{name: "the vendor's domain and our address that is the vendor's port, too", environ: map[string]string{
			"OP_TLS_DOMAIN": "scim.example.com", "OP_PORT": "443", "SCIMBRIDGE_LISTEN": ":443"}, address: ":443",
			https: true, acme: true, url: "https://scim.example.com"},
		{name: "the vendor's domain and our address", environ: map[string]string{
			"OP_TLS_DOMAIN": "scim.example.com", "SCIMBRIDGE_LISTEN": ":3002"}, address: ":3002", https: true,
			acme: true, url: "https://scim.example.com"},
		{name: "the vendor's domain by its older name", environ: map[string]string{
			"OP_LETSENCRYPT_DOMAIN": "scim.example.com"}, address: ":8443", https: true, acme: true,
			url: "https://scim.example.com"},
		{name: "the vendor's certificate", environ: map[string]string{"OP_TLS_DOMAIN": "scim.example.com",
			"OP_TLS_CERT_FILE": own.cert, "OP_TLS_KEY_FILE": own.key}, address: ":8443", https: true,
			url: "https://scim.example.com"},
		{name: "the vendor's ping server", environ: map[string]string{"OP_TLS_DOMAIN": "scim.example.com",
			"OP_PING_SERVER": "1"}, address: ":8443", https: true, acme: true, url: "https://scim.example.com",
			ping: ":80"},
		{name: "the vendor's ping server, off", environ: map[string]string{"OP_TLS_DOMAIN": "scim.example.com",
			"OP_PING_SERVER": "0"}, address: ":8443", https: true, acme: true, url: "https://scim.example.com"},
		{name: "the vendor's address without a domain, which it ignores", environ: map[string]string{
			"OP_LETSENCRYPT_EMAIL": "ops@example.com", "OP_PORT": "3002"}, address: ":3002"},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := parseServe(t, row.environ, append([]string{"--data-dir", t.TempDir()}, row.args...)...)
			if err != nil {
				t.Fatal(err)
			}
			if s.address() != row.address || s.servesTLS() != row.https || s.usesACME() != row.acme ||
				s.publicURL() != row.url || s.PingListen != row.ping {
				t.Errorf("got %s, HTTPS %t, ACME %t, %s, ping %s", s.address(), s.servesTLS(), s.usesACME(),
					s.publicURL(), s.PingListen)
			}
		})
	}
}

func TestSettingsOfACMEThatMeanNothingAreRefused(t *testing.T) {
	t.Parallel()
	own := newOwnCertificate(t)
	domain := "--tls-domain=scim.example.com"
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"an address in place of a name", []string{"--tls-domain=192.0.2.1"}, "--tls-domain is not a host name"},
		{"a URL in place of a name", []string{"--tls-domain=https://scim.example.com"},
			"--tls-domain is not a host name"},
		{"a port", []string{"--tls-domain=scim.example.com:443"}, "--tls-domain is not a host name"},
		{"every name of a domain", []string{"--tls-domain=*.example.com"}, "--tls-domain is not a host name"},
		{"a name of one machine", []string{"--tls-domain=scim"}, "--tls-domain is not a host name"},
		{"a path out of the folder", []string{"--tls-domain=../../x.com"}, "--tls-domain is not a host name"},
		{"an authority without a domain", []string{"--acme-directory=https://acme.example.com/d"},
			"--acme-directory is for a certificate by ACME"},
		{"an authority beside a certificate", own.flags(domain, "--acme-directory=https://acme.example.com/d"),
			"--acme-directory is for a certificate by ACME"},
		{"an authority by plain HTTP", []string{domain, "--acme-directory=http://acme.example.com/d"},
			"--acme-directory is not the URL of a directory"},
		{"roots that are not there", []string{domain, "--acme-ca-file=/nowhere/ca.pem"},
			`--acme-ca-file: there is no file "/nowhere/ca.pem"`},
		{"roots that are a key", []string{domain, "--acme-ca-file=" + own.key},
			"--acme-ca-file: there is no certificate"},
		{"the account's roots that are a key", []string{"--account-ca-file=" + own.key},
			"--account-ca-file: there is no certificate"},
		{"two contacts", []string{domain, "--acme-email=a@example.com,b@example.com"},
			"--acme-email is not an e-mail address"},
		{"a port alone for ping", []string{domain, "--ping-listen=80"}, `--ping-listen="80" is not an address`},
		{"a public URL without TLS", []string{domain, "--public-url=http://scim.example.com"}, "is plain HTTP"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			args := append([]string{"serve", "--listen=127.0.0.1:0", "--data-dir", "DIR"}, row.args...)
			out := refused(t, nil, args...)
			if !strings.Contains(out, row.want) {
				t.Errorf("want %q, got %s", row.want, out)
			}
		})
	}
}

func TestPlainHTTPThatOthersCanReachMustBeMeant(t *testing.T) {
	const https = "https://scim.example.com"
	for _, row := range []struct {
		name    string
		environ map[string]string
		args    []string
		refused bool
		warned  bool
	}{
		{name: "the default, alone", refused: true, warned: true},
		{name: "every address", args: []string{"--listen=0.0.0.0:3002"}, refused: true, warned: true},
		{name: "every IPv6 address", args: []string{"--listen=[::]:3002"}, refused: true, warned: true},
		{name: "an address of a network", args: []string{"--listen=10.1.2.3:3002"}, refused: true, warned: true},
		{name: "a name that is not known", args: []string{"--listen=bridge.invalid:3002"}, refused: true, warned: true},
		{name: "loopback", args: []string{"--listen=127.0.0.1:3002"}},
		{name: "any loopback", args: []string{"--listen=127.8.9.1:3002"}},
		{name: "loopback, mapped", args: []string{"--listen=[::ffff:127.0.0.1]:3002"}},
		{name: "loopback in IPv6", args: []string{"--listen=[::1]:3002"}},
		{name: "loopback by name", args: []string{"--listen=localhost:3002"}},
		{name: "behind a proxy with HTTPS", args: []string{"--public-url=" + https}},
		{name: "behind a proxy without", args: []string{"--public-url=http://scim.example.com"},
			refused: true, warned: true},
		{name: "meant", args: []string{"--insecure-http"}, warned: true},
		{name: "meant by a variable", environ: map[string]string{"SCIMBRIDGE_INSECURE_HTTP": "true"}, warned: true},
		{name: "the vendor's port", environ: map[string]string{"OP_PORT": "3002"}, warned: true},
		{name: "the vendor's domain, set to nothing", environ: map[string]string{"OP_TLS_DOMAIN": ""}, warned: true},
		{name: "the vendor's older domain, set to nothing", environ: map[string]string{"OP_LETSENCRYPT_DOMAIN": ""},
			warned: true},
		{name: "the vendor's domain, set to nothing, beside our own address", environ: map[string]string{
			"OP_TLS_DOMAIN": ""}, args: []string{"--listen=:3002"}, refused: true, warned: true},
		{name: "the vendor's session", environ: map[string]string{"OP_SESSION": "/run/secrets/scimsession"},
			refused: true, warned: true},
		{name: "the vendor's port beside our own address", environ: map[string]string{
			"OP_PORT": "3002", "SCIMBRIDGE_LISTEN": "0.0.0.0:3002",
		}, refused: true, warned: true},
		{name: "the vendor's port beside an equal flag", environ: map[string]string{"OP_PORT": "3002"},
			args: []string{"--listen=:3002"}, refused: true, warned: true},
		{name: "the vendor's port beside our equal address", environ: map[string]string{
			"OP_PORT": "3002", "SCIMBRIDGE_LISTEN": ":3002",
		}, refused: true, warned: true},
		{name: "the vendor's port beside another flag", environ: map[string]string{"OP_PORT": "3002"},
			args: []string{"--listen=:81"}, refused: true, warned: true},
	} {
		t.Run(row.name, func(t *testing.T) {
			s, err := parseServe(t, row.environ, row.args...)
			if row.refused != (err != nil) || err != nil &&
				(!strings.Contains(err.Error(), "--insecure-http") || !strings.Contains(err.Error(), "--public-url")) {
				t.Errorf("got %v, refused is to be %t, with what to do", err, row.refused)
			}
			var log bytes.Buffer
			s.listener().warn(hclog.New(&hclog.LoggerOptions{Output: &log}))
			if row.warned != strings.Contains(log.String(), "plain HTTP on an address that other machines can reach") {
				t.Errorf("the log: %q", log.String())
			}
		})
	}
}

func TestTheAccountAndDevServeNoPlainHTTPToOthersUnasked(t *testing.T) {
	t.Parallel()
	for _, args := range [][]string{
		{"account", "serve", "--database", "sqlite:nowhere.db", "--listen", ":8600"},
		{"account", "serve", "--database", "sqlite:nowhere.db", "--listen", "0.0.0.0:8600", "--public-url",
			"http://account.example.com"},
		{"dev", "--data-dir", "nowhere", "--listen", "0.0.0.0:3002"},
		{"dev", "--data-dir", "nowhere", "--account-listen", ":8600"},
	} {
		t.Run(strings.Join(args, " "), func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "scim-bridge", args...)
			cmd.Dir = t.TempDir()
			out, err := cmd.CombinedOutput()
			if err == nil || !strings.Contains(string(out), "can be reached from other machines") {
				t.Errorf("%v %s", err, out)
			} else if args[0] == "dev" && strings.Contains(string(out), "--public-url") {
				t.Errorf("the remedy names a flag that dev has not: %s", out)
			}
		})
	}
}

func TestDevSaysThatPlainHTTPIsServedToOthers(t *testing.T) {
	t.Parallel()
	l := listenTo(t, "dev", "--data-dir", t.TempDir(), "--listen", "0.0.0.0:0", "--account-listen", "127.0.0.1:0",
		"--insecure-http")
	l.await(t, "plain HTTP on an address that other machines can reach")
}

func TestEveryServerNamesTheVariablesThatMeanNothing(t *testing.T) {
	t.Parallel()
	for name, args := range servers(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l := listenWith(t, []string{"SCIMBRIDGE_MONITORNG_TOKEN_FILE=/run/secrets/monitoring"}, args...)
			l.await(t, `unknown environment variables are ignored: variables=SCIMBRIDGE_MONITORNG_TOKEN_FILE`)
		})
	}
}
