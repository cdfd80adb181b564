package session

import (
	"encoding/base64"
	"strings"
	"testing"
)

func TestNamesOfFilesAreNoMistake(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"session", "./session", "/var/lib/scim-bridge/session", "sessions/production.jwe", "/run/secrets/scim_session",
		"/home/operator/Documents/keys/session file", "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijkl",
		"/mnt/volume0123456789/sub/session",
		"eyJ-notes.txt", "",
	} {
		if mistake := Mistake(name); mistake != "" {
			t.Errorf("%q is taken for %s", name, mistake)
		}
		if _, sealed := Sealed(name); sealed && name != "eyJ-notes.txt" {
			t.Errorf("%q is taken for a session", name)
		}
	}
}

func TestASessionIsFoundBelowItsEncoding(t *testing.T) {
	t.Parallel()
	sealed := mustSeal(t, newToken(t), 3, nil)
	previous := mustParse(t, sealed).Entries[0]
	bundle := mustSeal(t, newToken(t), 4, &previous)
	wrapped := base64.StdEncoding.EncodeToString([]byte(bundle))
	for name, value := range map[string]string{
		"as it is":                    bundle,
		"with blanks around":          "\n " + bundle + "\n",
		"in base64":                   wrapped,
		"in base64 with line breaks":  wrapped[:76] + "\n" + wrapped[76:],
		"in base64url, not padded":    base64.RawURLEncoding.EncodeToString([]byte(bundle)),
		"in base64 with a last break": base64.StdEncoding.EncodeToString([]byte(bundle + "\n")),
	} {
		if text, ok := Sealed(value); !ok || text != bundle {
			t.Errorf("%s: it is not found", name)
		}
		if mistake := Mistake(bundle); mistake != "" {
			t.Errorf("%s: it is taken for %s", name, mistake)
		}
	}
}

func TestScrubTakesTokensOutOfMessages(t *testing.T) {
	t.Parallel()
	token := newToken(t).Reveal()
	said := Scrub("unexpected argument " + token + ", and sba_" + token[5:] + "; a token begins with sba_")
	if want := "unexpected argument [redacted], and [redacted]; a token begins with sba_"; said != want {
		t.Errorf("got %q, want %q", said, want)
	}
	if cut := Scrub("cut to " + token[:9]); strings.Contains(cut, token[5:9]) {
		t.Errorf("a piece of a token stays: %q", cut)
	}
}
