package account

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// Config is what a Connector needs. The durations have defaults.
type Config struct {
	// URL takes the place of the address sealed in the session; may be empty.
	URL string
	// Bridge is how this process introduces itself.
	Bridge api.BridgeIdentity
	// Transport reaches the account: client.NewTransport's, or InProcess's.
	Transport http.RoundTripper
	Log       hclog.Logger
	Now       func() time.Time
	// Random makes idempotency keys.
	Random io.Reader

	// Heartbeat is the time between two heartbeats, 15 s if zero.
	Heartbeat time.Duration
	// RetryAtMost is the longest pause between two attempts to sign in, 10 s if
	// zero. After an operator has removed the cause, it is how long the sign-in takes.
	RetryAtMost time.Duration
	// WaitTimeout is how long a request waits for a sign-in under way, 5 s if zero.
	WaitTimeout time.Duration
	// AttemptTimeout bounds a sign-in or a heartbeat, 20 s if zero. Key
	// derivation alone takes half a second on a slow machine.
	AttemptTimeout time.Duration

	// Health is what heartbeats tell of this bridge.
	Health func() health.Health
	// OnSignIn is called after a sign-in with the credentials of a generation; it may be nil.
	OnSignIn func(epoch int64)
}

// Phase is how far the connector has come with the account.
type Phase string

// The phases.
const (
	Waiting     Phase = "waiting"    // for credentials: the session is sealed
	SigningIn   Phase = "signing_in" // and nothing went wrong so far
	SignedIn    Phase = "signed_in"
	Refused     Phase = "refused"     // the account said no
	Unreachable Phase = "unreachable" // the account did not answer
)

// State is where the connector stands.
type State struct {
	Phase Phase
	// Problem is why the phase is Refused or Unreachable; else nil.
	Problem *problem.Problem
	// Strange is set while requests are answered by something else than the
	// account, and the heartbeat is not.
	Strange *problem.Problem
	// Address is this bridge's as the account saw it last, refused or not.
	Address string
	// Epoch is the generation of the credentials in use, 0 while Waiting.
	Epoch int64
	// Proved is the generation whose credentials the account has found right
	// and alive since this process started, even if it refused the bridge for
	// another reason; 0 for none.
	Proved int64
	// Expired is the newest generation that the account has refused because its
	// overlap is over; it stays.
	Expired int64
	// Generations are the credentials that the account accepts, as it said
	// last; nil until it said so once.
	Generations []api.Generation
	// FirewallDisabled is set while the break-glass holds the firewall open.
	FirewallDisabled *FirewallDisabled
	// HasHolds is set if the account counts what it holds, which one of an older
	// version, or another implementation, need not do.
	HasHolds bool
	// Held is set while the account holds suspensions or removals from groups.
	Held *Held
	// Tried is when the account was asked last, successfully or not.
	Tried time.Time
}

// A Connector is one bridge's way to its account. It is safe for concurrent use.
type Connector struct {
	cfg     Config
	wake    chan struct{} // makes Run attempt again at once
	changes chan struct{} // see Changes

	mu      sync.Mutex
	creds   *credentials
	login   *login // the session with the account; nil when there is none
	state   State
	moved   chan struct{} // closed and replaced by every update
	strange atomic.Bool   // State.Strange is set
	quiet   bool          // see OnHandover
	dropped []*login      // which Run signs out
}

// credentials are what a sealed session held.
type credentials struct {
	session.Integration
	epoch int64
}

// A login is a session with the account.
type login struct {
	client *api.Client
	token  string
	creds  *credentials
}

var (
	_ bridge.Directory   = (*Connector)(nil)
	_ bridge.WaitingRoom = (*Connector)(nil)
	_ bridge.Members     = (*Connector)(nil)
)

// New returns a Connector that waits for credentials; Run makes it work.
func New(cfg Config) *Connector {
	if cfg.Heartbeat == 0 {
		cfg.Heartbeat = 15 * time.Second
	}
	if cfg.RetryAtMost == 0 {
		cfg.RetryAtMost = 10 * time.Second
	}
	if cfg.WaitTimeout == 0 {
		cfg.WaitTimeout = 5 * time.Second
	}
	if cfg.AttemptTimeout == 0 {
		cfg.AttemptTimeout = 20 * time.Second
	}
	return &Connector{
		cfg:     cfg,
		wake:    make(chan struct{}, 1),
		changes: make(chan struct{}, 1),
		state:   State{Phase: Waiting},
		moved:   make(chan struct{}),
	}
}

