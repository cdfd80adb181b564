package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

const (
	maxSignInBody = 8 << 10 // unauthenticated; the largest, a finish, has some two kilobytes
	maxBody       = 1 << 20
	maxPolicyBody = 16 << 20 // a whole firewall: ten thousand rules, most with a range or two
	maxGroupBody  = 8 << 20  // a whole group: the ids of a quarter of a million members
	maxBodyDepth  = 64
)

// limitOf returns the maximum size of an operation's body.
func limitOf(pattern string) int64 {
	switch pattern {
	case "POST /v1/auth/start", "POST /v1/auth/finish":
		return maxSignInBody
	case "PATCH /v1/firewall":
		return maxPolicyBody
	case "POST /v1/directory/groups", "PATCH /v1/directory/groups/{id}":
		return maxGroupBody
	}
	return maxBody
}

// readBody reads the whole body within the limit, and resets it to be read again.
func readBody(w http.ResponseWriter, r *http.Request, limit int64) ([]byte, error) {
	body, err := httpkit.ReadBody(w, r, limit)
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return nil, &account.Error{
			Status: http.StatusRequestEntityTooLarge, Code: api.ErrorCodeTooLarge, Title: "The request is too large",
			Detail: fmt.Sprintf("the body is larger than %d bytes; send less in one request", limit),
		}
	}
	if err != nil {
		return nil, malformed("", "the body could not be read completely")
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	return body, nil
}

// checkBody validates a JSON document against the generated type that it will be
// decoded into. The decoder itself would ignore unknown members, match names
// case-insensitively and decode an absent member as zero. Each of these would hide a
// client's mistake, in a firewall rule for instance.
func checkBody(body []byte, t reflect.Type) error {
	c := checker{json.NewDecoder(bytes.NewReader(body)), body}
	c.UseNumber()
	if err := c.value(t, "", 0); err != nil {
		return err
	}
	if _, err := c.Token(); !errors.Is(err, io.EOF) {
		return malformed("", "the body has data after its JSON document; send one document")
	}
	return nil
}

// pointerEscape escapes a name for a JSON pointer (RFC 6901, section 3).
var pointerEscape = strings.NewReplacer("~", "~0", "/", "~1")

type checker struct {
	*json.Decoder
	body []byte
}

var (
	rawType  = reflect.TypeFor[json.RawMessage]()
	timeType = reflect.TypeFor[time.Time]()
)

// value checks the next value of the stream; at is its JSON pointer.
func (c checker) value(t reflect.Type, at string, depth int) error {
	if depth > maxBodyDepth {
		return malformed(at, "the body is nested more than %d levels deep", maxBodyDepth)
	}
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	if t == rawType || t.Kind() == reflect.Interface {
		var skipped json.RawMessage
		return c.syntax(c.Decode(&skipped), at)
	}
	token, err := c.Token()
	if err != nil {
		return c.syntax(err, at)
	}
	switch t.Kind() {
	case reflect.Struct:
		if t == timeType {
			return want[string](token, at, "a time")
		}
		if token != json.Delim('{') {
			return wrongType(token, at, "an object")
		}
		return c.object(t, at, depth)
	case reflect.Slice:
		if token != json.Delim('[') {
			return wrongType(token, at, "an array")
		}
		for i := 0; c.More(); i++ {
			if err := c.value(t.Elem(), at+"/"+strconv.Itoa(i), depth+1); err != nil {
				return err
			}
		}
		_, err := c.Token()
		return c.syntax(err, at)
	case reflect.String:
		if err := want[string](token, at, "a string"); err != nil {
			return err
		}
		return known(t, token.(string), at)
	case reflect.Bool:
		return want[bool](token, at, "a boolean")
	default: // the integers; the API has no fractions
		if err := want[json.Number](token, at, "an integer"); err != nil {
			return err
		}
		if _, err := token.(json.Number).Int64(); err != nil {
			return wrongType(token, at, "an integer")
		}
		return nil
	}
}

// object checks the members up to the closing brace.
func (c checker) object(t reflect.Type, at string, depth int) error {
	known := fields(t)
	var seen []string
	for c.More() {
		token, err := c.Token()
		if err != nil {
			return c.syntax(err, at)
		}
		name, _ := token.(string)
		inside := at + "/" + pointerEscape.Replace(name)
		i := slices.IndexFunc(known, func(f field) bool { return f.name == name })
		switch {
		case i < 0:
			return malformed(inside, "unknown member %q; known members: %s", name, names(t))
		case slices.Contains(seen, name):
			return malformed(inside, "the member %q is given twice", name)
		}
		seen = append(seen, name)
		if known[i].optional && c.null() {
			continue
		}
		if err := c.value(known[i].of, inside, depth+1); err != nil {
			return err
		}
	}
	if _, err := c.Token(); err != nil {
		return c.syntax(err, at)
	}
	for _, f := range known {
		if !f.optional && !slices.Contains(seen, f.name) {
			return malformed(at+"/"+f.name, "the member %q is missing", f.name)
		}
	}
	return nil
}

// null consumes the next value if it is null, which an optional member may be.
func (c checker) null() bool {
	rest := bytes.TrimLeft(c.body[c.InputOffset():], " \t\r\n:")
	if !bytes.HasPrefix(rest, []byte("null")) {
		return false
	}
	token, err := c.Token()
	return err == nil && token == nil
}

func (checker) syntax(err error, at string) error {
	if err == nil {
		return nil
	}
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return malformed(at, "the body ends before its JSON document does")
	}
	return malformed(at, "the body is not JSON: %v", err)
}

// known refuses a string that is not in the enumeration of its type.
func known(t reflect.Type, s, at string) error {
	v := reflect.New(t).Elem()
	v.SetString(s)
	if e, ok := v.Interface().(interface{ Valid() bool }); ok && !e.Valid() {
		return malformed(at, "%q is not one of the values in openapi.yaml", s)
	}
	return nil
}

func want[T any](token json.Token, at, what string) error {
	if _, ok := token.(T); !ok {
		return wrongType(token, at, what)
	}
	return nil
}

func wrongType(token json.Token, at, what string) error {
	got := "null"
	switch token := token.(type) {
	case json.Delim:
		got = map[json.Delim]string{'{': "an object", '[': "an array"}[token]
	case string:
		got = "a string"
	case json.Number:
		got = "the number " + token.String()
	case bool:
		got = "a boolean"
	}
	return malformed(at, "must be %s, not %s", what, got)
}

// A field describes one member of an object.
type field struct {
	name     string
	of       reflect.Type
	optional bool
}

// fields lists the members of an object; the types are few and fixed.
func fields(t reflect.Type) []field {
	if known, ok := knownFields.Load(t); ok {
		return known.([]field)
	}
	var all []field
	for f := range t.Fields() {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		all = append(all, field{name, f.Type, strings.Contains(options, "omitempty")})
	}
	knownFields.Store(t, all)
	return all
}

var knownFields sync.Map // reflect.Type to []field

func names(t reflect.Type) string {
	var all []string
	for _, f := range fields(t) {
		all = append(all, f.name)
	}
	return strings.Join(all, ", ")
}

func malformed(at, format string, args ...any) error {
	return &account.Error{
		Status: http.StatusBadRequest, Code: api.ErrorCodeMalformedRequest, Title: "The request is malformed",
		Detail: fmt.Sprintf(format, args...), Details: account.Details{Field: at},
	}
}
