package server

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// named tells the access log and the metrics the name of a request's route.
func named(next *table) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := httpkit.RequestFrom(r.Context())
		x.Route, x.Polled = next.name(r.URL)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// internalError answers a request whose handler panicked.
func internalError(w http.ResponseWriter, r *http.Request, _ error) {
	message := fmt.Sprintf("internal error; the bridge's log has it under request id %s", httpkit.ID(r.Context()))
	http.Error(w, message, http.StatusInternalServerError)
}

// logLine is what the access log shows of a request. It names no person: no
// query, which may hold a filter with an e-mail address, and no path beyond the
// kind of resource, into which a client may have written one.
func logLine(r *http.Request, x *httpkit.Request, answer httpkit.Answer) []any {
	line := []any{
		"method", httpkit.Method(r.Method), "route", x.Route, "status", answer.Status, "bytes", answer.Bytes,
		"ms", answer.Took.Milliseconds(), "client", x.Client, "request_id", x.ID,
	}
	for _, f := range [...]struct{ key, value string }{
		{"resource_id", resourceID(r, answer)},
		{"token", x.Caller},
		{"user_agent", userAgent(r)},
	} {
		if f.value != "" {
			line = append(line, f.key, f.value)
		}
	}
	return line
}

// resourceID is the id of the person or group that a request is about, or has
// made. A client may write anything into a path, an e-mail address for one: only
// what has the form of an id is shown.
func resourceID(r *http.Request, answer httpkit.Answer) string {
	path := r.URL.Path
	if answer.Status == http.StatusCreated {
		path = answer.Header.Get("Location")
	}
	for _, segment := range strings.Split(path, "/") {
		if opaqueID.MatchString(segment) {
			return segment
		}
	}
	return ""
}

// opaqueID is how accounts write ids: ours as 128 bits in base32, others as UUIDs.
var opaqueID = regexp.MustCompile(`^[a-z2-7]{26}$|^[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}$`)

// mostUserAgent bounds what a client may add to a line, in characters.
const mostUserAgent = 100

// userAgent tells identity providers apart. What may be an address or a secret is
// left out, once the text is as it will be shown: an invisible character within a
// token must not hide it.
func userAgent(r *http.Request) string {
	text := session.Scrub(inputtext.Line(r.UserAgent()))
	if strings.Contains(text, "@") || strings.Contains(text, "%40") {
		text = addressLike.ReplaceAllString(text, "[address]")
	}
	return inputtext.Truncate(text, mostUserAgent)
}

var addressLike = regexp.MustCompile(`[^\s<>()",;]+(?:@|%40)[^\s<>()",;]+`)
