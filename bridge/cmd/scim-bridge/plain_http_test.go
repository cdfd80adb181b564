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
	serve := []string{"serve", "--listen", "127.0.0.1:0", "--data-dir", "DIR"}
	account := []string{"account", "serve", "--listen", "127.0.0.1:0", "--database", "sqlite:nowhere.db"}
	dev := []string{"dev", "--listen", "127.0.0.1:0", "--account-listen", "127.0.0.1:0", "--data-dir", "DIR"}
	for _, row := range []struct {
		name    string
		command []string
		environ []string
		flags   []string
		want    string
	}{
		{"the vendor's domain", serve, []string{"OP_TLS_DOMAIN=scim.example.com"}, nil, "OP_TLS_DOMAIN asks for HTTPS"},
		{"the vendor's address for certificates", serve, []string{"OP_LETSENCRYPT_EMAIL=a@example.com"}, nil,
			"OP_LETSENCRYPT_EMAIL asks for HTTPS"},
		{"our domain", serve, nil, []string{"--tls-domain=scim.example.com"}, "--tls-domain asks for HTTPS"},
		{"ACME", serve, []string{"SCIMBRIDGE_ACME_EMAIL=a@example.com"},
			[]string{"--acme-directory=https://acme.example.com"}, "--acme-directory, SCIMBRIDGE_ACME_EMAIL asks"},
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
		{name: "the vendor's port beside our own address", environ: map[string]string{
			"OP_PORT": "3002", "SCIMBRIDGE_LISTEN": "0.0.0.0:3002",
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
