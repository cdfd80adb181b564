package process

import (
	"context"
	"errors"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// Redeploy starts the deployed bridge in a new process, which takes over from the running
// one without losing a request. The revision does not change.
func (t *Target) Redeploy(ctx context.Context, token session.Token) error {
	unlock, err := t.lock(ctx)
	if err != nil {
		return err
	}
	defer unlock()
	if err := t.checkPrivate(); err != nil {
		return err
	}
	r, err := t.readRecord()
	if err != nil {
		return err
	}
	t.Listen, t.Binary = r.Listen, r.Binary
	before, err := t.Observe(ctx)
	if err != nil {
		return err
	}
	if r.Unseal != deploy.UnsealStored && token.IsZero() {
		return errors.New("the new bridge would stay sealed, since its token is not stored: set unseal_token_file")
	}
	if before.Spec.Session == "" {
		return errors.New("the bridge's session is missing or damaged: run terraform apply to write it again")
	}
	t.endStandbys(ctx)
	if before.Bridge != nil { // differs from the recorded one after a manual restart
		r.Process = t.processOf(*before.Bridge)
	}
	switch {
	case !before.Running:
		return t.run(ctx, &r, token, false)
	case before.Bridge == nil:
		_, err := t.restart(ctx, r, &r, token)
		return err
	default:
		return t.run(ctx, &r, token, true)
	}
}
