// Package jsontext writes and takes apart JSON without building values of it:
// documents travel between store, account and bridge as they are served, and
// to decode and encode each of them again would cost more than all else.
//
// It owns the bytes between the quotes and brackets. What they mean, and
// whether a document of doubtful origin is valid, is left to encoding/json:
// the readers here are for documents that this program wrote.
package jsontext

import (
	"encoding/json"
	"time"
	"unicode/utf8"
)

// AppendString appends s as a JSON string.
func AppendString(b []byte, s string) []byte {
	ascii, plain := true, true
	for i := range len(s) {
		switch c := s[i]; {
		case c < 0x20:
			return appendEscaped(b, s)
		case c == '"', c == '\\':
			plain = false
		case c >= utf8.RuneSelf:
			ascii = false
		}
	}
	if !ascii && !utf8.ValidString(s) {
		return appendEscaped(b, s)
	}
	b = append(b, '"')
	if plain {
		b = append(b, s...)
	} else {
		for i := range len(s) { // ETags, for the most part
			if s[i] == '"' || s[i] == '\\' {
				b = append(b, '\\')
			}
			b = append(b, s[i])
		}
	}
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
