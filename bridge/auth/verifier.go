package auth

import (
	"context"
	"crypto/sha256"
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

// A Connector uses the credentials in a session. All methods except AwaitSignIn are called
// with the TokenVerifier's lock held, and must not call it.
type Connector interface {
	// SetCredentials replaces the credentials with those of a generation.
	SetCredentials(creds session.Credentials, epoch int64)
	// ClearCredentials clears them, and whether they are valid or outdated. The newest
	// expired generation and the accepted generations are kept.
	ClearCredentials()
	// CredentialState returns what the account has reported about them.
	CredentialState() session.CredentialState
	// AwaitSignIn returns when the current sign-in has succeeded or failed, or takes too
	// long for a request to wait.
	AwaitSignIn(ctx context.Context)
}

// A TokenVerifier decides which bearer token is right. It keeps the sealed session and the
// tokens' fingerprints, but never a token.
type TokenVerifier struct {
	read      func() (session.File, error)
	connector Connector
	now       func() time.Time
	follows   bool       // see Follow
	reading   sync.Mutex // held while the session is read and taken

	mu   sync.Mutex
	file session.File
	err  error // why there is no usable file
	// damaged is the fingerprint of a file that could not be opened with the right token.
	damaged string
	since   time.Time // of err, or of being sealed
	// open is the header of the entry in use; nil while sealed.
	open *session.Header
	// dead is the newest generation that was in use when its overlap ended.
	dead int64
	// cookieKey is derived from the token and the entry in use; nil while sealed.
	cookieKey []byte
	sealed    time.Time // when an open session was last sealed
	// accepted is the token that was accepted last.
	accepted knownToken
}

// A knownToken is one whose form was checked. The digest is of its text.
type knownToken struct {
	digest      [sha256.Size]byte
	fingerprint string
}

// State is the part of the session's state that is visible without a token.
type State struct {
	// Err is why the session cannot be read; nil if it can. It wraps ErrInactive if there is none yet.
	Err    error
	Sealed bool
	// Newer reports whether there is a newer session than the one that is open.
	Newer bool
	// Header is that of the session in use, or of the newest one while sealed.
	Header      session.Header
	Fingerprint string // of the sealed text
}

// NewTokenVerifier reads the session with read, and passes its credentials to c when a
// token opens it.
func NewTokenVerifier(read func() (session.File, error), c Connector, now func() time.Time) *TokenVerifier {
	v := &TokenVerifier{read: read, connector: c, now: now, since: now()}
	v.Reload()
	return v
}

// Follow makes the verifier follow a session that is replaced where it is kept, as an account's is by a rotation:
// Reload reads it also while one is open, which stays in use as long as its token is right, and a token that belongs to
// no known session is compared with the one of that moment. Call it before the verifier is used.
func (v *TokenVerifier) Follow() { v.follows = true }

// Reload reads the session again. An open one is left alone, unless the verifier follows.
func (v *TokenVerifier) Reload() {
	v.reading.Lock() // not v.mu, for which requests wait
	defer v.reading.Unlock()
	v.mu.Lock()
	isOpen := v.open != nil
	v.mu.Unlock()
	if isOpen && !v.follows {
		return
	}
	file, err := v.read()
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.open != nil {
		if v.follows && err == nil {
			v.file = file
		}
		return
	}
	if (err == nil) != (v.err == nil) {
		v.since = v.now()
	}
	// A damaged session may parse without an error: as long as it is the same one, the
	// error of opening it is kept.
	if err != nil || v.err == nil || file.Fingerprint() != v.damaged {
		v.file, v.err = file, err
	}
}

// OnConnectorChange seals the bridge again if it uses the old session of a bundle whose
// overlap has ended, or which the account refuses. Then only the new token unseals it. Call
// it when the connector's state has changed, and periodically, since overlaps end by the
// clock.
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
	v.dead = v.open.Epoch
	v.close()
}

// Seal closes an open session and clears its credentials. The session is read again, and the next right token opens it.
func (v *TokenVerifier) Seal() {
	v.mu.Lock()
	if v.open != nil {
		v.close()
	}
	v.mu.Unlock()
	v.Reload()
}

// close clears what the open session has brought.
func (v *TokenVerifier) close() {
	v.open, v.cookieKey = nil, nil
	v.since = v.now()
	v.sealed = v.since
	v.connector.ClearCredentials()
}

// CookieKey returns the key for the cookies of the page. All bridges that one token has opened with the same session
// have the same one; it is nil while the session is sealed. Sign-ins that began until sealed are over.
func (v *TokenVerifier) CookieKey() (key []byte, sealed time.Time) {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.cookieKey, v.sealed
}

// Pass returns a value for a cookie, derived from an accepted token and valid as long as
// IsValid reports. It is empty if the account has not confirmed the credentials, for which
// it waits during a sign-in.
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

