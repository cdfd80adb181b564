package inputtext

import (
	"strings"
	"testing"
)

func TestTrimBlanks(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, in, want string }{
		{"spaces and line ends", " \t\r\nann lee \n", "ann lee"},
		{"no-break, figure, em and ideographic spaces", "\u00a0\u2007ann\u2003\u3000", "ann"},
		{"zero-width ones", "\ufeff\u200bann\u2060\u180e", "ann"},
		{"those that look blank", "\u2800ann\u3164", "ann"},
		{"nothing but blanks", " \u00a0\u200b", ""},
		{"none", "ann", "ann"},
		{"joiners inside stay", "a\u200bb", "a\u200bb"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := TrimBlanks(row.in); got != row.want {
				t.Errorf("TrimBlanks(%q) = %q, want %q", row.in, got, row.want)
			}
			if got := TrimBlanksLeft(TrimBlanksRight(row.in)); got != row.want {
				t.Errorf("one side after the other: %q, want %q", got, row.want)
			}
		})
	}
}

func TestQuoteSome(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		in   []string
		want string
	}{
		{"one", []string{"a"}, `"a"`},
		{"an empty one", []string{""}, `""`},
		{"more than are shown", []string{"a", "b", "c", "d", "e", "f", "g"}, `"a", "b", "c", "d", "e" and 2 more`},
		{"control and bidi characters", []string{"a\x1b[2J\u202e"}, `"a\x1b[2J\u202e"`},
		{"a long one is cut between characters", []string{strings.Repeat("ä", 40)},
			`"` + strings.Repeat("ä", 32) + `…"`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := QuoteSome(row.in); got != row.want {
				t.Errorf("got %s, want %s", got, row.want)
			}
		})
	}
}
