package bundle

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A learned text is replaced wherever it is, also if it has only words of the vocabulary.
type learned struct{ folded, pseudonym string }

// shortestLearned is the length of a text that is looked for within others. A shorter one is replaced where it is a
// value or in quotation marks: it may be a word of the language.
const shortestLearned = 3

// learn makes a text be replaced wherever it is. Case does not count.
func (r *redactor) learn(text, pseudonym string) {
	folded := fold(inputtext.TrimBlanks(text))
	if folded == "" {
		return
	}
	first := folded[:wordEnd(folded)]
	of := r.learned[first]
	if slices.ContainsFunc(of, func(l learned) bool { return l.folded == folded }) {
		return
	}
	of = append(of, learned{folded, pseudonym})
	slices.SortStableFunc(of, func(a, b learned) int { return longestFirst(a.folded, b.folded) })
	r.learned[first] = of
}

// known returns what stands for a name that is known to be one; "" for others.
func (r *redactor) known(name string) string {
	if len(r.learned) > 0 {
		folded := fold(inputtext.TrimBlanks(name))
		for _, l := range r.learned[folded[:wordEnd(folded)]] {
			if l.folded == folded {
				return l.pseudonym
			}
		}
	}
	return r.names.known(name)
}

// fold maps what does not count. It changes no length, so that what is found can be replaced in the text itself.
func fold(s string) string {
	lower := strings.ToLower(s)
	if len(lower) != len(s) {
		lower = strings.Map(func(c rune) rune {
			if 'A' <= c && c <= 'Z' {
				return c + 'a' - 'A'
			}
			return c
		}, s)
	}
	return strings.ReplaceAll(lower, "+", " ") // as forms write blanks
}

// wordEnd returns the length of the word or of the other signs that a text begins with.
func wordEnd(s string) int {
	first, _ := utf8.DecodeRuneInString(s)
	word := isWordRune(first)
	n := strings.IndexFunc(s, func(c rune) bool { return isWordRune(c) != word || c == markBegin })
	if n <= 0 {
		return len(s)
	}
	return n
}

// markLearned decides on the texts that were learned.
func (d *draft) markLearned(s string) string {
	if len(d.learned) == 0 {
		return s
	}
	folded := fold(s)
	var b strings.Builder
	done := 0
	for i := 0; i < len(s); {
		c, size := utf8.DecodeRuneInString(s[i:])
		if c == markBegin {
			i += strings.Index(s[i:], string(markEnd)) + len(string(markEnd))
			continue
		}
		if l := d.learnedAt(folded, i); l != nil {
			b.WriteString(s[done:i])
			b.WriteString(d.mark(l.pseudonym))
			i += len(l.folded)
			done = i
			continue
		}
		if isWordRune(c) {
			size = wordEnd(s[i:])
		}
		i += size
	}
	return b.String() + s[done:]
}

// learnedAt returns the longest learned text at i that is not a part of a longer word.
func (d *draft) learnedAt(folded string, i int) *learned {
	of := d.learned[folded[i:i+wordEnd(folded[i:])]]
	for n := range of {
		l := &of[n]
		if len(l.folded) < shortestLearned || !strings.HasPrefix(folded[i:], l.folded) {
			continue
		}
		last, _ := utf8.DecodeLastRuneInString(folded[:i])
		next, _ := utf8.DecodeRuneInString(folded[i+len(l.folded):])
		begins, _ := utf8.DecodeRuneInString(l.folded)
		ends, _ := utf8.DecodeLastRuneInString(l.folded)
		joinsLast := joins(last) && (isWordRune(begins) || last == '@')
		joinsNext := joins(next) && (isWordRune(ends) || next == '@')
		if !joinsLast && !joinsNext {
			return l
		}
	}
	return nil
}
