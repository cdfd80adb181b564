package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate/certificatetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// ownCertificate is a certificate in files, and the authority that issued it.
type ownCertificate struct {
	t         *testing.T
	authority *certificatetest.Authority
	cert, key string
}

func newOwnCertificate(t *testing.T) *ownCertificate {
	t.Helper()
	dir := t.TempDir()
	o := &ownCertificate{t: t, authority: certificatetest.New(t, "Test Root"),
		cert: filepath.Join(dir, "tls.crt"), key: filepath.Join(dir, "tls.key")}
	o.write(o.authority.Issue(certificatetest.Loopback("scim.example.com")))
	return o
}

// write replaces both files, the certificate first; the root is behind it.
func (o *ownCertificate) write(cert, key []byte) {
	o.t.Helper()
	replace(o.t, o.cert, slices.Concat(cert, o.authority.PEM))
	replace(o.t, o.key, key)
}

func replace(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

func (o *ownCertificate) flags(more ...string) []string {
	return append([]string{"--tls-cert-file", o.cert, "--tls-key-file", o.key}, more...)
}

// client trusts the authority, and opens a connection for each request.
func (o *ownCertificate) client() *http.Client {
	return &http.Client{Transport: &http.Transport{
		TLSClientConfig:   &tls.Config{RootCAs: o.authority.Pool(), MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2: true, DisableKeepAlives: true,
	}}
}

// serial returns the serial number of the certificate that a server shows.
func (o *ownCertificate) serial(address string) string {
	o.t.Helper()
	dialer := tls.Dialer{Config: &tls.Config{RootCAs: o.authority.Pool(), MinVersion: tls.VersionTLS12}}
	conn, err := dialer.DialContext(o.t.Context(), "tcp", address)
	if err != nil {
		o.t.Fatal(err)
	}
	defer conn.Close()
	return conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.String()
}

func serialOf(t *testing.T, cert []byte) string {
	t.Helper()
	block, _ := pem.Decode(cert)
	parsed, err := x509.ParseCertificate(block.Bytes)
	if err != nil {
		t.Fatal(err)
	}
	return parsed.SerialNumber.String()
}

func (p *process) address() string { return strings.TrimPrefix(p.url(""), "http://") }

// askBy is ask by a client of one's own.
func askBy(t *testing.T, client *http.Client, method, url, token, body string) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	req.Header.Set("Content-Type", "application/scim+json")
	resp, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, resp.Proto + " " + string(text)}
}

