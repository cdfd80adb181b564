package certificate

import (
	"encoding/json"
	"errors"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/crypto/acme"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// attempts are those in a row that got no certificate. They are stored, so that restarts do not use up what the
// authority allows. The zero value is none.
type attempts struct {
	Failures int       `json:"failures"`
	Next     time.Time `json:"next"` // earliest time of the next one
	// Held is until when the authority refuses another one, by its own word; the zero time for none.
	Held   time.Time `json:"held"`
	Reason string    `json:"reason"` // of the latest failure
}

const attemptsFile = "attempts.json"

func readAttempts(folder string) (attempts, error) {
	var a attempts
	text, err := durable.ReadFile(filepath.Join(folder, attemptsFile), 4<<10)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &a)
	}
	if err != nil {
		return attempts{}, err
	}
	return a, nil
}

func (a *attempts) write(folder string) error {
	text, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return durable.WriteFile(filepath.Join(folder, attemptsFile), append(text, '\n'))
}

// The waits after failures in a row. An authority that was reached counts its refusals: Let's Encrypt allows five
// failed validations an hour. One that was not reached counts nothing.
var (
	waitsAfterRefusal = []time.Duration{
		2 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 6 * time.Hour,
	}
	waitsUnreached = []time.Duration{10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 15 * time.Minute}
)

// count counts a failure; nil is one whose reason is not known yet.
func (a *attempts) count(err error, now time.Time) {
	waits := waitsAfterRefusal
	if err != nil && !isRefusal(err) {
		waits = waitsUnreached
	}
	wait := waits[min(a.Failures, len(waits)-1)]
	wait += rand.N(wait/10 + 1) // so that many bridges do not come at once
	a.Failures++
	a.Reason = "the bridge ended during the last attempt"
	if err != nil {
		a.Reason = explain(err)
	}
	a.Next, a.Held = now.Add(wait), time.Time{}
	if refusal, ok := errors.AsType[*acme.Error](err); ok {
		if retry, limited := acme.RateLimit(refusal); limited {
			a.Held = now.Add(max(retry, 0))
			if a.Held.After(a.Next) {
				a.Next = a.Held
			}
		}
	}
}

// isRefusal reports whether the authority was reached and refused.
func isRefusal(err error) bool {
	if refusal, ok := errors.AsType[*acme.Error](err); ok {
		return refusal.StatusCode < 500
	}
	_, validation := errors.AsType[*acme.AuthorizationError](err)
	_, order := errors.AsType[*acme.OrderError](err)
	return validation || order
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
