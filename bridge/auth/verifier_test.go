package auth_test

import (
	"context"
	"errors"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/auth"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

const managerEmail = "provision-manager@example.com"

// connector keeps the credentials that it is given, and says of them what the
// test wants.
type connector struct {
	mu    sync.Mutex
	state session.CredentialState
}

func (c *connector) SetCredentials(_ session.Credentials, epoch int64) {
	c.say(func(s *session.CredentialState) { s.Epoch = epoch })
}

func (c *connector) ClearCredentials() {
	c.say(func(s *session.CredentialState) { s.Epoch, s.Proved, s.Outdated = 0, 0, false })
}

func (c *connector) CredentialState() session.CredentialState {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

func (c *connector) AwaitSignIn(context.Context) {}

func (c *connector) say(change func(*session.CredentialState)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	change(&c.state)
}

func newToken(t *testing.T) session.Token {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// seal seals a session for a token; previous may be nil.
func seal(t *testing.T, token session.Token, epoch int64, previous *session.Previous) string {
	t.Helper()
	sealed, err := session.Seal(token, epoch, session.Integration{
		AccountURL: "http://127.0.0.1", AccountID: "acc", Email: managerEmail,
		Secrets: signin.NewSecrets("password", "key"),
	}, previous)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// bundle seals the sessions of two tokens, of which the old one works until
// expires; the zero time is not written down.
func bundle(t *testing.T, old, fresh session.Token, expires time.Time) string {
	t.Helper()
	file, err := session.Parse(seal(t, old, 1, nil))
	if err != nil {
		t.Fatal(err)
	}
	return seal(t, fresh, 2, &session.Previous{Entry: file.Entries[0], Expires: expires})
}

// newVerifier reads what text holds at the time.
func newVerifier(text *string) *auth.TokenVerifier {
	v, _ := newVerifierOf(text)
	return v
}

func newVerifierOf(text *string) (*auth.TokenVerifier, *connector) {
	c := &connector{}
	return auth.NewTokenVerifier(func() (session.File, error) {
		if *text == "" {
			return session.File{}, fs.ErrNotExist
		}
		return session.Parse(*text)
	}, c, time.Now), c
}

// refusedWith checks that err is a refusal of this kind, and its problem's code.
func refusedWith(t *testing.T, what string, err error, kind auth.Kind, code problem.Code) {
	t.Helper()
	r, ok := errors.AsType[*auth.Error](err)
	if !ok || r.Kind != kind || r.Code() != code {
		t.Errorf("%s: got %#v, want %q with the code %q", what, err, kind, code)
	}
}

func TestADamagedSessionIsUnreadableUntilItIsReplaced(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	good := seal(t, token, 1, nil)
	parts := strings.Split(good, ".")
	parts[3] = "A" + parts[3][1:] // the ciphertext, so that it still parses
	if parts[3][1:] == "" || strings.Join(parts, ".") == good {
		parts[3] = "B" + parts[3][1:]
	}
	text := strings.Join(parts, ".")
	v := newVerifier(&text)
	refusedWith(t, "a wrong token while sealed", v.Verify(newToken(t).Reveal()), auth.Wrong, problem.TokenRejected)
	refusedWith(t, "the right token", v.Verify(token.Reveal()), auth.Unreadable, problem.SessionUnreadable)
	v.Reload()
	if v.State().Err == nil {
		t.Error("reading the same damaged session again made it good")
	}
	text = good
	v.Reload()
	if err := v.Verify(token.Reveal()); err != nil {
		t.Errorf("after it was replaced: %v", err)
	}
	if s := v.State(); s.Sealed || s.Header.Epoch != 1 {
		t.Errorf("after the token: %+v", s)
	}
}

func TestAMissingSessionIsFoundWhenItComes(t *testing.T) {
	t.Parallel()
	token, text := newToken(t), ""
	v := newVerifier(&text)
	refusedWith(t, "any token without a session", v.Verify(token.Reveal()), auth.Unreadable, problem.SessionUnreadable)
	if r := v.Report(); r.State != health.Unhealthy || r.Problems[0].Code != problem.SessionUnreadable {
		t.Errorf("report: %+v", r)
	}
	text = seal(t, token, 1, nil)
	v.Reload()
	if r := v.Report(); r.State != health.Sealed || r.Problems[0].Code != problem.Sealed {
		t.Errorf("report: %+v", r)
	}
	if err := v.Verify(token.Reveal()); err != nil {
		t.Error(err)
	}
	if r := v.Report(); r.State != health.Healthy || len(r.Problems) != 0 {
		t.Errorf("report: %+v", r)
	}
}

func TestAnOpenSessionIsNotReadAgain(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	text := seal(t, token, 1, nil)
	v := newVerifier(&text)
	if err := v.Verify(token.Reveal()); err != nil {
		t.Fatal(err)
	}
	text = "" // the file is gone; what is in memory serves on
	v.Reload()
	if err := v.Verify(token.Reveal()); err != nil {
		t.Error(err)
	}
	refusedWith(t, "another token", v.Verify(newToken(t).Reveal()), auth.Wrong, problem.TokenRejected)
	refusedWith(t, "no token", v.Verify("hello"), auth.Malformed, "")
}

func TestWhichPairATokenBelongsTo(t *testing.T) {
	t.Parallel()
	old, fresh := newToken(t), newToken(t)
	text := ""
	v := newVerifier(&text)
	if v.IsPrevious(old.Reveal()) {
		t.Error("without a session there is no older pair")
	}
	text = bundle(t, old, fresh, time.Now().Add(time.Hour))
	v.Reload()
	for token, want := range map[string]bool{
		old.Reveal(): true, fresh.Reveal(): false, newToken(t).Reveal(): false, "nonsense": false, "": false,
	} {
		if got := v.IsPrevious(token); got != want {
			t.Errorf("got %t for one of them, want %t", got, want)
		}
	}
}

// A verifier knows again the token that it accepted last. That must not make it right for longer than it is.
func TestATokenThatWasAcceptedLastIsRefusedOnceItIsWrong(t *testing.T) {
	t.Parallel()
	old, fresh := newToken(t), newToken(t)
	text := bundle(t, old, fresh, time.Now().Add(time.Hour))
	v, c := newVerifierOf(&text)
	accepted := func(token session.Token, isPrevious bool) {
		t.Helper()
		for range 2 {
			if err := v.Verify(token.Reveal()); err != nil || v.IsPrevious(token.Reveal()) != isPrevious {
				t.Fatalf("%v, previous: %t", err, v.IsPrevious(token.Reveal()))
			}
		}
	}
	accepted(fresh, false)
	c.say(func(s *session.CredentialState) { s.Generations = []session.Generation{{Epoch: 1}, {Epoch: 2}} })
	accepted(old, true)
	c.say(func(s *session.CredentialState) { s.Generations = []session.Generation{{Epoch: 2}} })
	refusedWith(t, "the old token after the overlap", v.Verify(old.Reveal()), auth.Superseded, problem.TokenRejected)

	accepted(fresh, false)
	text = seal(t, newToken(t), 3, nil)
	v.Seal()
	refusedWith(t, "the token of a session that is gone", v.Verify(fresh.Reveal()), auth.Wrong, problem.TokenRejected)
}

func TestATextThatIsAlmostTheAcceptedTokenIsRefused(t *testing.T) {
	t.Parallel()
	token := newToken(t).Reveal()
	parsed, err := session.ParseToken(token)
	if err != nil {
		t.Fatal(err)
	}
	text := seal(t, parsed, 1, nil)
	v := newVerifier(&text)
	for range 2 {
		if err := v.Verify(token); err != nil {
			t.Fatal(err)
		}
	}
	for _, almost := range []string{token[:len(token)-1], token + "A", "sbt1_" + token[6:] + token[5:6]} {
		refusedWith(t, "another text", v.Verify(almost), auth.Malformed, "")
	}
}

func BenchmarkVerify(b *testing.B) {
	token, err := session.NewToken()
	if err != nil {
		b.Fatal(err)
	}
	sealed, err := session.Seal(token, 1, session.Integration{
		AccountURL: "http://127.0.0.1", AccountID: "acc", Email: managerEmail,
		Secrets: signin.NewSecrets("password", "key"),
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
	v, text := newVerifier(&sealed), token.Reveal()
	b.ReportAllocs()
	for b.Loop() {
		if err := v.Verify(text); err != nil || v.IsPrevious(text) {
			b.Fatal(err)
		}
	}
}
