package client

import (
	"context"
	"errors"
	"net"
	"time"
)

// A Retry is how a call is made again. Whether it may be is the caller's to
// say, after each attempt: only the caller knows what doing it twice means.
type Retry struct {
	// Pause is how long to wait after the n-th attempt, counted from 1, and
	// whether there is another one at all.
	Pause func(n int) (pause time.Duration, more bool)
	// MaxAsked is the longest wait that the account may ask for with
	// Retry-After; zero if the call's deadline alone bounds it.
	MaxAsked time.Duration
	// OnPause, if set, is called before each pause that follows the n-th attempt.
	OnPause func(n int, pause time.Duration)
}

// Next is what follows an attempt.
type Next int

// What may follow an attempt.
const (
	Done   Next = iota // its outcome is the call's
	AtOnce             // another one; the attempt bounds how often
	Later              // another one, after a pause
)

// Do makes attempts until one is done. attempt also returns for how long the
// account asked to be left alone, zero if it did not. The outcome of the last
// attempt stands if ctx would end before the next one, or if the account asks
// for a longer wait than is made: an answer is worth more than a time-out.
func (r Retry) Do(ctx context.Context, attempt func() (next Next, asked time.Duration)) {
	for n := 1; ; n++ {
		next, asked := attempt()
		switch next {
		case Done:
			return
		case AtOnce:
			continue
		case Later:
		}
		pause, more := r.Pause(n)
		if !more || r.MaxAsked > 0 && asked > r.MaxAsked {
			return
		}
		pause = max(pause, asked)
		if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= pause {
			return
		}
		if r.OnPause != nil {
			r.OnPause(n, pause)
		}
		if !sleep(ctx, pause) {
			return
		}
	}
}

// sleep waits for d, and reports whether ctx did not end before.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// NotSent reports whether a call failed before it left, so that repeating it
// is always safe.
func NotSent(err error) bool {
	op, ok := errors.AsType[*net.OpError](err)
	return ok && op.Op == "dial"
}

// AskedToWait is for how long the account, or a proxy in front of it, asked to
// be left alone; zero if it did not.
func AskedToWait(err error) time.Duration {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.RetryAfter
	}
	return 0
}
