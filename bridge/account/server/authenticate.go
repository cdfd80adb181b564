package server

import (
	"context"
	"net/http"
	"net/netip"
	"regexp"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A verifier returns the caller that a secret belongs to, if the firewall allows
// its address.
type verifier func(ctx context.Context, secret string, address netip.Addr) (account.Caller, error)

// An authenticator returns the request with its caller in the context, or the
// reason for refusing it.
type authenticator func(*http.Request) (*http.Request, error)

// authenticated returns an authenticator that admits the callers of verify.
func (s *server) authenticated(verify verifier) authenticator {
	return func(r *http.Request) (*http.Request, error) {
		secret, err := bearer(r)
		if err != nil {
			return r, err
		}
		caller, err := verify(r.Context(), secret, httpkit.RequestFrom(r.Context()).Client)
		if caller.ID == "" {
			return r, err
		}
		admit(r, caller.String()) // the secret is valid, even if the request is refused
		caller.RequestID = requestID(r, caller)
		httpkit.RequestFrom(r.Context()).Quiet = caller.Kind == account.ByBridge // its own log has the request
		return r.WithContext(account.WithCaller(r.Context(), caller)), err
	}
}

// requestID returns the id of the request. A bridge sends the one under which its own
// log has what the identity provider asked.
func requestID(r *http.Request, caller account.Caller) string {
	id := r.Header.Get("X-Request-Id")
	if caller.Kind == account.ByBridge && requestIDs.MatchString(id) && inputtext.Scrub(id) == id {
		return id
	}
	return httpkit.RequestFrom(r.Context()).ID
}

var requestIDs = regexp.MustCompile(`^[A-Za-z0-9._-]{1,64}$`)

// bearer returns the request's bearer token, or a refusal if it has none.
func bearer(r *http.Request) (string, error) {
	if token := httpkit.BearerToken(r); token != "" {
		return token, nil
	}
	return "", &account.Error{
		Status: http.StatusUnauthorized, Code: api.ErrorCodeTokenMissing, Title: "Not authenticated",
		Detail: "there is no bearer token; send the header Authorization: Bearer TOKEN",
	}
}
