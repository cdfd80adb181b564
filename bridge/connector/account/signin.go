package account

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// signIn is SRP-6a over the two secrets. The account proves itself too, and
// nothing it says is believed before.
func (c *Connector) signIn(ctx context.Context, creds *credentials) (*login, error) {
	account, err := c.client(creds)
	if err != nil {
		return nil, err
	}
	handshake, err := client.Call[api.Handshake](account.StartSignIn(ctx, api.SignInStart{
		AccountId: creds.AccountID,
		Email:     creds.Email,
		Epoch:     creds.epoch,
	}))
	if err != nil {
		return nil, err
	}
	srp := signin.NewClient(creds.AccountID, creds.Email, creds.epoch)
	a, proof, err := srp.Prove(creds.Secrets, handshake.HandshakeId, signin.KDF{
		Algorithm:  string(handshake.Kdf.Algorithm),
		Iterations: handshake.Kdf.Iterations,
		Salt:       handshake.Kdf.Salt,
	}, handshake.B)
	if err != nil {
		return nil, &impostor{err}
	}
	in, err := client.Call[api.SignedIn](account.FinishSignIn(ctx, api.SignInFinish{
		HandshakeId: handshake.HandshakeId,
		A:           a,
		Proof:       proof,
		Bridge:      c.cfg.Bridge,
	}))
	if err != nil {
		if code, _ := diagnose(err); afterTheProof(code) {
			c.update(func(s *State) { c.prove(s, creds) })
		}
		return nil, err
	}
	if err := srp.VerifyServer(in.Proof); err != nil {
		return nil, &impostor{err}
	}
	c.update(func(s *State) {
		s.Address, s.Generations = in.Address, in.Generations
		c.prove(s, creds)
	})
	return &login{client: account, token: in.SessionToken, creds: creds}, nil
}

// prove records that the account found the credentials right, unless they were
// dropped or replaced meanwhile: then nothing may be derived from it.
func (c *Connector) prove(s *State, creds *credentials) {
	if c.creds == creds {
		s.Proved = creds.epoch
	}
}

// afterTheProof reports whether the account refuses for a reason that it tells
// only to a bridge whose credentials are right and whose generation is alive.
func afterTheProof(code problem.Code) bool {
	switch code {
	case problem.FirewallBlocked, problem.FirewallBlockedCloudProvider, problem.TwoFactorEnforced:
		return true
	default:
		return false
	}
}

// impostor is the error for an answer, at the account's address, of something that
// does not know the account's half of the secret, or offers parameters that would
// weaken ours.
type impostor struct{ err error }

func (e *impostor) Error() string {
	return "what answers there is not the account that the session was made for: " + e.err.Error()
}

func (e *impostor) Unwrap() error { return e.err }

func (c *Connector) heartbeat(ctx context.Context, l *login) error {
	h := c.cfg.Health()
	answer, err := client.Call[api.HeartbeatAnswer](l.client.SendHeartbeat(ctx, api.Heartbeat{
		Revision: c.cfg.Bridge.Revision,
		State:    heartbeatState(h, c.State().Phase),
		Problems: health.Codes(h.Problems),
	}, l.authorize))
	if err != nil {
		return err
	}
	if _, err := netip.ParseAddr(answer.Address); err != nil { // JSON, but no heartbeat's answer
		return fmt.Errorf("%w, but not as an account answers a heartbeat", errStrangeJSON)
	}
	now, held := c.cfg.Now(), toHeld(answer.Holds)
	c.logHeld(c.State().Held, held)
	c.update(func(s *State) {
		if c.login != l {
			return // a request learned meanwhile that this session has ended
		}
		s.Phase, s.Problem, s.Tried = SignedIn, nil, now
		s.Address, s.Generations = answer.Address, answer.Generations
		s.FirewallDisabled = ToFirewallDisabled(answer, s.FirewallDisabled, now)
		s.HasHolds, s.Held = answer.Holds != nil, held
	})
	return nil
}

// heartbeatState is what the account is told. A bridge without a problem that
// is still signing in is healthy: this heartbeat is what ends the signing in.
func heartbeatState(h health.Health, phase Phase) api.HeartbeatState {
	if h.State == health.Healthy || phase != SignedIn && len(h.Problems) == 0 {
		return api.Healthy
	}
	return api.Degraded
}

// errStrangeJSON is an answer of something that speaks JSON.
var errStrangeJSON = errors.New("what answers there speaks JSON")

// signOutTimeout bounds what ends a session: it expires by itself, too.
const signOutTimeout = 3 * time.Second

// leave ends the session and tells the account that the bridge stops, so that it
// does not count one that runs.
func (c *Connector) leave(ctx context.Context) {
	c.mu.Lock()
	l, quiet := c.login, c.quiet
	c.login = nil
	c.mu.Unlock()
	c.signOutDropped(ctx)
	if l == nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, signOutTimeout)
	defer cancel()
	if !quiet {
		_, err := client.Call[api.HeartbeatAnswer](l.client.SendHeartbeat(ctx, api.Heartbeat{
			Revision: c.cfg.Bridge.Revision,
			State:    api.Stopped,
			Problems: []string{},
		}, l.authorize))
		if err != nil {
			c.cfg.Log.Warn("the account could not be told that the bridge stops", "error", err)
			return
		}
	}
	c.signOut(ctx, l)
}

func (c *Connector) signOut(ctx context.Context, l *login) {
	if _, err := client.Call[client.Nothing](l.client.SignOut(ctx, l.authorize)); err != nil {
		c.cfg.Log.Warn("the session with the account could not be ended; it expires by itself", "error", err)
	}
}

// authorize puts the login's token into a request, and the id under which the log
// has what the identity provider asked.
func (l *login) authorize(ctx context.Context, req *http.Request) error {
	req.Header.Set("Authorization", "Bearer "+l.token)
	if id := httpkit.RequestFrom(ctx).ID; id != "" {
		req.Header.Set("X-Request-Id", id)
	}
	return nil
}

func (c *Connector) accountURL(creds *credentials) string {
	if c.cfg.URL != "" || creds == nil {
		return c.cfg.URL
	}
	return creds.AccountURL
}

// URL is the account's address; empty while the session that holds it is sealed.
func (c *Connector) URL() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.accountURL(c.creds)
}

func (c *Connector) client(creds *credentials) (*api.Client, error) {
	url := c.accountURL(creds)
	if err := client.CheckURL(url); err != nil {
		return nil, err
	}
	return client.New(client.Config{
		URL: url, Transport: c.cfg.Transport, UserAgent: "scim-bridge/" + c.cfg.Bridge.Version,
	})
}
