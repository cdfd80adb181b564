package session

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A MistakeError is the error for a setting that is neither a session nor the name of
// a file with one. It never quotes the value, which is usually a secret.
type MistakeError struct {
	Setting string // its name
	Mistake string // what the value is, and the remedy
}

func (e *MistakeError) Error() string { return fmt.Sprintf("%s is %s", e.Setting, e.Mistake) }

// Is makes every mistake an ErrUnreadable.
func (e *MistakeError) Is(target error) bool { return target == ErrUnreadable }

// adminShape is the form of the account's admin token, and of the token of a session with the account. A part of one
// matches too.
var adminShape = regexp.MustCompile(`sb[as]_[A-Za-z0-9_-]*`)

// Scrub replaces everything in text that has the form of a token of this program, for
// messages that may quote input.
func Scrub(text string) string { return inputtext.Scrub(text) }

// Sealed returns the sealed text in value, plain or encoded in base64 as for the
// vendor's image.
func Sealed(value string) (text string, ok bool) {
	value = strings.TrimSpace(value)
	if isSealed(value) {
		return value, true
	}
	if decoded, ok := fromBase64(value); ok && isSealed(strings.TrimSpace(decoded)) {
		return strings.TrimSpace(decoded), true
	}
	return "", false
}

// isSealed reports whether text begins like a session, and not like another kind of
// text with the same beginning. A damaged session counts; Parse reports its fault.
func isSealed(text string) bool {
	head, rest, dotted := strings.Cut(text, ".")
	if !strings.HasPrefix(text, "eyJ") {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || !json.Valid(raw) {
		return dotted || !looksLikeBase64JSON(text) // truncated within the header
	}
	var h struct{ Typ string }
	_ = json.Unmarshal(raw, &h)
	return h.Typ == contentType || strings.Count(rest, ".") >= 3
}

func looksLikeBase64JSON(text string) bool {
	decoded, ok := fromBase64(text)
	return ok && json.Valid([]byte(decoded))
}

// Mistake describes a value that is neither a session nor the name of a file with one,
// with the remedy. It returns "" for a session and for a possible file name.
func Mistake(value string) string {
	value = strings.TrimSpace(value)
	if _, sealed := Sealed(value); sealed {
		return ""
	}
	switch inner, quoted := unquote(value); {
	case quoted && Mistake(inner) != "":
		return "in quotes, and " + Mistake(inner)
	case quoted:
		return "a value in quotes: write it without them"
	case strings.Contains(value, tokenPrefix):
		return "a bearer token, not a session: a session begins with eyJ, " +
			"and the account or `terraform apply` has it; the token is for the identity provider and to unseal the " +
			"bridge (`scim-bridge unseal`, --unseal-token-file). If a log or a command line shows the token, replace it"
	case adminShape.MatchString(value):
		return "a token of the account, not a session: a session begins with eyJ, " +
			"and the account or `terraform apply` has it"
	case strings.HasPrefix(value, "OP_SESSION=") || strings.HasPrefix(value, "SCIMBRIDGE_SESSION="):
		return "an assignment with its own name: write only the value"
	case strings.HasPrefix(value, "op://") || strings.HasPrefix(value, "${") || strings.HasPrefix(value, "$("):
		return "an unresolved reference: write the session itself, or the name of a file with it"
	case strings.HasPrefix(value, "-----BEGIN "):
		return "a key or a certificate in PEM form, not a session, which begins with eyJ"
	case strings.Contains(value, "://"):
		return "a URL: write the session itself, or the name of a file with it"
	case strings.HasPrefix(value, "{") || strings.HasPrefix(value, "["):
		return jsonMistake(value, "JSON")
	case isJWT(value):
		return "a signed token (JWT), such as the vendor's bearer token, not a session of scim-bridge: create " +
			"one with `terraform apply`"
	}
	return encodedMistake(value)
}

// encodedMistake describes a value in base64.
func encodedMistake(value string) string {
	decoded, ok := fromBase64(value)
	if !ok {
		if strings.ContainsAny(value, "\r\n") {
			return "several lines that are not a session: write the sealed text unchanged, " +
				"or the name of a file with it"
		}
		if len(value) > 255 && !strings.Contains(value, "/") {
			return "a long text that is neither a session nor the name of a file: a session begins with eyJ"
		}
		return ""
	}
	decoded = strings.TrimSpace(decoded)
	if _, sealed := Sealed(decoded); sealed {
		return "a session that was encoded in base64 twice: encode it once, or not at all"
	}
	switch {
	case strings.HasPrefix(decoded, "{"):
		return jsonMistake(decoded, "JSON in base64")
	case strings.HasPrefix(decoded, tokenPrefix):
		return "a bearer token in base64, not a session: a session begins with eyJ, " +
			"and the account or `terraform apply` has it"
	case Mistake(decoded) != "":
		return "base64 of " + Mistake(decoded)
	case len(value) >= 64 && !strings.Contains(value, "/"):
		return "base64 of a text that is not a session: a session begins with eyJ"
	}
	return ""
}

// jsonMistake distinguishes the vendor's session file, which is JSON, from other JSON.
func jsonMistake(text, what string) string {
	for _, member := range []string{`"verifier"`, `"encCredentials"`, `"deviceUuid"`} {
		if strings.Contains(text, member) {
			return "the scimsession of the vendor's bridge, which only that bridge can open: remove the setting, " +
				"and create a session for this bridge with `terraform apply`"
		}
	}
	return what + ", not a session: a session is one line that begins with eyJ and has five parts separated by " +
		"dots; the vendor's scimsession cannot be used here"
}

// isJWT reports whether text is a compact JWS: three parts, the first a JSON
// object that names an algorithm and no encryption.
func isJWT(text string) bool {
	head, rest, _ := strings.Cut(text, ".")
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || strings.Count(rest, ".") != 1 {
		return false
	}
	var h struct{ Alg, Enc string }
	return json.Unmarshal(raw, &h) == nil && h.Alg != "" && h.Enc == ""
}

// unquote removes quotes that a shell or an .env file left: a pair of them, or a single
// one.
func unquote(text string) (inner string, quoted bool) {
	const quotes = "\"'`“”‘’"
	inner = strings.Trim(text, quotes)
	return inner, inner != text
}

// fromBase64 decodes either alphabet, with or without padding and line breaks. The
// result must be text, since file names are often valid base64 by accident.
func fromBase64(text string) (string, bool) {
	text = strings.Join(strings.Fields(text), "")
	text = strings.NewReplacer("+", "-", "/", "_").Replace(strings.TrimRight(text, "="))
	raw, err := base64.RawURLEncoding.DecodeString(text)
	if err != nil || len(raw) < 16 || bytes.ContainsFunc(raw,
		func(r rune) bool { return r == '�' || r < ' ' && r != '\n' && r != '\r' && r != '\t' }) {
		return "", false
	}
	return string(raw), true
}
