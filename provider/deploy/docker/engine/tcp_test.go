package engine

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// An authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
	pem  string
}

func newAuthority(t *testing.T) authority {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "authority"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true,
		BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return authority{cert, key, toPEM("CERTIFICATE", der)}
}

func toPEM(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// sign returns a certificate and its key for server and client, valid until some time.
func (a authority) sign(t *testing.T, until time.Duration) (cert, key string) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), NotBefore: time.Now().Add(-time.Hour),
		NotAfter: time.Now().Add(until), DNSNames: []string{"engine.example.com"},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	der, err := x509.CreateCertificate(rand.Reader, leaf, a.cert, &private.PublicKey, a.key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return toPEM("CERTIFICATE", der), toPEM("PRIVATE KEY", secret)
}

// server returns the configuration of an engine that wants a client certificate, as
// dockerd --tlsverify does.
func (a authority) server(t *testing.T, until time.Duration) *tls.Config {
	t.Helper()
	cert, key := a.sign(t, until)
	pair, err := tls.X509KeyPair([]byte(cert), []byte(key))
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(a.pem))
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}, ClientCAs: pool,
		ClientAuth: tls.RequireAndVerifyClientCert}
}

func TestTLSVerifiesBothSides(t *testing.T) {
	clearEnvironment(t)
	ours, other := newAuthority(t), newAuthority(t)
	cert, key := ours.sign(t, time.Hour)
	expiredCert, expiredKey := ours.sign(t, -time.Minute)
	otherCert, otherKey := other.sign(t, time.Hour)
	good := TLS{CA: ours.pem, Certificate: cert, Key: key}
	engine := engineTCP(t, ours.server(t, time.Hour))
	expired := engineTCP(t, ours.server(t, -time.Minute))
	plain := engineTCP(t, nil)
	loopback6 := strings.Replace(engine, "127.0.0.1", "localhost", 1)
	for _, row := range []struct {
		name, host string
		tls        TLS
		want       string // empty if it connects
	}{
		{"authority and client certificate", engine, good, ""},
		{"a name that the certificate has", loopback6, TLS{CA: ours.pem, Certificate: cert, Key: key,
			ServerName: "engine.example.com"}, ""},
		{"a name that it has not", loopback6, good, "its certificate is for another name"},
		{"no authority", engine, TLS{Certificate: cert, Key: key}, "not signed by a trusted authority"},
		{"another authority", engine, TLS{CA: other.pem, Certificate: cert, Key: key}, "not signed by a trusted " +
			"authority"},
		{"no client certificate", engine, TLS{CA: ours.pem}, "client certificate"},
		{"a client certificate of another authority", engine, TLS{CA: ours.pem, Certificate: otherCert, Key: otherKey},
			"client certificate"},
		{"an expired client certificate", engine, TLS{CA: ours.pem, Certificate: expiredCert, Key: expiredKey},
			"client certificate in the provider's block docker is not valid now"},
		{"an expired engine", expired, good, "its certificate is not valid now"},
		{"plain TCP to TLS", engine, TLS{}, "it expects TLS"},
		{"TLS to plain TCP", plain, good, "it does not speak TLS"},
		{"a certificate without its key", engine, TLS{CA: ours.pem, Certificate: cert}, "without its key"},
		{"a key without its certificate", engine, TLS{CA: ours.pem, Key: key}, "without its certificate"},
		{"a key of another certificate", engine, TLS{CA: ours.pem, Certificate: cert, Key: otherKey}, "does not match"},
		{"an authority that is no certificate", engine, TLS{CA: "nonsense"}, "not a certificate in PEM form"},
		{"an encrypted key", engine, TLS{CA: ours.pem, Certificate: cert,
			Key: toPEM("ENCRYPTED PRIVATE KEY", []byte("x"))}, "openssl pkey"},
	} {
		t.Run(row.name, func(t *testing.T) {
			config := Config{Host: row.host, TLS: row.tls}
			if row.want == "" {
				mustOpen(t, config)
				return
			}
			_, err := Open(t.Context(), config)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("the error is %v, want %q", err, row.want)
			}
			if strings.Contains(err.Error(), "BEGIN") || strings.Contains(err.Error(), "nonsense") {
				t.Errorf("the error quotes its input: %v", err)
			}
		})
	}
}

