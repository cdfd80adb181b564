package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate/certificatetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/test/ports"
)

const acmeDomain = "scim.example.com"

// pebbleBinary builds Let's Encrypt's authority for tests, as .ci/acme/go.mod pins it.
var pebbleBinary = sync.OnceValues(func() (string, error) {
	return buildTool("pebble", ".ci/acme/go.mod", "github.com/letsencrypt/pebble/v2/cmd/pebble")
})

// pebble is an ACME authority that asks the bridge of a test, whatever port it listens on.
type pebble struct {
	t          *testing.T
	api        *certificatetest.Authority
	dir        string
	address    string // of the ACME API
	management string
	tlsPort    int // where it asks for TLS-ALPN-01
	httpPort   int // and for HTTP-01
	dns        string
	cmd        *exec.Cmd
}

// newPebble starts an authority whose certificates live that long.
func newPebble(t *testing.T, lifetime time.Duration, tlsPort, httpPort int) *pebble {
	t.Helper()
	p := &pebble{t: t, api: certificatetest.New(t, "API of the authority"), dir: t.TempDir(), tlsPort: tlsPort,
		httpPort: httpPort, dns: answerDNS(t)}
	p.address, p.management = ports.Free(t), ports.Free(t)
	cert, key := p.api.Issue(certificatetest.Loopback("localhost"))
	for name, text := range map[string][]byte{"cert.pem": cert, "key.pem": key, "ca.pem": p.api.PEM} {
		if err := os.WriteFile(filepath.Join(p.dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": p.address, "managementListenAddress": p.management,
		"certificate": filepath.Join(p.dir, "cert.pem"), "privateKey": filepath.Join(p.dir, "key.pem"),
		"httpPort": httpPort, "tlsPort": tlsPort, "keyAlgorithm": "ecdsa",
		"domainBlocklist": []string{"blocked.example.com"},
		"retryAfter":      map[string]int{"authz": 1, "order": 1},
		"profiles": map[string]any{"default": map[string]any{
			"description": "of a test", "validityPeriod": int(lifetime.Seconds()),
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(p.dir, "config.json"), config, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// up starts the process; down ends it.
func (p *pebble) up() {
	p.t.Helper()
	binary, err := pebbleBinary()
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd = exec.CommandContext(p.t.Context(), binary, "-config", filepath.Join(p.dir, "config.json"),
		"-dnsserver", p.dns)
	p.cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1", "PEBBLE_AUTHZREUSE=0")
	log, err := os.OpenFile(filepath.Join(p.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd.Stdout, p.cmd.Stderr = log, log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // also if the test is killed
	if err := p.cmd.Start(); err != nil {
		p.t.Fatal(err)
	}
	log.Close()
	p.t.Cleanup(func() {
		p.down()
		if text, err := os.ReadFile(filepath.Join(p.dir, "log")); err == nil && p.t.Failed() {
			p.t.Logf("log of the authority:\n%s", text)
		}
	})
	await(p.t, "the authority", func() bool { _, err := p.get("https://" + p.address + "/dir"); return err == nil })
}

func (p *pebble) down() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

func (p *pebble) get(url string) (string, error) {
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: p.api.Pool(), MinVersion: tls.VersionTLS12},
		DisableKeepAlives: true,
	}}
	req, err := http.NewRequestWithContext(context.WithoutCancel(p.t.Context()), http.MethodGet, url, http.NoBody)
	if err != nil {
		return "", err
	}
	resp, err := client.Do(req)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	return string(text), err
}

// roots has the root of what the authority issues.
func (p *pebble) roots() *x509.CertPool {
	p.t.Helper()
	text, err := p.get("https://" + p.management + "/roots/0")
	if err != nil {
		p.t.Fatal(err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(text)) {
		p.t.Fatalf("no root in %s", text)
	}
	return pool
}

func (p *pebble) flags() []string {
	return []string{"--tls-domain", acmeDomain, "--acme-directory", "https://" + p.address + "/dir",
		"--acme-ca-file", filepath.Join(p.dir, "ca.pem"), "--acme-email", "ops@example.com"}
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

// answerDNS serves DNS on loopback, where every name is this machine. The authority asks by TCP (RFC 1035, 4.2.2).
func answerDNS(t *testing.T) (address string) {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go answerNames(conn)
		}
	}()
	return l.Addr().String()
}

func answerNames(conn net.Conn) {
	defer conn.Close()
	for {
		var length uint16
		if binary.Read(conn, binary.BigEndian, &length) != nil {
			return
		}
		question := make([]byte, length)
		var m dnsmessage.Message
		if _, err := io.ReadFull(conn, question); err != nil || m.Unpack(question) != nil || len(m.Questions) == 0 {
			return
		}
		m.Response, m.Authoritative, m.Additionals = true, true, nil
		if q := m.Questions[0]; q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{
				Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type, Class: q.Class, TTL: 1},
				Body:   &dnsmessage.AResource{A: [4]byte{127, 0, 0, 1}},
			}}
		}
		answer, err := m.Pack()
		if err != nil {
			return
		}
		framed := append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)
		if _, err := conn.Write(framed); err != nil {
			return
		}
	}
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

// issued reports whether a bridge shows a certificate of the authority that clients accept.
func (p *pebble) issued(address string) bool {
	config := &tls.Config{RootCAs: p.roots(), ServerName: acmeDomain, MinVersion: tls.VersionTLS12}
	conn, err := (&tls.Dialer{Config: config}).DialContext(p.t.Context(), "tcp", address)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// serveACME starts a bridge where the authority asks for TLS-ALPN-01.
func serveACME(t *testing.T, p *pebble, dir string) *process {
	t.Helper()
	return serve(t, dir, append(p.flags(), "--listen", fmt.Sprintf("127.0.0.1:%d", p.tlsPort))...)
}

// A certificate is issued by TLS-ALPN-01 on the bridge's own listener, is stored for the next start, and is not asked
// for again.
func TestACertificateIsIssuedByACMEAndKept(t *testing.T) {
	t.Parallel()
	p := newPebble(t, 90*24*time.Hour, freeTCPPort(t), 1)
	p.up()
	pair := newAccount(t).activate()
	dir := folder(t, pair.sealed)
	b := serveACME(t, p, dir)
	address := b.address()
	await(t, "the certificate", func() bool { return p.issued(address) })
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
	p.down()
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
	p := newPebble(t, 45*time.Second, freeTCPPort(t), 1)
	p.up()
	b := serveACME(t, p, folder(t, newAccount(t).activate().sealed))
	address := b.address()
	await(t, "the certificate", func() bool { return p.issued(address) })
	first := seen(t, address)
	await(t, "the renewal", func() bool { return !seen(t, address).Equal(first) })
	p.down()
	b.awaitProblem(string(problem.CertificateExpiring))
	b.awaitLogged("could not renew the certificate; the old one stays in use")
	found := b.status().Problems
	i := slices.IndexFunc(found, func(f problem.Problem) bool { return f.Code == problem.CertificateExpiring })
	if i < 0 || !strings.Contains(found[i].Remedy, "https://"+p.address+"/dir") {
		t.Errorf("the problem: %+v", found)
	}
	p.up()
	b.signal(syscall.SIGHUP)
	await(t, "the problem to pass", func() bool {
		return !slices.Contains(b.codes(), string(problem.CertificateExpiring))
	})
	await(t, "a certificate of the new root", func() bool { return p.issued(address) })
}

// Without the authority the bridge starts, says what it lacks, also after a restart, and answers health checks by a
// temporary certificate.
func TestABridgeStartsWithoutTheAuthority(t *testing.T) {
	t.Parallel()
	p := newPebble(t, 90*24*time.Hour, freeTCPPort(t), 1)
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
	p.up()
	// As the remedy says.
	output(t, "reload", dir)
	await(t, "the certificate", func() bool { return p.issued(again.address()) })
	await(t, "the problem to pass", func() bool {
		return !slices.Contains(again.codes(), string(problem.CertificateInvalid))
	})
}

// Where TLS ends before the bridge, port 80 is the other way to it.
func TestACertificateIsIssuedByHTTP01OnThePingListener(t *testing.T) {
	t.Parallel()
	p := newPebble(t, 90*24*time.Hour, freeTCPPort(t), freeTCPPort(t))
	p.up()
	listener := fmt.Sprintf("127.0.0.1:%d", p.httpPort)
	// It asks for TLS-ALPN-01 where nothing listens.
	b := serve(t, folder(t, newAccount(t).activate().sealed),
		append(p.flags(), "--listen", "127.0.0.1:0", "--ping-listen", listener)...)
	got := ask(t, http.MethodGet, "http://"+listener+"/ping", "", "")
	if got.status != http.StatusOK || got.body != "pong\n" {
		t.Errorf("/ping: %d %s", got.status, got.body)
	}
	for _, path := range []string{"/health", "/app", "/Users", "/.well-known/acme-challenge/x"} {
		if got := ask(t, http.MethodGet, "http://"+listener+path, "", ""); got.status != http.StatusNotFound {
			t.Errorf("%s: %d %s", path, got.status, got.body)
		}
	}
	await(t, "the certificate", func() bool { return p.issued(b.address()) })
}

// A domain that the authority refuses costs one attempt, also if the bridge is restarted, and the reason is told.
func TestARefusalOfTheAuthorityIsToldAndNotRepeatedAtOnce(t *testing.T) {
	t.Parallel()
	p := newPebble(t, 90*24*time.Hour, freeTCPPort(t), 1)
	p.up()
	flags := p.flags()
	flags[1] = "blocked.example.com"
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
