package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate/certificatetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/test/ports"
)

const acmeDomain = "scim.example.com"

func flagsFor(p *certificatetest.Pebble) []string {
	return []string{"--tls-domain", acmeDomain, "--acme-directory", p.Directory(), "--acme-ca-file", p.CAFile,
		"--acme-email", "ops@example.com"}
}

// freeTCPPort returns a port that nothing listens on: the authority cannot choose one itself.
func freeTCPPort(t *testing.T) int {
	t.Helper()
	addr, err := net.ResolveTCPAddr("tcp", ports.Free(t))
	if err != nil {
		t.Fatal(err)
	}
	return addr.Port
}

// seen returns the certificate that a bridge shows.
func seen(t *testing.T, address string) *x509.Certificate {
	t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{InsecureSkipVerify: true}} //nolint:gosec // it is looked at
	conn, err := dialer.DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0]
}

// serveACME starts a bridge where the authority asks for TLS-ALPN-01.
func serveACME(t *testing.T, p *certificatetest.Pebble, dir string) *process {
	t.Helper()
	return serve(t, dir, append(flagsFor(p), "--listen", fmt.Sprintf("127.0.0.1:%d", p.TLSPort))...)
}

// A certificate is issued by TLS-ALPN-01 on the bridge's own listener, is stored for the next start, and is not asked
// for again.
func TestACertificateIsIssuedByACMEAndKept(t *testing.T) {
	t.Parallel()
	p := certificatetest.NewPebble(t, 90*24*time.Hour, freeTCPPort(t), 1)
	p.Up()
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed)
	b := serveACME(t, p, dir)
	address := b.address()
	await(t, "the certificate", func() bool { return p.Issued(address, acmeDomain) })
	first := seen(t, address)
	if s := b.status(); s.PublicURL != "https://"+acmeDomain {
		t.Errorf("the URL is %s", s.PublicURL)
	}
	await(t, "no problem of the certificate", func() bool {
		return !slices.Contains(b.codes(), string(problem.CertificateInvalid))
	})
	if err := filepath.WalkDir(filepath.Join(dir, "acme"), func(path string, d os.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o077 != 0 {
			t.Errorf("others have access to %s: %v", path, info.Mode())
		}
		return err
	}); err != nil {
		t.Fatal(err)
	}
	b.terminate()
	p.Down()
	again := serveACME(t, p, dir)
	if got := seen(t, again.address()); !got.Equal(first) {
		t.Errorf("after a restart without the authority, another certificate is shown: %s", got.Subject)
	}
	if got := again.codes(); slices.Contains(got, string(problem.CertificateInvalid)) {
		t.Errorf("the problems are %v", got)
	}
}

// While it lives, a certificate is renewed; when the authority is away, the old one is shown and it is said, and the
// renewal is made when the authority is back.
func TestACertificateIsRenewedAlsoAfterTheAuthorityWasAway(t *testing.T) {
	t.Parallel()
	p := certificatetest.NewPebble(t, 45*time.Second, freeTCPPort(t), 1)
	p.Up()
	b := serveACME(t, p, folder(t, newAccount(t).activate().sealed))
	address := b.address()
	await(t, "the certificate", func() bool { return p.Issued(address, acmeDomain) })
	first := seen(t, address)
	await(t, "the renewal", func() bool { return !seen(t, address).Equal(first) })
	p.Down()
	b.awaitProblem(string(problem.CertificateExpiring))
	b.awaitLogged("could not renew the certificate; the old one stays in use")
	found := b.status().Problems
	i := slices.IndexFunc(found, func(f problem.Problem) bool { return f.Code == problem.CertificateExpiring })
	if i < 0 || !strings.Contains(found[i].Remedy, p.Directory()) {
		t.Errorf("the problem: %+v", found)
	}
	p.Up()
	b.signal(syscall.SIGHUP)
	await(t, "the problem to pass", func() bool {
		return !slices.Contains(b.codes(), string(problem.CertificateExpiring))
	})
	await(t, "a certificate of the new root", func() bool { return p.Issued(address, acmeDomain) })
}

