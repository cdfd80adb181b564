package auth_test

import (
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// clock is set by the test.
type clock struct{ now time.Time }

func (c *clock) Now() time.Time { return c.now }

// rotated seals the session of a directory under each token in turn, with an overlap of an
// hour from now on.
func rotated(t *testing.T, now time.Time, tokens ...session.Token) string {
	t.Helper()
	d := session.Directory{URL: "https://scim.example.com", Token: secret.New("far-side-token")}
	var file session.File
	for _, token := range tokens {
		sealed, err := session.SealDirectory(token, d, file, time.Hour, now)
		if err != nil {
			t.Fatal(err)
		}
		if file, err = session.Parse(sealed); err != nil {
			t.Fatal(err)
		}
	}
	return file.String()
}

// directoryVerifier is before a directory that accepts whatever token it is shown.
func directoryVerifier(t *testing.T, text string, at *clock) (*auth.TokenVerifier, *connector) {
	t.Helper()
	c := &connector{}
	return auth.NewTokenVerifier(func() (session.File, error) { return session.Parse(text) }, c, at.Now), c
}

// A directory knows nothing of our tokens: the sealed session alone says how long the old
// one is valid, whichever of the two opened it.
func TestTheOverlapBeforeADirectoryEndsByTheClock(t *testing.T) {
	t.Parallel()
	for _, opener := range []string{"the new token", "the old token"} {
		t.Run("opened by "+opener, func(t *testing.T) {
			t.Parallel()
			at := &clock{time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
			old, fresh := newToken(t), newToken(t)
			v, c := directoryVerifier(t, rotated(t, at.now, old, fresh), at)
			first := fresh
			if opener == "the old token" {
				first = old
			}
			if err := v.Verify(first.Reveal()); err != nil {
				t.Fatal(err)
			}
			c.say(func(s *session.CredentialState) { s.Proved = s.Epoch })
			at.now = at.now.Add(time.Hour - time.Second)
			if err := v.Verify(old.Reveal()); err != nil {
				t.Errorf("the old token within the overlap: %v", err)
			}
			pass := v.Pass(t.Context(), old.Reveal())
			if pass == "" || !v.IsValid(pass) {
				t.Error("the old token leaves no pass within the overlap")
			}
			if until, works := v.OverlapEnd(); !works || !until.Equal(at.now.Add(time.Second)) {
				t.Errorf("the overlap ends at %s, %t", until, works)
			}

			at.now = at.now.Add(time.Second)
			refusedWith(t, "the old token", v.Verify(old.Reveal()), auth.Superseded, problem.TokenRejected)
			if v.IsValid(pass) || v.Pass(t.Context(), old.Reveal()) != "" {
				t.Error("the old token leaves a pass after the overlap")
			}
			v.OnConnectorChange()
			if sealed := v.State().Sealed; sealed != (opener == "the old token") {
				t.Errorf("after the overlap, sealed is %t", sealed)
			}
			refusedWith(t, "afterwards the old token", v.Verify(old.Reveal()), auth.Superseded, problem.TokenRejected)
			if err := v.Verify(fresh.Reveal()); err != nil {
				t.Errorf("the new token: %v", err)
			}
		})
	}
}

// The old session of a bundle names the token before it, whose overlap may not have ended.
func TestATokenThatWasReplacedTwiceIsWrong(t *testing.T) {
	t.Parallel()
	at := &clock{time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	first, second, third := newToken(t), newToken(t), newToken(t)
	text := rotated(t, at.now, first, second, third)
	for name, opener := range map[string]session.Token{"the second": second, "the third": third} {
		v, c := directoryVerifier(t, text, at)
		if err := v.Verify(opener.Reveal()); err != nil {
			t.Fatal(err)
		}
		c.say(func(s *session.CredentialState) { s.Proved = s.Epoch })
		refusedWith(t, "opened by "+name+", the first token", v.Verify(first.Reveal()), auth.Wrong,
			problem.TokenRejected)
		if v.Pass(t.Context(), first.Reveal()) != "" {
			t.Errorf("opened by %s, the first token leaves a pass", name)
		}
	}
}

func TestAPassNeedsADirectoryThatHasTakenItsToken(t *testing.T) {
	t.Parallel()
	at := &clock{time.Date(2026, 3, 4, 5, 6, 7, 0, time.UTC)}
	old, fresh := newToken(t), newToken(t)
	v, c := directoryVerifier(t, rotated(t, at.now, old, fresh), at)
	if err := v.Verify(fresh.Reveal()); err != nil {
		t.Fatal(err)
	}
	for _, token := range []session.Token{old, fresh} {
		if v.Pass(t.Context(), token.Reveal()) != "" {
			t.Error("there is a pass before the directory has answered")
		}
	}
	c.say(func(s *session.CredentialState) { s.Proved = s.Epoch })
	if v.Pass(t.Context(), fresh.Reveal()) == "" {
		t.Error("there is no pass after it has answered")
	}
}
