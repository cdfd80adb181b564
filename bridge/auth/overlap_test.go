package auth_test

import (
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A bridge that was not redeployed after a rotation holds the old session
// alone. Once the account has said that its overlap is over, the token is dead,
// though the account says nothing more.
func TestAnExpiredTokenStaysDeadWhateverTheAccountSaysNext(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	text := seal(t, token, 1, nil)
	v, c := newVerifierOf(&text)
	if err := v.Verify(token.Reveal()); err != nil {
		t.Fatal(err)
	}
	// What it said before of the generation, without an end, is of before.
	c.say(func(s *session.CredentialState) { s.Proved, s.Generations = 1, []session.Generation{{Epoch: 1}} })
	pass := v.Pass(t.Context(), token.Reveal())
	if pass == "" || !v.IsValid(pass) {
		t.Fatal("a token that the account has confirmed leaves no pass")
	}
	c.say(func(s *session.CredentialState) { s.Expired = 1 })
	refusedWith(t, "the old token", v.Verify(token.Reveal()), auth.Superseded, problem.TokenRejected)
	if v.IsValid(pass) || v.Pass(t.Context(), token.Reveal()) != "" {
		t.Error("the old token leaves a pass")
	}
	v.OnConnectorChange()
	refusedWith(t, "afterwards the old token", v.Verify(token.Reveal()), auth.Superseded, problem.TokenRejected)
}

// What ends the old pair's time seals a bridge that it had opened, takes the
// credentials from the connector, and ends no other token.
func TestWhatEndsTheOldPair(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		say  func(*session.CredentialState)
		ends bool
	}{
		{"nothing is said", func(*session.CredentialState) {}, false},
		{"the account refuses it as outdated", func(s *session.CredentialState) { s.Outdated = true }, true},
		{"the account said that its overlap is over", func(s *session.CredentialState) { s.Expired = 1 }, true},
		{"the account lists it without an end", func(s *session.CredentialState) {
			s.Generations = []session.Generation{{Epoch: 2}, {Epoch: 1}}
		}, false},
		{"the account lists it with an end that is past", func(s *session.CredentialState) {
			s.Generations = []session.Generation{{Epoch: 2}, {Epoch: 1, Expires: time.Now().Add(-time.Second)}}
		}, true},
		{"the account lists it no more", func(s *session.CredentialState) {
			s.Generations = []session.Generation{{Epoch: 2}}
		}, true},
		{"it was refused as outdated, and the newer pair is in use", func(s *session.CredentialState) {
			s.Outdated, s.Epoch = true, 2
		}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			old, fresh := newToken(t), newToken(t)
			text := bundle(t, old, fresh, time.Now().Add(time.Hour))
			v, c := newVerifierOf(&text)
			if err := v.Verify(old.Reveal()); err != nil {
				t.Fatal(err)
			}
			c.say(row.say)
			before := v.Verify(old.Reveal()) // the bridge has not noticed yet, and the token is dead already
			if row.ends {
				refusedWith(t, "before it is sealed, the old token", before, auth.Superseded, problem.TokenRejected)
			} else if before != nil {
				t.Errorf("the old token: %v", before)
			}
			v.OnConnectorChange()
			if got := v.State().Sealed; got != row.ends {
				t.Errorf("sealed is %t, want %t", got, row.ends)
			}
			if got := c.CredentialState().Epoch == 0; got != row.ends {
				t.Errorf("the credentials were cleared: %t, want %t", got, row.ends)
			}
			if row.ends {
				refusedWith(t, "afterwards the old token", v.Verify(old.Reveal()),
					auth.Superseded, problem.TokenRejected)
			}
			c.say(func(s *session.CredentialState) { s.Generations = nil })
			if err := v.Verify(fresh.Reveal()); err != nil {
				t.Errorf("the new token: %v", err)
			}
		})
	}
}

// A bundle of an older version does not say when its second session ends: its
// token is taken once the account has said so.
func TestATokenWhoseEndIsNotKnownWaitsForTheAccount(t *testing.T) {
	t.Parallel()
	old, fresh := newToken(t), newToken(t)
	text := bundle(t, old, fresh, time.Time{})
	v, c := newVerifierOf(&text)
	for range 2 { // the first opens the session
		refusedWith(t, "the old token", v.Verify(old.Reveal()), auth.Unavailable, "")
	}
	if v.State().Sealed || c.CredentialState().Epoch != 1 {
		t.Fatal("the account is not asked")
	}
	c.say(func(s *session.CredentialState) { s.Generations = []session.Generation{{Epoch: 2}, {Epoch: 1}} })
	if err := v.Verify(old.Reveal()); err != nil {
		t.Errorf("after the account said that it counts: %v", err)
	}
}

// The account may end an overlap before the time that was sealed: what it said
// then stays, though it is away a moment later.
func TestAnOverlapThatTheAccountHasEndedIsNotTold(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		say  func(*session.CredentialState)
	}{
		{"the account said that it is over", func(s *session.CredentialState) { s.Expired = 1 }},
		{"the account refuses the pair as outdated", func(s *session.CredentialState) { s.Outdated = true }},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			old, fresh := newToken(t), newToken(t)
			text := bundle(t, old, fresh, time.Now().Add(time.Hour))
			v, c := newVerifierOf(&text)
			if err := v.Verify(old.Reveal()); err != nil {
				t.Fatal(err)
			}
			c.say(row.say)
			for _, when := range []string{"before the bridge is sealed", "once it is sealed", "with the new token"} {
				if until, works := v.OverlapEnd(); works {
					t.Errorf("%s: the old token works until %s", when, until)
				}
				refusedWith(t, when+", the old token", v.Verify(old.Reveal()), auth.Superseded, problem.TokenRejected)
				if v.OnConnectorChange(); when == "once it is sealed" {
					if err := v.Verify(fresh.Reveal()); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

func TestTheEndOfTheOverlapIsToldWhileItRuns(t *testing.T) {
	t.Parallel()
	sealed, said := time.Now().Add(time.Hour).Truncate(time.Second), time.Now().Add(time.Minute).Truncate(time.Second)
	for _, row := range []struct {
		name  string
		say   func(*session.CredentialState)
		until time.Time
		works bool
	}{
		{"as it was sealed", func(*session.CredentialState) {}, sealed, true},
		{"as the account says", func(s *session.CredentialState) {
			s.Generations = []session.Generation{{Epoch: 2}, {Epoch: 1, Expires: said}}
		}, said, true},
		{"the account knows no old pair", func(s *session.CredentialState) {
			s.Generations = []session.Generation{{Epoch: 2}}
		}, time.Time{}, false},
		{"the account refuses the pair in use", func(s *session.CredentialState) {
			s.Outdated = true
		}, time.Time{}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			old, fresh := newToken(t), newToken(t)
			text := bundle(t, old, fresh, sealed)
			v, c := newVerifierOf(&text)
			if err := v.Verify(fresh.Reveal()); err != nil {
				t.Fatal(err)
			}
			c.say(row.say)
			until, works := v.OverlapEnd()
			if works != row.works || !until.Equal(row.until) {
				t.Errorf("got %s %t, want %s %t", until, works, row.until, row.works)
			}
		})
	}
}
