package docker

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/moby/moby/client"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// replace replaces the container by a new one. If that cannot run, the old one continues.
func (t *Target) replace(ctx context.Context, c *client.Client, old *generation, spec deploy.Spec, revision string,
	token session.Token) error {
	running, _ := old.life()
	withoutGap := running && !old.info.State.Paused && t.gapAfter(ctx, c, old) == "" && !holds(ctx, c, old, spec)
	if token.IsZero() && spec.Unseal == deploy.UnsealStored { // the new volume needs it, too
		if stored, err := readFile(ctx, c, old, tokenName); err == nil && opens(stored, spec.Session) {
			token, _ = session.ParseToken(trim(stored))
		}
	}
	next, err := t.make(ctx, c, t.Name+suffixNext, !withoutGap, spec, revision, token)
	if err != nil {
		return fmt.Errorf("the old bridge is unchanged: %w", err)
	}
	if spec.Settings.TLSDomain != "" {
		if err := copyFolder(ctx, c, old, next, acmeName, anyFile); err != nil {
			return fmt.Errorf("the old bridge is unchanged: %w",
				errors.Join(err, remove(context.WithoutCancel(ctx), c, next)))
		}
	}
	if withoutGap {
		return t.replaceWithoutGap(ctx, c, old, next, revision, spec, token)
	}
	return t.replaceInPlace(ctx, c, old, next, revision, spec, token)
}

// holds reports whether the old or the new bridge keeps what it holds beyond its suspension limit: two volumes of which
// each has a part would be worse than a gap.
func holds(ctx context.Context, c *client.Client, old *generation, spec deploy.Spec) bool {
	if !(deploy.Settings{}).Holds(spec.Session) { // it is an account's
		return false
	}
	if spec.Settings.Holds(spec.Session) {
		return true
	}
	r, err := readRecord(ctx, c, old)
	return err != nil || r.Settings.Holds(spec.Session)
}

// gapAfter returns Gap's reason for the deployment that the old container has.
func (t *Target) gapAfter(ctx context.Context, c *client.Client, old *generation) string {
	r, err := readRecord(ctx, c, old)
	if err != nil {
		return "what was deployed is not known"
	}
	return t.Gap(newTarget(t.access, r.config(t.Name, t.Host), ""))
}

// replaceWithoutGap starts the new container beside the old one, waits until it is ready, and
// then gives it the name that clients look up.
func (t *Target) replaceWithoutGap(ctx context.Context, c *client.Client, old, next *generation, revision string,
	spec deploy.Spec, token session.Token) error {
	undo := func(err error) error {
		err = withLog(ctx, c, next.info.ID, err)
		return fmt.Errorf("the old bridge is still running: %w",
			errors.Join(err, remove(context.WithoutCancel(ctx), c, next)))
	}
	carryKey(ctx, c, old, next)
	if err := t.launch(ctx, c, next, token); err != nil {
		return undo(err)
	}
	if err := t.settle(ctx, c, next, revision, spec, token); err != nil {
		return undo(err)
	}
	if ctx.Err() != nil {
		return undo(deploy.Ended(ctx))
	}
	ctx = context.WithoutCancel(ctx) // the rest is short, and must not be left half done
	deploy.Log(ctx, "the new bridge is ready; handing over")
	if err := t.attach(ctx, c, next, *t.Network); err != nil {
		return undo(err)
	}
	// From here on clients find the new one, which may have requests.
	if err := renameTo(ctx, c, old, t.Name+suffixOld); err != nil {
		return undo(errors.Join(err, stop(ctx, c, next)))
	}
	if err := renameTo(ctx, c, next, t.Name); err != nil {
		return undo(errors.Join(err, renameTo(ctx, c, old, t.Name), stop(ctx, c, next)))
	}
	deploy.Log(ctx, "stopping the old bridge, which finishes its requests")
	if err := stop(ctx, c, old); err != nil {
		return err // it may have requests; the next apply removes it
	}
	carryKept(ctx, c, old, next)
	return remove(ctx, c, old)
}

