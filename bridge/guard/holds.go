package guard

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// Holds implements bridge.Holds. A removal of a person whose suspension is held is decided with that, and not listed.
func (g *Guard) Holds(_ context.Context, cursor string, limit int) (page bridge.HoldPage, err error) {
	after := int64(0)
	if cursor != "" {
		if after, err = strconv.ParseInt(cursor, 10, 64); err != nil {
			return page, &bridge.Error{Code: bridge.InvalidCursor, Detail: "the cursor is not one of this bridge's; " +
				"begin again without it"}
		}
	}
	var listed []hold
	err = g.view(func(s *state) {
		listed = s.listed()
		page.AsOf = cmp.Or(s.newest, g.cfg.Now().UTC())
	})
	if err != nil {
		return bridge.HoldPage{}, err
	}
	var last int64
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range listed {
		if h.Group == "" {
			page.Suspensions++
		} else {
			page.Removals++
		}
		switch {
		case h.Made.UnixMicro() <= after:
		case len(page.Items) < limit:
			page.Items = append(page.Items, bridge.Hold{
				ID: h.ID, UserName: h.UserName, GroupName: h.GroupName, Removal: h.Group != "", Deleted: h.Deleted,
				Since: h.Since, RequestID: h.RequestID, Client: g.cfg.Client, Refused: g.refused[h.ID],
			})
			last = h.Made.UnixMicro()
		default:
			page.Next = strconv.FormatInt(last, 10)
		}
	}
	return page, nil
}

// DecideHolds implements bridge.Holds. What the directory refuses stays held, and the list says why.
func (g *Guard) DecideHolds(ctx context.Context, d bridge.HoldDecision) (decided int64, err error) {
	chosen := setOf(d.IDs)
	var holds []hold
	err = g.view(func(s *state) {
		for _, h := range s.listed() {
			if chosen[h.ID] || !d.Until.IsZero() && !h.Made.After(d.Until) {
				holds = append(holds, h)
			}
		}
	})
	if err != nil {
		return 0, err
	}
	if len(holds) == 0 {
		return 0, &bridge.Error{Code: bridge.NotFound, Detail: "none of these is held; they were decided already, or " +
			"the identity provider has taken them back"}
	}
	if d.Approve {
		return g.approve(ctx, holds)
	}
	if err := g.cancel(holds); err != nil {
		return 0, err
	}
	g.cfg.Log.Info("holds were cancelled", "count", len(holds))
	return int64(len(holds)), nil
}

// cancel makes the identity provider see what is in force. A group that it has deleted is there again.
func (g *Guard) cancel(holds []hold) error {
	return g.update(func(s *state) (c change) {
		shown := map[string]bool{}
		end := func(h hold) {
			c.Drop = append(c.Drop, h.ID)
			if _, hidden := s.hidden[h.Group]; hidden && !shown[h.Group] {
				shown[h.Group] = true
				c.Show = append(c.Show, h.Group)
			}
		}
		for _, h := range holds {
			if _, held := s.holds[h.ID]; !held {
				continue // taken back
			}
			end(h)
			if h.Group == "" { // and what belongs to it
				for _, r := range s.removalsOf(h.Person) {
					end(r)
				}
			}
		}
		return c
	})
}

// approvedAtOnce is how many holds are carried out at the same time, and mostRemoved how many people are removed from a
// group in one request.
const (
	approvedAtOnce = 8
	mostRemoved    = 500
)

