// Package inputtext owns what is done to texts from outside before they are
// compared or shown: blanks around them go, what would drive a terminal or turn
// a text around is taken out, and lists of them are quoted and cut to a length
// that a person reads.
package inputtext

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
)

// TrimBlanks returns s without the blanks around it, those of Unicode and the
// invisible ones included: people paste no-break and zero-width spaces from
// tables and web pages.
func TrimBlanks(s string) string { return strings.TrimFunc(s, isBlank) }

// TrimBlanksLeft returns s without the blanks before it.
func TrimBlanksLeft(s string) string { return strings.TrimLeftFunc(s, isBlank) }

// TrimBlanksRight returns s without the blanks behind it.
func TrimBlanksRight(s string) string { return strings.TrimRightFunc(s, isBlank) }

func isBlank(r rune) bool {
	switch r {
	case '\u180e', // Mongolian vowel separator, a space until Unicode 6.3
		'\u200b', // zero width space
		'\u2060', // word joiner
		'\u2800', // Braille blank
		'\u3164', // Hangul filler
		'\ufeff': // zero width no-break space, the byte order mark
		return true
	}
	return unicode.IsSpace(r)
}

// The bounds of a list that a person reads.
const (
	mostShown   = 5
	longestText = 64 // bytes
)

// QuoteSome quotes the first of some texts and counts the others: a client may
// send a hundred thousand, of any length, with control characters in them.
func QuoteSome(texts []string) string {
	quoted := make([]string, 0, mostShown)
	for _, text := range texts[:min(len(texts), mostShown)] {
		if len(text) > longestText {
			text = strings.ToValidUTF8(text[:longestText], "") + "…"
		}
		quoted = append(quoted, strconv.QuoteToGraphic(text))
	}
	list := strings.Join(quoted, ", ")
	if more := len(texts) - len(quoted); more > 0 {
		list += fmt.Sprintf(" and %d more", more)
	}
	return list
}
