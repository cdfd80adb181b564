package inputtext

import (
	"strings"
	"unicode"
)

// Line makes a text from outside safe for one line of a mail, a terminal or a
// page. Line breaks and tabs become spaces. Control characters, which drive a
// terminal, are removed, and so are the marks that turn the direction of writing,
// which can make an address read as another.
func Line(s string) string { return printable(s, false) }

// Lines is Line for a text that may have line breaks and tabs.
func Lines(s string) string { return printable(s, true) }

// Truncate returns the first most characters of s.
func Truncate(s string, most int) string {
	for i := range s {
		if most--; most < 0 {
			return s[:i]
		}
	}
	return s
}

func printable(s string, breaks bool) string {
	if !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' }) {
		return s // as almost all are
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			if breaks {
				return r
			}
			return ' '
		case r == '\r' || r == '\v' || r == '\f' || r == '\u0085' || r == '\u2028' || r == '\u2029':
			return ' '
		case r == '\u200c' || r == '\u200d': // join letters and emoji; harmless, and names need them
			return r
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), unicode.Is(unicode.Co, r):
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}

// ShortLine is Line for a text of any length: of a long one its beginning, and
// an ellipsis, in at most limit bytes.
func ShortLine(s string, limit int) string {
	const most = 4 // times as long a text may be that comes to limit bytes: the rest is not even read
	if len(s) > most*limit {
		s = s[:most*limit]
	}
	s = Line(s)
	if len(s) <= limit {
		return s
	}
	const ellipsis = "…"
	return strings.ToValidUTF8(s[:limit-len(ellipsis)], "") + ellipsis
}