// approve carries holds out, and returns how many.
func (g *Guard) approve(ctx context.Context, holds []hold) (decided int64, err error) {
	var mu sync.Mutex
	var refusals []error
	var work errgroup.Group
	work.SetLimit(approvedAtOnce)
	carryOut := func(n int, do func() error) {
		work.Go(func() error {
			err := ctx.Err()
			if err == nil {
				err = do()
			}
			mu.Lock()
			defer mu.Unlock()
			if err != nil {
				refusals = append(refusals, err)
				return nil
			}
			decided += int64(n)
			return nil
		})
	}
	byGroup := map[string][]hold{}
	for _, h := range holds {
		if h.Group != "" {
			byGroup[h.Group] = append(byGroup[h.Group], h)
			continue
		}
		carryOut(1, func() error { return g.approveSuspension(ctx, h) })
	}
	for id, removals := range byGroup {
		size := mostRemoved
		if g.isWhole(id, removals) {
			size = len(removals) // then the group is deleted
		}
		for part := range slices.Chunk(removals, size) {
			carryOut(len(part), func() error { return g.remove(ctx, id, part) })
		}
	}
	_ = work.Wait() // its functions return nil
	if len(refusals) == 0 {
		g.cfg.Log.Info("approved holds were carried out", "count", decided)
		return decided, nil
	}
	first := refusals[0]
	g.cfg.Log.Warn("approved holds could not be carried out, and stay held", "carried_out", decided, "error", first)
	if refusal, ok := errors.AsType[*bridge.Error](first); ok {
		return decided, &bridge.Error{Code: refusal.Code, RetryAfter: refusal.RetryAfter, Detail: fmt.Sprintf(
			"%d of %d were carried out, and the others stay held: %s", decided, len(holds), refusal.Detail)}
	}
	return decided, first
}

// isWhole reports whether removals are all that a hidden group is there for.
func (g *Guard) isWhole(group string, removals []hold) (whole bool) {
	_ = g.view(func(s *state) {
		_, hidden := s.hidden[group]
		whole = hidden && len(removals) == len(s.removals[group])
	})
	return whole
}

// mostTries bounds how often a suspension is tried while the person changes.
const mostTries = 3

func (g *Guard) approveSuspension(ctx context.Context, h hold) error {
	unlock, err := g.people.lock(ctx, h.Person)
	if err != nil {
		return err
	}
	defer unlock()
	var held bool
	if err := g.view(func(s *state) { h, held = s.holds[h.ID] }); err != nil || !held {
		return err // it was taken back
	}
	for try := 1; ; try++ {
		err = g.suspend(ctx, h)
		if bridge.CodeOf(err) != bridge.VersionMismatch || try == mostTries {
			break
		}
	}
	switch {
	case isNotFound(err) || err == nil && h.Deleted:
		return g.forgetPerson(ctx, h.Person)
	case err != nil:
		g.refuse(err, h)
		return err
	}
	if err := g.drop(h); err != nil {
		return err
	}
	g.carryOutRemovals(ctx, h.Person)
	return nil
}

// suspend suspends or deletes a person in the directory.
func (g *Guard) suspend(ctx context.Context, h hold) error {
	if h.Deleted {
		return g.inner.DeletePerson(ctx, h.Person, "")
	}
	p, err := g.inner.Person(ctx, h.Person)
	if err != nil || p.Suspended {
		return err
	}
	attributes, err := withActive(p.Attributes, false)
	if err != nil {
		return err
	}
	_, err = g.inner.ReplacePerson(ctx, h.Person, bridge.PersonInput{Attributes: attributes}, p.Version)
	return err
}

// refuse keeps why holds could not be carried out.
func (g *Guard) refuse(err error, holds ...hold) {
	reason := "the directory could not be asked"
	if refusal, ok := errors.AsType[*bridge.Error](err); ok {
		reason = refusal.Detail
	} else if away, ok := errors.AsType[*bridge.UnavailableError](err); ok {
		reason = away.Detail
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, h := range holds {
		g.refused[h.ID] = inputtext.ShortLine(reason, 300)
	}
}

// releaseEvery is how often Run looks for holds that the limit does not ask for any more.
const releaseEvery = time.Minute

// Run approves all holds if the limit is off, until ctx ends: what an earlier limit held is not forgotten. It also logs
// when holds appear and when there are none left.
func (g *Guard) Run(ctx context.Context) {
	log, release := time.NewTicker(time.Second), time.NewTicker(releaseEvery)
	defer log.Stop()
	defer release.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-log.C:
			g.logHeld()
		case <-release.C:
			g.releaseAll(ctx)
		}
	}
}

func (g *Guard) releaseAll(ctx context.Context) {
	if !g.cfg.Limit.Off {
		return
	}
	n, err := g.DecideHolds(ctx, bridge.HoldDecision{Approve: true, Until: g.cfg.Now().Add(24 * time.Hour)})
	if n > 0 {
		g.cfg.Log.Info("carried out what was held, since the suspension limit is off", "count", n, "error", err)
	}
}
