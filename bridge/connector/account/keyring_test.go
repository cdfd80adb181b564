package account_test

import (
	"crypto/rand"
	"errors"
	"io/fs"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

func newToken(t *testing.T) session.Token {
	t.Helper()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func seal(t *testing.T, token session.Token) string {
	t.Helper()
	secrets, err := signin.GenerateSecrets()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := session.Seal(token, 1, session.Credentials{AccountURL: "http://127.0.0.1", AccountID: "acc", Email: managerEmail, Secrets: secrets}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

// newKeyring reads what text holds at the time. Its connector never runs.
func newKeyring(text *string) *account.Keyring {
	c := account.New(account.Config{Log: hclog.NewNullLogger(), Now: time.Now, Random: rand.Reader, Changed: func() {}})
	return account.NewKeyring(func() (session.File, error) {
		if *text == "" {
			return session.File{}, fs.ErrNotExist
		}
		return session.Parse(*text)
	}, c, time.Now)
}

// refusedWith checks that err is a refusal with this status and code.
func refusedWith(t *testing.T, what string, err error, status int, code problem.Code) {
	t.Helper()
	r, ok := errors.AsType[*control.Refusal](err)
	if !ok || r.Status != status || r.Code != code {
		t.Errorf("%s: got %#v, want %d %q", what, err, status, code)
	}
}

func TestADamagedSessionIsUnreadableUntilItIsReplaced(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	good := seal(t, token)
	parts := strings.Split(good, ".")
	parts[3] = "A" + parts[3][1:] // the ciphertext, so that it still parses
	if parts[3][1:] == "" || strings.Join(parts, ".") == good {
		parts[3] = "B" + parts[3][1:]
	}
	text := strings.Join(parts, ".")
	k := newKeyring(&text)
	refusedWith(t, "a wrong token while sealed", k.Verify(newToken(t).Reveal()), 401, problem.TokenRejected)
	refusedWith(t, "the right token", k.Verify(token.Reveal()), 503, problem.SessionUnreadable)
	k.Reload()
	if k.State().Err == nil {
		t.Error("reading the same damaged session again made it good")
	}
	text = good
	k.Reload()
	if err := k.Verify(token.Reveal()); err != nil {
		t.Errorf("after it was replaced: %v", err)
	}
	if s := k.State(); s.Sealed || s.Header.Epoch != 1 {
		t.Errorf("after the token: %+v", s)
	}
}

func TestAMissingSessionIsFoundWhenItComes(t *testing.T) {
	t.Parallel()
	token, text := newToken(t), ""
	k := newKeyring(&text)
	refusedWith(t, "any token without a session", k.Verify(token.Reveal()), 503, problem.SessionUnreadable)
	if r := k.Report(); r.State != health.Unhealthy || r.Problems[0].Code != problem.SessionUnreadable {
		t.Errorf("report: %+v", r)
	}
	text = seal(t, token)
	k.Reload()
	if r := k.Report(); r.State != health.Sealed || r.Problems[0].Code != problem.Sealed {
		t.Errorf("report: %+v", r)
	}
	if err := k.Verify(token.Reveal()); err != nil {
		t.Error(err)
	}
	if r := k.Report(); r.State != health.Healthy || len(r.Problems) != 0 {
		t.Errorf("report: %+v", r)
	}
}

func TestAnOpenSessionIsNotReadAgain(t *testing.T) {
	t.Parallel()
	token := newToken(t)
	text := seal(t, token)
	k := newKeyring(&text)
	if err := k.Verify(token.Reveal()); err != nil {
		t.Fatal(err)
	}
	text = "" // the file is gone; what is in memory serves on
	k.Reload()
	if err := k.Verify(token.Reveal()); err != nil {
		t.Error(err)
	}
	refusedWith(t, "another token", k.Verify(newToken(t).Reveal()), 401, problem.TokenRejected)
	refusedWith(t, "no token", k.Verify("hello"), 401, "")
}

func TestWhichPairATokenBelongsTo(t *testing.T) {
	t.Parallel()
	old, fresh := newToken(t), newToken(t)
	text := ""
	k := newKeyring(&text)
	if k.IsPrevious(old.Reveal()) {
		t.Error("without a session there is no older pair")
	}
	first := seal(t, old)
	file, err := session.Parse(first)
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := signin.GenerateSecrets()
	if err != nil {
		t.Fatal(err)
	}
	second, err := session.Seal(fresh, 2, session.Credentials{AccountURL: "http://127.0.0.1", AccountID: "acc", Email: managerEmail, Secrets: secrets}, &session.Previous{Entry: file.Entries[0], Expires: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	text = second
	k.Reload()
	for token, want := range map[string]bool{old.Reveal(): true, fresh.Reveal(): false, newToken(t).Reveal(): false, "nonsense": false, "": false} {
		if got := k.IsPrevious(token); got != want {
			t.Errorf("got %t for one of them, want %t", got, want)
		}
	}
}
