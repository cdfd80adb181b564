// Package jsontext writes and takes apart JSON without building values of it:
// documents travel between store, account and bridge as they are served, and
// to decode and encode each of them again would cost more than all else.
//
// It owns the bytes between the quotes and brackets. What they mean, and
// whether a document of doubtful origin is valid, is encoding/json's business:
// the readers here are for what our own side wrote.
package jsontext

import (
	"bytes"
	"encoding/json"
	"errors"
	"time"
	"unicode/utf8"
)

// AppendString appends s as a JSON string.
func AppendString(b []byte, s string) []byte {
	ascii := true
	for i := range len(s) {
		switch c := s[i]; {
		case c < 0x20, c == '"', c == '\\':
			return appendEscaped(b, s)
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if !ascii && !utf8.ValidString(s) {
		return appendEscaped(b, s)
	}
	b = append(b, '"')
	b = append(b, s...)
	return append(b, '"')
}

func appendEscaped(b []byte, s string) []byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // a string always has a JSON form
	}
	return append(b, text...)
}

// AppendTime appends t as RFC 3339 has it.
func AppendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.AppendFormat(b, time.RFC3339Nano)
	return append(b, '"')
}

var (
	errCut  = errors.New("the JSON text ends too early")
	errForm = errors.New("the JSON text has another form than it should")
)

// Members calls do with the name and the text of each member of an object,
// null included.
func Members(object []byte, do func(name, value []byte) error) error {
	return each(object, '{', '}', func(rest []byte) ([]byte, error) {
		name, rest, err := next(rest)
		if err != nil {
			return nil, err
		}
		if name, err = unquoted(name); err != nil {
			return nil, err
		}
		rest = space(rest)
		if len(rest) == 0 || rest[0] != ':' {
			return nil, errForm
		}
		value, rest, err := next(rest[1:])
		if err != nil {
			return nil, err
		}
		return rest, do(name, value)
	})
}

// Elements calls do with the text of each element of an array; null has none.
func Elements(array []byte, do func(value []byte) error) error {
	if IsNull(array) {
		return nil
	}
	return each(array, '[', ']', func(rest []byte) ([]byte, error) {
		value, rest, err := next(rest)
		if err != nil {
			return nil, err
		}
		return rest, do(value)
	})
}

// each takes what stands between two brackets, apart by commas.
func each(text []byte, open, end byte, one func(rest []byte) ([]byte, error)) error {
	rest := space(text)
	if len(rest) == 0 || rest[0] != open {
		return errForm
	}
	rest = space(rest[1:])
	if len(rest) > 0 && rest[0] == end {
		return nil
	}
	for {
		var err error
		if rest, err = one(rest); err != nil {
			return err
		}
		rest = space(rest)
		switch {
		case len(rest) == 0:
			return errCut
		case rest[0] == end:
			return nil
		case rest[0] != ',':
			return errForm
		}
		rest = rest[1:]
	}
}

// IsNull says that the value is null.
func IsNull(value []byte) bool { return string(value) == "null" }

// String reads a string; null is empty.
func String(value []byte) (string, error) {
	text, err := unquoted(value)
	return string(text), err
}

func unquoted(value []byte) ([]byte, error) {
	if n := len(value); n >= 2 && value[0] == '"' && bytes.IndexByte(value, '\\') < 0 && utf8.Valid(value) {
		return value[1 : n-1], nil
	}
	var s string
	err := json.Unmarshal(value, &s)
	return []byte(s), err
}

// next splits the first value off.
func next(text []byte) (value, rest []byte, err error) {
	text = space(text)
	if len(text) == 0 {
		return nil, nil, errCut
	}
	var end int
	switch text[0] {
	case '"':
		end = quoted(text)
	case '{', '[':
		end = bracketed(text)
	default:
		end = bytes.IndexAny(text, ",]} \t\r\n")
		if end < 0 {
			end = len(text)
		}
	}
	switch {
	case end < 0:
		return nil, nil, errCut
	case end == 0:
		return nil, nil, errForm
	}
	return text[:end:end], text[end:], nil
}

// quoted returns the length of the string that text begins with, or -1.
func quoted(text []byte) int {
	for i := 1; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return -1
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

func space(text []byte) []byte {
	for len(text) > 0 && (text[0] == ' ' || text[0] == '\t' || text[0] == '\n' || text[0] == '\r') {
		text = text[1:]
	}
	return text
}
