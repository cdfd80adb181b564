package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// signals are what a server hears beside the first SIGINT or SIGTERM, which
// ends the command's context. A nil one hears nothing.
type signals struct {
	again <-chan struct{} // closed by the second SIGINT or SIGTERM: the operator is in a hurry
	hup   chan os.Signal
}

// hearSignals is for servers. They ignore SIGPIPE: what reads their log may go
// away, and that must not end them, as it ends a tool in a pipeline. SIGHUP
// means to read again what can be read again. After forget is called, signals
// do nothing: one that comes while the process is about to exit would make a
// killed one of a clean end.
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

// reload receives when something shall be read again.
func (s *signals) reload() <-chan os.Signal {
	if s == nil {
		return nil
	}
	return s.hup
}

// hurried returns a context that also ends when the operator is in a hurry.
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

// hurry reports whether the operator is in a hurry.
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
