package keptlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/keptlog"
)

func inFolder(t *testing.T, folder string) *keptlog.Log {
	t.Helper()
	l := keptlog.Open(keptlog.Config{Folder: folder, MaxBytes: 1 << 20, MaxAge: 24 * time.Hour})
	t.Cleanup(func() { _ = l.Close() })
	return l
}

// What the process of yesterday said is what an operator looks for.
func TestLinesOfEarlierProcessesComeFirst(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "log")
	for i := range 3 {
		l := inFolder(t, folder)
		logger(l).Info("a process", "number", i)
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	got := content(t, inFolder(t, folder))
	last := -1
	for i := range 3 {
		at := strings.Index(got, fmt.Sprintf("a process: number=%d\n", i))
		if at <= last {
			t.Errorf("the line of process %d is at %d in\n%s", i, at, got)
		}
		last = at
	}
	info, err := os.Stat(folder)
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder is %v, %v", info, err)
	}
}

// The old and the new process of a redeploy log at once.
func TestTwoProcessesLogToOneFolder(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "log")
	one, two := inFolder(t, folder), inFolder(t, folder)
	for i := range 200 {
		logger(one).Info("of the old one", "number", i)
		logger(two).Info("of the new one", "number", i)
	}
	got := content(t, one)
	if n := strings.Count(got, "of the old one"); n != 200 {
		t.Errorf("the old one wrote 200 lines, of which %d are there", n)
	}
	got = content(t, two) // which the old one's reader had not asked to write
	if n := strings.Count(got, "\n"); n != 400 {
		t.Errorf("both wrote 400 lines, of which %d are there", n)
	}
}

func TestALineOfSeveralLinesStaysWhole(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "log")
	l := inFolder(t, folder)
	logger(l).Error("a panic", "error", errors.New("panic: x\ngoroutine 1 [running]:\nmain.main()"), "status", 500)
	logger(l).Info("the next")
	before := content(t, l)
	if !strings.Contains(before, "goroutine 1 [running]:") || !strings.Contains(before, "status=500") {
		t.Errorf("the log has\n%s", before)
	}
	_ = l.Close()
	if after := content(t, inFolder(t, folder)); after != before {
		t.Errorf("the next process reads\n%s\ninstead of\n%s", after, before)
	}
}

func TestLinesAreFoundByAField(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "log")
	before := inFolder(t, folder)
	logger(before).Info("of the process before", "request_id", "A", "client", "192.0.2.1")
	if err := before.Close(); err != nil {
		t.Fatal(err)
	}
	l := inFolder(t, folder)
	logger(l).Info("the first", "request_id", "B", "client", "192.0.2.2")
	logger(l).Info("the second", "request_id", "B", "client", "192.0.2.3", "note", "with blanks")
	logger(l).Info("another", "request_id", "BB", "client", "192.0.2.4")
	logger(l).Info("none", "client", "192.0.2.5")
	found := l.ByField("request_id", []string{"A", "B", "C", ""})
	if len(found) != 2 || keptlog.Field(found["A"], "client") != "192.0.2.1" ||
		keptlog.Field(found["B"], "client") != "192.0.2.3" {
		t.Errorf("found are %q", found)
	}
	if got := keptlog.Field(found["B"], "method"); got != "" {
		t.Errorf("a field that is not there is %q", got)
	}
}

// What appendPlain writes must be what hclog writes, byte by byte: diagnose and people read both.
func TestLinesAreAsHclogWritesThem(t *testing.T) {
	t.Parallel()
	texts := []string{
		"", "plain", "two words", "a=b", `with "quotes"`, `back\slash`, `back\slash and blank`, "tab\tin",
		"line\nbreak", "ümlaut", "\x00", "~", "-", ",", "!", "+", "'", "\x7f", "a\u202eb",
		"https://a.example/b?c=d&e", "\xff", "\\",
	}
	values := []any{
		true, false, 0, -7, int64(1) << 40, time.Duration(0), 1500 * time.Microsecond, netip.Addr{},
		netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("fe80::1%eth0"), errors.New("an error"), nil, 1.5,
		[]string{"a", "b c"}, uint8(3), hclog.Hex(255), hclog.Quote("q"), hclog.Fmt("%d of %d", 1, 2),
		struct{ A int }{1},
	}
	for _, text := range texts {
		values = append(values, text)
	}
	levels := []hclog.Level{hclog.Trace, hclog.Debug, hclog.Info, hclog.Warn, hclog.Error, hclog.Level(99)}
	random := rand.New(rand.NewPCG(1, 2))
	pick := func() any { return values[random.IntN(len(values))] }
	for range 3000 {
		var args []any
		for range random.IntN(4) {
			key := any(texts[random.IntN(len(texts))])
			if random.IntN(20) == 0 {
				key = 7
			}
			args = append(args, key, pick())
		}
		if random.IntN(20) == 0 {
			args = append(args, pick())
		}
		name, msg := texts[random.IntN(len(texts))], texts[random.IntN(len(texts))]
		level := levels[random.IntN(len(levels))]
		var want bytes.Buffer
		hclog.NewSinkAdapter(&hclog.LoggerOptions{Level: hclog.Trace, Output: &want, DisableTime: true}).
			Accept(name, level, msg, args...)
		l := inMemory(1 << 20)
		l.Sink(hclog.Trace).Accept(name, level, msg, args...)
		_, got, _ := strings.Cut(content(t, l), " ")
		if strings.Contains(want.String(), "\x00") || strings.Contains(want.String(), "\n\n") {
			continue // the reader passes over what a loss of power leaves, and empty lines
		}
		if got != want.String() {
			t.Fatalf("%q %v %q %q:\n got %q\nwant %q", name, level, msg, args, got, want.String())
		}
	}
}

func BenchmarkLine(b *testing.B) {
	l := keptlog.Open(keptlog.Config{Folder: filepath.Join(b.TempDir(), "log"), MaxBytes: 8 << 20})
	defer l.Close()
	sink := l.Sink(hclog.Debug)
	client := netip.MustParseAddr("192.0.2.1")
	b.ReportAllocs()
	for i := range b.N {
		sink.Accept("scim-bridge.http", hclog.Info, "request", "method", "PATCH", "route", "users", "status", 200,
			"bytes", int64(i), "ms", int64(3), "client", client, "request_id", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "token",
			"current", "user_agent", "Okta SCIM Client 1.0.0")
	}
}
