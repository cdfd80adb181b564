package server

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
)

// unlessKnown answers a GET with 304 and no body when the client has the
// version already (RFC 9110, section 13.1.2): who looks at ten thousand rules
// again and again fetches them once.
func unlessKnown(w http.ResponseWriter, r *http.Request) http.ResponseWriter {
	known := r.Header.Get("If-None-Match")
	if r.Method != http.MethodGet || known == "" {
		return w
	}
	return &conditional{ResponseWriter: w, known: strings.Split(known, ",")}
}

type conditional struct {
	http.ResponseWriter
	known []string
	same  bool
}

func (c *conditional) WriteHeader(status int) {
	etag := c.Header().Get("ETag")
	c.same = status == http.StatusOK && etag != "" && slices.ContainsFunc(c.known, func(tag string) bool {
		tag = strings.TrimSpace(tag)
		return tag == "*" || strings.TrimPrefix(tag, "W/") == etag
	})
	if c.same {
		c.Header().Del("Content-Type")
		status = http.StatusNotModified
	}
	c.ResponseWriter.WriteHeader(status)
}

func (c *conditional) Write(p []byte) (int, error) {
	if c.same {
		return len(p), nil
	}
	return c.ResponseWriter.Write(p)
}

// Unwrap lets http.ResponseController reach the connection.
func (c *conditional) Unwrap() http.ResponseWriter { return c.ResponseWriter }

// tagOf is the entity tag of a document that tells more than what a write
// changes: when a bridge was last heard, for instance. What else it tells goes
// into the tag after the version, or a client would be told that it knows what
// it does not; an If-Match looks at the version alone.
func tagOf(version int64, told any) string {
	text, err := json.Marshal(told)
	if err != nil {
		panic(err) // what is answered has a JSON form
	}
	digest := sha256.Sum256(text)
	return account.ETagWith(version, hex.EncodeToString(digest[:8]))
}
