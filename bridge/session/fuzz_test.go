package session

import (
	"errors"
	"testing"
)

// What Parse accepts reads back as itself, has one or two entries, and never
// opens with a token that is not its own; the rest is ErrUnreadable.
func FuzzParse(f *testing.F) {
	older, newer, stranger := newToken(f), newToken(f), newToken(f)
	single := mustSeal(f, older, 1, nil)
	previous := mustParse(f, single).Entries[0]
	f.Add(single)
	f.Add(mustSeal(f, newer, 2, &previous))
	f.Fuzz(func(t *testing.T, text string) {
		file, err := Parse(text)
		if err != nil {
			if !errors.Is(err, ErrUnreadable) {
				t.Fatalf("%v, want ErrUnreadable", err)
			}
			return
		}
		if n := len(file.Entries); n < 1 || n > 2 {
			t.Fatalf("%d entries", n)
		}
		again, err := Parse(file.String())
		if err != nil || again.String() != file.String() || again.Fingerprint() != file.Fingerprint() {
			t.Fatalf("what was accepted does not read back as itself: %v", err)
		}
		for _, e := range file.Entries {
			if _, err := e.Open(stranger); err == nil {
				t.Fatal("a stranger's token opens it")
			}
		}
	})
}

// A token has one text only: whatever is accepted is what Reveal writes.
func FuzzParseToken(f *testing.F) {
	f.Add(newToken(f).Reveal())
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseToken(text)
		switch {
		case err == nil && token.Reveal() != text:
			t.Fatalf("%q was accepted and is written differently", text)
		case err != nil && !errors.Is(err, ErrMalformedToken):
			t.Fatalf("%v, want ErrMalformedToken", err)
		}
	})
}
