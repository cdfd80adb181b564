package scim

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/jsontext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// Bounds on the body of a request. Decoded it takes far more room than on the
// wire, by so much for each value in it, which is why values are counted too.
const (
	maxBody        = 1 << 20  // of a person, a search or a PATCH of either
	maxDiscarded   = 64 << 20 // of a body that is refused
	maxLargeBody   = 10 << 20 // of a bulk request, or of a group: a client may send all members
	maxDepth       = 32
	maxValues      = 100_000
	maxLargeValues = 500_000

	// So many requests may have a body beyond maxBody at a time; another one
	// waits for at most largeTimeout.
	maxLargeAtOnce = 2
	largeTimeout   = 20 * time.Second

	// The directory may take minutes for all members of a group, or for a
	// thousand operations.
	longAnswer = 5 * time.Minute
)

// mediaTypes are what bodies come and go in; Google and others send the plain one.
var mediaTypes = []string{"application/scim+json", "application/json"}

// decodeObject reads the body of a request as one JSON object. Numbers stay
// as they were written.
func (x *exchange) decodeObject(limit int64) (map[string]any, error) {
	if err := checkContentType(x.r); err != nil {
		return nil, err
	}
	body, err := x.readBody(limit)
	if err != nil {
		return nil, err
	}
	values := maxValues
	if len(body) > maxBody {
		values = maxLargeValues
	}
	return parseObject(body, values)
}

func (x *exchange) readBody(limit int64) ([]byte, error) {
	tooLarge := &refusal{Status: http.StatusRequestEntityTooLarge,
		Detail: "the body is larger than " + byteCount(limit)}
	if x.r.ContentLength > limit {
		x.discardBody()
		return nil, tooLarge
	}
	source := http.MaxBytesReader(x.w, x.r.Body, limit)
	var body bytes.Buffer
	_, err := io.Copy(&body, io.LimitReader(source, maxBody+1))
	if err == nil && body.Len() > maxBody {
		if err := x.acquireLarge(); err != nil {
			return nil, err
		}
		_, err = io.Copy(&body, source)
	}
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		x.discardBody()
		return nil, tooLarge
	}
	if err != nil {
		return nil, syntaxFault("the body could not be read to its end")
	}
	return body.Bytes(), nil
}

// discardBody reads the rest of a body that is refused. A client that is still
// sending when the connection is closed reports a broken pipe and not the
// reason; one that asked first (Expect: 100-continue) waits for the answer.
func (x *exchange) discardBody() {
	if x.r.Header.Get("Expect") == "" {
		_, _ = io.CopyN(io.Discard, x.r.Body, maxDiscarded)
	}
}

// acquireLarge waits until this may be one of the few requests with a large
// body; serve releases the place.
func (x *exchange) acquireLarge() error {
	if x.large {
		return nil
	}
	timeout := time.NewTimer(largeTimeout)
	defer timeout.Stop()
	select {
	case x.largeBodies <- struct{}{}:
		x.large = true
		x.extendDeadline()
		return nil
	case <-timeout.C:
	case <-x.r.Context().Done():
	}
	return unavailable("several large requests are under way; try again", largeTimeout)
}

// extendDeadline keeps the connection open for an answer that takes long.
func (x *exchange) extendDeadline() {
	// Fails only for a request without a connection, which has no deadline.
	_ = http.NewResponseController(x.w).SetWriteDeadline(time.Now().Add(longAnswer))
}

func byteCount(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return itoa(n>>20) + " MiB"
	}
	return itoa(n) + " bytes"
}

func checkContentType(r *http.Request) error {
	switch strings.ToLower(r.Header.Get("Content-Encoding")) {
	case "", "identity", "utf-8", "utf8": // the last two are meant as the character set
	default:
		return &refusal{Status: http.StatusUnsupportedMediaType, Detail: "the body must not be compressed"}
	}
	header := r.Header.Get("Content-Type")
	if header == "" {
		return nil
	}
	switch mediaType(header) {
	case "*/*", mediaTypes[0], mediaTypes[1], "application/json+scim", "text/json", "text/x-json", "application/x-json":
		return nil
	}
	return &refusal{Status: http.StatusUnsupportedMediaType, Detail: "send application/scim+json or application/json"}
}

