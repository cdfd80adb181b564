package main

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/hashicorp/go-hclog"
	"golang.org/x/net/idna"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/build"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// servesTLS reports whether the bridge serves HTTPS.
func (s *serveCommand) servesTLS() bool { return s.TLSDomain != "" || s.files().given() }

// usesACME reports whether the bridge gets its certificate itself.
func (s *serveCommand) usesACME() bool { return s.TLSDomain != "" && !s.files().given() }

// address returns where the bridge listens. With a domain the default is another one, and OP_PORT means nothing, as
// in the vendor's image: it is the port of plain HTTP.
func (s *serveCommand) address() string {
	switch {
	case s.TLSDomain != "" && (s.Listen == "" || s.parsed.vendorPort):
		return ":8443"
	case s.Listen == "":
		return ":3002"
	default:
		return s.Listen
	}
}

// publicURL returns the URL that is set or that follows from the domain; empty if the bound address is all there is.
func (s *serveCommand) publicURL() string {
	if s.parsed.publicURL == "" && s.TLSDomain != "" {
		return "https://" + s.TLSDomain
	}
	return s.parsed.publicURL
}

// checkTLS reports all faults of the settings about HTTPS together.
func (s *serveCommand) checkTLS() error {
	faults := []error{s.checkDomain(), s.files().check(s.TLSDomain)}
	if s.servesTLS() {
		faults = append(faults, checkHTTPS("--public-url", s.PublicURL))
	}
	if !s.usesACME() {
		for _, flag := range []flagValue{{"--acme-directory", s.ACMEDirectory}, {"--acme-ca-file", s.ACMECAFile}} {
			if flag.value != "" {
				faults = append(faults, fmt.Errorf("%s is for a certificate by ACME: set --tls-domain, and neither "+
					"--tls-cert-file nor --tls-key-file", flag.name))
			}
		}
	}
	if s.ACMEDirectory != "" {
		if u, err := url.Parse(s.ACMEDirectory); err != nil || u.Scheme != "https" || u.Host == "" || u.User != nil {
			faults = append(faults, errors.New("--acme-directory is not the URL of a directory: write it as "+
				"https://acme.example.com/directory, without a user"))
		}
	}
	if s.ACMEEmail != "" && (strings.Count(s.ACMEEmail, "@") != 1 || strings.ContainsAny(s.ACMEEmail, " ,;:<>?")) {
		faults = append(faults, errors.New("--acme-email is not an e-mail address"))
	}
	_, err := s.authorityRoots()
	_, otherErr := s.accountRoots()
	faults = append(faults, err, otherErr)
	if s.PingListen != "" {
		if _, _, err := net.SplitHostPort(s.PingListen); err != nil {
			faults = append(faults, fmt.Errorf("--ping-listen=%q is not an address: write HOST:PORT or :PORT",
				s.PingListen))
		}
	}
	return errors.Join(faults...)
}

// checkDomain refuses what is no host name, and brings the domain into the form of DNS.
func (s *serveCommand) checkDomain() error {
	if s.TLSDomain == "" {
		return nil
	}
	ascii, err := idna.Lookup.ToASCII(strings.TrimSuffix(s.TLSDomain, "."))
	if _, isIP := netip.ParseAddr(s.TLSDomain); err != nil || isIP == nil || !strings.Contains(ascii, ".") {
		return errors.New("--tls-domain is not a host name: write it as scim.example.com, " +
			"without a scheme, a port or a *")
	}
	s.TLSDomain = ascii
	return nil
}

// authorityRoots returns the certificates by which the ACME authority is known; nil means those of this machine.
func (s *serveCommand) authorityRoots() (*x509.CertPool, error) {
	if s.ACMECAFile == "" {
		return nil, nil
	}
	return readRoots("--acme-ca-file", s.ACMECAFile)
}

// accountRoots returns the certificates by which the account is known; nil means those of this machine.
func (s *serveCommand) accountRoots() (*x509.CertPool, error) {
	if s.AccountCA == "" {
		return nil, nil
	}
	return readRoots("--account-ca-file", s.AccountCA)
}

// readRoots adds the certificates of a file to those of this machine.
func readRoots(setting, path string) (*x509.CertPool, error) {
	text, err := durable.ReadFile(kong.ExpandPath(path), 1<<20)
	if err != nil {
		return nil, session.FileError(setting, path, err)
	}
	pool, err := x509.SystemCertPool()
	if err != nil {
		pool = x509.NewCertPool()
	}
	if !pool.AppendCertsFromPEM(text) {
		return nil, fmt.Errorf("%s: there is no certificate in PEM form in the file %q", setting, path)
	}
	return pool, nil
}

// openCertificate returns the source of the bridge's certificate; nil for plain HTTP.
func (s *serveCommand) openCertificate(logger hclog.Logger) (certificateSource, error) {
	switch {
	case s.files().given():
		return openFiles(s.files(), s.TLSDomain, logger)
	case s.TLSDomain == "":
		return nil, nil
	}
	roots, err := s.authorityRoots()
	if err != nil {
		return nil, err
	}
	directory := s.ACMEDirectory
	if directory == "" {
		directory = certificate.LetsEncrypt
	}
	at, err := url.Parse(directory)
	if err != nil {
		return nil, err
	}
	dataDir, err := filepath.Abs(s.DataDir)
	if err != nil {
		return nil, err
	}
	source, err := certificate.OpenACME(certificate.ACMEConfig{
		Domain:    s.TLSDomain,
		Email:     s.ACMEEmail,
		Directory: directory,
		// A folder for each authority, whose account is another one.
		Folder:  filepath.Join(dataDir, "acme", strings.NewReplacer(":", "_", "/", "_").Replace(at.Host+at.Path)),
		DataDir: dataDir,
		Client: &http.Client{
			Timeout: time.Minute,
			Transport: &http.Transport{
				Proxy:               http.ProxyFromEnvironment,
				TLSClientConfig:     &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
				TLSHandshakeTimeout: 10 * time.Second, ForceAttemptHTTP2: true, IdleConnTimeout: time.Minute,
			},
		},
		UserAgent: "scim-bridge/" + build.Read().Version,
		HTTP01:    s.PingListen != "",
		Log:       logger.Named("certificate"),
		Now:       time.Now,
	})
	if err != nil {
		return nil, err
	}
	return source, nil
}
