package account

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// answersKept is how long answers to requests with a key are stored.
const answersKept = 24 * time.Hour

// A Request identifies a request that may be repeated.
type Request struct {
	Key    string // chosen by the client, unique among the caller's requests
	Digest string // of the whole request
}

// Idempotent calls fn in a transaction and stores the answer that fn fills in. If the
// caller sent the request before, Idempotent fills in the stored answer instead. An
// error from fn rolls the transaction back and is returned.
func (a *Account) Idempotent(ctx context.Context, r Request, answer any, fn func(context.Context) error) error {
	// A bridge is the same client after it signs in again.
	scope := CallerFrom(ctx).String()
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		kept, found, err := tx.SavedAnswer(ctx, scope, r.Key, a.Time().Add(-answersKept))
		if err != nil {
			return err
		}
		if found && kept.Digest != r.Digest {
			return &Error{
				Status: http.StatusUnprocessableEntity, Code: api.ErrorCodeIdempotencyKeyReused,
				Title:  "Idempotency-Key reused",
				Detail: "the Idempotency-Key was used for another request; use a new key for each request",
			}
		}
		if found {
			return json.Unmarshal([]byte(kept.Answer), answer)
		}
		if err := fn(ctx); err != nil {
			return err
		}
		text, err := json.Marshal(answer)
		if err != nil {
			return fmt.Errorf("storing the answer to a request: %w", err)
		}
		return tx.PutSavedAnswer(ctx, store.SavedAnswer{
			Scope: scope, Key: r.Key, Digest: r.Digest, Answer: string(text), CreatedAt: a.Time(),
		})
	})
}
