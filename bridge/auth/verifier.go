package auth

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A Connector is what the credentials in a session unlock. All methods but
// AwaitSignIn are called with the TokenVerifier's lock held, and must not call it
// in turn.
type Connector interface {
	// SetCredentials replaces the credentials by those of a generation.
	SetCredentials(creds session.Credentials, epoch int64)
	// ClearCredentials forgets them, and whether they are right or outdated. The
	// newest generation that has expired stays, and so do those that the account
	// accepts.
	ClearCredentials()
	// CredentialState returns what the account has said of them.
	CredentialState() session.CredentialState
	// AwaitSignIn returns when a sign-in under way has succeeded or failed, or
	// has taken too long for a request to wait.
	AwaitSignIn(ctx context.Context)
}

// A TokenVerifier decides which bearer token is right. It holds the sealed
// session until a token opens it, and then the tokens' fingerprints only: the
// token itself is never kept.
type TokenVerifier struct {
	read      func() (session.File, error)
	connector Connector
	now       func() time.Time

	mu   sync.Mutex
	file session.File
	err  error // why there is no file, or none of use
	// damaged is the fingerprint of a file that could not be opened although
	// the token was right.
	damaged string
	since   time.Time // of err, or of being sealed
	// open is the header of the entry whose credentials are in use; nil while
	// sealed.
	open *session.Header
	// dead is the newest generation of an old pair that had opened the bridge
	// when its time was over.
	dead int64
	// openings counts how often a session was opened or sealed: what was
	// derived from an earlier one is void.
	openings int64
}

// State is what may be known of the session without a token.
type State struct {
	// Err is why the session cannot be read; nil if it can.
	Err    error
	Sealed bool
	// Header is of the session in use, or of the newest one while sealed.
	Header      session.Header
	Fingerprint string // of the sealed text
}

// NewTokenVerifier reads the session with read, and gives what is in it to c
// once a token opens it.
func NewTokenVerifier(read func() (session.File, error), c Connector, now func() time.Time) *TokenVerifier {
	v := &TokenVerifier{read: read, connector: c, now: now, since: now()}
	v.Reload()
	return v
}

// Reload reads the session again unless one is open: a better one may lie in
// its place.
func (v *TokenVerifier) Reload() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open != nil {
		return
	}
	file, err := v.read()
	if (err == nil) != (v.err == nil) {
		v.since = v.now()
	}
	// A session found damaged on opening parses well: as long as it is the same
	// one, that remains what is known of it.
	if err != nil || v.err == nil || file.Fingerprint() != v.damaged {
		v.file, v.err = file, err
	}
}

// OnConnectorChange seals the bridge again if the old pair of a bundle opened
// it and its time is over, or the account refuses it: then the bridge waits for
// the new token, and for nothing else. Call it when the connector's state has
// changed, and now and then, since overlaps end by the clock.
func (v *TokenVerifier) OnConnectorChange() {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open == nil || !v.isOld(v.open.Epoch) {
		return
	}
	err := v.checkAlive(v.connector.CredentialState(), v.open.Epoch, v.open.Epoch)
	if err == nil || err.Kind != Superseded {
		return
	}
	v.dead, v.open, v.since = v.open.Epoch, nil, v.now()
	v.openings++
	v.connector.ClearCredentials()
}

// Pass returns what may be derived from a token that was taken, a cookie for
// one; IsValid reports for how long. It is empty as long as the account has not
// confirmed the token's pair, for which it waits while a sign-in is under way.
func (v *TokenVerifier) Pass(ctx context.Context, text string) string {
	token, err := session.ParseToken(text)
	if err != nil {
		return ""
	}
	v.connector.AwaitSignIn(ctx)
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.pass(token.Fingerprint())
}

// IsValid reports whether what was derived from a token still counts: the token
// would be taken, and the session has neither been sealed nor changed since.
func (v *TokenVerifier) IsValid(pass string) bool {
	fingerprint, _, _ := strings.Cut(pass, " ")
	v.mu.Lock()
	defer v.mu.Unlock()
	return equal(pass, v.pass(fingerprint))
}

