package front

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// Config is what a Connector needs. The durations have defaults.
type Config struct {
	// Transport reaches the server. It must not follow redirects.
	Transport http.RoundTripper
	UserAgent string // program/version
	Log       hclog.Logger
	Now       func() time.Time

	// Every is the time between two questions to a server that answers, 1 min if zero.
	// Requests of the identity provider are asked beside it.
	Every time.Duration
	// RetryEvery is the time after which a server that does not answer is asked again,
	// 15 s if zero.
	RetryEvery time.Duration
	// WaitTimeout is how long a request waits for the first answer, 5 s if zero.
	WaitTimeout time.Duration

	// OnSignIn is called when the server has first answered a token of a generation; it
	// may be nil.
	OnSignIn func(epoch int64)
}

// Phase is how far the connector has come with the server.
type Phase string

// The phases. They are those of connector/account.
const (
	Waiting     Phase = "waiting"    // for credentials: the session is sealed
	SigningIn   Phase = "signing_in" // the server has not answered yet
	SignedIn    Phase = "signed_in"
	Refused     Phase = "refused"     // the server does not take the token
	Unreachable Phase = "unreachable" // the server does not answer as a SCIM server
)

// State is where the connector stands.
type State struct {
	Phase Phase
	URL   string // empty while Waiting
	// Epoch is the generation of the credentials in use, 0 while Waiting.
	Epoch int64
	// Proved is the generation whose token the server has taken since this process
	// started; 0 for none.
	Proved int64
	// Server is what is known of it; zero while Waiting.
	Server scim.State
}

// A Connector is a bridge's way to a SCIM server. It is safe for concurrent use.
type Connector struct {
	cfg     Config
	changes chan struct{} // see Changes
	moved   chan struct{} // wakes Run after the credentials have changed

	mu     sync.Mutex
	opened *opened // nil while the session is sealed
}

// opened is what an open session made.
type opened struct {
	directory *scim.Directory
	url       string
	epoch     int64
	token     secret.String
	since     time.Time // of the token
	proved    bool      // the server has taken the token
	recheck   func()    // ends the wait for the next question; nil before the first
}

// New returns a Connector that waits for credentials; Run makes it work.
func New(cfg Config) *Connector {
	if cfg.Every == 0 {
		cfg.Every = time.Minute
	}
	if cfg.RetryEvery == 0 {
		cfg.RetryEvery = 15 * time.Second
	}
	if cfg.WaitTimeout == 0 {
		cfg.WaitTimeout = 5 * time.Second
	}
	return &Connector{cfg: cfg, changes: make(chan struct{}, 1), moved: make(chan struct{}, 1)}
}

// SetCredentials gives the connector credentials. The sessions of a bundle are of one
// server, so what is known of that stays when the newer one is opened.
func (c *Connector) SetCredentials(creds session.Directory, epoch int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	defer notify(c.moved)
	o := c.opened
	if o == nil || o.url != creds.URL {
		c.close()
		o = &opened{url: creds.URL}
		var err error
		o.directory, err = scim.New(scim.Config{
			URL:       creds.URL,
			Token:     func() secret.String { return c.token(o) },
			Transport: c.cfg.Transport,
			UserAgent: c.cfg.UserAgent,
			Log:       c.cfg.Log,
			Now:       c.cfg.Now,
		})
		if err != nil { // the address was checked when it was sealed, and when the header was read
			c.cfg.Log.Error("could not use the session's SCIM server", "error", err)
			return
		}
		c.opened = o
	}
	o.epoch, o.token, o.since, o.proved = epoch, creds.Token, c.cfg.Now(), false
	if o.recheck != nil {
		o.recheck()
	}
}

// ClearCredentials forgets the credentials. Requests that are under way are answered with
// ErrUnavailable.
func (c *Connector) ClearCredentials() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.close()
	notify(c.moved)
}

// close must be called with the lock held. What the directory does ends without it, since
// that asks for the token.
func (c *Connector) close() {
	if o := c.opened; o != nil {
		o.token = secret.String{}
		if o.recheck != nil {
			o.recheck()
		}
		go o.directory.Close()
	}
	c.opened = nil
}

func (c *Connector) token(o *opened) secret.String {
	c.mu.Lock()
	defer c.mu.Unlock()
	return o.token
}

