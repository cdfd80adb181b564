// Package logwriter writes the frequent ones of a log's lines several at a time: for a busy server, a write for each
// request's line costs as much as a part of its answer.
//
// How a line looks, and at which level it is, is decided by the callers.
package logwriter

import (
	"io"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

const (
	// maxDelay is how long a frequent line may stay unwritten.
	maxDelay = 20 * time.Millisecond
	// maxBytes bounds a write, unless one line is longer. POSIX keeps a write of up to PIPE_BUF, 4096 bytes on Linux,
	// in one piece: of processes that share a pipe, such as a bridge and its successor, none cuts a line of another.
	maxBytes = 4096
)

// A Writer writes lines in their order, and whole lines with each write. Those with the frequent message and a level
// below warn are written within 20 ms, or when they fill 4 KiB: no more than these are lost when the process is
// killed or crashes. All others are written at once, with those that wait. It is safe for concurrent use.
//
// A pipe that is full makes the callers wait until it is read, and so does a slow disk. Lines that cannot be written
// are lost.
type Writer struct {
	w        io.Writer
	frequent string

	mu     sync.Mutex
	lines  []byte
	timer  *time.Timer
	closed bool
}

// New returns a writer of lines to w, which must be closed.
func New(w io.Writer, frequent string) *Writer {
	l := &Writer{w: w, frequent: frequent}
	l.timer = time.AfterFunc(maxDelay, l.flushInTime)
	return l
}

// WriteLine writes a line, which ends in a line break and has a message.
func (l *Writer) WriteLine(level hclog.Level, message string, line []byte) {
	l.add(line, message == l.frequent && level < hclog.Warn)
}

// Write implements [io.Writer] for one line, which is written at once.
func (l *Writer) Write(line []byte) (int, error) {
	l.add(line, false)
	return len(line), nil
}

func (l *Writer) add(line []byte, mayWait bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.lines)+len(line) > maxBytes {
		l.flush()
	}
	isFirst := len(l.lines) == 0
	l.lines = append(l.lines, line...)
	switch {
	case !mayWait, l.closed, len(l.lines) >= maxBytes:
		l.flush()
	case isFirst:
		l.timer.Reset(maxDelay)
	}
}

func (l *Writer) flushInTime() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.flush()
}

func (l *Writer) flush() {
	if len(l.lines) == 0 {
		return
	}
	_, _ = l.w.Write(l.lines) // there is nowhere to report a failed log
	if l.lines = l.lines[:0]; cap(l.lines) > 4*maxBytes {
		l.lines = nil // a line was long
	}
}

// Close writes the lines that wait. Those that come later are written at once.
func (l *Writer) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.timer.Stop()
	l.flush()
}
