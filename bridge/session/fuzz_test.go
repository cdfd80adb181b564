package session

import (
	"errors"
	"testing"
	"time"
)

// What Parse accepts reads back as itself, has one or two entries, and never
// opens with a token that is not its own; the rest is ErrUnreadable.
func FuzzParse(f *testing.F) {
	older, newer, stranger := newToken(f), newToken(f), newToken(f)
	single := mustSeal(f, older, 1, nil)
	previous := mustParse(f, single).Entries[0]
	f.Add(single)
	f.Add(mustSeal(f, newer, 2, &previous))
	single = mustSealAs(f, older, 1, directory, nil)
	f.Add(single)
	f.Add(mustSealAs(f, newer, 2, directory, &Previous{mustParse(f, single).Entries[0], time.Unix(1, 0)}))
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
			if (e.Header.AccountID == "") != (e.Header.Kind() == KindDirectory) {
				t.Fatalf("the far side of %+v is not clear", e.Header)
			}
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

// A token that is accepted fits into a header as it is.
func FuzzParseDirectoryToken(f *testing.F) {
	f.Add("\ufeff hunter2\r\n")
	f.Add("Bearer hunter2")
	f.Fuzz(func(t *testing.T, text string) {
		token, err := ParseDirectoryToken(text)
		if err != nil {
			return
		}
		for _, b := range []byte(token.Reveal()) {
			if b <= ' ' || b >= 0x7f {
				t.Fatalf("%q was accepted", token.Reveal())
			}
		}
	})
}
