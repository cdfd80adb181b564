package account

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A Keyring decides which bearer token may come in. It holds the sealed
// session until a token opens it, and then the tokens' fingerprints only: the
// token itself is never kept.
type Keyring struct {
	read      func() (session.File, error)
	connector *Connector
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
	// dead is the newest epoch whose token has ended: that of an old pair which
	// opened the bridge, or whose overlap the account said is over.
	dead int64
	// openings counts how often a session was opened or sealed: what was
	// derived from an earlier one is void.
	openings int64
}

// KeyringState is what a keyring shows to whoever has no token.
type KeyringState struct {
	// Err is why the session cannot be read; nil if it can.
	Err    error
	Sealed bool
	// Header is of the session in use, or of the newest one while sealed.
	Header      session.Header
	Fingerprint string // of the sealed text
}

// NewKeyring reads the session with read, and gives what is in it to c once a
// token opens it.
func NewKeyring(read func() (session.File, error), c *Connector, now func() time.Time) *Keyring {
	k := &Keyring{read: read, connector: c, now: now, since: now()}
	k.Reload()
	return k
}

// Reload reads the session again unless one is open; somebody may have put a
// better one in its place.
func (k *Keyring) Reload() {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open != nil {
		return
	}
	file, err := k.read()
	if (err == nil) != (k.err == nil) {
		k.since = k.now()
	}
	// A session found damaged on opening parses well: as long as nobody has
	// replaced it, that remains what is known of it.
	if err != nil || k.err == nil || file.Fingerprint() != k.damaged {
		k.file, k.err = file, err
	}
}

// Reconsider seals the bridge again if the old pair of a bundle opened it and
// its time is over, or the account refuses it: then the bridge waits for the
// new token, and for nothing else. It is called when the connector's state has
// changed, and now and then.
func (k *Keyring) Reconsider() {
	state := k.connector.State()
	k.mu.Lock()
	if k.open != nil && state.Epoch == k.open.Epoch && expired(state) {
		k.dead = k.open.Epoch // for good: the account may be away a moment later, and say nothing
	}
	dead := k.open != nil && k.isOld(k.open.Epoch) &&
		(state.Epoch == k.open.Epoch && refusedAsOutdated(state) || isOver(k.alive(state, k.open.Epoch, k.open.Epoch)))
	if dead {
		k.dead, k.open, k.since = k.open.Epoch, nil, k.now()
		k.openings++
	}
	k.mu.Unlock()
	if dead {
		k.connector.Drop()
	}
}

// isOld reports whether a generation is that of the bundle's second session.
func (k *Keyring) isOld(epoch int64) bool {
	return len(k.file.Entries) > 0 && epoch < k.file.Entries[0].Header.Epoch
}

func refusedAsOutdated(s State) bool {
	return s.Problem != nil && s.Problem.Code == problem.CredentialsChanged
}

// Pass returns what may be derived from a token that was let in, a cookie for
// one; Valid says for how long. It is empty as long as the account has not
// confirmed the token's pair, for which it waits while a sign-in is under way.
func (k *Keyring) Pass(ctx context.Context, text string) string {
	token, err := session.ParseToken(text)
	if err != nil {
		return ""
	}
	k.connector.settle(ctx)
	state := k.connector.State()
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.pass(token.Fingerprint(), state)
}

// Valid reports whether what was derived from a token still counts: the token
// would be let in, and the session has neither been sealed nor changed since.
func (k *Keyring) Valid(pass string) bool {
	fingerprint, _, _ := strings.Cut(pass, " ")
	state := k.connector.State()
	k.mu.Lock()
	defer k.mu.Unlock()
	return same(pass, k.pass(fingerprint, state))
}

func (k *Keyring) pass(fingerprint string, state State) string {
	if k.open == nil {
		return ""
	}
	epoch := k.open.Epoch
	switch {
	case same(fingerprint, k.open.TokenFingerprint):
	case same(fingerprint, k.open.PreviousFingerprint):
		epoch = k.open.PreviousEpoch
	default:
		return ""
	}
	confirmed := epoch == state.Proved || slices.ContainsFunc(state.Generations, func(g api.Generation) bool { return g.Epoch == epoch })
	if !confirmed || k.alive(state, epoch, k.open.Epoch) != nil {
		return ""
	}
	return fmt.Sprintf("%s %s %d %d", fingerprint, k.file.Fingerprint(), epoch, k.openings)
}

// State returns what may be known without a token.
func (k *Keyring) State() KeyringState {
	k.mu.Lock()
	defer k.mu.Unlock()
	s := KeyringState{Err: k.err, Sealed: k.open == nil}
	switch {
	case k.open != nil:
		s.Header, s.Fingerprint = *k.open, k.file.Fingerprint()
	case k.err == nil:
		s.Header, s.Fingerprint = k.file.Entries[0].Header, k.file.Fingerprint()
	}
	return s
}

// Report says how the session is.
func (k *Keyring) Report() health.Report {
	now := k.now()
	r := health.Report{Source: "session", Time: now, Expires: now.Add(time.Minute), State: health.Healthy}
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.open != nil:
	case k.err != nil:
		r.State = health.Unhealthy
		facts := problem.Facts{problem.FactReason: k.err.Error()}
		if mistake, ok := errors.AsType[*session.MistakeError](k.err); ok {
			facts[problem.FactSetting] = mistake.Setting
		}
		r.Problems = []problem.Problem{problem.New(problem.SessionUnreadable, k.since, facts)}
	default:
		r.State = health.Sealed
		r.Problems = []problem.Problem{problem.New(problem.Sealed, k.since, nil)}
	}
	return r
}