func (v *TokenVerifier) pass(fingerprint string) string {
	if v.open == nil {
		return ""
	}
	epoch := v.open.Epoch
	switch {
	case equal(fingerprint, v.open.TokenFingerprint):
	case equal(fingerprint, v.open.PreviousFingerprint):
		epoch = v.open.PreviousEpoch
	default:
		return ""
	}
	state := v.connector.CredentialState()
	confirmed := epoch == state.Proved ||
		slices.ContainsFunc(state.Generations, func(g session.Generation) bool { return g.Epoch == epoch })
	if !confirmed || v.checkAlive(state, epoch, v.open.Epoch) != nil {
		return ""
	}
	return fmt.Sprintf("%s %s %d %d", fingerprint, v.file.Fingerprint(), epoch, v.openings)
}

// State returns what may be known without a token.
func (v *TokenVerifier) State() State {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := State{Err: v.err, Sealed: v.open == nil}
	switch {
	case v.open != nil:
		s.Header, s.Fingerprint = *v.open, v.file.Fingerprint()
	case v.err == nil:
		s.Header, s.Fingerprint = v.file.Entries[0].Header, v.file.Fingerprint()
	}
	return s
}

// Report returns how the session is.
func (v *TokenVerifier) Report() health.Report {
	now := v.now()
	r := health.Report{Source: "session", Time: now, Expires: now.Add(time.Minute), State: health.Healthy}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.open != nil:
	case v.err != nil:
		r.State = health.Unhealthy
		facts := problem.Facts{problem.FactReason: v.err.Error()}
		if mistake, ok := errors.AsType[*session.MistakeError](v.err); ok {
			facts[problem.FactSetting] = mistake.Setting
		}
		r.Problems = []problem.Problem{problem.New(problem.SessionUnreadable, v.since, facts)}
	default:
		r.State = health.Sealed
		r.Problems = []problem.Problem{problem.New(problem.Sealed, v.since, nil)}
	}
	return r
}

// Verify returns nil if the bearer token is right; the first right one opens
// the session. Anything else is an *Error.
func (v *TokenVerifier) Verify(text string) error {
	token, err := session.ParseToken(text)
	if err != nil {
		return &Error{Kind: Malformed, Detail: err.Error()}
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	if refusal := v.verify(token); refusal != nil {
		return refusal
	}
	return nil
}

func (v *TokenVerifier) verify(token session.Token) *Error {
	fingerprint := token.Fingerprint()
	state := v.connector.CredentialState()
	if v.open != nil {
		switch {
		case equal(fingerprint, v.open.TokenFingerprint):
			return v.checkAlive(state, v.open.Epoch, v.open.Epoch)
		case equal(fingerprint, v.open.PreviousFingerprint):
			return v.checkAlive(state, v.open.PreviousEpoch, v.open.Epoch)
		}
	}
	if v.err != nil {
		return unreadable(v.err)
	}
	entry, ok := v.file.Match(token)
	epoch := entry.Header.Epoch
	switch {
	case !ok || v.open != nil && epoch < v.open.Epoch:
		return &Error{Kind: Wrong, Detail: "this bearer token does not belong to the bridge's session"}
	case v.isDead(state, epoch):
		return superseded(time.Time{})
	}
	if refusal := v.checkSealed(epoch); refusal != nil {
		return refusal
	}
	return v.unseal(token, entry)
}

// unseal opens an entry of a sealed session, or the newer one after the old
// pair was used first.
func (v *TokenVerifier) unseal(token session.Token, entry session.Entry) *Error {
	creds, err := entry.Open(token)
	if err != nil {
		if v.open == nil { // else the open one still serves
			v.err, v.damaged, v.since = err, v.file.Fingerprint(), v.now()
		}
		return unreadable(err)
	}
	v.open = &entry.Header
	v.openings++
	v.connector.SetCredentials(creds, entry.Header.Epoch)
	if v.isOld(entry.Header.Epoch) && v.file.Entries[0].Header.PreviousExpires.IsZero() {
		// A bundle that does not say when its second session ends: it is opened,
		// so that the account can be asked, and its token is not taken before.
		return undecided()
	}
	return nil
}

// IsPrevious reports whether a token that was taken is the older pair's.
func (v *TokenVerifier) IsPrevious(text string) bool {
	token, err := session.ParseToken(text)
	if err != nil {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.file.Entries) > 0 && equal(token.Fingerprint(), v.file.Entries[0].Header.PreviousFingerprint)
}

// equal compares in constant time; empty texts are equal to nothing.
func equal(a, b string) bool {
	return b != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
