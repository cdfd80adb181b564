package main

import (
	"context"
	"time"

	"github.com/hashicorp/go-hclog"
)

// releaseRetry is when holds are released again after that failed.
const releaseRetry = 30 * time.Second

// A holdReleaser releases the holds that a raised suspension limit allows. It does so
// beside the requests and the rest of the server, which do not wait for thousands.
type holdReleaser struct {
	release func(context.Context) (int, error)
	logger  hclog.Logger
	raised  chan struct{}
}

func newHoldReleaser(release func(context.Context) (int, error), logger hclog.Logger) *holdReleaser {
	return &holdReleaser{release: release, logger: logger, raised: make(chan struct{}, 1)}
}

// wake lets it look for holds to release. It does not block.
func (r *holdReleaser) wake() {
	select {
	case r.raised <- struct{}{}:
	default: // it has not looked since the last time
	}
}

// start begins to release holds until ctx ends or stop is called, which waits for it.
func (r *holdReleaser) start(ctx context.Context) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		r.run(ctx)
	}()
	return func() {
		cancel()
		<-ended
	}
}

func (r *holdReleaser) run(ctx context.Context) {
	for ctx.Err() == nil {
		pause := sweepInterval // another server of the same account may have left some
		if _, err := r.release(ctx); err != nil && ctx.Err() == nil {
			r.logger.Warn("could not release the holds that the raised suspension limit allows; trying again",
				"error", err, "in", releaseRetry)
			pause = releaseRetry
		}
		select {
		case <-ctx.Done():
		case <-r.raised:
		case <-time.After(pause):
		}
	}
}
