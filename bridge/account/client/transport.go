package client

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// CheckURL refuses addresses that no account has, and plain HTTP to another
// machine: a token travels with every request.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	switch {
	case err != nil || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "":
		// Not repeated: a password may be in it, or a token in its place.
		return errors.New("this is not an account's address: write it as https://account.example.com")
	case u.Scheme == "https":
		return nil
	case u.Scheme == "http" && isLoopback(u.Hostname()):
		return nil
	default:
		return fmt.Errorf("the account's address %q is not safe: use https (plain http is for loopback addresses)", s)
	}
}

func isLoopback(host string) bool {
	if host == "localhost" {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.IsLoopback()
}

// maxWait bounds the wait for the first byte of an answer. Each call has its
// own, mostly shorter bound; the longest sets the members of a group of 100,000.
const maxWait = 4 * time.Minute

// NewTransport returns a transport whose connections come from source, or
// from wherever the system likes when source is the zero Addr. It trusts
// roots, or the system's if they are nil.
func NewTransport(source netip.Addr, roots *x509.CertPool) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	if source.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		TLSClientConfig:       &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12},
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: maxWait,
		IdleConnTimeout:       60 * time.Second,
		// One account: idle connections beyond the default of two per host
		// save a dial for each of the requests that an IdP sends at once.
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 256,
	}
}
