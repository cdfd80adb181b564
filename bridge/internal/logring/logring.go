// Package logring keeps the latest log lines in memory, so that the status
// page can offer them for download on a machine where nobody keeps a file.
//
// What is logged, and at which level, is decided by those who log.
package logring

import (
	"bytes"
	"io"
	"slices"
	"sync"

	"github.com/hashicorp/go-hclog"
)

// A Ring holds the latest lines, up to a number of bytes. It is safe for
// concurrent use.
type Ring struct {
	limit int // bytes

	mu    sync.Mutex
	lines [][]byte // oldest first
	size  int      // bytes in lines
}

// New makes a ring of at most limit bytes.
func New(limit int) *Ring { return &Ring{limit: limit} }

// Sink returns the ring as a sink of an intercept logger, which hands on lines
// of the given level and above whatever the console shows.
func (r *Ring) Sink(level hclog.Level) hclog.SinkAdapter {
	return hclog.NewSinkAdapter(&hclog.LoggerOptions{Level: level, Output: r})
}

// Write adds one or more lines; hclog writes each line with one call. Of a
// text longer than the whole ring the beginning is kept.
func (r *Ring) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for l := range bytes.Lines(p) {
		if len(l) > r.limit {
			l = l[:r.limit]
		}
		r.lines = append(r.lines, slices.Clone(l))
		r.size += len(l)
	}
	dropped := 0
	for r.size > r.limit {
		r.size -= len(r.lines[dropped])
		dropped++
	}
	// Moving the rest down would cost as much as the ring holds, for each line;
	// append moves it now and then.
	clear(r.lines[:dropped])
	r.lines = r.lines[dropped:]
	return len(p), nil
}

// WriteTo writes the lines, oldest first. Lines that arrive meanwhile are left
// out, and a slow reader holds nobody up.
func (r *Ring) WriteTo(w io.Writer) (int64, error) {
	r.mu.Lock()
	text := bytes.Join(r.lines, nil)
	r.mu.Unlock()
	n, err := w.Write(text)
	return int64(n), err
}
