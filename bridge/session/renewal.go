package session

import (
	"errors"
	"fmt"
	"time"
)

// MaxOverlap is the longest overlap of a directory's sessions, as of an account's.
const MaxOverlap = 30 * 24 * time.Hour

// ErrOtherFarSide is the error for a session that is to follow one of another far side.
var ErrOtherFarSide = errors.New("the session before is of another far side")

// SealDirectory seals a directory's credentials under t, in the place of the session
// before, which may be the zero File. Nothing but these sessions knows which tokens are
// valid, so it also decides that:
//
//   - If t is another token than that of the session before, both are valid for overlap;
//     with an overlap of 0 only t is.
//   - If t is the same token, only the directory's credentials are new. An overlap that
//     has not ended at now keeps its end.
//
// The session before must be of the same directory, or the error is ErrOtherFarSide.
func SealDirectory(t Token, d Directory, before File, overlap time.Duration, now time.Time) (string, error) {
	if overlap < 0 || overlap > MaxOverlap {
		return "", fmt.Errorf("seal the session: the overlap of %s is not from 0s to %s", overlap, MaxOverlap)
	}
	if len(before.Entries) == 0 {
		return Seal(t, now.Unix(), d, nil)
	}
	newest := before.Entries[0]
	if newest.Header.DirectoryURL != d.URL {
		return "", fmt.Errorf("seal the session: %w: %s", ErrOtherFarSide, newest.Header.farSide())
	}
	epoch := max(now.Unix(), newest.Header.Epoch+1)
	switch ends := newest.Header.PreviousExpires; {
	case t.Fingerprint() != newest.Header.TokenFingerprint && overlap > 0:
		return Seal(t, epoch, d, &Previous{Entry: newest, Expires: now.Add(overlap)})
	case t.Fingerprint() == newest.Header.TokenFingerprint && now.Before(ends):
		return Seal(t, epoch, d, &Previous{Entry: before.Entries[1], Expires: ends})
	default:
		return Seal(t, epoch, d, nil)
	}
}

// farSide names the account or the directory.
func (h Header) farSide() string {
	if h.Kind() == KindDirectory {
		return "the directory " + h.DirectoryURL
	}
	return "the account " + h.AccountID
}
