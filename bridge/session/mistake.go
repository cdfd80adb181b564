package session

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
)

// A MistakeError means that a setting holds something other than a session or
// the name of a file with one. It never repeats the text: what people put
// there by mistake is a secret more often than not.
type MistakeError struct {
	Setting string // its name, as the operator wrote it
	Mistake string // what it holds, and what to do
}

func (e *MistakeError) Error() string { return fmt.Sprintf("%s holds %s", e.Setting, e.Mistake) }

// Is makes every mistake an ErrUnreadable.
func (e *MistakeError) Is(target error) bool { return target == ErrUnreadable }

// The shapes of secrets that this program makes: the bearer token, an admin
// token of the account, the token of a session with the account. A piece of
// one counts, because a piece is a secret, too.
var (
	tokenShape = regexp.MustCompile(`sbt1_[A-Za-z0-9_-]*`)
	adminShape = regexp.MustCompile(`sb[as]_[A-Za-z0-9_-]*`)
)

// Scrub replaces everything in text that has the shape of a token of this
// program, for messages that may quote input.
func Scrub(text string) string {
	if !strings.Contains(text, "sb") {
		return text
	}
	text = tokenShape.ReplaceAllString(text, "[redacted]")
	return adminShape.ReplaceAllStringFunc(text, func(found string) string {
		if len(found) < 20 { // a word such as sba_, in documentation
			return found
		}
		return "[redacted]"
	})
}

// Sealed returns the sealed text that value holds, itself or once more in
// base64, as the vendor's image takes it.
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

// isSealed reports whether text begins as a session does and is not something
// else that begins so. A damaged session counts: Parse says what is wrong.
func isSealed(text string) bool {
	head, rest, dotted := strings.Cut(text, ".")
	if !strings.HasPrefix(text, "eyJ") {
		return false
	}
	raw, err := base64.RawURLEncoding.DecodeString(head)
	if err != nil || !json.Valid(raw) {
		return dotted || !looksLikeBase64JSON(text) // cut within the header
	}
	var h struct{ Typ string }
	_ = json.Unmarshal(raw, &h)
	return h.Typ == contentType || strings.Count(rest, ".") >= 3
}

func looksLikeBase64JSON(text string) bool {
	decoded, ok := fromBase64(text)
	return ok && json.Valid([]byte(decoded))
}

// Mistake names what value seems to be, given where a session or the name of a
// file with one is expected, and says what to do; "" if it is a
// session or may be a file's name.
func Mistake(value string) string {
	value = strings.TrimSpace(value)
	if _, sealed := Sealed(value); sealed {
		return ""
	}
	switch inner, quoted := unquote(value); {
	case quoted && Mistake(inner) != "":
		return "in quotes, " + Mistake(inner)
	case quoted:
		return "a value in quotes: write it without them"
	case strings.Contains(value, tokenPrefix):
		return "a bearer token, and not a session: a session begins with eyJ, and `terraform apply` or the account " +
			"has it; the token is for the identity provider, and opens the bridge when it is shown to it " +
			"(`scim-bridge unseal`, --unseal-token-file). If a log or a command line shows the token, make a new one"
	case adminShape.MatchString(value):
		return "a token of the account, and not a session: a session begins with eyJ, and `terraform apply` or the " +
			"account has it"
	case strings.HasPrefix(value, "OP_SESSION=") || strings.HasPrefix(value, "SCIMBRIDGE_SESSION="):
		return "its own name once more: write the value alone"
	case strings.HasPrefix(value, "op://") || strings.HasPrefix(value, "${") || strings.HasPrefix(value, "$("):
		return "a reference that nothing has resolved: give the session itself, or the name of a file with it"
	case strings.HasPrefix(value, "-----BEGIN "):
		return "a key or a certificate in PEM, and not a session, which begins with eyJ"
	case strings.Contains(value, "://"):
		return "a URL: give the session itself, or the name of a file with it"
	case strings.HasPrefix(value, "{") || strings.HasPrefix(value, "["):
		return jsonMistake(value, "JSON")
	case isJWT(value):
		return "a signed token (JWT), as the vendor's bearer token is one, and not a session of scim-bridge: make " +
			"one by `terraform apply`"
	}
	return encodedMistake(value)
}

// encodedMistake looks below base64.
func encodedMistake(value string) string {
	decoded, ok := fromBase64(value)
	if !ok {
		if strings.ContainsAny(value, "\r\n") {
			return "several lines that are no session: give the sealed text as it is, or the name of a file with it"
		}
		if len(value) > 255 && !strings.Contains(value, "/") {
			return "a long text that is no session, and too long for the name of a file: a session begins with eyJ"
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
		return "a bearer token in base64, and not a session: a session begins with eyJ, and `terraform apply` or the " +
			"account has it"
	case Mistake(decoded) != "":
		return "base64 of " + Mistake(decoded)
	case len(value) >= 64 && !strings.Contains(value, "/"):
		return "base64 of something that is no session: a session begins with eyJ"
	}
	return ""
}

// jsonMistake tells the vendor's session file, which is JSON, from other JSON.
func jsonMistake(text, what string) string {
	for _, member := range []string{`"verifier"`, `"encCredentials"`, `"deviceUuid"`} {
		if strings.Contains(text, member) {
			return "the scimsession of the vendor's own bridge, which only that bridge can open: remove the setting, " +
				"and let `terraform apply` make a session of the account that this bridge serves"
		}
	}
	return what + ", and not a session: a session is one line that begins with eyJ and has five parts with dots " +
		"between them; the vendor's scimsession is of no use here"
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

// unquote takes quotes off, as shells and .env files leave them on: a pair of
// them, or one that was left alone.
func unquote(text string) (inner string, quoted bool) {
	const quotes = "\"'`“”‘’"
	inner = strings.Trim(text, quotes)
	return inner, inner != text
}

// fromBase64 decodes either alphabet, padded or not, with line breaks or
// without. What comes out must be text: names of files are often base64 by accident.
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