// SetCredentials gives the connector credentials. An earlier login serves until
// there is one with the new credentials.
func (c *Connector) SetCredentials(creds session.Integration, epoch int64) {
	c.mu.Lock()
	c.creds = &credentials{creds, epoch}
	c.mu.Unlock()
	c.update(func(s *State) {
		s.Epoch = epoch
		if s.Phase != SignedIn {
			s.Phase, s.Problem = SigningIn, nil
		}
	})
	c.trigger()
}

// ClearCredentials forgets the credentials and whether they are right: the
// connector waits for others. What the account said of generations stays. Run ends
// the session with the account, which would count a live bridge until the session
// expires.
func (c *Connector) ClearCredentials() {
	c.update(func(s *State) {
		if c.login != nil {
			c.dropped = append(c.dropped, c.login)
		}
		c.creds, c.login = nil, nil
		s.Phase, s.Problem, s.Epoch, s.Proved = Waiting, nil, 0, 0
	})
	c.trigger()
}

// signOutDropped ends the sessions of dropped credentials.
func (c *Connector) signOutDropped(ctx context.Context) {
	c.mu.Lock()
	dropped := c.dropped
	c.dropped = nil
	c.mu.Unlock()
	for _, l := range dropped {
		ctx, cancel := context.WithTimeout(ctx, signOutTimeout)
		c.signOut(ctx, l)
		cancel()
	}
}

// State returns where the connector stands.
func (c *Connector) State() State {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.state
}

// NotifyHeartbeat makes the next heartbeat go out at once, if there is a login:
// something that the account should know has changed.
func (c *Connector) NotifyHeartbeat() {
	if c.State().Phase == SignedIn {
		c.trigger()
	}
}

// OnHandover is called when another process has taken over under this bridge's
// name, so that the account is not told that the bridge stopped.
func (c *Connector) OnHandover() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.quiet = true
}

func (c *Connector) trigger() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Changes returns a channel that receives after State has changed in more than
// what was proved and when it was tried. It holds one change: the receiver reads
// the state as it is by then.
func (c *Connector) Changes() <-chan struct{} { return c.changes }

// update changes the state, under the lock, and wakes those that wait for it.
func (c *Connector) update(change func(*State)) {
	c.mu.Lock()
	before := c.state
	change(&c.state)
	close(c.moved)
	c.moved = make(chan struct{})
	changed := differ(before, c.state)
	c.mu.Unlock()
	if changed {
		select {
		case c.changes <- struct{}{}:
		default: // one is waiting already
		}
	}
}

func differ(a, b State) bool {
	return a.Phase != b.Phase || a.Address != b.Address || a.Epoch != b.Epoch || a.Expired != b.Expired ||
		!a.FirewallDisabled.equal(b.FirewallDisabled) || !a.Held.equal(b.Held) ||
		(a.Problem == nil) != (b.Problem == nil) || (a.Strange == nil) != (b.Strange == nil) ||
		a.Problem != nil && (a.Problem.Code != b.Problem.Code || a.Problem.Cause != b.Problem.Cause) ||
		!slices.EqualFunc(a.Generations, b.Generations, func(x, y api.Generation) bool {
			return x.Epoch == y.Epoch && (x.ExpiresAt == nil) == (y.ExpiresAt == nil) &&
				(x.ExpiresAt == nil || x.ExpiresAt.Equal(*y.ExpiresAt))
		})
}

// Report returns how the way to the account is.
func (c *Connector) Report() health.Report {
	s := c.State()
	r := health.Report{Source: "account", Time: s.Tried, Expires: s.Tried.Add(2*c.cfg.Heartbeat + c.cfg.AttemptTimeout)}
	switch s.Phase {
	case Waiting:
		r.State = health.Sealed
	case SigningIn:
		r.State = health.Degraded
	case SignedIn:
		r.State = health.Healthy
	default:
		r.State = health.Unhealthy
	}
	if s.Phase == Waiting || s.Tried.IsZero() {
		r.Time = c.cfg.Now()
		r.Expires = r.Time.Add(time.Minute)
	}
	if s.Problem != nil {
		r.Problems = append(r.Problems, *s.Problem)
	}
	if s.Phase == SignedIn && s.Strange != nil {
		r.State = health.Unhealthy
		r.Problems = append(r.Problems, *s.Strange)
	}
	if s.Phase == SignedIn && s.FirewallDisabled != nil {
		s.FirewallDisabled.report(&r)
	}
	if s.Phase == SignedIn && s.Held != nil {
		s.Held.report(&r)
	}
	return r
}

