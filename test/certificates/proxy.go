//go:build engines

package certificates

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"time"
)

// Serve puts a proxy with a certificate before an account, at an address of this machine. An account that trusts the
// proxy sees the addresses of callers.
func (ca *CA) Serve(ip, account string) (address string) {
	ca.t.Helper()
	target, err := url.Parse(account)
	if err != nil {
		ca.t.Fatal(err)
	}
	pair, err := tls.X509KeyPair(ca.Issue("account", "", ip))
	if err != nil {
		ca.t.Fatal(err)
	}
	listener, err := (&net.ListenConfig{}).Listen(ca.t.Context(), "tcp", ip+":0")
	if err != nil {
		ca.t.Fatal(err)
	}
	server := &http.Server{
		Handler:           httputil.NewSingleHostReverseProxy(target),
		ErrorLog:          log.New(io.Discard, "", 0),
		ReadHeaderTimeout: time.Minute,
		TLSConfig:         &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12},
	}
	go func() { _ = server.ServeTLS(listener, "", "") }()
	ca.t.Cleanup(func() { server.Close() })
	return "https://" + listener.Addr().String()
}
