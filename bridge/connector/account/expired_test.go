package account

import (
	"crypto/rand"
	"errors"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A bridge that was not redeployed after a rotation holds the old session
// alone. Once the account has said that its overlap is over, the token is dead,
// though the account says nothing more.
func TestAnExpiredTokenStaysDeadWhileTheAccountIsAway(t *testing.T) {
	t.Parallel()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	secrets, err := signin.GenerateSecrets()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := session.Seal(token, 1, session.Credentials{AccountURL: "http://127.0.0.1", AccountID: "acc", Email: "a@example.com", Secrets: secrets}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var k *Keyring
	c := New(Config{Log: hclog.NewNullLogger(), Now: time.Now, Random: rand.Reader, Patience: time.Millisecond, Changed: func() { k.Reconsider() }})
	k = NewKeyring(func() (session.File, error) { return session.Parse(sealed) }, c, time.Now)
	if err := k.Verify(token.Reveal()); err != nil {
		t.Fatal(err)
	}
	// What it said before of the generation, without an end, is of before.
	c.update(func(s *State) { s.Proved, s.Phase, s.Generations = 1, SignedIn, []api.Generation{{Epoch: 1}} })
	if k.Pass(t.Context(), token.Reveal()) == "" {
		t.Fatal("a token that the account has confirmed leaves no pass")
	}
	fail := func(code problem.Code, reason string) {
		p := problem.New(code, time.Now(), problem.Facts{problem.FactReason: reason})
		c.update(func(s *State) { s.Phase, s.Problem = Refused, &p })
	}
	for _, row := range []struct {
		name   string
		code   problem.Code
		reason string
	}{
		{"while the account says so", problem.CredentialsChanged, string(api.ErrorCodeCredentialsExpired)},
		{"while the account is away", problem.AccountUnreachable, "connection refused"},
		{"while something else is wrong", problem.FirewallBlocked, ""},
	} {
		fail(row.code, row.reason)
		refusal, ok := errors.AsType[*control.Refusal](k.Verify(token.Reveal()))
		if !ok || refusal.Code != problem.TokenRejected || !refusal.Previous {
			t.Errorf("%s, the old token is answered %v", row.name, refusal)
		}
		if pass := k.Pass(t.Context(), token.Reveal()); pass != "" {
			t.Errorf("%s, the old token leaves a pass", row.name)
		}
	}
}