// Run keeps the bridge signed in until ctx ends, then signs it out.
func (c *Connector) Run(ctx context.Context) {
	defer c.leave(context.WithoutCancel(ctx))
	failures := 0
	timer := time.NewTimer(0)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-c.wake:
		case <-timer.C:
		}
		c.signOutDropped(ctx)
		pause := c.cfg.Heartbeat
		creds, err := c.attempt(ctx)
		if failures == 0 && isLost(err) && ctx.Err() == nil {
			creds, err = c.attempt(ctx) // by another connection, which leads to another server if there are several
		}
		switch {
		case ctx.Err() != nil:
			return
		case errors.Is(err, errNoCredentials):
		case err != nil:
			pause = max(c.backoff(failures), askedToWait(err))
			failures++
			c.failed(creds, err, failures)
		default:
			failures = 0
		}
		timer.Reset(pause)
	}
}

// isLost reports whether an attempt ended with the connection: refused, or cut before there was an answer.
func isLost(err error) bool {
	_, answered := errors.AsType[*client.Error](err)
	_, answeredFalsely := errors.AsType[*impostor](err)
	return err != nil && !answered && !answeredFalsely && !errors.Is(err, errNoCredentials) &&
		!errors.Is(err, context.DeadlineExceeded)
}

// firstPause is between the first failure and the second attempt.
const firstPause = 500 * time.Millisecond

// maxAskedToWait bounds what an account may ask: a proxy's page for a day of
// maintenance must not keep the bridge away when it is over.
const maxAskedToWait = time.Minute

// askedToWait is how long the account, or a proxy in front of it, asked to be
// left alone.
func askedToWait(err error) time.Duration {
	return min(client.AskedToWait(err), maxAskedToWait)
}

// backoff doubles from firstPause to RetryAtMost. The jitter only shortens:
// a cure is found within RetryAtMost and one attempt.
func (c *Connector) backoff(failures int) time.Duration {
	pause := min(c.cfg.RetryAtMost, firstPause<<min(failures, 10))
	return pause - rand.N(pause/5+1)
}

var errNoCredentials = errors.New("the session is sealed")

// attempt signs in where that is needed, and says how the bridge is. It returns
// the credentials that it did so with.
func (c *Connector) attempt(ctx context.Context) (*credentials, error) {
	ctx, cancel := context.WithTimeout(ctx, c.cfg.AttemptTimeout)
	defer cancel()
	c.mu.Lock()
	creds, present := c.creds, c.login
	c.mu.Unlock()
	if creds == nil {
		return nil, errNoCredentials
	}
	if present != nil && present.creds == creds {
		err := c.heartbeat(ctx, present)
		if r, ok := errors.AsType[*client.Error](err); !ok || !sessionEnded(r) {
			return creds, err
		}
		c.forget(present)
	}
	next, err := c.signIn(ctx, creds)
	if err != nil {
		return creds, err
	}
	if !c.adopt(ctx, next) {
		return nil, errNoCredentials
	}
	return creds, c.heartbeat(ctx, next)
}

// adopt makes a new login the one in use, and ends the one before. It reports
// false, and ends the new one, if its credentials were dropped or replaced
// meanwhile: they may be those of a pair that is dead.
func (c *Connector) adopt(ctx context.Context, next *login) bool {
	c.mu.Lock()
	over, dropped := c.login, c.creds != next.creds
	if dropped {
		over = next
	} else {
		c.login = next
	}
	c.mu.Unlock()
	if !dropped {
		c.cfg.Log.Info("signed in to the account", "account_id", next.creds.AccountID, "epoch", next.creds.epoch)
		if c.cfg.OnSignIn != nil {
			c.cfg.OnSignIn(next.creds.epoch)
		}
	}
	if over != nil {
		c.signOut(ctx, over)
	}
	return !dropped
}

// forget drops a login that the account has ended. Login and phase change
// together: a sign-in that succeeded between the two would be taken back, and
// requests would wait for one that is not made before the next heartbeat.
func (c *Connector) forget(l *login) {
	c.update(func(s *State) {
		if c.login != l {
			return
		}
		c.login = nil
		if s.Phase == SignedIn {
			s.Phase = SigningIn
		}
	})
}