// Verify returns nil if the bearer token may come in; the first right one
// opens the session. Anything else is a *control.Refusal with the HTTP status
// to answer: with problem.TokenRejected for a well-formed wrong token, and
// without a code for a text that is no token.
func (k *Keyring) Verify(text string) error {
	token, err := session.ParseToken(text)
	if err != nil {
		return &control.Refusal{Status: http.StatusUnauthorized, Detail: err.Error()}
	}
	// The connector tells of its changes, and who listens asks this keyring:
	// so it is called without the lock.
	afterwards, err := k.verify(token, k.connector.State())
	if afterwards != nil {
		afterwards()
	}
	return err
}

// IsPrevious reports whether a token that was let in is the older pair's.
func (k *Keyring) IsPrevious(text string) bool {
	token, err := session.ParseToken(text)
	if err != nil {
		return false
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, newest := range k.file.Entries {
		return same(token.Fingerprint(), newest.Header.PreviousFingerprint)
	}
	return false
}

func (k *Keyring) verify(token session.Token, state State) (afterwards func(), _ error) {
	fingerprint := token.Fingerprint()
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.open != nil {
		switch {
		case same(fingerprint, k.open.TokenFingerprint):
			return nil, k.alive(state, k.open.Epoch, k.open.Epoch)
		case same(fingerprint, k.open.PreviousFingerprint):
			return nil, k.alive(state, k.open.PreviousEpoch, k.open.Epoch)
		}
	}
	if k.err != nil {
		return nil, unreadable(k.err)
	}
	entry, ok := k.file.Match(token)
	if !ok || k.open != nil && entry.Header.Epoch < k.open.Epoch {
		return nil, &control.Refusal{
			Status: http.StatusUnauthorized,
			Code:   problem.TokenRejected,
			Detail: "this bearer token does not belong to the bridge's session",
		}
	}
	if entry.Header.Epoch <= k.dead {
		return nil, overlapIsOver()
	}
	if refusal := k.overlap(entry.Header.Epoch); refusal != nil {
		return nil, refusal
	}
	// Sealed; or the old pair was used first and now the new token comes.
	creds, err := entry.Open(token)
	if err != nil {
		if k.open == nil { // else the open one still serves
			k.err, k.damaged, k.since = err, k.file.Fingerprint(), k.now()
		}
		return nil, unreadable(err)
	}
	k.open = &entry.Header
	k.openings++
	use := func() { k.connector.Use(creds, entry.Header.Epoch) }
	if k.isOld(entry.Header.Epoch) && k.file.Entries[0].Header.PreviousExpires.IsZero() {
		// A bundle that does not say when its second session ends: it is opened,
		// so that the account can be asked, and lets nobody in before.
		return use, notKnownYet()
	}
	return use, nil
}

// overlap is why the token of a generation is not let in any more, as far as
// the sealed session tells: it is that of the second session, whose end is past.
func (k *Keyring) overlap(epoch int64) *control.Refusal {
	newest := k.file.Entries[0].Header
	if !k.isOld(epoch) || newest.PreviousExpires.IsZero() || k.now().Before(newest.PreviousExpires) {
		return nil
	}
	gone := overlapIsOver()
	gone.Expired = newest.PreviousExpires
	return gone
}

// alive returns nil if the token of that generation still counts while the
// generation inUse is open. The account ends the overlap of two pairs; what it
// said last is compared with the clock. Until it said something, the sealed
// session counts.
func (k *Keyring) alive(state State, epoch, inUse int64) error {
	gone := overlapIsOver()
	dead := epoch <= k.dead || epoch == inUse && epoch == state.Epoch && expired(state)
	for _, g := range state.Generations {
		if g.Epoch != epoch {
			continue
		}
		ended := g.ExpiresAt != nil && !k.now().Before(*g.ExpiresAt)
		if ended {
			gone.Expired = *g.ExpiresAt
		}
		if ended || dead {
			return gone
		}
		return nil
	}
	switch {
	case dead:
		return gone
	case epoch == inUse && !k.isOld(epoch):
		// The session's own token stays right while the account refuses the
		// credentials for another reason: that heals without a new token.
		return nil
	case state.Generations != nil:
		return gone
	case k.file.Entries[0].Header.PreviousExpires.IsZero():
		return notKnownYet()
	}
	if refusal := k.overlap(epoch); refusal != nil {
		return refusal
	}
	return nil
}

// isOver reports whether err says that a token's overlap has ended.
func isOver(err error) bool {
	refusal, ok := errors.AsType[*control.Refusal](err)
	return ok && refusal.Previous
}

func notKnownYet() *control.Refusal {
	return &control.Refusal{
		Status: http.StatusServiceUnavailable,
		Detail: "whether the previous bearer token still counts is not known before the bridge has signed in",
	}
}

func overlapIsOver() *control.Refusal {
	return &control.Refusal{
		Status:   http.StatusUnauthorized,
		Code:     problem.TokenRejected,
		Previous: true,
		Detail:   "the IdP still uses the old token: it was replaced, and the overlap is over",
	}
}

// expired says that the account refused the credentials because their overlap
// is over: then their token is no longer right either.
func expired(s State) bool {
	return s.Problem != nil && s.Problem.Details[problem.FactReason] == string(api.ErrorCodeCredentialsExpired)
}

// unreadable tells a caller the code alone: it has proved nothing, since
// there is no session to prove it by. The reason is for the bridge's own machine.
func unreadable(err error) error {
	return &control.Refusal{
		Status: http.StatusServiceUnavailable,
		Code:   problem.SessionUnreadable,
		Detail: "session_unreadable: the bridge has no session that a token could open; its log has the reason",
		Reason: err.Error(),
	}
}

func same(a, b string) bool {
	return b != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}
