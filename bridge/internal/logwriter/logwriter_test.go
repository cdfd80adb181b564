package logwriter_test

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/logwriter"
)

const often = "request"

// writes are what was written, one element a write.
type writes struct {
	mu   sync.Mutex
	each []string
}

func (w *writes) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.each = append(w.each, string(p))
	return len(p), nil
}

// taken returns the writes since it was last called.
func (w *writes) taken() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	taken := w.each
	w.each = nil
	return taken
}

func TestWhenLinesAreWritten(t *testing.T) {
	t.Parallel()
	const info, warn, failed = hclog.Info, hclog.Warn, hclog.Error
	type line struct {
		level   hclog.Level
		message string
		text    string
	}
	long, longer := strings.Repeat("x", 2499)+"\n", strings.Repeat("y", 9999)+"\n"
	for _, row := range []struct {
		name         string
		lines        []line
		atOnce, late []string // the writes
	}{
		{"frequent lines are written together, a moment later",
			[]line{{info, often, "a\n"}, {hclog.Debug, often, "b\n"}, {info, often, "c\n"}},
			nil, []string{"a\nb\nc\n"}},
		{"another line is written at once, with what waits",
			[]line{{info, often, "a\n"}, {info, "seldom", "b\n"}, {info, often, "c\n"}},
			[]string{"a\nb\n"}, []string{"c\n"}},
		{"a warning is written at once", []line{{warn, often, "a\n"}}, []string{"a\n"}, nil},
		{"an error is written at once", []line{{info, often, "a\n"}, {failed, often, "b\n"}}, []string{"a\nb\n"}, nil},
		{"what no longer fits waits for itself", []line{{info, often, "a\n"}, {info, often, long}, {info, often, long}},
			[]string{"a\n" + long}, []string{long}},
		{"what fills a write is written at once", []line{{info, often, long}, {info, often, long[:1595] + "\n"}},
			[]string{long + long[:1595] + "\n"}, nil},
		{"a line that is longer than a write has its own",
			[]line{{info, often, "a\n"}, {info, often, longer}, {info, often, "b\n"}},
			[]string{"a\n", longer}, []string{"b\n"}},
		{"what does not fit beside it goes before another line", []line{{info, often, long}, {info, "seldom", long}},
			[]string{long, long}, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var out writes
				l := logwriter.New(&out, often)
				defer l.Close()
				for range 2 { // it goes on in the same way
					for _, line := range row.lines {
						l.WriteLine(line.level, line.message, []byte(line.text))
					}
					if got := out.taken(); !slices.Equal(got, row.atOnce) {
						t.Errorf("at once: %.20q, want %.20q", got, row.atOnce)
					}
					time.Sleep(20 * time.Millisecond)
					synctest.Wait()
					if got := out.taken(); !slices.Equal(got, row.late) {
						t.Errorf("20 ms later: %.20q, want %.20q", got, row.late)
					}
				}
			})
		})
	}
}

// At a steady rate no line waits longer for those that follow it.
func TestALineWaitsNoLongerForTheNext(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out writes
		l := logwriter.New(&out, often)
		defer l.Close()
		for range 99 {
			l.WriteLine(hclog.Info, often, []byte("a\n"))
			time.Sleep(7 * time.Millisecond)
		}
		synctest.Wait()
		if got := out.taken(); len(got) != 33 || got[7] != "a\na\na\n" {
			t.Errorf("99 lines had %d writes: %q", len(got), got)
		}
	})
}

func TestNothingIsLostAtTheEnd(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var out writes
		l := logwriter.New(&out, often)
		l.WriteLine(hclog.Info, often, []byte("a\n"))
		l.Close()
		l.WriteLine(hclog.Info, often, []byte("b\n")) // of what ends later
		l.Close()
		_, _ = l.Write([]byte("c\n"))
		if got := out.taken(); !slices.Equal(got, []string{"a\n", "b\n", "c\n"}) {
			t.Errorf("written are %q", got)
		}
	})
}

// As with a line at a time: callers wait, and nothing is dropped.
func TestAPipeThatNobodyReadsHoldsItsWritersUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		blocked := make(blockedWriter)
		l := logwriter.New(blocked, often)
		line := []byte(strings.Repeat("x", 99) + "\n")
		var written int
		go func() {
			for range 100 {
				l.WriteLine(hclog.Info, often, line)
				written++
			}
			l.Close()
			close(blocked)
		}()
		synctest.Wait()
		if written != 40 {
			t.Errorf("%d lines of 100 bytes were taken before the first was written", written)
		}
		var got bytes.Buffer
		for text := range blocked {
			got.Write(text)
		}
		if got.Len() != 100*len(line) {
			t.Errorf("%d bytes of %d were written", got.Len(), 100*len(line))
		}
	})
}

type blockedWriter chan []byte

func (b blockedWriter) Write(p []byte) (int, error) {
	b <- slices.Clone(p)
	return len(p), nil
}

func TestAWriterIsSafeForManyCallers(t *testing.T) {
	t.Parallel()
	var out writes
	l := logwriter.New(&out, often)
	var callers sync.WaitGroup
	for i := range 8 {
		callers.Go(func() {
			for j := range 500 {
				l.WriteLine(hclog.Info, often, fmt.Appendf(nil, "%d %d\n", i, j))
			}
		})
	}
	callers.Wait()
	l.Close()
	var next [8]int
	for line := range strings.Lines(strings.Join(out.taken(), "")) {
		var i, j int
		if _, err := fmt.Sscanf(line, "%d %d\n", &i, &j); err != nil || j != next[i] {
			t.Fatalf("after %v: %q, %v", next, line, err)
		}
		next[i]++
	}
	for i, n := range next {
		if n != 500 {
			t.Errorf("caller %d has %d lines", i, n)
		}
	}
}

func BenchmarkLine(b *testing.B) {
	l := logwriter.New(io.Discard, often)
	defer l.Close()
	line := []byte(strings.Repeat("x", 249) + "\n")
	b.ReportAllocs()
	for b.Loop() {
		l.WriteLine(hclog.Info, often, line)
	}
}
