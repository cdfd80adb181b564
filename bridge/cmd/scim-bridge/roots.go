package main

import (
	"crypto/x509"
	"errors"
	"os"

	"github.com/hashicorp/go-hclog"

	// Root certificates for a system that has none, such as an image made from scratch.
	_ "golang.org/x/crypto/x509roots/fallback"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
)

// warnOfRoots says that SSL_CERT_FILE, which names the authorities that an operator trusts, is of no use: Go passes
// over it without a word and trusts the system's roots, or those that are compiled in.
func warnOfRoots(log hclog.Logger) {
	file := os.Getenv("SSL_CERT_FILE")
	if file == "" {
		return
	}
	text, err := os.ReadFile(file)
	if err == nil && !x509.NewCertPool().AppendCertsFromPEM(text) {
		err = errors.New("no certificate is in it")
	}
	if err != nil {
		log.Warn("SSL_CERT_FILE names no root certificates that can be read; others are trusted in their place",
			"file", file, "reason", durable.Reason(err))
	}
}
