package account

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// SealedSession returns the sealed session of the active integration; empty if provisioning is not active.
func (a *Account) SealedSession(ctx context.Context) (sealed string, err error) {
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		i, err := tx.Integration(ctx)
		if i.Active {
			sealed = i.Session
		}
		return err
	})
	return sealed, err
}
