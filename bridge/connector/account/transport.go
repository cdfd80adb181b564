package account

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// CheckURL says whether the account may be reached at s: the session token
// travels with every request, so plain HTTP is for this machine only.
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

// NewTransport returns a transport whose connections come from source, or
// from wherever the system likes when source is the zero Addr.
func NewTransport(source netip.Addr) *http.Transport {
	dialer := &net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}
	if source.IsValid() {
		dialer.LocalAddr = net.TCPAddrFromAddrPort(netip.AddrPortFrom(source, 0))
	}
	return &http.Transport{
		Proxy:                 http.ProxyFromEnvironment,
		DialContext:           dialer.DialContext,
		ForceAttemptHTTP2:     true,
		TLSHandshakeTimeout:   5 * time.Second,
		ResponseHeaderTimeout: longestRequest, // each request has its own, often shorter bound
		IdleConnTimeout:       60 * time.Second,
		// One account: idle connections beyond the default of two per host
		// save a dial for each of the requests that an IdP sends at once.
		MaxIdleConns:        256,
		MaxIdleConnsPerHost: 256,
	}
}

// InProcess returns a transport that calls the account's handler itself, for
// an account in the same process: one code path, no socket. The account sees
// requests from the address from.
func InProcess(account http.Handler, from netip.Addr) http.RoundTripper {
	return &inProcess{account, netip.AddrPortFrom(from, 0).String()}
}

type inProcess struct {
	account http.Handler
	from    string
}

// RoundTrip implements http.RoundTripper.
func (t *inProcess) RoundTrip(req *http.Request) (*http.Response, error) {
	served := req.WithContext(req.Context()) // a RoundTripper leaves the request alone
	served.RemoteAddr, served.RequestURI, served.Host = t.from, req.URL.RequestURI(), req.URL.Host
	if served.Body == nil {
		served.Body = http.NoBody
	}
	answer := &httpkit.Recorder{}
	t.account.ServeHTTP(answer, served)
	served.Body.Close() // a RoundTripper closes the body, always
	if err := req.Context().Err(); err != nil {
		return nil, err
	}
	status := answer.Status()
	return &http.Response{
		Status:     fmt.Sprintf("%d %s", status, http.StatusText(status)),
		StatusCode: status,
		Proto:      "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        answer.Header(),
		Body:          io.NopCloser(&answer.Body),
		ContentLength: int64(answer.Body.Len()),
		Request:       req,
	}, nil
}
