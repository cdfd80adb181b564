package certificate

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"strings"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// attempts are those in a row that got no certificate for a domain. They are stored, so that restarts do not use up
// what the authority allows. They are counted apart, since each kind costs something else.
type attempts struct {
	Unreached int `json:"unreached"` // that did not reach the authority
	Refusals  int `json:"refusals"`  // that it refused, or whose end is not known
	Unused    int `json:"unused"`    // that were issued a certificate which could not be used

	Counted time.Time `json:"counted"` // when the latest ended
	Next    time.Time `json:"next"`    // earliest time of the next one
	// Held is until when the authority refuses another one, by its own word; the zero time for none.
	Held   time.Time `json:"held"`
	Reason string    `json:"reason"` // of the latest failure; empty for none
	// Challenge is the kind by which the domain was proved last; empty for none.
	Challenge string `json:"challenge"`
}

func readAttempts(path string, now time.Time) (attempts, error) {
	var a attempts
	text, err := durable.ReadFile(path, 4<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		return attempts{}, err
	}
	a.Unreached, a.Refusals, a.Unused = max(a.Unreached, 0), max(a.Refusals, 0), max(a.Unused, 0)
	a.anchor(now)
	return a, nil
}

func (a attempts) write(path string) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return durable.WriteFile(path, append(text, '\n'))
}

// The waits after failures in a row.
var (
	// What was not reached counts nothing.
	waitsUnreached = []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute}
	// Let's Encrypt allows five failed validations an hour.
	waitsAfterRefusal = []time.Duration{
		2 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour,
	}
	// And five certificates for the same name in seven days.
	waitsUnused = []time.Duration{10 * time.Minute, 6 * time.Hour, 24 * time.Hour, 72 * time.Hour}
)

// mostWait bounds every wait, also one that an authority asks for: no limit of Let's Encrypt is counted for longer.
const mostWait = 7 * 24 * time.Hour

// count counts a failure; nil is one whose reason is not known yet.
func (a *attempts) count(err error, now time.Time) {
	waits, failures := waitsUnreached, &a.Unreached
	_, unused := errors.AsType[*unusedError](err)
	switch {
	case unused:
		a.Unreached, a.Refusals = 0, 0
		waits, failures = waitsUnused, &a.Unused
	case err == nil || isRefusal(err):
		a.Unreached = 0
		waits, failures = waitsAfterRefusal, &a.Refusals
	}
	wait := waits[min(*failures, len(waits)-1)]
	wait += rand.N(wait/10 + 1) // so that many bridges do not come at once
	*failures++
	a.Reason = "the bridge ended during the last attempt"
	if err != nil {
		a.Reason = explain(err)
	}
	a.Counted, a.Next, a.Held = now, now.Add(wait), time.Time{}
	if refusal, ok := errors.AsType[*acme.Error](err); ok {
		if retry, limited := acme.RateLimit(refusal); limited {
			a.Held = now.Add(min(max(retry, 0), mostWait))
			if a.Held.After(a.Next) {
				a.Next = a.Held
			}
		}
	}
}

// anchor lets the waits begin now at the latest: those of a failure in the future were counted by a wrong clock, which
// would else keep the authority from being asked until then.
func (a *attempts) anchor(now time.Time) {
	ahead := max(0, a.Counted.Sub(now))
	if ahead > 0 {
		a.Counted = now
	}
	for _, until := range []*time.Time{&a.Next, &a.Held} {
		if until.IsZero() {
			continue
		}
		*until = until.Add(-ahead)
		if latest := a.Counted.Add(mostWait); until.After(latest) {
			*until = latest
		}
	}
}

// An unusedError is why a certificate that the authority issued is of no use.
type unusedError struct{ error }

func (e *unusedError) Unwrap() error { return e.error }

// An acceptedError is why a challenge failed that the authority had begun to check. It counts that, whatever the bridge
// learnt of the end.
type acceptedError struct{ error }

func (e *acceptedError) Unwrap() error { return e.error }

// An undiscoveredError is why the directory of the authority could not be read, by which nothing is asked of it yet:
// whatever the status is, a proxy on the way or a wrong URL may be the cause.
type undiscoveredError struct{ error }

func (e *undiscoveredError) Unwrap() error { return e.error }

// isRefusal reports whether the authority was reached and counts the attempt.
func isRefusal(err error) bool {
	if _, ok := errors.AsType[*undiscoveredError](err); ok {
		return false
	}
	if _, ok := errors.AsType[*acceptedError](err); ok {
		return true
	}
	if refusal, ok := errors.AsType[*acme.Error](err); ok {
		return refusal.StatusCode < 500
	}
	_, validation := errors.AsType[*acme.AuthorizationError](err)
	_, order := errors.AsType[*acme.OrderError](err)
	_, offered := errors.AsType[*notOfferedError](err)
	return validation || order || offered
}

// explain returns the text of an error, which may quote the authority, as one line of bounded length.
func explain(err error) string {
	const most = 500
	text := strings.ReplaceAll(err.Error(), "\n", "; ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "..."
	}
	return inputtext.Line(text)
}
