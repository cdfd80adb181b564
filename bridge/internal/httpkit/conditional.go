package httpkit

import (
	"net/http"
	"slices"
	"strings"
)

// EntityTags returns the entity tags in the headers of a name, If-Match for
// instance, without the weakness mark: clients copy tags from a document, with
// the mark or without, and all versions here are strong.
func EntityTags(headers []string) []string {
	var tags []string
	for tag := range strings.SplitSeq(strings.Join(headers, ","), ",") {
		if tag = strings.TrimPrefix(strings.TrimSpace(tag), "W/"); tag != "" {
			tags = append(tags, tag)
		}
	}
	return tags
}

// IsKnown reports whether the client of a GET has the version etag already
// (If-None-Match, RFC 9110, section 13.1.2).
func IsKnown(r *http.Request, etag string) bool {
	tags := EntityTags(r.Header.Values("If-None-Match"))
	return slices.Contains(tags, etag) || slices.Contains(tags, "*")
}

// NotModified returns a ResponseWriter that answers a GET or HEAD with 304 and no
// body when the client has the version of the answer's ETag already.
func NotModified(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	if !reads || r.Header.Get("If-None-Match") == "" {
		return w
	}
	return &notModified{ResponseWriter: w, request: r}
}

type notModified struct {
	http.ResponseWriter
	request *http.Request
	known   bool
}

func (n *notModified) WriteHeader(status int) {
	etag := n.Header().Get("ETag")
	if n.known = status == http.StatusOK && etag != "" && IsKnown(n.request, etag); n.known {
		n.Header().Del("Content-Type")
		status = http.StatusNotModified
	}
	n.ResponseWriter.WriteHeader(status)
}

func (n *notModified) Write(p []byte) (int, error) {
	if n.known {
		return len(p), nil
	}
	return n.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (n *notModified) Unwrap() http.ResponseWriter { return n.ResponseWriter }