func TestABridgeServesHTTPSByItsOwnCertificate(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	own := newOwnCertificate(t)
	monitoring := writeFile(t, "monitoring-token")
	b := serveWith(t, folder(t, pair.sealed), []string{"OP_TLS_CERT_FILE=" + own.cert, "OP_TLS_KEY_FILE=" + own.key},
		"--monitoring-token-file", monitoring)
	if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
	base := "https://" + b.address()
	if s := b.status(); s.PublicURL != base {
		t.Errorf("its URL is %s, want %s", s.PublicURL, base)
	}
	made := askBy(t, own.client(), http.MethodPost, base+"/Users", pair.token.Reveal(), person("ann@example.com"))
	if made.status != http.StatusCreated || !strings.HasPrefix(made.body, "HTTP/2.0 ") ||
		!strings.HasPrefix(made.header.Get("Location"), base+"/") {
		t.Errorf("%d %s %s", made.status, made.header, made.body)
	}
	signIn := own.client()
	signIn.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	entered := strings.NewReader(url.Values{"token": {pair.token.Reveal()}}.Encode())
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/app/sign-in", entered)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	form, err := signIn.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	form.Body.Close()
	if cookies := form.Cookies(); len(cookies) != 1 || !cookies[0].Secure {
		t.Errorf("the page's cookie: %v", cookies)
	}
	for _, row := range []struct {
		name   string
		config *tls.Config
		want   string // the protocol; empty for a refusal
	}{
		{"TLS 1.3 and HTTP/2", &tls.Config{MinVersion: tls.VersionTLS13, NextProtos: []string{"h2", "http/1.1"}}, "h2"},
		{"TLS 1.2 and HTTP/1.1", &tls.Config{MaxVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}},
			"http/1.1"},
		{"TLS 1.1", &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.config.RootCAs = own.authority.Pool()
			conn, err := (&tls.Dialer{Config: row.config}).DialContext(t.Context(), "tcp", b.address())
			if err != nil {
				if row.want != "" {
					t.Error(err)
				}
				return
			}
			defer conn.Close()
			if got := conn.(*tls.Conn).ConnectionState().NegotiatedProtocol; got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
	if plain := ask(t, http.MethodGet, "http://"+b.address()+"/ping", "", ""); plain.status != http.StatusBadRequest {
		t.Errorf("plain HTTP is answered with %d %s", plain.status, plain.body)
	}
	numbers := askBy(t, own.client(), http.MethodGet, base+"/metrics", "monitoring-token", "").body
	for _, name := range []string{"scimbridge_certificate_not_before_timestamp_seconds 1.",
		"scimbridge_certificate_not_after_timestamp_seconds 1.", `scimbridge_problem{code="certificate_expiring"} 0`} {
		if !strings.Contains(numbers, name) {
			t.Errorf("the metrics lack %s", name)
		}
	}
	environ := []string{patient, "OP_TLS_CERT_FILE=" + own.cert, "SCIMBRIDGE_LISTEN=" + b.address()}
	if code, said := ping(t, environ); code != 0 {
		t.Errorf("ping: %d %s", code, said)
	}
}

func TestCertificateFilesThatDoNotFitAreRefused(t *testing.T) {
	t.Parallel()
	own, other := newOwnCertificate(t), newOwnCertificate(t)
	text, err := os.ReadFile(own.key)
	if err != nil {
		t.Fatal(err)
	}
	none := filepath.Join(t.TempDir(), "none.pem")
	for _, command := range [][]string{
		{"serve", "--listen", "127.0.0.1:0", "--data-dir", "DIR"},
		{"account", "serve", "--listen", "127.0.0.1:0", "--database", "sqlite:nowhere.db"},
	} {
		for _, row := range []struct {
			name  string
			flags []string
			want  string
		}{
			{"a certificate without a key", []string{"--tls-cert-file", own.cert},
				"--tls-cert-file is set without --tls-key-file"},
			{"a key without a certificate", []string{"--tls-key-file", own.key},
				"--tls-key-file is set without --tls-cert-file"},
			{"a key of another certificate", []string{"--tls-cert-file", own.cert, "--tls-key-file", other.key},
				"does not belong to the certificate"},
			{"a certificate that is not there", []string{"--tls-cert-file", none, "--tls-key-file", own.key},
				fmt.Sprintf("--tls-cert-file: there is no file %q", none)},
			{"a key that is not there", []string{"--tls-cert-file", own.cert, "--tls-key-file", none},
				fmt.Sprintf("--tls-key-file: there is no file %q", none)},
			{"a key in the place of its file's name", []string{"--tls-cert-file", own.cert,
				"--tls-key-file=" + string(text)}, "--tls-key-file is a secret or other text"},
			{"a public URL without TLS", own.flags("--public-url", "http://scim.example.com"),
				`--public-url="http://scim.example.com" is plain HTTP`},
		} {
			t.Run(command[0]+"/"+row.name, func(t *testing.T) {
				t.Parallel()
				out := refused(t, nil, append(slices.Clone(command), row.flags...)...)
				if !strings.Contains(out, row.want) {
					t.Errorf("want %q, got %s", row.want, out)
				}
				repeatsNothing(t, out, string(text))
			})
		}
	}
}

func TestAKeyThatOthersCanReadIsClosedToThem(t *testing.T) {
	t.Parallel()
	own := newOwnCertificate(t)
	if err := os.Chmod(own.key, 0o644); err != nil {
		t.Fatal(err)
	}
	b := serve(t, folder(t, newAccount(t).activate().sealed), own.flags()...)
	info, err := os.Stat(own.key)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o640 ||
		!strings.Contains(b.logText(), "--tls-key-file: every user of this machine could access") {
		t.Errorf("the mode is %04o, and the log has:\n%s", info.Mode().Perm(), b.logText())
	}
}

// Requests on new connections, while the certificate is renewed: each is answered, by the old one or the new.
func TestARenewedCertificateIsTakenUnderTraffic(t *testing.T) {
	t.Parallel()
	own := newOwnCertificate(t)
	b := serve(t, folder(t, newAccount(t).activate().sealed), own.flags()...)
	address := b.address()
	ctx, stop := context.WithCancel(t.Context())
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			for client := own.client(); ctx.Err() == nil; {
				got := askBy(t, client, http.MethodGet, "https://"+address+"/ping", "", "")
				if got.status != http.StatusOK {
					t.Errorf("a request got %d %s", got.status, got.body)
				}
			}
		})
	}
	for range 2 {
		cert, key := own.authority.Issue(certificatetest.Loopback("scim.example.com"))
		own.write(cert, key)
		await(t, "the new certificate", func() bool { return own.serial(address) == serialOf(t, cert) })
	}
	// The certificate alone is half of a renewal.
	cert, key := own.authority.Issue(certificatetest.Loopback("scim.example.com"))
	before := own.serial(address)
	replace(t, own.cert, slices.Concat(cert, own.authority.PEM))
	b.awaitProblem(string(problem.CertificateInvalid))
	if after := own.serial(address); after != before {
		t.Errorf("the certificate without its key is shown")
	}
	replace(t, own.key, key)
	b.signal(syscall.SIGHUP)
	await(t, "the new pair", func() bool { return own.serial(address) == serialOf(t, cert) })
	await(t, "the problem to pass", func() bool {
		return !slices.Contains(b.codes(), string(problem.CertificateInvalid))
	})
	stop()
	workers.Wait()
}

