package certificatetest

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
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/scimbridge/terraform-provider-scimbridge/test/ports"
)

// Pebble is Let's Encrypt's ACME authority for tests, for which every name is this machine.
type Pebble struct {
	Address  string // of the ACME API
	CAFile   string // the root certificate of that API
	TLSPort  int    // where it asks for TLS-ALPN-01
	HTTPPort int    // and for HTTP-01

	t          testing.TB
	api        *Authority
	dir        string
	management string
	dns        string
	cmd        *exec.Cmd
}

// Blocked is a name for which a Pebble issues no certificate.
const Blocked = "blocked.example.com"

// NewPebble returns an authority that does not run yet. Its certificates live that long, and it asks for TLS-ALPN-01
// and HTTP-01 at the ports.
func NewPebble(t testing.TB, lifetime time.Duration, tlsPort, httpPort int) *Pebble {
	t.Helper()
	dir := t.TempDir()
	p := &Pebble{
		Address: ports.Free(t), CAFile: filepath.Join(dir, "ca.pem"), TLSPort: tlsPort, HTTPPort: httpPort,
		t: t, api: New(t, "API of the authority"), dir: dir, management: ports.Free(t), dns: answerDNS(t),
	}
	cert, key := p.api.Issue(Loopback("localhost"))
	p.write("cert.pem", cert)
	p.write("key.pem", key)
	p.write("ca.pem", p.api.PEM)
	config, err := json.Marshal(map[string]any{"pebble": map[string]any{
		"listenAddress": p.Address, "managementListenAddress": p.management,
		"certificate": filepath.Join(dir, "cert.pem"), "privateKey": filepath.Join(dir, "key.pem"),
		"httpPort": httpPort, "tlsPort": tlsPort, "keyAlgorithm": "ecdsa",
		"domainBlocklist": []string{Blocked},
		"retryAfter":      map[string]int{"authz": 1, "order": 1},
		"profiles": map[string]any{"default": map[string]any{
			"description": "of a test", "validityPeriod": int(lifetime.Seconds()),
		}},
	}})
	if err != nil {
		t.Fatal(err)
	}
	p.write("config.json", config)
	return p
}

func (p *Pebble) write(name string, text []byte) {
	p.t.Helper()
	if err := os.WriteFile(filepath.Join(p.dir, name), text, 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// Directory is the URL of its ACME directory.
func (p *Pebble) Directory() string { return "https://" + p.Address + "/dir" }

// Up starts the process, which has a root of its own each time; Down ends it.
func (p *Pebble) Up() {
	p.t.Helper()
	program, err := pebbleProgram()
	if err != nil {
		p.t.Fatal(err)
	}
	p.cmd = exec.CommandContext(p.t.Context(), program, "-config", filepath.Join(p.dir, "config.json"),
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
		p.Down()
		if text, err := os.ReadFile(filepath.Join(p.dir, "log")); err == nil && p.t.Failed() {
			p.t.Logf("log of the authority:\n%s", text)
		}
	})
	const patience = time.Minute
	for begun := time.Now(); ; time.Sleep(50 * time.Millisecond) {
		_, err := p.get(p.Directory())
		if err == nil {
			return
		}
		if time.Since(begun) > patience {
			p.t.Fatalf("the authority does not answer: %v", err)
		}
	}
}

// Down ends the process.
func (p *Pebble) Down() {
	if p.cmd != nil {
		_ = p.cmd.Process.Kill()
		_ = p.cmd.Wait()
		p.cmd = nil
	}
}

// Issued reports whether a server shows a certificate of the authority for the name, which clients accept.
func (p *Pebble) Issued(address, name string) bool {
	p.t.Helper()
	config := &tls.Config{RootCAs: p.roots(), ServerName: name, MinVersion: tls.VersionTLS12}
	conn, err := (&tls.Dialer{Config: config}).DialContext(p.t.Context(), "tcp", address)
	if err != nil {
		return false
	}
	return conn.Close() == nil
}

// roots has the root of what the authority issues.
func (p *Pebble) roots() *x509.CertPool {
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

func (p *Pebble) get(url string) (string, error) {
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

// pebbleProgram builds the authority as .ci/acme/go.mod pins it, once a test process.
var pebbleProgram = sync.OnceValues(func() (string, error) {
	module, err := exec.CommandContext(context.Background(), "go", "env", "GOMOD").Output()
	if err != nil {
		return "", err
	}
	root := filepath.Dir(strings.TrimSpace(string(module)))
	folder := filepath.Join(root, "bin", "test")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	// Another run of the tests may be using the program.
	unfinished := filepath.Join(folder, fmt.Sprintf("pebble-%d", os.Getpid()))
	cmd := exec.CommandContext(context.Background(), "go", "build", "-modfile=.ci/acme/go.mod", "-o", unfinished,
		"github.com/letsencrypt/pebble/v2/cmd/pebble")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building pebble: %w\n%s", err, out)
	}
	path := filepath.Join(folder, "pebble")
	return path, os.Rename(unfinished, path)
})

// answerDNS serves DNS on loopback, where every name is this machine. The authority asks by TCP (RFC 1035, 4.2.2).
func answerDNS(t testing.TB) (address string) {
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
