package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// recorded is when the chain in testdata/roots was in use.
var recorded = time.Date(2023, time.March, 1, 0, 0, 0, 0, time.UTC)

// verifyChain verifies a recorded chain for www.google.com as this program verifies a server's, but at the time
// when it was recorded. It is a command of the test binary: the system's roots are read once a process.
func verifyChain() {
	if err := verify(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(exitFailed)
	}
}

func verify(file string) error {
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	leaf, rest := pem.Decode(text)
	server, err := x509.ParseCertificate(leaf.Bytes)
	if err != nil {
		return err
	}
	between := x509.NewCertPool()
	if !between.AppendCertsFromPEM(rest) {
		return fmt.Errorf("there is no intermediate certificate in %s", file)
	}
	_, err = server.Verify(x509.VerifyOptions{DNSName: "www.google.com", Intermediates: between, CurrentTime: recorded})
	return err
}

// A program without a file of root certificates, as in an image made from scratch, verifies public servers by the
// roots that are compiled in; an operator's file takes their place.
func TestRootCertificatesAreCompiledIn(t *testing.T) {
	t.Parallel()
	none := filepath.Join(t.TempDir(), "none")
	for _, row := range []struct {
		name string
		file string // of root certificates
		want string // on standard error
	}{
		{"a machine without root certificates", none, ""},
		{"an operator's own certificates", ownRoot(t), "certificate signed by unknown authority"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(t.Context(), "verify-chain", "testdata/roots/www.google.com.pem")
			cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SSL_CERT_FILE=" + row.file, "SSL_CERT_DIR=" + none}
			out, err := cmd.CombinedOutput()
			if (err == nil) != (row.want == "") || !strings.Contains(string(out), row.want) {
				t.Errorf("%v: %s", err, out)
			}
		})
	}
}

// A certificate that is mounted where the program cannot read it would else be missed only by the server that it is
// for, or by none, if that has a public certificate.
func TestABridgeNamesAFileOfRootCertificatesThatIsOfNoUse(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	empty := filepath.Join(folder, "empty.pem")
	if err := os.WriteFile(empty, []byte("no certificate\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const warning = "SSL_CERT_FILE names no root certificates"
	for _, row := range []struct{ name, file, want string }{
		{"a file that is not there", filepath.Join(folder, "none"), "no such file"},
		{"a folder", folder, "is a directory"},
		{"a file of something else", empty, "no certificate is in it"},
		{"a file of a certificate", ownRoot(t), ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := serveWith(t, t.TempDir(), []string{"SSL_CERT_FILE=" + row.file})
			b.url("") // what is logged at the start is, by now
			if log := b.logText(); strings.Contains(log, warning) != (row.want != "") ||
				!strings.Contains(log, row.want) {
				t.Error(log)
			}
		})
	}
}

// ownRoot creates a root certificate that no program trusts.
func ownRoot(t *testing.T) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: recorded, NotAfter: recorded.AddDate(50, 0, 0),
		IsCA: true, BasicConstraintsValid: true,
	}
	der, err := x509.CreateCertificate(rand.Reader, root, root, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}
