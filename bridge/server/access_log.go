package server

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/keptlog"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// named sets the route of a request for the access log and the metrics.
func named(next *table) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		x := httpkit.RequestFrom(r.Context())
		x.Route, x.Quiet = next.name(r.URL)
		w.Header().Set("X-Content-Type-Options", "nosniff")
		next.ServeHTTP(w, r)
	})
}

// internalError answers a request whose handler panicked.
func internalError(w http.ResponseWriter, r *http.Request, _ error) {
	message := fmt.Sprintf("internal error; the bridge's log has it under request id %s", httpkit.ID(r.Context()))
	http.Error(w, message, http.StatusInternalServerError)
}

// logLine returns the access log's fields for a request. They contain no personal data:
// neither the query, which may have a filter with an e-mail address, nor the path after
// the kind of resource, in which a client may have put one.
func logLine(r *http.Request, x *httpkit.Request, answer httpkit.Answer) []any {
	line := append(make([]any, 0, 20),
		"method", httpkit.Method(r.Method), "route", x.Route, "status", answer.Status, "bytes", answer.Bytes,
		"ms", answer.Took.Milliseconds(), "client", x.Client, "request_id", x.ID)
	add := func(key any, value string) { // a constant in an interface is not allocated
		if value != "" {
			line = append(line, key, value)
		}
	}
	add("resource_id", resourceID(r, answer))
	add("token", x.Caller)
	add("user_agent", userAgent(r))
	return line
}

// RequestsInLog returns a function that finds requests by their ids in a log, whose lines logLine has made.
func RequestsInLog(log *keptlog.Log) func(ids []string) map[string]explain.LogLine {
	return func(ids []string) map[string]explain.LogLine {
		found := make(map[string]explain.LogLine, len(ids))
		for id, line := range log.ByField("request_id", ids) {
			found[id] = explain.LogLine{Method: keptlog.Field(line, "method"), Client: keptlog.Field(line, "client")}
		}
		return found
	}
}

// resourceID returns the id of the person or group in a request's path, or of the created
// one. A client may put anything in a path, such as an e-mail address, so only a text in
// the form of an id is logged.
func resourceID(r *http.Request, answer httpkit.Answer) string {
	path := r.URL.Path
	if answer.Status == http.StatusCreated {
		path = answer.Header.Get("Location")
	}
	for segment := range strings.SplitSeq(path, "/") {
		if inputtext.IsOpaqueID(segment) {
			return segment
		}
	}
	return ""
}

// mostUserAgent is the maximum length of a User-Agent in a line, in characters.
const mostUserAgent = 100

// userAgent returns the User-Agent, which identifies the identity provider, without
// anything that may be an address or a secret. These are removed after invisible
// characters, which could hide a token.
func userAgent(r *http.Request) string {
	text := session.Scrub(inputtext.Line(r.UserAgent()))
	if strings.Contains(text, "@") || strings.Contains(text, "%40") {
		text = addressLike.ReplaceAllString(text, "[address]")
	}
	return inputtext.Truncate(text, mostUserAgent)
}

var addressLike = regexp.MustCompile(`[^\s<>()",;]+(?:@|%40)[^\s<>()",;]+`)
