package auth

import (
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// OverlapEnd returns when the previous token expires, and reports whether it is still
// valid.
func (v *TokenVerifier) OverlapEnd() (until time.Time, works bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	state := v.connector.CredentialState()
	if len(v.file.Entries) < 2 || state.Outdated {
		return until, false
	}
	newest := v.file.Entries[0].Header
	if v.isDead(state, newest.PreviousEpoch) {
		return until, false
	}
	until = newest.PreviousExpires
	if state.Generations != nil { // the account's answer takes precedence over the session
		until = time.Time{}
		for _, g := range state.Generations {
			if g.Epoch == newest.PreviousEpoch && !g.Expires.IsZero() {
				until = g.Expires
			}
		}
	}
	return until, v.now().Before(until) // false if it is not known
}

// isOld reports whether a generation is that of the bundle's second session.
func (v *TokenVerifier) isOld(epoch int64) bool {
	return len(v.file.Entries) > 0 && epoch < v.file.Entries[0].Header.Epoch
}

// knowsPrevious reports whether the open session's previous token may be valid. An account
// says which generations it accepts. Of a directory's sessions only those in the file are
// valid: the second one names a token that was replaced twice.
func (v *TokenVerifier) knowsPrevious() bool {
	return v.open.Kind() == session.KindIntegration || !v.isOld(v.open.Epoch)
}

// checkSealed returns the refusal of a generation's token according to the sealed session:
// the second session has expired.
func (v *TokenVerifier) checkSealed(epoch int64) *Error {
	newest := v.file.Entries[0].Header
	if !v.isOld(epoch) || newest.PreviousExpires.IsZero() || v.now().Before(newest.PreviousExpires) {
		return nil
	}
	return superseded(newest.PreviousExpires)
}

// checkAlive returns nil if the token of the generation epoch is still valid while the
// generation inUse is open. The account decides when an overlap ends; its last answer is
// compared with the clock. Before its first answer, and before a directory, the sealed
// session decides.
func (v *TokenVerifier) checkAlive(state session.CredentialState, epoch, inUse int64) *Error {
	dead := v.isDead(state, epoch)
	for _, g := range state.Generations {
		if g.Epoch != epoch {
			continue
		}
		if !g.Expires.IsZero() && !v.now().Before(g.Expires) {
			return superseded(g.Expires)
		}
		if dead {
			return superseded(time.Time{})
		}
		return nil
	}
	switch {
	case dead:
		return superseded(time.Time{})
	case epoch == inUse && !v.isOld(epoch):
		// The session's own token stays right while the account refuses the credentials for
		// another reason, which can be solved without a new token.
		return nil
	case state.Generations != nil:
		return superseded(time.Time{})
	case v.file.Entries[0].Header.PreviousExpires.IsZero():
		return undecided()
	default:
		return v.checkSealed(epoch)
	}
}

// isDead reports whether the token of a generation has expired.
func (v *TokenVerifier) isDead(state session.CredentialState, epoch int64) bool {
	return epoch <= v.dead || epoch <= state.Expired || v.isOld(epoch) && epoch == state.Epoch && state.Outdated
}
