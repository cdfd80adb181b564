// Package client is the one way to the account API, for the connector and the
// provider: the transport, the reading of answers, and the loop that makes a
// call again. What an operation means is said in openapi.yaml; what is worth a
// repetition, and for how long, the caller says.
package client

import (
	"context"
	"net/http"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// Config is the way to one account.
type Config struct {
	URL       string            // as CheckURL takes it
	Transport http.RoundTripper // NewTransport's, or what stands for it
	UserAgent string            // program/version
	Token     string            // sent with every call; empty if calls have tokens of their own
	// Through is what every call goes through on its way, if anything.
	Through func(api.HttpRequestDoer) api.HttpRequestDoer
}

// New returns a client that sends each call once, and follows no redirect: it
// would carry the token to wherever it points. Call reads the answers.
func New(c Config) (*api.Client, error) {
	var doer api.HttpRequestDoer = sender{c.Transport}
	if c.Through != nil {
		doer = c.Through(doer)
	}
	return api.NewClient(strings.TrimSuffix(c.URL, "/"), api.WithHTTPClient(doer),
		api.WithRequestEditorFn(func(_ context.Context, req *http.Request) error {
			req.Header.Set("User-Agent", c.UserAgent)
			if c.Token != "" {
				req.Header.Set("Authorization", "Bearer "+c.Token)
			}
			return nil
		}))
}

// A sender is an HTTP client that does nothing but send.
type sender struct{ http.RoundTripper }

// Do implements api.HttpRequestDoer.
func (s sender) Do(req *http.Request) (*http.Response, error) { return s.RoundTrip(req) }
