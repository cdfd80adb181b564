package account

import (
	"fmt"
	"io"
	"net/http"
	"net/netip"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

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
	if err := req.Context().Err(); err != nil { // as no other transport would send it
		if req.Body != nil {
			req.Body.Close()
		}
		return nil, err
	}
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
