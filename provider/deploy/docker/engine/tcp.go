package engine

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A TLS has the certificates for a tcp address. The zero value means those of the context,
// or of DOCKER_TLS_VERIFY and DOCKER_CERT_PATH.
type TLS struct {
	CertPath    string // a folder with ca.pem, cert.pem and key.pem; excludes the next three
	CA          string // PEM certificates of the authority that signed the engine's
	Certificate string // PEM certificate of the client
	Key         string // PEM key of the client
	ServerName  string // in the engine's certificate, if it is not the address's
}

// A material is the content of the certificates' files.
type material struct {
	ca, certificate, key []byte // empty if there is none
	origin               string // for messages
}

// dialTCP returns how a tcp address is reached: with TLS if certificates are configured.
func (c Config) dialTCP(at endpoint) (dialFunc, error) {
	from, err := c.TLS.material(at)
	if err != nil {
		return nil, err
	}
	port := "2376"
	if from == nil {
		port = "2375"
	}
	address := at.host
	name, _, err := net.SplitHostPort(address)
	if err != nil {
		name = strings.Trim(at.host, "[]")
		address = net.JoinHostPort(name, port)
	}
	plain := func(ctx context.Context) (net.Conn, error) {
		conn, err := (&net.Dialer{KeepAlive: 30 * time.Second}).DialContext(ctx, "tcp", address)
		return conn, explainDial(at, err)
	}
	if from == nil {
		return plain, nil
	}
	config, err := from.config()
	if err != nil {
		return nil, err
	}
	config.ServerName = name
	if c.TLS.ServerName != "" {
		config.ServerName = c.TLS.ServerName
	}
	return func(ctx context.Context) (net.Conn, error) {
		conn, err := plain(ctx)
		if err != nil {
			return nil, err
		}
		secure := tls.Client(conn, config)
		if err := secure.HandshakeContext(ctx); err != nil {
			conn.Close()
			if reason, remedy := explainTLS(err); reason != "" {
				return nil, unreachable(at, errors.New(reason), remedy)
			}
			return nil, fmt.Errorf("the TLS handshake failed: %w", err)
		}
		return secure, nil
	}, nil
}

// explainDial returns the reason why there is no TCP connection to the engine's machine.
func explainDial(at endpoint, err error) error {
	var dns *net.DNSError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &dns):
		return unreachable(at, fmt.Errorf("the name %s cannot be resolved", dns.Name), "Correct the address")
	case errors.Is(err, syscall.ECONNREFUSED):
		return unreachable(at, errors.New("nothing listens at that port"), "Start the engine or correct the port")
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return err
	default:
		return unreachable(at, innermost(err), remedyAway(at))
	}
}

// material returns the certificates for an address; nil for plain TCP.
func (t TLS) material(at endpoint) (*material, error) {
	switch {
	case t.CertPath != "":
		return readMaterial(t.CertPath, "cert_path")
	case t.CA != "" || t.Certificate != "" || t.Key != "":
		return &material{[]byte(t.CA), []byte(t.Certificate), []byte(t.Key), "the provider's block docker"}, nil
	case at.context != nil && at.context.skipTLSVerify:
		return nil, fmt.Errorf("the context %q skips the verification of the engine's certificate (skip-tls-verify), "+
			"which this provider does not. Set ca_certificate_pem in the provider's block docker to the certificate "+
			"of the authority that signed it", at.context.name)
	case at.context != nil:
		if _, err := os.Stat(at.context.folder); errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return readMaterial(at.context.folder, fmt.Sprintf("the context %q", at.context.name))
	case os.Getenv("DOCKER_TLS_VERIFY") != "" || os.Getenv("DOCKER_TLS") != "":
		if folder := os.Getenv("DOCKER_CERT_PATH"); folder != "" {
			return readMaterial(folder, "DOCKER_CERT_PATH")
		}
		return readMaterial(configFolder(), "DOCKER_TLS_VERIFY")
	case t.ServerName != "":
		return &material{origin: "the provider's block docker"}, nil
	}
	return nil, nil
}

// readMaterial reads the files of a folder that has the docker command's names. The
// client's may be missing.
func readMaterial(folder, origin string) (*material, error) {
	m := &material{origin: fmt.Sprintf("%s (%s)", folder, origin)}
	for _, file := range []struct {
		name     string
		content  *[]byte
		optional bool
	}{{"ca.pem", &m.ca, false}, {"cert.pem", &m.certificate, true}, {"key.pem", &m.key, true}} {
		content, err := os.ReadFile(filepath.Join(folder, file.name))
		switch {
		case errors.Is(err, fs.ErrNotExist) && file.optional:
		case errors.Is(err, fs.ErrNotExist):
			return nil, fmt.Errorf("%s has no %s, the certificate of the authority that signed the engine's", m.origin,
				file.name)
		case err != nil:
			return nil, fmt.Errorf("cannot read the certificates of %s: %w", origin, err)
		}
		*file.content = content
	}
	return m, nil
}

// config returns the configuration of TLS without the server's name. Errors do not quote
// the material.
func (m *material) config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	if len(m.ca) > 0 {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(m.ca) {
			return nil, fmt.Errorf("the authority's certificate in %s is not a certificate in PEM form", m.origin)
		}
	}
	switch {
	case len(m.certificate) == 0 && len(m.key) == 0:
		return config, nil
	case len(m.key) == 0:
		return nil, fmt.Errorf("%s has a client certificate without its key", m.origin)
	case len(m.certificate) == 0:
		return nil, fmt.Errorf("%s has a client key without its certificate", m.origin)
	}
	if block, _ := pem.Decode(m.key); block != nil && (block.Type == "ENCRYPTED PRIVATE KEY" ||
		strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED")) {
		return nil, fmt.Errorf("the client key in %s is encrypted; decrypt it with `openssl pkey -in key.pem`",
			m.origin)
	}
	pair, err := tls.X509KeyPair(m.certificate, m.key)
	if err != nil {
		return nil, fmt.Errorf("the client certificate and key in %s cannot be used: %w", m.origin, err)
	}
	if leaf := pair.Leaf; leaf != nil && (time.Now().After(leaf.NotAfter) || time.Now().Before(leaf.NotBefore)) {
		return nil, fmt.Errorf("the client certificate in %s is not valid now: %s. Renew it", m.origin, validity(leaf))
	}
	config.Certificates = []tls.Certificate{pair}
	return config, nil
}
