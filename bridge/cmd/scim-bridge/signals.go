package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signals are the signals that a server handles, other than the first SIGINT or
// SIGTERM, which ends the command's context. A nil *signals receives none.
type signals struct {
	again <-chan struct{} // closed by the second SIGINT or SIGTERM
	hup   chan os.Signal
}

// hearSignals handles signals for a server. SIGPIPE is ignored, since the reader of
// its log may exit. SIGHUP asks for a reload. After forget is called, signals are
// ignored: with the default handlers, one during the exit would turn exit code 0
// into a death by signal.
func hearSignals() (heard *signals, forget func()) {
	signal.Ignore(syscall.SIGPIPE)
	again := make(chan struct{})
	heard = &signals{again: again, hup: make(chan os.Signal, 1)}
	signal.Notify(heard.hup, syscall.SIGHUP)
	ends := make(chan os.Signal, 2)
	signal.Notify(ends, os.Interrupt, syscall.SIGTERM)
	forgotten := make(chan struct{})
	go func() {
		for range 2 {
			select {
			case <-ends:
			case <-forgotten:
				return
			}
		}
		close(again)
	}()
	return heard, func() { close(forgotten) }
}

// reload receives with each SIGHUP.
func (s *signals) reload() <-chan os.Signal {
	if s == nil {
		return nil
	}
	return s.hup
}

// hurried returns a context that also ends with the second signal.
func (s *signals) hurried(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(ctx)
	if s == nil {
		return ctx, cancel
	}
	go func() {
		select {
		case <-s.again:
			cancel()
		case <-ctx.Done():
		}
	}()
	return ctx, cancel
}

// hurry reports whether the second signal has arrived.
func (s *signals) hurry() bool {
	if s == nil {
		return false
	}
	select {
	case <-s.again:
		return true
	default:
		return false
	}
}