// mediaType is the first type of a header, without its parameters: clients
// repeat the character set, or send the header twice and a proxy joins it,
// which [mime.ParseMediaType] refuses.
func mediaType(header string) string {
	if end := strings.IndexAny(header, ";,"); end >= 0 {
		header = header[:end]
	}
	return strings.ToLower(strings.TrimSpace(header))
}

// unwanted matches a weight of 0 (RFC 9110 section 12.4.2).
var unwanted = regexp.MustCompile(`(?i)(^|;)\s*q=0(\.0*)?\s*(;|$)`)

// checkAccept refuses clients that understand neither media type.
func checkAccept(r *http.Request) error {
	accepted := r.Header.Values("Accept")
	if len(accepted) == 0 {
		return nil
	}
	for item := range strings.SplitSeq(strings.Join(accepted, ","), ",") {
		media, parameters, _ := strings.Cut(item, ";")
		if parameters != "" && unwanted.MatchString(parameters) {
			continue
		}
		switch media = mediaType(media); media {
		case "", "*", "*/*", "application/*", "application/json+scim", "json":
			return nil
		}
		// A client that reads some kind of JSON can read this one.
		if strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json") {
			return nil
		}
	}
	return &refusal{Status: http.StatusNotAcceptable, Detail: "answers are application/scim+json; accept that or " +
		"application/json"}
}

func syntaxFault(detail string) error { return schema.Errorf(schema.InvalidSyntax, "%s", detail) }

var byteOrderMark = []byte("\ufeff")

func parseObject(body []byte, mostValues int) (map[string]any, error) {
	// RFC 8259 section 8.1 lets a reader pass it over.
	body = bytes.TrimPrefix(body, byteOrderMark)
	// Measured before decoding, which would recurse as deep as the body does.
	depth, values := measure(body)
	switch {
	case len(bytes.TrimSpace(body)) == 0:
		return nil, syntaxFault("the body is empty; send a JSON object")
	case !utf8.Valid(body):
		return nil, syntaxFault("the body is not valid UTF-8")
	case depth > maxDepth:
		return nil, syntaxFault("the body is nested deeper than " + itoa(maxDepth))
	case values > mostValues:
		return nil, &refusal{Status: http.StatusRequestEntityTooLarge,
			Detail: "the body has more than " + itoa(int64(mostValues)) + " values; send it in parts"}
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, syntaxFault("the body is not JSON: " + err.Error())
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, syntaxFault("something follows the JSON object in the body")
	}
	object, ok := value.(map[string]any)
	if !ok {
		return nil, syntaxFault("the body must be a JSON object")
	}
	// No database of ours takes NUL in text, and no name or address has one.
	if bytes.Contains(body, []byte(`\u0000`)) && hasNUL(object) {
		return nil, schema.Errorf(schema.InvalidValue, "a text in the body contains a NUL character")
	}
	return object, nil
}

// measure counts how deep brackets nest and how many values there are, at
// least, valid JSON or not.
func measure(body []byte) (deepest, values int) {
	var level int
	inString := false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case inString:
		case c == '{', c == '[':
			level++
			values++
			deepest = max(deepest, level)
		case c == '}', c == ']':
			level--
		case c == ',':
			values++
		}
	}
	return deepest, values
}

func hasNUL(value any) bool {
	switch v := value.(type) {
	case string:
		return strings.ContainsRune(v, 0)
	case []any:
		return slices.ContainsFunc(v, hasNUL)
	case map[string]any:
		for key, member := range v {
			if strings.ContainsRune(key, 0) || hasNUL(member) {
				return true
			}
		}
	}
	return false
}

// decodeStored reads attributes that the bridge itself once wrote.
func decodeStored(raw json.RawMessage) (map[string]any, error) {
	if len(raw) == 0 {
		return make(map[string]any), nil
	}
	r := jsontext.NewReader(raw)
	object, ok := r.Value().(map[string]any)
	if !ok {
		r.Fail(errors.New("the attributes of a resource are no JSON object"))
	}
	return object, r.Err()
}
