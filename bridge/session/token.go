package session

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"unicode"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
)

const (
	tokenPrefix    = "sbt1_"
	tokenSize      = 32 // random bytes
	checksumSize   = 4  // bytes
	tokenTextSize  = len(tokenPrefix) + (tokenSize+checksumSize)*4/3
	fingerprintLen = 43 // SHA-256 in base64url without padding
)

// ErrMalformedToken means that a text is not a bearer token at all, as opposed to
// a wrong one: something else was pasted, or a part of it.
var ErrMalformedToken = errors.New("this is not a bearer token of scim-bridge")

// A Token is the bearer token: what the identity provider shows with every
// request, and what opens the session. It prints as "[redacted]". The zero
// Token is none; it opens nothing.
type Token struct{ random secret.String }

// NewToken makes a token.
func NewToken() (Token, error) {
	var random [tokenSize]byte
	if _, err := rand.Read(random[:]); err != nil {
		return Token{}, fmt.Errorf("make a token: %w", err)
	}
	return Token{secret.New(string(random[:]))}, nil
}

// Pasted returns a pasted token without what comes along from pages, mails and
// terminals: blanks, ends of lines, characters without width.
func Pasted(text string) string {
	return strings.TrimFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) // formatting: U+FEFF, U+200B and their like
	})
}

// ParseToken reads the text of a token. Anything that NewToken cannot have
// made is ErrMalformedToken; the error never repeats the text.
//
// The checksum is not there for security: with it, a token with a typing
// error is told from a wrong one, and only the latter is an alarm.
func ParseToken(text string) (Token, error) {
	if !strings.HasPrefix(text, tokenPrefix) {
		return Token{}, fmt.Errorf("%w: it must begin with %s", ErrMalformedToken, tokenPrefix)
	}
	if len(text) != tokenTextSize {
		return Token{}, fmt.Errorf("%w: it has %d characters and must have %d", ErrMalformedToken, len(text),
			tokenTextSize)
	}
	b, err := decodeBase64(text[len(tokenPrefix):])
	if err != nil {
		return Token{}, fmt.Errorf("%w: a character is not of base64url", ErrMalformedToken)
	}
	random, sum := b[:tokenSize], b[tokenSize:]
	if subtle.ConstantTimeCompare(sum, checksum(random)) != 1 {
		return Token{}, fmt.Errorf("%w: the checksum is wrong, so a character is", ErrMalformedToken)
	}
	return Token{secret.New(string(random))}, nil
}

// Reveal returns the token's text, or "" for the zero Token.
func (t Token) Reveal() string {
	if t.IsZero() {
		return ""
	}
	random := t.bytes()
	return tokenPrefix + base64.RawURLEncoding.EncodeToString(append(random, checksum(random)...))
}

// IsZero reports whether there is no token.
func (t Token) IsZero() bool { return t.random.IsZero() }

// Equal compares in a time that does not depend on the tokens.
func (t Token) Equal(u Token) bool { return t.random.Equal(u.random) }

// Format writes "[redacted]" under every verb. (fmt would not call that of the
// field, which is unexported.)
func (t Token) Format(f fmt.State, verb rune) { t.random.Format(f, verb) }

// MarshalText returns "[redacted]", for encodings and loggers.
func (t Token) MarshalText() ([]byte, error) { return t.random.MarshalText() }

// Fingerprint names the token without giving it away: of 256 random bits,
// nothing can be guessed from a hash. It is a SHA-256 under a label of its
// own, in base64url without padding.
func (t Token) Fingerprint() string {
	sum := sha256.Sum256(append([]byte("scimbridge/token/fingerprint/v1\x00"), t.bytes()...))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sessionKey makes the key of the session that has this salt in its header.
func (t Token) sessionKey(salt []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, t.bytes(), salt, "scimbridge/session/key/v1", 32)
}

func (t Token) bytes() []byte { return []byte(t.random.Reveal()) }

func checksum(random []byte) []byte {
	sum := sha256.Sum256(append([]byte("scimbridge/token/checksum/v1\x00"), random...))
	return sum[:checksumSize]
}

// decodeBase64 reads base64url without padding, one text for each value: the
// standard decoder skips line breaks, and, unless strict, spare bits.
func decodeBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break within base64url")
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}
