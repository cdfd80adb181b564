package httpkit

import (
	"net/http"
	"strings"
)

// BearerToken returns the token of a request's Authorization header (RFC 6750,
// section 2.1), or "" if it has none. The scheme is compared without regard to
// case (RFC 9110, section 11.1).
func BearerToken(r *http.Request) string {
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if !strings.EqualFold(scheme, "Bearer") {
		return ""
	}
	return strings.TrimSpace(token)
}
