// Package secret holds values that cannot print themselves: whatever formats,
// logs or encodes them gets "[redacted]".
//
// It guards against accidents, not against code that means to look: Reveal is
// the only way to the text, so that a search for it finds every place where a
// secret is used. It leaves encryption and storage to others.
package secret

import (
	"crypto/sha256"
	"crypto/subtle"
	"fmt"
	"io"
)

// Redacted is what stands in a secret's place.
const Redacted = "[redacted]"

// A String is a secret text. The zero value is an empty secret.
//
// The text is behind a pointer because fmt does not call the methods of a
// value that sits in an unexported field: it walks into it, and there finds an
// address instead of the text.
type String struct{ text *string }

// New makes text a secret.
func New(text string) String {
	if text == "" {
		return String{}
	}
	return String{text: &text}
}

// Reveal returns the text.
func (s String) Reveal() string {
	if s.text == nil {
		return ""
	}
	return *s.text
}

// IsZero reports whether the secret is empty.
func (s String) IsZero() bool { return s.text == nil }

// Equal compares in a time that does not depend on the texts.
func (s String) Equal(t String) bool {
	a, b := sha256.Sum256([]byte(s.Reveal())), sha256.Sum256([]byte(t.Reveal()))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1
}

// Format writes Redacted under every verb, %#v and %x included.
func (String) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

// String returns Redacted, for callers that do not use fmt.
func (String) String() string { return Redacted }

// MarshalText returns Redacted. JSON, XML, slog and hclog's JSON all use it.
func (String) MarshalText() ([]byte, error) { return []byte(Redacted), nil }
