package keptlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/keptlog"
)

func content(t *testing.T, l *keptlog.Log) string {
	t.Helper()
	var b strings.Builder
	if _, err := l.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// inMemory keeps lines in so many bytes of memory.
func inMemory(bytes int) *keptlog.Log { return keptlog.Open(keptlog.Config{Buffer: bytes}) }

// logger logs to the kept log alone.
func logger(l *keptlog.Log) hclog.Logger {
	log := hclog.NewInterceptLogger(&hclog.LoggerOptions{Output: io.Discard})
	log.RegisterSink(l.Sink(hclog.Debug))
	return log
}

func TestTheLatestWholeLinesAreKept(t *testing.T) {
	t.Parallel()
	l := inMemory(20_000)
	log := logger(l)
	for i := range 1000 {
		log.Info("request", "number", i, "route", "users")
	}
	lines := slices.Collect(strings.Lines(content(t, l)))
	if len(lines) < 200 || len(lines) > 300 {
		t.Fatalf("%d lines of some 70 bytes are kept in 20,000", len(lines))
	}
	for i, line := range lines {
		if want := fmt.Sprintf("[INFO]  request: number=%d route=users\n",
			1000-len(lines)+i); !strings.HasSuffix(line, want) {
			t.Fatalf("line %d is %q, want it to end with %q", i, line, want)
		}
	}
	log.Info("too much", "what", strings.Repeat("x", 30_000))
	if got := content(t, l); got != "" {
		t.Errorf("the log has %d bytes", len(got))
	}
}

// What is downloaded later must tell how things were.
func TestALineShowsTheValuesAtTheTimeOfLogging(t *testing.T) {
	t.Parallel()
	l := inMemory(10_000)
	log := logger(l)
	names := []string{"before"}
	fields := []any{"count", 1, "took", 1500 * time.Microsecond, "address",
		netip.MustParseAddr("192.0.2.1"), "ok", true}
	log.Warn("all kinds", append(fields, "names", names, "error", errors.New("no way: \"x\""))...)
	log.With("bound", 7).Named("part").Debug("lasting values", fields...)
	names[0], fields[1] = "after", 2

	var want bytes.Buffer
	direct := hclog.New(&hclog.LoggerOptions{Level: hclog.Trace, Output: &want, DisableTime: true})
	direct.Warn("all kinds", "count", 1, "took", 1500*time.Microsecond, "address",
		netip.MustParseAddr("192.0.2.1"), "ok",
		true,
		"names", []string{"before"}, "error", errors.New("no way: \"x\""))
	direct.With("bound", 7).Named("part").Debug("lasting values", "count", 1, "took", 1500*time.Microsecond,
		"address", netip.MustParseAddr("192.0.2.1"), "ok", true)
	var got strings.Builder
	for line := range strings.Lines(content(t, l)) {
		at, rest, _ := strings.Cut(line, " ")
		if _, err := time.Parse(hclog.TimeFormat, at); err != nil || !strings.HasSuffix(at, "Z") {
			t.Errorf("a line begins with %q: %v", at, err)
		}
		got.WriteString(rest)
	}
	if got.String() != want.String() {
		t.Errorf("the log has\n%swant\n%s", got.String(), want.String())
	}
}

func TestSinkHasItsOwnLevel(t *testing.T) {
	t.Parallel()
	var console bytes.Buffer
	log := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Warn, Output: &console})
	l := inMemory(1 << 10)
	log.RegisterSink(l.Sink(hclog.Debug))

	log.Named("scim").Debug("a detail", "key", "a value")
	log.Trace("too fine")

	got := content(t, l)
	if !strings.Contains(got, `[DEBUG] scim: a detail: key="a value"`) {
		t.Errorf("the log has %q, without the debug line", got)
	}
	if strings.Contains(got, "too fine") {
		t.Errorf("the log has a trace line: %q", got)
	}
	if console.Len() != 0 {
		t.Errorf("the console shows %q", console.String())
	}
}

func TestALogIsSafeForManyWriters(t *testing.T) {
	t.Parallel()
	l := inMemory(100_000)
	log := logger(l)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for j := range 50 {
				log.Info("line", "writer", i, "number", j)
			}
		})
	}
	for range 50 {
		_ = content(t, l)
	}
	writers.Wait()
	if got := strings.Count(content(t, l), "\n"); got != 400 {
		t.Errorf("the log has %d lines, want 400", got)
	}
}
