package inputtext

import (
	"regexp"
	"strings"
)

// The forms of this program's secrets: the bearer token, the account's admin token, and the token of a session with
// the account. A part of one matches too.
var (
	bearerShape  = regexp.MustCompile(`sbt1_[A-Za-z0-9_-]*`)
	accountShape = regexp.MustCompile(`sb[as]_[A-Za-z0-9_-]*`)
)

// Scrub replaces everything in text that has the form of a token of this program, for
// messages that may quote input.
func Scrub(text string) string {
	if !strings.Contains(text, "sb") {
		return text
	}
	text = bearerShape.ReplaceAllString(text, "[redacted]")
	return accountShape.ReplaceAllStringFunc(text, func(found string) string {
		if len(found) < 20 { // a word such as sba_, in documentation
			return found
		}
		return "[redacted]"
	})
}

// IsWord reports whether s has the form of an id of ours, or is too short, and has too few kinds of characters, for a
// secret that was put in the place of an id.
func IsWord(s string) bool { return IsOwnID(s) || words.MatchString(s) && Scrub(s) == s }

var words = regexp.MustCompile(`^[a-z0-9-]{1,20}$`)
