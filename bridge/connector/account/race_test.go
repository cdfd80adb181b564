package account

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A loggingHook runs something while an error is logged.
type loggingHook struct {
	hclog.Logger
	hook func()
}

func (l loggingHook) Error(string, ...any) { l.hook() }

// Of two replicas behind a load balancer one may answer and the other not, at
// the same moment; the last answer decides, and nothing stays behind.
func TestAnAnswerBesideAStrangeOneLeavesNoProblemForEver(t *testing.T) {
	t.Parallel()
	var c *Connector
	c = New(Config{Now: time.Now, Changed: func() {}, Log: loggingHook{hclog.NewNullLogger(), func() { c.noteAnswer(nil) }}})
	strange := refusalOf(&http.Response{StatusCode: http.StatusBadGateway, Header: http.Header{}}, strings.NewReader(""))
	c.noteAnswer(strange)
	if c.State().Strange == nil {
		t.Error("the strange answer is not told")
	}
	c.noteAnswer(nil)
	if p := c.State().Strange; p != nil {
		t.Errorf("after an answer of the account: %s", p.Cause)
	}
}

// A transport that runs something before it fails.
type hookedTransport func()

func (h hookedTransport) RoundTrip(*http.Request) (*http.Response, error) {
	h()
	return nil, errors.New("connection refused")
}

// Credentials may be dropped, because their overlap is over, while a sign-in
// with them is under way: the bridge is sealed then, whatever comes of it.
func TestASignInThatOutlivesItsCredentialsLeavesTheBridgeSealed(t *testing.T) {
	t.Parallel()
	secrets, err := signin.GenerateSecrets()
	if err != nil {
		t.Fatal(err)
	}
	var c *Connector
	c = New(Config{
		Now: time.Now, Changed: func() {}, Log: hclog.NewNullLogger(), Transport: hookedTransport(func() { c.Drop() }),
		Health: func() (api.HeartbeatState, []string) { return api.Healthy, nil },
	})
	c.Use(session.Credentials{AccountURL: "http://127.0.0.1:1", AccountID: "acc", Email: "a@example.com", Secrets: secrets}, 1)
	creds, err := c.attempt(t.Context())
	if err == nil {
		t.Fatal("the account that is not there has let the bridge in")
	}
	c.failed(creds, err, 1)
	if s := c.State(); s.Phase != Waiting || s.Problem != nil {
		t.Errorf("a sealed bridge is %s, with the problem %v", s.Phase, s.Problem)
	}
	// One that succeeds gives its session back.
	ended := 0
	l := &login{client: &api.Client{Server: "http://127.0.0.1:1/", Client: doer(func() { ended++ })}, token: "t", creds: &credentials{epoch: 1}}
	if c.adopt(t.Context(), l) {
		t.Error("a session of dropped credentials is used")
	}
	if s := c.State(); ended != 1 || s.Phase != Waiting {
		t.Errorf("it was ended %d times, want once; the bridge is %s", ended, s.Phase)
	}
}

type doer func()

func (d doer) Do(*http.Request) (*http.Response, error) {
	d()
	return &http.Response{StatusCode: http.StatusNoContent, Header: http.Header{}, Body: http.NoBody}, nil
}

// While a sign-in with an old pair is refused for its age, the new token may
// have come: that is not refused with it.
func TestAnOldPairsRefusalSaysNothingOfTheNewOne(t *testing.T) {
	t.Parallel()
	var k *Keyring
	c := New(Config{Now: time.Now, Changed: func() { k.Reconsider() }, Log: hclog.NewNullLogger()})
	old, fresh, sealed := bundle(t)
	k = NewKeyring(func() (session.File, error) { return session.Parse(sealed) }, c, time.Now)
	if err := k.Verify(old.Reveal()); err != nil {
		t.Fatal(err)
	}
	tried := c.creds
	if err := k.Verify(fresh.Reveal()); err != nil {
		t.Fatal(err)
	}
	c.failed(tried, &refusal{Problem: api.Problem{Code: api.ErrorCodeCredentialsExpired, Status: http.StatusUnauthorized}}, 1)
	if err := k.Verify(fresh.Reveal()); err != nil {
		t.Errorf("the new token: %v", err)
	}
	if p := c.State().Problem; p != nil {
		t.Errorf("the new credentials have the problem of the old: %s", p.Cause)
	}
}

// bundle seals two pairs, of which the old one has an hour left.
func bundle(t *testing.T) (old, fresh session.Token, sealed string) {
	t.Helper()
	var previous *session.Previous
	tokens := make([]session.Token, 2)
	for i := range tokens {
		secrets, err := signin.GenerateSecrets()
		if err != nil {
			t.Fatal(err)
		}
		if tokens[i], err = session.NewToken(); err != nil {
			t.Fatal(err)
		}
		credentials := session.Credentials{AccountURL: "http://127.0.0.1:1", AccountID: "acc", Email: "a@example.com", Secrets: secrets}
		if sealed, err = session.Seal(tokens[i], int64(i+1), credentials, previous); err != nil {
			t.Fatal(err)
		}
		file, err := session.Parse(sealed)
		if err != nil {
			t.Fatal(err)
		}
		previous = &session.Previous{Entry: file.Entries[0], Expires: time.Now().Add(time.Hour)}
	}
	return tokens[0], tokens[1], sealed
}
