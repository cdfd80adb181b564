package main

import (
	"context"
	"slices"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
)

// auditWatchInterval is how often new audit events are verified.
const auditWatchInterval = time.Minute

// An auditWatcher verifies the audit log beside the requests, and logs what it finds. A log that was changed is no
// reason to stop: people, groups and rules are as good as before.
type auditWatcher struct {
	watch    func(context.Context) (found account.AuditFinding, whole bool, err error)
	database string // as --database takes it
	logger   hclog.Logger

	told    []string // the faults that were logged last
	failing bool
}

// start begins to verify until ctx ends or stop is called, which waits for it.
func (w *auditWatcher) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			w.look(ctx)
			select {
			case <-ctx.Done():
			case <-time.After(auditWatchInterval):
			}
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

func (w *auditWatcher) look(ctx context.Context) {
	found, whole, err := w.watch(ctx)
	switch {
	case err != nil && (w.failing || ctx.Err() != nil):
		return
	case err != nil:
		w.logger.Warn("could not verify the audit log; trying again", "error", err, "in", auditWatchInterval)
	case len(found.Faults) == 0 && whole:
		w.logger.Info("the audit log is as it was recorded", "newest", found.Newest)
	case !slices.Equal(found.Faults, w.told):
		w.logger.Error("the audit log was changed; the account goes on. Whoever did it can write the database: look "+
			"for that first. To list what was changed, removed or inserted: scim-bridge account audit --verify "+
			"--database "+w.database+"; to find the events as they were: the guide \"Backup, restore and the audit "+
			"log\", section \"An audit log that was changed\"",
			"faults", len(found.Faults), "first", found.Faults[0])
	}
	w.failing = err != nil
	if err == nil {
		w.told = found.Faults
	}
}