func TestCertificatesAreFoundAsTheDockerCommandFindsThem(t *testing.T) {
	ours, other := newAuthority(t), newAuthority(t)
	cert, key := ours.sign(t, time.Hour)
	host := engineTCP(t, ours.server(t, time.Hour))
	fill := func(t *testing.T, folder string, a authority) {
		t.Helper()
		write(t, filepath.Join(folder, "ca.pem"), a.pem)
		write(t, filepath.Join(folder, "cert.pem"), cert)
		write(t, filepath.Join(folder, "key.pem"), key)
	}
	const contextID = "7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed" // of "one"
	for _, row := range []struct {
		name  string
		setup func(t *testing.T, folder string) Config
		want  string // empty if it connects
	}{
		{"DOCKER_TLS_VERIFY reads the command's folder", func(t *testing.T, folder string) Config {
			t.Setenv("DOCKER_TLS_VERIFY", "1")
			fill(t, folder, ours)
			return Config{Host: host}
		}, ""},
		{"DOCKER_CERT_PATH is another folder", func(t *testing.T, folder string) Config {
			t.Setenv("DOCKER_TLS_VERIFY", "1")
			t.Setenv("DOCKER_CERT_PATH", filepath.Join(folder, "certs"))
			fill(t, filepath.Join(folder, "certs"), ours)
			return Config{Host: host}
		}, ""},
		{"DOCKER_CERT_PATH without DOCKER_TLS_VERIFY is not used", func(t *testing.T, folder string) Config {
			t.Setenv("DOCKER_CERT_PATH", folder)
			fill(t, folder, ours)
			return Config{Host: host}
		}, "it expects TLS"},
		{"a folder without ca.pem", func(t *testing.T, folder string) Config {
			t.Setenv("DOCKER_TLS_VERIFY", "1")
			t.Setenv("DOCKER_CERT_PATH", folder)
			return Config{Host: host}
		}, "has no ca.pem"},
		{"cert_path comes before the environment", func(t *testing.T, folder string) Config {
			t.Setenv("DOCKER_TLS_VERIFY", "1")
			fill(t, folder, other)
			fill(t, filepath.Join(folder, "own"), ours)
			return Config{Host: host, TLS: TLS{CertPath: filepath.Join(folder, "own")}}
		}, ""},
		{"a context has its own", func(t *testing.T, folder string) Config {
			writeContext(t, folder, "one", `{"Host":"`+host+`"}`)
			fill(t, filepath.Join(folder, "contexts", "tls", contextID, "docker"), ours)
			return Config{Context: "one"}
		}, ""},
		{"the environment's are not for a context", func(t *testing.T, folder string) Config {
			t.Setenv("DOCKER_TLS_VERIFY", "1")
			fill(t, folder, ours)
			writeContext(t, folder, "one", `{"Host":"`+host+`"}`)
			return Config{Context: "one"}
		}, "it expects TLS"},
		{"a context without verification is refused", func(t *testing.T, folder string) Config {
			writeContext(t, folder, "one", `{"Host":"`+host+`","SkipTLSVerify":true}`)
			return Config{Context: "one"}
		}, "skips the verification"},
		{"unless the authority is configured", func(t *testing.T, folder string) Config {
			writeContext(t, folder, "one", `{"Host":"`+host+`","SkipTLSVerify":true}`)
			return Config{Context: "one", TLS: TLS{CA: ours.pem, Certificate: cert, Key: key}}
		}, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			config := row.setup(t, clearEnvironment(t))
			if row.want == "" {
				mustOpen(t, config)
				return
			}
			if _, err := Open(t.Context(), config); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("the error is %v, want %q", err, row.want)
			}
		})
	}
}
