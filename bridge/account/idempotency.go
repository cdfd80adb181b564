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

// answersKept is how long the answer to a request with a key is repeated.
const answersKept = 24 * time.Hour

// A Request is a request that may be sent twice.
type Request struct {
	Key    string // the client's, unique among the caller's requests
	Digest string // of all that makes the request what it is
}

// Idempotent calls fn in a transaction, and keeps in it the answer that fn
// filled in. If the caller made the request before, Idempotent fills in the
// answer that was kept instead. An error from fn is returned, and undoes the
// transaction.
func (a *Account) Idempotent(ctx context.Context, r Request, answer any, fn func(context.Context) error) error {
	// A bridge that signs in again is the same client, with the same keys.
	scope := CallerFrom(ctx).String()
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		kept, found, err := tx.SavedAnswer(ctx, scope, r.Key, a.Time().Add(-answersKept))
		if err != nil {
			return err
		}
		if found && kept.Digest != r.Digest {
			return &Error{
				Status: http.StatusUnprocessableEntity, Code: api.ErrorCodeIdempotencyKeyReused, Title: "Idempotency-Key reused",
				Detail: "the Idempotency-Key came with another request before; make a new key for each request",
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
			return fmt.Errorf("keeping the answer to a request: %w", err)
		}
		return tx.PutSavedAnswer(ctx, store.SavedAnswer{
			Scope: scope, Key: r.Key, Digest: r.Digest, Answer: string(text), CreatedAt: a.Time(),
		})
	})
}