// What the problem says is done as printed: the problem passes without a restart.
func TestTheRemedyOfACertificateProblemIsTrue(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func(*x509.Certificate)
		alone  bool // without the issuer
		code   problem.Code
		state  string
		want   string // in the remedy
	}{
		{"it expires soon", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().AddDate(0, 0, -80), time.Now().AddDate(0, 0, 10)
		}, false, problem.CertificateExpiring, health.Degraded, "Renew the certificate"},
		{"it has expired", func(c *x509.Certificate) {
			c.NotBefore, c.NotAfter = time.Now().AddDate(0, 0, -80), time.Now().AddDate(0, 0, -1)
		}, false, problem.CertificateExpiring, health.Unhealthy, "Renew the certificate"},
		{"its chain is not complete", func(*x509.Certificate) {}, true, problem.CertificateInvalid, health.Degraded,
			"Append the certificate of CN=Test Root to "},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			own := newOwnCertificate(t)
			template := certificatetest.Loopback("scim.example.com")
			row.change(&template)
			cert, key := own.authority.Issue(template)
			own.write(cert, key)
			if row.alone {
				replace(t, own.cert, cert)
			}
			b := serve(t, folder(t, newAccount(t).activate().sealed), own.flags()...)
			b.awaitProblem(string(row.code))
			found := b.status().Health
			i := slices.IndexFunc(found.Problems, func(p problem.Problem) bool { return p.Code == row.code })
			report := slices.IndexFunc(found.Reports, func(r health.Report) bool { return r.Source == "certificate" })
			remedy := found.Problems[i].Remedy
			if !strings.Contains(remedy, row.want) || !strings.Contains(remedy, own.cert) ||
				found.Reports[report].State != row.state {
				told, _ := json.Marshal(found)
				t.Errorf("want %s and %q, got %s", row.state, row.want, told)
			}
			if log := b.logText(); !strings.Contains(log, "problem="+string(row.code)) {
				t.Errorf("the log does not say it:\n%s", log)
			}
			if row.alone {
				replace(t, own.cert, slices.Concat(cert, own.authority.PEM))
			} else {
				own.write(own.authority.Issue(certificatetest.Loopback("scim.example.com")))
			}
			await(t, "the problem to pass", func() bool { return !slices.Contains(b.codes(), string(row.code)) })
		})
	}
}