// failed records why the account does not serve the bridge with these credentials.
func (c *Connector) failed(creds *credentials, err error, failures int) {
	code, facts := diagnose(err)
	switch {
	case code == problem.AccountUnreachable:
		facts[problem.FactURL] = c.URL()
	case facts[problem.FactReason] == string(api.ErrorCodeSignInFailed):
		// Outdated credentials are known to the account, and refused by other
		// codes: an account that answers this knows nothing of ours.
		facts[problem.FactReason] = fmt.Sprintf(
			"%s: what answers at %s may be another account than the one the session was made for",
			api.ErrorCodeSignInFailed, c.URL())
	}
	before := c.State()
	now := c.cfg.Now()
	since := now
	if before.Problem != nil && before.Problem.Code == code {
		since = before.Problem.Since
	}
	p := problem.New(code, since, facts)
	// The first of its kind is logged at once, then about one a minute: repetition
	// would hide the rest of the log. The line is written before the state changes,
	// so that it is there when the problem is shown.
	if news := before.Problem == nil || before.Problem.Cause != p.Cause; news || failures%6 == 0 {
		c.cfg.Log.Error(logMessage(code, facts), logFields(code, facts, failures)...)
	}
	c.update(func(s *State) {
		if c.creds != creds {
			return // dropped meanwhile, or replaced by others, of which this says nothing
		}
		s.Phase, s.Problem, s.Tried = Refused, &p, now
		if facts[problem.FactReason] == string(api.ErrorCodeCredentialsExpired) {
			s.Expired = max(s.Expired, creds.epoch)
		}
		if code == problem.AccountUnreachable {
			s.Phase = Unreachable
		}
		if a := facts[problem.FactAddress]; a != "" {
			s.Address = a
		}
	})
}

func logMessage(code problem.Code, facts problem.Facts) string {
	switch code {
	case problem.FirewallBlocked, problem.FirewallBlockedCloudProvider:
		return problem.LogFirewallBlocked
	case problem.AccountUnreachable:
		if facts[problem.FactRefused] != "" {
			return "the account answers with an error"
		}
		return "the account cannot be reached"
	case problem.StorageFull, problem.StorageLost:
		return "the account cannot keep what it is told"
	default:
		return problem.LogSignInFailed
	}
}

func logFields(code problem.Code, facts problem.Facts, failures int) []any {
	fields := []any{problem.LogKey, string(code)}
	for _, key := range []string{
		problem.FactReason, problem.FactAnswered, problem.FactRefused, problem.FactAddress, problem.FactRuleID,
		problem.FactCountry, problem.FactContinent, problem.FactAnonymous, problem.FactURL, problem.FactDatabase,
		problem.FactRulePriority, problem.FactRuleDescription, problem.FactRuleChangedAt, problem.FactRuleKind,
		problem.FactRuleValues,
	} {
		if facts[key] != "" {
			fields = append(fields, key, facts[key])
		}
	}
	return append(fields, "attempts", failures)
}

// Session returns the token of the session with the account, for a Directory in the account's own process. It is empty
// while the bridge is not signed in.
func (c *Connector) Session() string {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.login == nil || c.state.Phase != SignedIn {
		return ""
	}
	return c.login.token
}

// AwaitSignIn waits for a sign-in under way to succeed or to fail, as long as a
// request would.
func (c *Connector) AwaitSignIn(ctx context.Context) {
	timeout := time.NewTimer(c.cfg.WaitTimeout)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		pending := c.creds != nil && c.state.Problem == nil && (c.login == nil || c.login.creds != c.creds)
		moved := c.moved
		c.mu.Unlock()
		if !pending {
			return
		}
		select {
		case <-moved:
		case <-timeout.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// session returns the login to use for a request. It waits for a sign-in
// under way, but not for one that has failed already: the identity provider
// is better served by a quick 503 than by a slow one.
func (c *Connector) session(ctx context.Context) (*login, error) {
	timeout := time.NewTimer(c.cfg.WaitTimeout)
	defer timeout.Stop()
	for {
		c.mu.Lock()
		l, state, moved := c.login, c.state, c.moved
		c.mu.Unlock()
		switch {
		case state.Phase == SignedIn && l != nil:
			return l, nil
		case state.Phase == Waiting:
			return nil, &bridge.UnavailableError{Detail: "the bridge is sealed", Err: errNoCredentials}
		case state.Problem != nil:
			return nil, &bridge.UnavailableError{Detail: titleOf(*state.Problem),
				Err: errors.New(string(state.Problem.Code))}
		}
		select {
		case <-moved:
		case <-timeout.C:
			return nil, &bridge.UnavailableError{
				Detail: "the bridge is signing in to the account", Err: errors.New("signing in takes long"),
			}
		case <-ctx.Done():
			return nil, fmt.Errorf("%w: %w", bridge.ErrUnavailable, ctx.Err())
		}
	}
}
