// Package certificatetest makes certificates for tests: authorities, and what they issue.
package certificatetest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"testing"
	"time"
)

// An Authority issues certificates.
type Authority struct {
	t    testing.TB
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	// PEM is its certificate.
	PEM []byte
}

// New returns an authority with a root certificate.
func New(t testing.TB, name string) *Authority {
	t.Helper()
	return (&Authority{t: t}).authority(name)
}

// Intermediate returns an authority whose certificate this one signed.
func (a *Authority) Intermediate(name string) *Authority {
	a.t.Helper()
	return a.authority(name)
}

func (a *Authority) authority(name string) *Authority {
	a.t.Helper()
	made := &Authority{t: a.t, key: newKey(a.t)}
	made.cert = a.sign(&x509.Certificate{
		Subject: pkix.Name{CommonName: name}, NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().AddDate(10, 0, 0), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}, made.key)
	made.PEM = toPEM("CERTIFICATE", made.cert.Raw)
	return made
}

// Pool has the authority's certificate.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// Issue returns a certificate and its key, without the authority's own certificate. What the template leaves out
// is that of a server's certificate, which is valid for ninety days from an hour ago.
func (a *Authority) Issue(template x509.Certificate) (cert, key []byte) {
	a.t.Helper()
	if template.NotBefore.IsZero() {
		template.NotBefore = time.Now().Add(-time.Hour)
	}
	if template.NotAfter.IsZero() {
		template.NotAfter = template.NotBefore.AddDate(0, 0, 90)
	}
	if template.ExtKeyUsage == nil {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	signer := newKey(a.t)
	der, err := x509.MarshalPKCS8PrivateKey(signer)
	if err != nil {
		a.t.Fatal(err)
	}
	return toPEM("CERTIFICATE", a.sign(&template, signer).Raw), toPEM("PRIVATE KEY", der)
}

// Loopback returns a template for a server on this machine.
func Loopback(names ...string) x509.Certificate {
	return x509.Certificate{DNSNames: names, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
}

func (a *Authority) sign(template *x509.Certificate, key *ecdsa.PrivateKey) *x509.Certificate {
	a.t.Helper()
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 100))
	if err != nil {
		a.t.Fatal(err)
	}
	template.SerialNumber = serial
	parent, signer := a.cert, a.key
	if parent == nil { // a root
		parent, signer = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key.Public(), signer)
	if err != nil {
		a.t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return made
}

func newKey(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func toPEM(kind string, der []byte) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der})
}
