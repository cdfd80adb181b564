package inputtext

import (
	"strings"
	"testing"
	"unicode"
)

func TestLineRemovesControlAndDirectionCharacters(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, line, lines string }{
		{"a name", "Ann O'Neill", "Ann O'Neill", "Ann O'Neill"},
		{"other scripts", "Ωmega 日本 مرحبا שלום नमस्ते", "Ωmega 日本 مرحبا שלום नमस्ते", "Ωmega 日本 مرحبا שלום नमस्ते"},
		{"joined emoji", "👩‍🔬", "👩‍🔬", "👩‍🔬"},
		{"an escape sequence", "\x1b[2J\x1b]0;title\aAnn", "[2J]0;titleAnn", "[2J]0;titleAnn"},
		{"an escape sequence in eight bits", "\u009b2JAnn", "2JAnn", "2JAnn"},
		{"a header of a mail", "Ann\r\nBcc: eve@example.com", "Ann  Bcc: eve@example.com",
			"Ann \nBcc: eve@example.com"},
		{"a line that is written over", "Ann\rEve\b\b", "Ann Eve", "Ann Eve"},
		{"an override of direction", "ann@\u202emoc.elpmaxe\u202c", "ann@moc.elpmaxe", "ann@moc.elpmaxe"},
		{"isolates and marks", "\u2066a\u2067b\u2068c\u2069d\u200ee\u200ff\u061c", "abcdef", "abcdef"},
		{"invisible characters", "a\u200bb\u00adc\ufeffd\u2060e", "abcde", "abcde"},
		{"tags", "a\U000e0041b", "ab", "ab"},
		{"separators", "a\u2028b\u2029c\u0085d", "a b c d", "a b c d"},
		{"no UTF-8", "a\xffb", "a\uFFFDb", "a\uFFFDb"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := Line(row.text); got != row.line {
				t.Errorf("Line: %q, want %q", got, row.line)
			}
			if got := Lines(row.text); got != row.lines {
				t.Errorf("Lines: %q, want %q", got, row.lines)
			}
		})
	}
}

func TestTruncate(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text, want string
		most             int
	}{
		{"a shorter text stays", "añb", "añb", 4},
		{"and one that just fits", "añb", "añb", 3},
		{"a longer one ends between characters", "añb", "añ", 2},
		{"of nothing stays nothing", "", "", 0},
		{"none may be left", "añb", "", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := Truncate(row.text, row.most); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func FuzzLine(f *testing.F) {
	f.Add("a\x1b[0m\u202eb")
	f.Fuzz(func(t *testing.T, text string) {
		line := Line(text)
		if strings.ContainsFunc(line, unicode.IsControl) ||
			strings.ContainsAny(line, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c") {
			t.Errorf("%q keeps something of %q", line, text)
		}
		if again := Line(line); again != line {
			t.Errorf("%q becomes %q when it is shown again", line, again)
		}
	})
}

func TestShortLine(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, text, want string }{
		{"a short one stays", "Ann", "Ann"},
		{"one that just fits", "0123456789", "0123456789"},
		{"a long one is cut", "0123456789a", "0123456…"},
		{"between characters", "äöüäöü", "äöü…"},
		{"a very long one", strings.Repeat("x", 1<<20), "xxxxxxx…"},
		{"after control characters are gone", "\x1b\x1b\x1b0123456789", "0123456789"},
	} {
		if got := ShortLine(row.text, 10); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}
