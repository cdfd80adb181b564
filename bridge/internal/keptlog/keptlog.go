// Package keptlog keeps the latest log lines in files, over restarts, so that the status page can offer them for
// download, those of the process before among them, on a machine whose log goes elsewhere.
//
// What is logged, and at which level, is decided by the callers.
package keptlog

import (
	"bufio"
	"bytes"
	"io"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/linestore"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/logwriter"
)

// A Log keeps lines. It is safe for concurrent use.
type Log struct {
	store *linestore.Store

	mu   sync.Mutex // also keeps lines in the order of their times
	line []byte
}

// Config is where lines are kept and how many.
type Config struct {
	// Folder has the files. It is created, but not the folder above it. If it is empty, lines are kept in memory.
	Folder string
	// MaxBytes bounds the files, and Buffer the lines in memory.
	MaxBytes int64
	MaxAge   time.Duration
	Buffer   int
}

// Open returns a log. It does not fail: lines that cannot be written are kept in memory.
func Open(c Config) *Log {
	return &Log{store: linestore.Open(linestore.Config{
		Folder: c.Folder, Name: "scim-bridge", Extension: ".log", MaxBytes: c.MaxBytes, MaxAge: c.MaxAge,
		Buffer: c.Buffer, TimeOf: timeOf, Continued: true,
	})}
}

// Sink returns the log as a sink of an intercept logger, which hands on lines of the given level and above whatever
// the console shows.
func (l *Log) Sink(level hclog.Level) hclog.SinkAdapter { return sink{log: l, from: level} }

// SinkShowing is Sink for a console in hclog's text format: lines of the level shown and above, which must not be
// below the other, are also written to console, byte by byte as they are kept.
func (l *Log) SinkShowing(level, shown hclog.Level, console *logwriter.Writer) hclog.SinkAdapter {
	return sink{log: l, from: level, shown: shown, console: console}
}

type sink struct {
	log     *Log
	from    hclog.Level
	shown   hclog.Level
	console *logwriter.Writer // nil for none
}

// Accept implements hclog.SinkAdapter.
func (s sink) Accept(name string, level hclog.Level, msg string, args ...any) {
	if level < s.from {
		return
	}
	l := s.log
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now().UTC()
	line, plain := appendPlain(l.line[:0], now, name, level, msg, args)
	if !plain {
		line = appendAny(l.line[:0], now, name, level, msg, args)
	}
	l.line = line
	if level >= hclog.Warn {
		l.store.AppendUrgent(now, line)
	} else {
		l.store.Append(now, line)
	}
	if s.console != nil && level >= s.shown {
		s.console.WriteLine(level, msg, line)
	}
}

// appendAny appends a line as hclog writes it.
func appendAny(b []byte, at time.Time, name string, level hclog.Level, msg string, args []any) []byte {
	out := bytes.NewBuffer(b)
	hclog.NewSinkAdapter(&hclog.LoggerOptions{
		Level: hclog.Trace, Output: out, TimeFn: func() time.Time { return at },
	}).Accept(name, level, msg, args...)
	return out.Bytes()
}

// timeOf returns the time of a line.
func timeOf(line []byte) (time.Time, bool) {
	if len(line) <= len(timeForm) || line[len(timeForm)] != ' ' {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, string(line[:len(timeForm)]))
	return t, err == nil
}

// WriteTo writes the lines, oldest first, those of earlier processes among them. A slow reader does not block
// logging.
func (l *Log) WriteTo(w io.Writer) (n int64, err error) {
	counted := &counter{Writer: w}
	out := bufio.NewWriter(counted)
	for line := range l.store.Oldest(linestore.Range{}) {
		_, _ = out.Write(line.Text) // Flush returns the error
		if err := out.WriteByte('\n'); err != nil {
			break
		}
	}
	err = out.Flush()
	return counted.n, err
}

// A counter counts what is written.
type counter struct {
	io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	c.n += int64(n)
	return n, err
}

// Fault returns why lines cannot be written, and since when; nil if they can.
func (l *Log) Fault() (since time.Time, err error) { return l.store.Fault() }

// Close writes the lines so far. Those that come later are lost.
func (l *Log) Close() error { return l.store.Close() }
