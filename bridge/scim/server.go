package scim

import (
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// Config is what the handler needs.
type Config struct {
	// Directory is where people and groups live.
	Directory bridge.Directory
	// BaseURL is the bridge's public URL without a path, "https://scim.example.com".
	// Location and $ref are made of it, never of the Host header, which is
	// whatever the client says.
	BaseURL string
	// Logger receives what no answer shows; nil logs nothing.
	Logger hclog.Logger
	// Journal records what clients asked to be changed, and counts what they read; nil records nothing.
	Journal *journal.Journal
}

// New returns the handler of all SCIM endpoints, under /scim/v2, /scim and the
// root alike: people paste all of these base URLs into identity providers. Paths
// must reach it as they were sent; the bearer token has been checked before.
func New(c Config) http.Handler {
	s := &server{
		directory: c.Directory, baseURL: strings.TrimRight(c.BaseURL, "/"), log: c.Logger,
		endpoints: newEndpoints(), journal: c.Journal, largeBodies: make(chan struct{}, maxLargeAtOnce),
	}
	if s.log == nil {
		s.log = hclog.NewNullLogger()
	}
	return s
}

type server struct {
	directory bridge.Directory
	baseURL   string
	log       hclog.Logger
	endpoints map[string]endpoint // see newEndpoints
	journal   *journal.Journal
	// largeBodies has an element for each large body under way.
	largeBodies chan struct{}
}

// An exchange is one request on its way to an answer.
type exchange struct {
	*server
	w    http.ResponseWriter
	r    *http.Request
	base string // absolute, with the prefix under which the request came in
	id   string // of the resource, if the path names one
	// large is set while this request has one of the places in largeBodies. A
	// request within a bulk request uses the place of the latter.
	large bool

	record record
}

// A handler decodes, translates, asks and answers; an error it returns is
// answered in one place.
type handler func(*exchange) error

func (s *server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	x := &exchange{server: s, w: w, r: r}
	x.record.began = time.Now()
	failed := s.toRefusal(r, x.serve())
	if failed != nil {
		failed.write(w)
	}
	x.keepRecord(failed)
	x.countRequest(failed)
}

// toRefusal turns an error into an answer and logs what the answer hides. No error is no refusal.
func (s *server) toRefusal(r *http.Request, err error) *refusal {
	if err == nil {
		return nil
	}
	failed := toRefusal(err, func(cause error) (id string) {
		id = httpkit.ID(r.Context())
		s.log.Error("scim request failed", "request_id", id, "method", httpkit.Method(r.Method), "error", cause)
		return id
	})
	failed.Code = codeOf(err, failed)
	return failed
}

func (x *exchange) serve() error {
	prefix, segments, err := split(x.r.URL)
	if err != nil {
		return err
	}
	if err := checkAccept(x.r); err != nil {
		return err
	}
	x.base = x.baseURL + prefix
	methods := x.route(segments)
	if methods == nil {
		return badPath(segments)
	}
	method := x.r.Method
	if method == http.MethodHead {
		method = http.MethodGet // net/http leaves the body out
	}
	handle, ok := methods[method]
	if !ok {
		return methodNotAllowed(x.r.Method, methods)
	}
	defer func() {
		if x.large {
			<-x.largeBodies
		}
	}()
	return handle(x)
}

// split parts a path into one of the known prefixes and what follows. Case,
// doubled and trailing slashes do not matter: a 404 for a slash too many makes
// some clients forget the resource and create it again.
func split(u *url.URL) (prefix string, segments []string, err error) {
	segments = make([]string, 0, 4) // the longest path that leads somewhere
	for escaped := range strings.SplitSeq(u.EscapedPath(), "/") {
		segment, err := url.PathUnescape(escaped)
		if err != nil || strings.ContainsRune(segment, 0) {
			return "", nil, schema.Errorf(schema.InvalidValue, "the path is not properly percent-encoded")
		}
		if segment != "" {
			segments = append(segments, segment)
		}
	}
	for _, longer := range []string{"/scim", "/scim/v2"} {
		if len(segments) == 0 || !strings.EqualFold(segments[0], path.Base(longer)) {
			break
		}
		prefix, segments = longer, segments[1:]
	}
	return prefix, segments, nil
}

// badPath is the answer to a path that is no endpoint. One that was meant for a
// resource is 400 and not 404: to a client, 404 means that the resource is gone.
func badPath(segments []string) error {
	for _, segment := range segments {
		if strings.EqualFold(segment, "Users") || strings.EqualFold(segment, "Groups") {
			return &refusal{Status: http.StatusBadRequest, Detail: "the path is no SCIM endpoint; the base URL ends " +
				"in /scim/v2 and is followed by /Users/{id} or /Groups/{id}"}
		}
	}
	return &refusal{Status: http.StatusNotFound, Detail: "there is no such SCIM endpoint"}
}

func methodNotAllowed(method string, methods map[string]handler) error {
	var allowed []string
	for name := range methods {
		allowed = append(allowed, name)
		if name == http.MethodGet {
			allowed = append(allowed, http.MethodHead)
		}
	}
	slices.Sort(allowed)
	allow := strings.Join(allowed, ", ")
	return &refusal{Status: http.StatusMethodNotAllowed, Allow: allow, Detail: fmt.Sprintf("%s is not possible here; "+
		"use %s", truncate(method), allow)}
}

// truncate keeps a client's text short enough to quote.
func truncate(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
