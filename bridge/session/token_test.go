package session

import (
	"errors"
	"strings"
	"testing"
)

func TestTokenReadsBackAsItself(t *testing.T) {
	t.Parallel()
	for range 100 {
		token := newToken(t)
		got, err := ParseToken(token.Reveal())
		if err != nil {
			t.Fatal(err)
		}
		if !got.Equal(token) || got.Fingerprint() != token.Fingerprint() || got.IsZero() {
			t.Fatal("a token reads back as another one")
		}
		if token.Equal(newToken(t)) {
			t.Fatal("two new tokens are equal")
		}
	}
}

func TestMalformedTokensAreNotWrongTokens(t *testing.T) {
	t.Parallel()
	text := newToken(t).Reveal()
	swapped := []byte(text)
	swapped[10], swapped[11] = swapped[11], swapped[10]
	if string(swapped) == text {
		swapped[10] ^= 1
	}
	for _, row := range []struct {
		name, text, want string
	}{
		{"nothing", "", "must begin with sbt1_"},
		{"another product's token", "ghp_" + text[4:], "must begin with sbt1_"},
		{"capitals in the prefix", "SBT1_" + text[5:], "must begin with sbt1_"},
		{"a blank before it", " " + text, "must begin with sbt1_"},
		{"a line break after it", text + "\n", "has 54 characters and must have 53"},
		{"a character lost", text[:len(text)-1], "has 52 characters and must have 53"},
		{"a line break within", text[:20] + "\n" + text[21:], "not in base64url"},
		{"a character of the other base64", text[:20] + "+" + text[21:], "not in base64url"},
		{"two characters swapped", string(swapped), "checksum"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			token, err := ParseToken(row.text)
			if !errors.Is(err, ErrMalformedToken) || !strings.Contains(err.Error(), row.want) {
				t.Errorf("ParseToken: %v, want ErrMalformedToken with %q", err, row.want)
			}
			if !token.IsZero() {
				t.Error("a token came with the error")
			}
		})
	}
}

func TestEverySingleTypingErrorIsNoticed(t *testing.T) {
	t.Parallel()
	text := newToken(t).Reveal()
	for i := range text {
		for _, c := range "Aaz09-_" {
			changed := text[:i] + string(c) + text[i+1:]
			if changed == text {
				continue
			}
			if _, err := ParseToken(changed); !errors.Is(err, ErrMalformedToken) {
				t.Errorf("character %d changed to %c: %v, want ErrMalformedToken", i, c, err)
			}
		}
	}
}