// CredentialState returns what is known of the credentials. A server knows nothing of the
// bridge's own tokens, so it has no generations.
func (c *Connector) CredentialState() session.CredentialState {
	s := c.State()
	return session.CredentialState{Epoch: s.Epoch, Proved: s.Proved}
}

// AwaitSignIn returns when the server has answered, or takes too long for a request to wait.
func (c *Connector) AwaitSignIn(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.WaitTimeout)
	defer cancel()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for c.State().Phase == SigningIn {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// State returns where the connector stands.
func (c *Connector) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.opened
	if o == nil {
		return State{Phase: Waiting}
	}
	s := State{URL: o.url, Epoch: o.epoch, Server: o.directory.State()}
	asked := s.Server.Asked.After(o.since)
	o.proved = o.proved || asked && s.Server.Trouble == nil
	if o.proved {
		s.Proved = o.epoch
	}
	s.Phase = phaseOf(s.Server.Trouble, asked, o.proved)
	return s
}

func phaseOf(trouble *scim.Trouble, asked, proved bool) Phase {
	switch {
	case !asked && !proved:
		return SigningIn
	case trouble == nil:
		return SignedIn
	case trouble.Cause == scim.TokenRefused:
		return Refused
	case trouble.Cause == scim.Unreachable:
		return Unreachable
	case proved: // it answers, though not everything
		return SignedIn
	default:
		return SigningIn
	}
}

// Changes returns a channel that receives after the phase or the problems have changed. It
// holds one change: the receiver reads the state as it is by then.
func (c *Connector) Changes() <-chan struct{} { return c.changes }

// Run asks the server whether it is there until ctx ends.
func (c *Connector) Run(ctx context.Context) {
	var following sync.WaitGroup
	following.Go(func() { c.follow(ctx) })
	defer following.Wait()
	for ctx.Err() == nil {
		look, o := c.look(ctx)
		if o == nil {
			select {
			case <-ctx.Done():
			case <-c.moved:
			}
			continue
		}
		o.directory.Run(look) // asks at once
	}
	c.ClearCredentials()
}

// look returns for how long the server is not asked again, and what is open; nil for nothing.
func (c *Connector) look(ctx context.Context) (context.Context, *opened) {
	pause := c.cfg.RetryEvery
	if c.State().Phase == SignedIn {
		pause = c.cfg.Every
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	o := c.opened
	if o == nil {
		return ctx, nil
	}
	look, cancel := context.WithTimeout(ctx, pause)
	o.recheck = cancel
	return look, o
}

// followEvery is how soon a change of the server's state is noticed.
const followEvery = 200 * time.Millisecond

// follow tells of changes until ctx ends.
func (c *Connector) follow(ctx context.Context) {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	var before string
	var signedIn int64
	var known []problem.Problem
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		s := c.State()
		if s.Proved != 0 && s.Proved != signedIn {
			signedIn = s.Proved
			c.cfg.Log.Info("the SCIM server takes the token", "url", s.URL, "epoch", s.Epoch)
			if c.cfg.OnSignIn != nil {
				c.cfg.OnSignIn(s.Proved)
			}
		}
		known = c.logProblems(s, known)
		if now := fmt.Sprint(s.Phase, s.Epoch, s.Proved, codes(s, c.cfg.Now())); now != before {
			before = now
			notify(c.changes)
		}
	}
}

// logProblems logs those that were not known, and returns all.
func (c *Connector) logProblems(s State, known []problem.Problem) []problem.Problem {
	all := problems(s, c.cfg.Now())
	for _, p := range all {
		if slices.ContainsFunc(known, func(k problem.Problem) bool { return k.Code == p.Code && k.Cause == p.Cause }) {
			continue
		}
		fields := []any{problem.LogKey, string(p.Code)}
		for _, name := range slices.Sorted(maps.Keys(p.Details)) {
			fields = append(fields, name, p.Details[name])
		}
		c.cfg.Log.Error("the SCIM server behind the bridge has a problem", fields...)
	}
	return all
}

// notify sends without waiting: one message is enough.
func notify(to chan<- struct{}) {
	select {
	case to <- struct{}{}:
	default:
	}
}

// directory returns the server's Directory.
func (c *Connector) directory() (bridge.Directory, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.opened == nil {
		return nil, &bridge.UnavailableError{Detail: "the bridge is sealed", Err: errors.New("the session is sealed")}
	}
	return c.opened.directory, nil
}