// replaceInPlace stops the old container before it starts the new one, which needs its port.
func (t *Target) replaceInPlace(ctx context.Context, c *client.Client, old, next *generation, revision string,
	spec deploy.Spec, token session.Token) error {
	running, _ := old.life()
	if ctx.Err() != nil {
		return fmt.Errorf("the old bridge is unchanged: %w",
			errors.Join(deploy.Ended(ctx), remove(context.WithoutCancel(ctx), c, next)))
	}
	carryKey(ctx, c, old, next)      // while the old bridge still serves
	ctx = context.WithoutCancel(ctx) // no bridge runs in between
	deploy.Log(ctx, "stopping the old bridge; the new one has its port next")
	began := time.Now()
	err := stop(ctx, c, old)
	if err == nil {
		err = copyFolder(ctx, c, old, next, holdsName, anyFile)
	}
	if err == nil {
		err = renameTo(ctx, c, old, t.Name+suffixOld)
	}
	if err == nil {
		err = renameTo(ctx, c, next, t.Name)
	}
	started := err == nil
	if err == nil {
		err = t.launch(ctx, c, next, token)
	}
	if err == nil {
		deploy.Log(ctx, fmt.Sprintf("the new bridge answers, %d ms after the old one was stopped",
			time.Since(began).Milliseconds()))
		err = t.settle(ctx, c, next, revision, spec, token)
	}
	if err == nil {
		carryKept(ctx, c, old, next)
		return remove(ctx, c, old)
	}
	err = withLog(ctx, c, next.info.ID, err)
	if started { // what it was asked meanwhile, it may have held
		err = errors.Join(err, stop(ctx, c, next), copyFolder(ctx, c, next, old, holdsName, anyFile))
	}
	err = errors.Join(err, remove(ctx, c, next), renameTo(ctx, c, old, t.Name))
	if !running {
		return fmt.Errorf("the new bridge cannot run, and the old one was not running: %w", err)
	}
	return t.revive(ctx, c, old, token, err)
}

// revive starts the old container again after a new one has failed.
func (t *Target) revive(ctx context.Context, c *client.Client, old *generation, token session.Token,
	failed error) error {
	if sealed, err := readFile(ctx, c, old, sessionName); err != nil || !opens([]byte(token.Reveal()), trim(sealed)) {
		token = session.Token{} // the identity provider's next request unseals it
	}
	if err := t.launch(ctx, c, old, token); err != nil {
		return errors.Join(failed, fmt.Errorf("the old bridge was stopped and could not be started again; no "+
			"bridge is running: %w", err))
	}
	return fmt.Errorf("the old bridge was started again: %w", failed)
}

// settleTime is how long a new bridge may take to sign in before it replaces the old one
// without: what keeps it from the account then keeps the old one from it as well.
const settleTime = 20 * time.Second

// settle waits until a new bridge has signed in, or cannot for a reason that affects the old
// one as well. It fails if no bridge can work with the session, or in the container.
func (t *Target) settle(ctx context.Context, c *client.Client, g *generation, revision string, spec deploy.Spec,
	token session.Token) error {
	limited, cancel := deploy.Within(ctx, settleTime, "signing in")
	defer cancel()
	state, err := deploy.Wait{
		Target: watched{t, c, g.info.ID}, Revision: revision,
		Unsealed: !token.IsZero() || spec.Unseal == deploy.UnsealStored,
	}.Until(limited)
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return deploy.Ended(ctx)
	case limited.Err() != nil && state.Bridge != nil && len(state.Problems()) == 0,
		deploy.IsWarning(err, deploy.OnUnreadyFail):
		return nil // the caller's wait says so
	default:
		return err
	}
}

// watched observes one container.
type watched struct {
	target *Target
	client *client.Client
	id     string
}

// Observe implements deploy.Wait's Target.
func (w watched) Observe(ctx context.Context) (s deploy.State, err error) {
	g, err := inspect(ctx, w.client, w.id)
	if err != nil {
		return s, err
	}
	w.target.observeLife(ctx, w.client, g, &s)
	return s, nil
}
