package logring_test

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/logring"
)

func content(t *testing.T, r *logring.Ring) string {
	t.Helper()
	var b strings.Builder
	if _, err := r.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestRingKeepsTheLatestWholeLines(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		lines []string
		want  string
	}{
		{"what fits is kept", []string{"one\n", "two\n"}, "one\ntwo\n"},
		{"exactly the limit is kept", []string{"12345\n", "789\n"}, "12345\n789\n"},
		{"the oldest line goes first, and whole", []string{"one\n", "two\n", "three\n"}, "two\nthree\n"},
		{"a long line drives out several", []string{"1\n", "2\n", "3\n", "45678901\n"}, "45678901\n"},
		{"several lines in one write are several lines", []string{"one\ntwo\nthree\n"}, "two\nthree\n"},
		{"of a line longer than the ring the beginning is kept", []string{"0123456789abcdef\n"}, "0123456789"},
		{"nothing was written", nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			r := logring.New(10)
			for _, l := range row.lines {
				if n, err := r.Write([]byte(l)); n != len(l) || err != nil {
					t.Fatalf("Write(%q) = %d, %v", l, n, err)
				}
			}
			if got := content(t, r); got != row.want {
				t.Errorf("the ring holds %q, want %q", got, row.want)
			}
		})
	}
}

func TestSinkHasItsOwnLevel(t *testing.T) {
	t.Parallel()
	var console bytes.Buffer
	log := hclog.NewInterceptLogger(&hclog.LoggerOptions{Level: hclog.Warn, Output: &console})
	r := logring.New(1 << 10)
	log.RegisterSink(r.Sink(hclog.Debug))

	log.Named("scim").Debug("a detail", "key", "a value")
	log.Trace("too fine")

	got := content(t, r)
	if !strings.Contains(got, `[DEBUG] scim: a detail: key="a value"`) {
		t.Errorf("the ring holds %q, without the debug line", got)
	}
	if strings.Contains(got, "too fine") {
		t.Errorf("the ring holds a trace line: %q", got)
	}
	if console.Len() != 0 {
		t.Errorf("the console shows %q", console.String())
	}
}

func TestRingIsSafeForManyWriters(t *testing.T) {
	t.Parallel()
	r := logring.New(1000)
	var writers sync.WaitGroup
	for i := range 8 {
		writers.Go(func() {
			for j := range 200 {
				fmt.Fprintf(r, "writer %d line %d\n", i, j)
			}
		})
	}
	for range 50 {
		_ = content(t, r)
	}
	writers.Wait()
	got := content(t, r)
	if len(got) > 1000 || len(got) < 900 {
		t.Errorf("the ring holds %d bytes, want just under 1000", len(got))
	}
	for l := range strings.Lines(got) {
		if !strings.HasPrefix(l, "writer ") || !strings.HasSuffix(l, "\n") {
			t.Errorf("a line was torn: %q", l)
		}
	}
}
