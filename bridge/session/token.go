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

// TokenLength is the length of a token's text in bytes.
const TokenLength = len(tokenPrefix) + (tokenSize+checksumSize)*4/3

const (
	tokenPrefix    = "sbt1_"
	tokenSize      = 32 // random bytes
	checksumSize   = 4  // bytes
	fingerprintLen = 43 // SHA-256 in base64url without padding
)

// ErrMalformedToken is the error for a text that is not a bearer token, as opposed to a
// wrong token.
var ErrMalformedToken = errors.New("this is not a bearer token of scim-bridge")

// A Token is a bearer token, which the identity provider sends with every request and
// which opens the session. It prints as "[redacted]". The zero Token is no token.
type Token struct{ random secret.String }

// NewToken generates a token.
func NewToken() (Token, error) {
	var random [tokenSize]byte
	if _, err := rand.Read(random[:]); err != nil {
		return Token{}, fmt.Errorf("make a token: %w", err)
	}
	return Token{secret.New(string(random[:]))}, nil
}

// Pasted removes characters that are often pasted with a token from pages, mails and
// terminals: spaces, line ends and zero-width characters.
func Pasted(text string) string {
	return strings.TrimFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.Is(unicode.Cf, r) // formatting: U+FEFF, U+200B and their like
	})
}

// ParseToken parses a token. A text that is not one is ErrMalformedToken, which never
// quotes the text.
//
// The checksum is not for security. It distinguishes a token with a typing error from a
// wrong one, which raises an alarm.
func ParseToken(text string) (Token, error) {
	if !strings.HasPrefix(text, tokenPrefix) {
		return Token{}, fmt.Errorf("%w: it must begin with %s", ErrMalformedToken, tokenPrefix)
	}
	if len(text) != TokenLength {
		return Token{}, fmt.Errorf("%w: it has %d characters and must have %d", ErrMalformedToken, len(text),
			TokenLength)
	}
	b, err := decodeBase64(text[len(tokenPrefix):])
	if err != nil {
		return Token{}, fmt.Errorf("%w: a character is not in base64url", ErrMalformedToken)
	}
	random, sum := b[:tokenSize], b[tokenSize:]
	if subtle.ConstantTimeCompare(sum, checksum(random)) != 1 {
		return Token{}, fmt.Errorf("%w: the checksum does not match, so a character is wrong or missing",
			ErrMalformedToken)
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

// Equal compares in constant time.
func (t Token) Equal(u Token) bool { return t.random.Equal(u.random) }

// Format writes "[redacted]" for every verb. (fmt does not call Format of the unexported
// field.)
func (t Token) Format(f fmt.State, verb rune) { t.random.Format(f, verb) }

// MarshalText returns "[redacted]", for encodings and loggers.
func (t Token) MarshalText() ([]byte, error) { return t.random.MarshalText() }

// Fingerprint identifies the token without revealing it: 256 random bits cannot be guessed
// from a hash. It is a SHA-256 under its own label, in base64url without padding.
func (t Token) Fingerprint() string {
	sum := sha256.Sum256(append([]byte("scimbridge/token/fingerprint/v1\x00"), t.bytes()...))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// sessionKey derives the key of the session with this salt.
func (t Token) sessionKey(salt []byte) ([]byte, error) {
	return hkdf.Key(sha256.New, t.bytes(), salt, "scimbridge/session/key/v1", 32)
}

// CookieKey derives the key, of 32 bytes, for the cookies of a bridge's page: it is the same wherever t opens this
// session.
func (e Entry) CookieKey(t Token) ([]byte, error) {
	return hkdf.Key(sha256.New, t.bytes(), e.salt, "scimbridge/session/cookie/v1", 32)
}

func (t Token) bytes() []byte { return []byte(t.random.Reveal()) }

func checksum(random []byte) []byte {
	sum := sha256.Sum256(append([]byte("scimbridge/token/checksum/v1\x00"), random...))
	return sum[:checksumSize]
}

// decodeBase64 decodes base64url without padding, with only one valid text for each value:
// the standard decoder ignores line breaks and, unless strict, spare bits.
func decodeBase64(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break within base64url")
	}
	return base64.RawURLEncoding.Strict().DecodeString(s)
}
