package postgres

import (
	"context"
	"errors"
	"os"
	"testing"
)

// Start starts a server that ends with the test. Where there is no PostgreSQL the test is skipped, but fails in CI.
func Start(tb testing.TB, settings ...string) *Server {
	tb.Helper()
	port, err := FreePort(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	s, err := New(context.WithoutCancel(tb.Context()), folder(), port, settings...)
	return kept(tb, s, err)
}

// StartStandby starts a standby of a server, which ends with the test.
func StartStandby(tb testing.TB, primary *Server) *Server {
	tb.Helper()
	port, err := FreePort(tb.Context())
	if err != nil {
		tb.Fatal(err)
	}
	s, err := primary.Standby(context.WithoutCancel(tb.Context()), folder(), port)
	return kept(tb, s, err)
}

func kept(tb testing.TB, s *Server, err error) *Server {
	tb.Helper()
	if errors.Is(err, ErrMissing) && os.Getenv("CI") == "" {
		tb.Skip(err)
	}
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if tb.Failed() {
			tb.Logf("log of PostgreSQL:\n%s", s.Log())
		}
		if err := s.Remove(); err != nil {
			tb.Error(err)
		}
	})
	return s
}

// folder is where servers are. A test's own folder is closed to the user that they run as.
func folder() string { return os.TempDir() }