// Without the authority the bridge starts, says what it lacks, also after a restart, and answers health checks by a
// temporary certificate.
func TestABridgeStartsWithoutTheAuthority(t *testing.T) {
	t.Parallel()
	p := certificatetest.NewPebble(t, 90*24*time.Hour, freeTCPPort(t), 1)
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed)
	b := serveACME(t, p, dir)
	address := b.address()
	b.awaitProblem(string(problem.CertificateInvalid))
	if got := seen(t, address); got.Subject.CommonName != "scim-bridge has no certificate yet" {
		t.Errorf("clients see %s", got.Subject)
	}
	if code, said := ping(t, []string{patient}, "--url", "https://"+address); code != 0 {
		t.Errorf("ping: %d %s", code, said)
	}
	h := b.status().Health
	i := slices.IndexFunc(h.Problems, func(f problem.Problem) bool { return f.Code == problem.CertificateInvalid })
	if h.State != health.Unhealthy || h.Problems[i].Title != "There is no certificate yet" ||
		!strings.Contains(h.Problems[i].Cause, "connection refused") ||
		!strings.Contains(h.Problems[i].Remedy, "scim-bridge reload "+dir) {
		t.Errorf("it is %s with %+v", h.State, h.Problems)
	}
	b.terminate()
	again := serveACME(t, p, dir)
	again.awaitProblem(string(problem.CertificateInvalid))
	p.Up()
	// As the remedy says.
	output(t, "reload", dir)
	await(t, "the certificate", func() bool { return p.Issued(again.address(), acmeDomain) })
	await(t, "the problem to pass", func() bool {
		return !slices.Contains(again.codes(), string(problem.CertificateInvalid))
	})
}

// Where TLS ends before the bridge, port 80 is the other way to it.
func TestACertificateIsIssuedByHTTP01OnThePingListener(t *testing.T) {
	t.Parallel()
	p := certificatetest.NewPebble(t, 90*24*time.Hour, freeTCPPort(t), freeTCPPort(t))
	p.Up()
	listener := fmt.Sprintf("127.0.0.1:%d", p.HTTPPort)
	// It asks for TLS-ALPN-01 where nothing listens.
	b := serve(t, folder(t, newAccount(t).activate().sealed),
		append(flagsFor(p), "--listen", "127.0.0.1:0", "--ping-listen", listener)...)
	got := ask(t, http.MethodGet, "http://"+listener+"/ping", "", "")
	if got.status != http.StatusOK || got.body != "pong\n" {
		t.Errorf("/ping: %d %s", got.status, got.body)
	}
	for _, path := range []string{"/health", "/app", "/Users", "/.well-known/acme-challenge/x"} {
		if got := ask(t, http.MethodGet, "http://"+listener+path, "", ""); got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	await(t, "the certificate", func() bool { return p.Issued(b.address(), acmeDomain) })
}

// A domain that the authority refuses costs one attempt, also if the bridge is restarted, and the reason is told.
func TestARefusalOfTheAuthorityIsToldAndNotRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	p := certificatetest.NewPebble(t, 90*24*time.Hour, freeTCPPort(t), 1)
	p.Up()
	flags := flagsFor(p)
	flags[1] = certificatetest.Blocked
	b := serve(t, folder(t, newAccount(t).activate().sealed), append(flags, "--listen", "127.0.0.1:0")...)
	b.awaitProblem(string(problem.CertificateInvalid))
	found := b.status().Problems
	if !slices.ContainsFunc(found, func(f problem.Problem) bool {
		return strings.Contains(f.Cause, "rejectedIdentifier")
	}) {
		t.Errorf("the problems: %+v", found)
	}
	retry := func(b *process) time.Time {
		for _, f := range b.status().Problems {
			at, err := time.Parse(time.RFC3339, f.Details["retry"])
			if f.Code == problem.CertificateInvalid && err == nil {
				return at
			}
		}
		return time.Time{}
	}
	next := retry(b)
	b.terminate()
	again := serve(t, b.dir, append(flags, "--listen", "127.0.0.1:0")...)
	again.awaitProblem(string(problem.CertificateInvalid))
	if got := retry(again); time.Now().Before(next) && !got.Equal(next) {
		t.Errorf("the next attempt is at %s, and after a restart at %s", next, got)
	}
}
