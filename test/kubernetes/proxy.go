//go:build engines

package kubernetes

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"testing"
	"time"
)

// ServeTLS puts a proxy with a certificate before an account, at the node's address. The account sees the
// addresses of callers.
func ServeTLS(t testing.TB, ca *CA, account string) (address string) {
	t.Helper()
	target, err := url.Parse(account)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(ca.Issue("account", "", Node))
	if err != nil {
		t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", Node+":0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{
		Handler:           httputil.NewSingleHostReverseProxy(target),
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: time.Minute,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	t.Cleanup(func() { server.Close() })
	return "https://" + listener.Addr().String()
}