func TestAnAccountServesHTTPSByItsOwnCertificate(t *testing.T) {
	t.Parallel()
	database := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	admin := strings.TrimSpace(output(t, "account", "init", "--database", database, "--name", "Test"))
	own := newOwnCertificate(t)
	l := listenTo(t, append([]string{"account", "serve", "--database", database, "--listen", "127.0.0.1:0"},
		own.flags()...)...)
	address := l.address(t)
	l.await(t, "public_url=https://"+address)
	got := askBy(t, own.client(), http.MethodGet, "https://"+address+"/ping", "", "")
	if got.status != http.StatusNoContent || !strings.HasPrefix(got.body, "HTTP/2.0") {
		t.Errorf("/ping: %d %s", got.status, got.body)
	}
	numbers := askBy(t, own.client(), http.MethodGet, "https://"+address+"/metrics", admin, "").body
	if !strings.Contains(numbers, "scimbridge_account_certificate_not_after_timestamp_seconds 1.") {
		t.Errorf("the metrics: %s", numbers)
	}
	cert, key := own.authority.Issue(certificatetest.Loopback())
	own.write(cert, key)
	await(t, "the new certificate", func() bool { return own.serial(address) == serialOf(t, cert) })
	if code, said := ping(t, []string{patient}, "--url", "https://"+address); code != 0 {
		t.Errorf("ping: %d %s", code, said)
	}
}

// An account whose certificate is from an authority of its own is known by that authority's certificate, and no other.
func TestABridgeKnowsTheAccountByItsOwnAuthority(t *testing.T) {
	t.Parallel()
	own, other := newOwnCertificate(t), newOwnCertificate(t)
	account := newAccount(t)
	plain := account.address()
	front, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	proxy := &http.Server{ReadHeaderTimeout: time.Minute,
		Handler: httputil.NewSingleHostReverseProxy(&url.URL{Scheme: "http", Host: plain})}
	go func() { _ = proxy.ServeTLS(front, own.cert, own.key) }()
	t.Cleanup(func() { proxy.Close() })
	pair := account.activate()
	for _, row := range []struct{ name, ca, state string }{
		{"its authority", writeFile(t, string(own.authority.PEM)), control.Ready},
		{"another authority", writeFile(t, string(other.authority.PEM)), control.SigningIn},
	} {
		t.Run(row.name, func(t *testing.T) {
			b := serve(t, folder(t, pair.sealed), "--account-url", "https://"+front.Addr().String(),
				"--account-ca-file", row.ca)
			_, _ = b.control().Unseal(t.Context(), pair.token.Reveal())
			if row.state == control.Ready {
				b.awaitState(control.Ready)
				return
			}
			b.awaitProblem(string(problem.AccountUnreachable))
			await(t, "the reason", func() bool {
				return slices.ContainsFunc(b.status().Problems, func(p problem.Problem) bool {
					return strings.Contains(p.Cause, "unknown authority")
				})
			})
		})
	}
}