// IsValid reports whether a pass is valid: its token would be accepted, and the session is open and the same. So it is
// at each bridge of the session.
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
	case equal(fingerprint, v.open.PreviousFingerprint) && v.knowsPrevious():
		epoch = v.open.PreviousEpoch
	default:
		return ""
	}
	state := v.connector.CredentialState()
	confirmed := epoch == state.Proved ||
		slices.ContainsFunc(state.Generations, func(g session.Generation) bool { return g.Epoch == epoch })
	if v.open.Kind() == session.KindDirectory {
		// The header of the open session names the previous token and its end, and a
		// directory knows of neither.
		confirmed = v.open.Epoch == state.Proved
	}
	if !confirmed || v.checkAlive(state, epoch, v.open.Epoch) != nil {
		return ""
	}
	return fmt.Sprintf("%s %s %d", fingerprint, v.file.Fingerprint(), epoch)
}

// State returns the state that is visible without a token.
func (v *TokenVerifier) State() State {
	v.mu.Lock()
	defer v.mu.Unlock()
	s := State{Err: v.err, Sealed: v.open == nil}
	switch {
	case v.open != nil:
		s.Header, s.Fingerprint, s.Newer = *v.open, v.file.Fingerprint(), v.isOld(v.open.Epoch)
	case v.err == nil:
		s.Header, s.Fingerprint = v.file.Entries[0].Header, v.file.Fingerprint()
	}
	return s
}

// Report returns the health of the session.
func (v *TokenVerifier) Report() health.Report {
	now := v.now()
	r := health.Report{Source: "session", Time: now, Expires: now.Add(time.Minute), State: health.Healthy}
	v.mu.Lock()
	defer v.mu.Unlock()
	switch {
	case v.open != nil:
	case errors.Is(v.err, ErrInactive):
		r.State = health.Sealed
		r.Problems = []problem.Problem{problem.New(problem.ProvisioningInactive, v.since, nil)}
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
	token, err := v.parse(text)
	if err != nil {
		return &Error{Kind: Malformed, Detail: err.Error()}
	}
	refusal := v.verify(text, token.fingerprint)
	if refusal != nil && v.follows {
		v.Reload()
		refusal = v.verify(text, token.fingerprint)
	}
	if refusal != nil {
		return refusal
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	v.accepted = token
	return nil
}

// parse checks the form of a token. That of the token that was accepted last, which most requests have, it knows by the
// digest. Whether that token is still right is for verify.
func (v *TokenVerifier) parse(text string) (knownToken, error) {
	if len(text) != session.TokenLength { // not worth a hash
		_, err := session.ParseToken(text)
		return knownToken{}, err
	}
	digest := sha256.Sum256([]byte(text))
	v.mu.Lock()
	accepted := v.accepted
	v.mu.Unlock()
	if subtle.ConstantTimeCompare(digest[:], accepted.digest[:]) == 1 {
		return accepted, nil
	}
	token, err := session.ParseToken(text)
	if err != nil {
		return knownToken{}, err
	}
	return knownToken{digest, token.Fingerprint()}, nil
}

func (v *TokenVerifier) verify(text, fingerprint string) *Error {
	v.mu.Lock()
	defer v.mu.Unlock()
	state := v.connector.CredentialState()
	if v.open != nil {
		switch {
		case v.isOld(v.open.Epoch) && equal(fingerprint, v.file.Entries[0].Header.TokenFingerprint):
			// It opens the newer session, which may have the token of the open one.
		case equal(fingerprint, v.open.TokenFingerprint):
			return v.checkAlive(state, v.open.Epoch, v.open.Epoch)
		case equal(fingerprint, v.open.PreviousFingerprint) && v.knowsPrevious():
			return v.checkAlive(state, v.open.PreviousEpoch, v.open.Epoch)
		}
	}
	switch {
	case errors.Is(v.err, ErrInactive):
		return inactive()
	case v.err != nil:
		return unreadable(v.err)
	}
	token, err := session.ParseToken(text)
	if err != nil {
		return &Error{Kind: Malformed, Detail: err.Error()}
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

// unseal opens an entry of a sealed session, or the newer entry while the older one is
// open.
func (v *TokenVerifier) unseal(token session.Token, entry session.Entry) *Error {
	creds, err := entry.Open(token)
	if err != nil {
		if v.open == nil { // else the open one stays in use
			v.err, v.damaged, v.since = err, v.file.Fingerprint(), v.now()
		}
		return unreadable(err)
	}
	cookieKey, err := entry.CookieKey(token)
	if err != nil {
		return unreadable(err)
	}
	v.open, v.cookieKey = &entry.Header, cookieKey
	v.connector.SetCredentials(creds, entry.Header.Epoch)
	if v.isOld(entry.Header.Epoch) && v.file.Entries[0].Header.PreviousExpires.IsZero() {
		// A bundle without the expiry of its second session is opened, so that the
		// account can be asked, but the token is refused until it has answered.
		return undecided()
	}
	return nil
}

// IsPrevious reports whether an accepted token is the older one of a bundle.
func (v *TokenVerifier) IsPrevious(text string) bool {
	token, err := v.parse(text)
	if err != nil {
		return false
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return len(v.file.Entries) > 0 && equal(token.fingerprint, v.file.Entries[0].Header.PreviousFingerprint)
}

// equal compares in constant time. Empty texts are not equal to any.
func equal(a, b string) bool {
	return b != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
