package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"time"
	"unicode/utf8"
)

// A Reader takes a JSON text apart from its beginning to its end, each byte
// once. Its first fault stays with it: what is read afterwards is empty.
type Reader struct {
	rest   []byte
	err    error
	shared map[string]string
}

// NewReader reads text, and hands out parts of it that are not to be changed.
func NewReader(text []byte) *Reader { return &Reader{rest: text} }

var (
	errCut  = errors.New("the JSON text ends too early")
	errForm = errors.New("the JSON text has another form than it should")
)

// Err is the first fault, the caller's included.
func (r *Reader) Err() error { return r.err }

// Fail makes err the fault, unless there is one already.
func (r *Reader) Fail(err error) {
	if r.err == nil {
		r.err = err
	}
}

// Object calls member with the name of each member of an object. It reads the
// value, or leaves it unread.
func (r *Reader) Object(member func(name []byte)) {
	r.enclosed('{', '}', func() {
		name := unquoted(r, r.Raw())
		if !r.take(':') {
			r.Fail(errForm)
			return
		}
		at := len(r.rest)
		if member(name); len(r.rest) == at {
			r.Raw()
		}
	})
}

// Array calls element before each element of an array, which it reads or
// leaves unread; null has none.
func (r *Reader) Array(element func()) {
	if bytes.HasPrefix(r.space(), []byte("null")) {
		r.Raw()
		return
	}
	r.enclosed('[', ']', func() {
		at := len(r.space())
		if element(); len(r.rest) == at {
			r.Raw()
		}
	})
}

// enclosed calls one for each of the items between two brackets, which are
// separated by commas.
func (r *Reader) enclosed(open, end byte, one func()) {
	if !r.take(open) {
		r.Fail(errForm)
		return
	}
	if r.take(end) {
		return
	}
	for r.err == nil {
		one()
		switch {
		case r.take(end):
			return
		case !r.take(','):
			r.Fail(errForm)
		}
	}
}

// take consumes c if it comes next, and reports whether it did.
func (r *Reader) take(c byte) bool {
	text := r.space()
	if r.err != nil || len(text) == 0 || text[0] != c {
		return false
	}
	r.rest = text[1:]
	return true
}

// space skips white space and returns what follows.
func (r *Reader) space() []byte {
	for len(r.rest) > 0 && (r.rest[0] == ' ' || r.rest[0] == '\t' || r.rest[0] == '\n' || r.rest[0] == '\r') {
		r.rest = r.rest[1:]
	}
	return r.rest
}

// Raw reads a value of any kind, as it stands.
func (r *Reader) Raw() []byte {
	text := r.space()
	if r.err != nil || len(text) == 0 {
		r.Fail(errCut)
		return nil
	}
	var end int
	switch text[0] {
	case '"':
		end = quoted(text)
	case '{', '[':
		end = bracketed(text)
	default:
		if end = bytes.IndexAny(text, ",]} \t\r\n"); end < 0 {
			end = len(text)
		}
	}
	switch {
	case end < 0:
		r.Fail(errCut)
		return nil
	case end == 0:
		r.Fail(errForm)
		return nil
	}
	r.rest = text[end:]
	return text[:end:end]
}

// Value reads a value of any kind into what encoding/json makes of it, with numbers as a json.Number.
func (r *Reader) Value() any {
	text := r.space()
	if len(text) == 0 {
		r.Fail(errCut)
		return nil
	}
	switch text[0] {
	case '{':
		object := make(map[string]any)
		r.Object(func(name []byte) {
			key := string(name)
			object[key] = r.Value()
		})
		return object
	case '[':
		array := []any{}
		r.Array(func() { array = append(array, r.Value()) })
		return array
	case '"':
		return r.String()
	}
	switch word := r.Raw(); string(word) {
	case "null":
		return nil
	case "true", "false":
		return len(word) == len("true")
	default:
		return json.Number(word)
	}
}

// String reads a string; null is empty.
func (r *Reader) String() string { return string(unquoted(r, r.Raw())) }

// Shared reads a string of which the text has many that are equal: they are one.
func (r *Reader) Shared() string {
	text := unquoted(r, r.Raw())
	s, there := r.shared[string(text)]
	if !there {
		if r.shared == nil {
			r.shared = make(map[string]string)
		}
		s = string(text)
		r.shared[s] = s
	}
	return s
}

// Time reads a time as RFC 3339 has it.
func (r *Reader) Time() (at time.Time) {
	if text := unquoted(r, r.Raw()); r.err == nil {
		r.err = at.UnmarshalText(text)
	}
	return at
}

// Bool reads true or false.
func (r *Reader) Bool() bool { return parsed(r, strconv.ParseBool) }

// Int reads a whole number.
func (r *Reader) Int() int64 {
	return parsed(r, func(s string) (int64, error) { return strconv.ParseInt(s, 10, 64) })
}

func parsed[T any](r *Reader, parse func(string) (T, error)) (value T) {
	if text := r.Raw(); r.err == nil {
		value, r.err = parse(string(text))
	}
	return value
}

// IsNull reports whether the value is null.
func IsNull(value []byte) bool { return string(value) == "null" }

func unquoted(r *Reader, value []byte) []byte {
	if r.err != nil {
		return nil
	}
	if n := len(value); n >= 2 && value[0] == '"' && utf8.Valid(value) {
		text := value[1 : n-1]
		if bytes.IndexByte(text, '\\') < 0 {
			return text
		}
		if text, ok := unescaped(text); ok {
			return text
		}
	}
	var s string
	r.err = json.Unmarshal(value, &s)
	return []byte(s)
}

// unescaped takes the backslashes before quotes and backslashes away, which
// is all that an ETag needs; ok is false if others are there.
func unescaped(text []byte) (plain []byte, ok bool) {
	plain = make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' {
			if i++; i == len(text) || text[i] != '"' && text[i] != '\\' {
				return nil, false
			}
		}
		plain = append(plain, text[i])
	}
	return plain, true
}

// quoted returns the length of the string that text begins with, or -1.
func quoted(text []byte) int {
	for end := 1; ; end++ {
		n := bytes.IndexByte(text[end:], '"')
		if n < 0 {
			return -1
		}
		end += n
		escapes := 0
		for text[end-1-escapes] == '\\' {
			escapes++
		}
		if escapes%2 == 0 {
			return end + 1
		}
	}
}

// bracketed returns the length of the object or array that text begins with,
// or -1.
func bracketed(text []byte) int {
	depth := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '"':
			n := quoted(text[i:])
			if n < 0 {
				return -1
			}
			i += n - 1
		case '{', '[':
			depth++
		case '}', ']':
			if depth--; depth == 0 {
				return i + 1
			}
		}
	}
	return -1
}
