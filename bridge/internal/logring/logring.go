// Package logring keeps the latest log lines in memory, so that the status
// page can offer them for download on a machine without a log file.
//
// What is logged, and at which level, is decided by the callers.
package logring

import (
	"bytes"
	"io"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// A Ring holds the latest lines, up to a number of bytes. It is safe for
// concurrent use.
type Ring struct {
	limit int // bytes

	mu    sync.Mutex
	lines []line // oldest first
	size  int    // bytes that the lines take
}

// New makes a ring of at most limit bytes.
func New(limit int) *Ring { return &Ring{limit: limit} }

// Sink returns the ring as a sink of an intercept logger, which hands on lines
// of the given level and above whatever the console shows.
func (r *Ring) Sink(level hclog.Level) hclog.SinkAdapter { return sink{r, level} }

type sink struct {
	ring *Ring
	from hclog.Level
}

// Accept implements hclog.SinkAdapter.
func (s sink) Accept(name string, level hclog.Level, msg string, args ...any) {
	if level < s.from {
		return
	}
	l := line{at: time.Now().UTC(), level: level, name: name, msg: msg, args: slices.Clone(args)}
	if !immutable(args) {
		l = line{text: l.format()}
	}
	s.ring.add(l)
}

// add keeps a line. A line that is longer than the whole ring drives out all
// others and itself.
func (r *Ring) add(l line) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lines = append(r.lines, l)
	r.size += l.size()
	dropped := 0
	for r.size > r.limit {
		r.size -= r.lines[dropped].size()
		dropped++
	}
	// Moving the rest down would cost as much as the ring holds, for each line;
	// append moves it now and then.
	clear(r.lines[:dropped])
	r.lines = r.lines[dropped:]
}

// WriteTo writes the lines, oldest first. Lines that arrive meanwhile are left
// out, and a slow reader does not block logging.
func (r *Ring) WriteTo(w io.Writer) (n int64, err error) {
	r.mu.Lock()
	lines := slices.Clone(r.lines)
	r.mu.Unlock()
	for _, l := range lines {
		written, err := w.Write(l.format())
		n += int64(written)
		if err != nil {
			return n, err
		}
	}
	return n, nil
}

// A line is formatted when it is read: every request makes one, and hardly any is
// ever read. A line with values that may change is formatted at once.
type line struct {
	at        time.Time
	level     hclog.Level
	name, msg string
	args      []any // keys and values by turns

	text []byte // instead of all that
}

// immutable reports whether args will always print as they do now.
func immutable(args []any) bool {
	for _, arg := range args {
		switch arg.(type) {
		case string, bool, int, int64, time.Duration, netip.Addr:
		default:
			return false
		}
	}
	return true
}

func (l line) format() []byte {
	if l.text != nil {
		return l.text
	}
	var b bytes.Buffer
	hclog.NewSinkAdapter(&hclog.LoggerOptions{
		Level: hclog.Trace, Output: &b, TimeFn: func() time.Time { return l.at },
	}).Accept(l.name, l.level, l.msg, l.args...)
	return b.Bytes()
}

// size is how many bytes of memory the line takes, about: texts as long as
// they are, and a word or two for everything else.
func (l line) size() int {
	n := 64 + len(l.name) + len(l.msg) + len(l.text)
	for _, arg := range l.args {
		n += 16
		if text, ok := arg.(string); ok {
			n += len(text)
		}
	}
	return n
}