// A redeploy hands the listening socket over; what was sent on connections of the old process is answered.
func TestTakeOverDropsNoRequestOverTLS(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	own := newOwnCertificate(t)
	dir := folder(t, pair.sealed)
	first := serve(t, dir, own.flags()...)
	if _, err := first.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	first.awaitState(control.Ready)
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2"} {
		client := own.client()
		transport := client.Transport.(*http.Transport)
		transport.DisableKeepAlives, transport.ForceAttemptHTTP2 = false, protocol == "HTTP/2"
		requests := startTrafficBy(t, client, "https://"+first.address()+"/Users", pair.token, 2)
		await(t, "traffic", func() bool { return requests.count() > 20 })
		second := serve(t, dir, own.flags("--take-over")...)
		if _, err := second.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
			t.Fatal(err)
		}
		second.awaitState(control.Ready)
		if err := second.control().TakeOver(t.Context()); err != nil {
			t.Fatal(err)
		}
		await(t, "the old bridge to end", func() bool {
			select {
			case <-first.ended:
				return true
			default:
				return false
			}
		})
		served := requests.count()
		await(t, "traffic at the successor", func() bool { return requests.count() > served+20 })
		if failures := requests.end(); len(failures) > 0 {
			t.Errorf("%s: %d requests failed, the first: %s", protocol, len(failures), failures[0])
		}
		first = second
	}
}

// Strangers open connections and speak no TLS, or half of it: the connections are limited and closed, and the log
// has a line a minute.
func TestAttackHandshakes(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	own := newOwnCertificate(t)
	files := 64
	dir := folder(t, pair.sealed)
	b := serveFiles(t, files, dir, own.flags()...)
	if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
	address := b.address()
	before := size(t, b.log)
	for range 200 { // refused for want of a common version
		conn, err := (&tls.Dialer{Config: &tls.Config{
			MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10,
			InsecureSkipVerify: true, //nolint:gosec // an attack
		}}).DialContext(t.Context(), "tcp", address)
		if err == nil {
			conn.Close()
			t.Fatal("TLS 1.0 is spoken")
		}
	}
	attack := attacker{t, address}
	// The head of a ClientHello of 512 bytes, which never come.
	opened := attack.hold("127.0.0.2", 200, "\x16\x03\x01\x02\x00\x01")
	got := askBy(t, own.client(), http.MethodGet, "https://"+address+"/ping", "", "")
	if got.status != http.StatusOK {
		t.Errorf("beside %d half handshakes: %d %s", opened, got.status, got.body)
	}
	if grown := size(t, b.log) - before; grown > mostLog {
		t.Errorf("the log grew by %d bytes", grown)
	}
	if strings.Count(b.logText(), "TLS handshake error") > 1 {
		t.Errorf("a line for each handshake:\n%s", b.logText())
	}
	conn, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.Write([]byte("\x16\x03\x01\x02\x00\x01")); err != nil {
		t.Fatal(err)
	}
	if err := conn.SetReadDeadline(time.Now().Add(timeout)); err != nil {
		t.Fatal(err)
	}
	if _, err := io.Copy(io.Discard, conn); err != nil && strings.Contains(err.Error(), "timeout") {
		t.Error("a half handshake is never closed")
	}
}

// One connection may not have more than a hundred requests at once, however few secrets it shows.
func TestAConnectionHasABoundedNumberOfRequestsAtOnce(t *testing.T) {
	t.Parallel()
	own := newOwnCertificate(t)
	b := serve(t, folder(t, newAccount(t).activate().sealed), own.flags()...)
	conn, err := (&tls.Dialer{Config: &tls.Config{
		RootCAs: own.authority.Pool(), MinVersion: tls.VersionTLS12, NextProtos: []string{"h2"},
	}}).DialContext(t.Context(), "tcp", b.address())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	// The preface and empty SETTINGS (RFC 9113, 3.4).
	preface := "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00"
	if _, err := io.WriteString(conn, preface); err != nil {
		t.Fatal(err)
	}
	head := make([]byte, 9) // the server's SETTINGS (RFC 9113, 6.5)
	if _, err := io.ReadFull(conn, head); err != nil || head[3] != 4 {
		t.Fatalf("%x, %v", head, err)
	}
	settings := make([]byte, int(head[1])<<8|int(head[2]))
	if _, err := io.ReadFull(conn, settings); err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(settings, []byte{0, 3, 0, 0, 0, 100}) { // SETTINGS_MAX_CONCURRENT_STREAMS
		t.Errorf("the settings are %x", settings)
	}
}
