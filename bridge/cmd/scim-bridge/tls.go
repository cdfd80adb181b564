package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"strings"
	"time"

	"github.com/alecthomas/kong"
	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A certificateSource has the certificate that a server shows.
type certificateSource interface {
	TLS() *tls.Config
	// Run follows what the certificate comes from, until ctx ends; Reload looks at it now.
	Run(ctx context.Context)
	Reload()
	Report() health.Report
	// Validity returns zero times while there is no certificate.
	Validity() (notBefore, notAfter time.Time)
}

// certificateFiles are the flags that name a server's own certificate.
type certificateFiles struct {
	TLSCertFile string `name:"tls-cert-file" placeholder:"FILE" help:"Serve HTTPS by this certificate (PEM)."`
	TLSKeyFile  string `name:"tls-key-file" placeholder:"FILE" help:"Private key of --tls-cert-file (PEM)."`

	prefix string // of the flags' names, in messages
}

func (c certificateFiles) certFlag() string { return "--" + c.prefix + "tls-cert-file" }
func (c certificateFiles) keyFlag() string  { return "--" + c.prefix + "tls-key-file" }

func (c certificateFiles) given() bool { return c.TLSCertFile != "" || c.TLSKeyFile != "" }

// check refuses files that no server can show.
func (c certificateFiles) check(domain string) error {
	switch {
	case !c.given():
		return nil
	case c.TLSKeyFile == "":
		return fmt.Errorf("%s is set without %s: name the file of its private key too", c.certFlag(), c.keyFlag())
	case c.TLSCertFile == "":
		return fmt.Errorf("%s is set without %s: name the file of its certificate too", c.keyFlag(), c.certFlag())
	}
	return c.config(domain, nil).Check()
}

// config configures a source of the files. A nil log reads only, and leaves their mode as it is.
func (c certificateFiles) config(domain string, log hclog.Logger) certificate.FilesConfig {
	certFile, keyFile := kong.ExpandPath(c.TLSCertFile), kong.ExpandPath(c.TLSKeyFile)
	return certificate.FilesConfig{
		Read: func() (chain, key []byte, err error) {
			const most = 1 << 20
			if chain, err = durable.ReadFile(certFile, most); err != nil {
				return nil, nil, session.FileError(c.certFlag(), c.TLSCertFile, err)
			}
			if key, err = durable.ReadFile(keyFile, most); err != nil {
				return nil, nil, session.FileError(c.keyFlag(), c.TLSKeyFile, err)
			}
			if log != nil {
				err = closeToOthers(c.keyFlag(), keyFile, func(text string) { log.Warn(text) })
			}
			return chain, key, err
		},
		Names:  certificate.FileNames{Cert: certFile, Key: keyFile},
		Domain: domain,
		Log:    log,
		Now:    time.Now,
	}
}

// checkHTTPS refuses a public URL, given by a flag, that contradicts a certificate.
func checkHTTPS(flag, publicURL string) error {
	if strings.HasPrefix(strings.ToLower(publicURL), "http://") {
		return fmt.Errorf("%s=%q is plain HTTP, but the server has a certificate: write https:// instead", flag,
			publicURL)
	}
	return nil
}

// openFiles returns the source of a server's own certificate.
func openFiles(c certificateFiles, domain string, logger hclog.Logger) (certificateSource, error) {
	files, err := certificate.OpenFiles(c.config(domain, logger.Named("certificate")))
	if err != nil {
		return nil, err
	}
	return files, nil
}

// scheme returns the scheme of a server's URL.
func scheme(s certificateSource) string {
	if s == nil {
		return "http"
	}
	return "https"
}
