//go:build engines

package engines

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// accountName is the name that the account's certificate is for.
const accountName = "account.example.com"

// writeCA makes a certificate authority and writes its certificate.
func writeCA(t *testing.T, file string) (ca *x509.Certificate, key *ecdsa.PrivateKey) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ca = &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, ca, ca, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, text, 0o644); err != nil { // for the user of the image
		t.Fatal(err)
	}
	return ca, key
}

// serveTLS puts a proxy with a certificate before an account and returns the file of the authority.
func serveTLS(t *testing.T, account string) (address, caFile string) {
	t.Helper()
	caFile = filepath.Join(t.TempDir(), "ca.pem")
	ca, caKey := writeCA(t, caFile)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: ca.NotBefore, NotAfter: ca.NotAfter,
		DNSNames: []string{accountName}, IPAddresses: []net.IP{net.ParseIP(gateway)}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, ca, &key.PublicKey, caKey)
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", gateway+":0")
	if err != nil {
		t.Fatal(err)
	}
	to, err := url.Parse(account)
	if err != nil {
		t.Fatal(err)
	}
	toAccount := httputil.NewSingleHostReverseProxy(to)
	server := &http.Server{
		Handler:           toAccount,
		ErrorLog:          log.New(io.Discard, "", 0), // of the handshakes that are to fail
		ReadHeaderTimeout: time.Minute,
		TLSConfig: &tls.Config{
			Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}},
			MinVersion:   tls.VersionTLS12,
		},
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { server.Close() })
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return "https://" + net.JoinHostPort(accountName, port), caFile
}

// A second bridge of the guide's account, in a network of its own, reaches the account by HTTPS, with a certificate
// of an authority that it is given as operators give it. The inner roots do not know that authority, and say so.
func testTLS(t *testing.T, g guide) {
	address, ca := serveTLS(t, "http://127.0.0.1:8600")
	for _, row := range []struct {
		name   string
		engine []string
		trusts bool
	}{
		{"without-the-authority", nil, false},
		{"with-the-authority", []string{"--volume", ca + ":/ca.pem:ro", "--env", "SSL_CERT_FILE=/ca.pem"}, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			name := "tls-" + row.name
			start(t, name, append(row.engine, "--health-interval", "1s", "--volume", "/var/lib/scim-bridge",
				"--volume", filepath.Join(g.folder, "secrets")+":/run/secrets:ro",
				"--add-host", accountName+":"+gateway, "--publish", "127.0.0.1::3002", image(t),
				"serve", "--public-url", "https://scim.example.com", "--account-url", address,
				"--session", "/run/secrets/session", "--unseal-token-file", "/run/secrets/bearer-token")...)
			awaitHealth(t, name, "healthy") // it lives either way
			if !row.trusts {
				await(t, "the reason in the log", func() bool {
					return strings.Contains(docker(t, "logs", name), "certificate signed by unknown authority")
				})
				return
			}
			await(t, "the bridge to sign in", func() bool {
				_, err := try(t, "exec", name, "scim-bridge", "status", "--local")
				return err == nil
			})
			docker(t, "exec", name, "scim-bridge", "simulate", "--idp", "okta", "--url", "http://127.0.0.1:3002",
				"--token-file", "/run/secrets/bearer-token", "--people", "1")
			published := strings.TrimSpace(docker(t, "port", name, "3002/tcp"))
			if got := status(t, "http://"+published+"/ping"); got != http.StatusOK {
				t.Errorf("over the published port /ping answers %d", got)
			}
		})
	}
}
