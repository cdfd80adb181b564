package stories

import (
	"crypto/x509"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate/certificatetest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A pair is the files with a bridge's certificate and key.
type pair struct {
	w         *world
	authority *certificatetest.Authority
	cert, key string
}

// withPair is a bridge that is started by hand with a certificate, and without those of its issuers.
func withPair(t *testing.T, issuer *certificatetest.Authority, template x509.Certificate) *pair {
	t.Helper()
	w, token, _ := activated(t)
	w.https = true
	p := &pair{w, issuer, filepath.Join(w.dataDir, "tls.crt"), filepath.Join(w.dataDir, "tls.key")}
	p.issue(template)
	write(t, filepath.Join(w.dataDir, "token"), token.Reveal())
	w.byHand(serveByHand + `--unseal-token-file "$DIR/token" ` +
		`--tls-cert-file "$DIR/tls.crt" --tls-key-file "$DIR/tls.key"`)
	return p
}

// issue writes a certificate and its key. The certificate is followed by those of its issuers.
func (p *pair) issue(template x509.Certificate, issuers ...[]byte) {
	t := p.w.t.(*testing.T)
	t.Helper()
	cert, key := p.authority.Issue(template)
	for _, issuer := range issuers {
		cert = append(cert, issuer...)
	}
	write(t, p.cert, string(cert))
	write(t, p.key, string(key))
}

// told waits for the problem, and fails if its remedy does not name the files.
func (p *pair) told(code problem.Code, cause string, files ...string) {
	t := p.w.t.(*testing.T)
	t.Helper()
	found := p.w.problem(code)
	if !strings.Contains(found.Cause, cause) {
		t.Errorf("the cause does not have %q: %s", cause, found.Cause)
	}
	for _, file := range files {
		if !strings.Contains(found.Remedy, file) {
			t.Errorf("the remedy does not name %s: %s", file, found.Remedy)
		}
	}
}

var certificateRemedies = []remedy{
	{problem.CertificateExpiring, "files that nobody has renewed", func(t *testing.T) {
		root := certificatetest.New(t, "Example Root")
		old := certificatetest.Loopback()
		old.NotBefore, old.NotAfter = time.Now().AddDate(0, 0, -89), time.Now().AddDate(0, 0, 1)
		p := withPair(t, root, old)
		p.told(problem.CertificateExpiring, "expires at", p.cert, p.key)
		p.issue(certificatetest.Loopback(), root.PEM)
		p.w.healed()
	}},
	{problem.CertificateInvalid, "the certificate of the issuer is missing", func(t *testing.T) {
		root := certificatetest.New(t, "Example Root")
		intermediate := root.Intermediate("Example Intermediate")
		p := withPair(t, intermediate, certificatetest.Loopback())
		p.told(problem.CertificateInvalid, "Example Intermediate", p.cert)
		leaf, err := os.ReadFile(p.cert)
		if err != nil {
			t.Fatal(err)
		}
		write(t, p.cert, string(leaf)+string(intermediate.PEM)+string(root.PEM))
		p.w.healed()
	}},
	{problem.CertificateInvalid, "a key that belongs to another certificate", func(t *testing.T) {
		root := certificatetest.New(t, "Example Root")
		p := withPair(t, root, certificatetest.Loopback())
		p.issue(certificatetest.Loopback(), root.PEM)
		p.w.healed()
		_, other := root.Issue(certificatetest.Loopback())
		write(t, p.key, string(other))
		p.told(problem.CertificateInvalid, "The old one stays in use", p.cert, p.key)
		p.issue(certificatetest.Loopback(), root.PEM)
		p.w.healed()
	}},
}
