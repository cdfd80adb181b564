package auth_test

import (
	"bytes"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// Bridges of one session share the key of cookies, and nobody else has it.
func TestTheKeyOfCookiesIsThatOfASessionAndItsToken(t *testing.T) {
	t.Parallel()
	token, other := newToken(t), newToken(t)
	text, anew := seal(t, token, 1, nil), seal(t, token, 1, nil)
	another := seal(t, other, 1, nil)
	keyOf := func(text, token string) []byte {
		t.Helper()
		v, _ := newVerifierOf(&text)
		if key, _ := v.CookieKey(); key != nil {
			t.Error("there is a key while the session is sealed")
		}
		if err := v.Verify(token); err != nil {
			t.Fatal(err)
		}
		key, sealed := v.CookieKey()
		if len(key) != 32 || !sealed.IsZero() {
			t.Errorf("the key has %d bytes; it was sealed at %s", len(key), sealed)
		}
		return key
	}
	key := keyOf(text, token.Reveal())
	if !bytes.Equal(key, keyOf(text, token.Reveal())) {
		t.Error("two bridges of one session have different keys")
	}
	if bytes.Equal(key, keyOf(anew, token.Reveal())) || bytes.Equal(key, keyOf(another, other.Reveal())) {
		t.Error("bridges of different sessions have one key")
	}
}

// What was signed in until then is over, also once the same token has opened the session again.
func TestSealingTakesTheKeyOfCookies(t *testing.T) {
	t.Parallel()
	old, fresh := newToken(t), newToken(t)
	for name, seal := range map[string]func(v *auth.TokenVerifier, c *connector){
		"by a command": func(v *auth.TokenVerifier, _ *connector) { v.Seal() },
		"by the end of an overlap": func(v *auth.TokenVerifier, c *connector) {
			c.say(func(s *session.CredentialState) { s.Expired = 1 })
			v.OnConnectorChange()
		},
	} {
		text := bundle(t, old, fresh, time.Now().Add(time.Hour))
		v, c := newVerifierOf(&text)
		if err := v.Verify(old.Reveal()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		seal(v, c)
		if key, sealed := v.CookieKey(); key != nil || sealed.Before(began) {
			t.Errorf("sealed %s: the key is there: %t, sealed at %s", name, key != nil, sealed)
		}
		if err := v.Verify(fresh.Reveal()); err != nil {
			t.Fatal(err)
		}
		if key, sealed := v.CookieKey(); key == nil || sealed.Before(began) {
			t.Errorf("sealed %s, and opened again: the key is there: %t, sealed at %s", name, key != nil, sealed)
		}
	}
}
