package linestore

import (
	"bytes"
	"cmp"
	"errors"
	"io"
	"iter"
	"os"
	"slices"
	"time"
)

// A Line is a line without its line break; with those that continue it, if the store has such.
type Line struct {
	At   time.Time
	Text []byte
}

// A Range bounds lines by their times, both included. A zero time is no bound.
type Range struct{ Since, Until time.Time }

func (r Range) holds(t time.Time) bool {
	return !r.isAfter(t) && (r.Since.IsZero() || !t.Before(r.Since))
}

func (r Range) isAfter(t time.Time) bool { return !r.Until.IsZero() && t.After(r.Until) }

// Newest returns the lines that were kept so far, newest first. Lines of the same time are in the same order in
// each call.
func (s *Store) Newest(r Range) iter.Seq[Line] { return s.lines(r, true) }

// Oldest returns the lines that were kept so far, oldest first.
func (s *Store) Oldest(r Range) iter.Seq[Line] { return s.lines(r, false) }

func (s *Store) lines(r Range, newest bool) iter.Seq[Line] {
	_ = s.Flush() // what cannot be written is read from memory
	var text []byte
	s.writing.Lock() // or lines could be both in memory and in a file
	defer s.writing.Unlock()
	found := s.cfg.segments()
	s.mu.Lock()
	for _, b := range s.pending {
		text = append(text, b.text...)
	}
	s.mu.Unlock()
	return s.cfg.merge(r, newest, found, s.cfg.parse(text))
}

// Newest is a Store's for files that this process does not write.
func (c Config) Newest(r Range) iter.Seq[Line] {
	return c.withDefaults().merge(r, true, c.segments(), nil)
}

// Oldest is a Store's for files that this process does not write.
func (c Config) Oldest(r Range) iter.Seq[Line] {
	return c.withDefaults().merge(r, false, c.segments(), nil)
}

// A cursor is a file that is being read, or lines in memory.
type cursor struct {
	segment
	first, last time.Time // of its lines, within clockSlack
	lines       []Line    // those that are still to be read
}

// next returns the line that is to be read next.
func (c *cursor) next(newest bool) Line {
	if newest {
		return c.lines[len(c.lines)-1]
	}
	return c.lines[0]
}

func (c *cursor) advance(newest bool) {
	if newest {
		c.lines = c.lines[:len(c.lines)-1]
	} else {
		c.lines = c.lines[1:]
	}
}

// merge reads the files, each up to the size that was found, in the order of their lines. A file is read when its first
// line may be the next one.
func (c Config) merge(r Range, newest bool, found []segment, memory []Line) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		memory, waiting := memory, c.cursors(found, r, newest)
		var open []*cursor
		if len(memory) > 0 {
			open = append(open, &cursor{lines: memory, segment: segment{path: "~"}}) // behind all files of its time
		}
		for {
			best := first(open, newest)
			for len(waiting) > 0 && (best == nil || mayPrecede(waiting[0], best.next(newest).At, newest)) {
				if waiting[0].lines = c.load(waiting[0].segment); len(waiting[0].lines) > 0 {
					open = append(open, waiting[0])
				}
				waiting = waiting[1:]
				best = first(open, newest)
			}
			if best == nil {
				return
			}
			line := best.next(newest)
			if best.advance(newest); len(best.lines) == 0 { // and let its text go
				open = slices.DeleteFunc(open, func(c *cursor) bool { return c == best })
			}
			if r.holds(line.At) && !yield(line) {
				return
			}
		}
	}
}

// mayPrecede reports whether a line of the file may come before one of a time.
func mayPrecede(c *cursor, at time.Time, newest bool) bool {
	if newest {
		return !c.last.Add(clockSlack).Before(at)
	}
	return !c.first.Add(-clockSlack).After(at)
}

// first returns the cursor with the line that is to be read next; nil if there is none.
func first(open []*cursor, newest bool) *cursor {
	if len(open) == 0 {
		return nil
	}
	return slices.MinFunc(open, func(a, b *cursor) int { return compare(a, b, newest) })
}

func compare(a, b *cursor, newest bool) int {
	order := cmp.Or(a.next(newest).At.Compare(b.next(newest).At), cmp.Compare(a.path, b.path))
	if newest {
		return -order
	}
	return order
}

// cursors returns the files that may have lines of the range, in the order in which they are read.
func (c Config) cursors(segments []segment, r Range, newest bool) []*cursor {
	var found []*cursor
	for _, s := range segments {
		if r.isAfter(s.start.Add(-clockSlack)) {
			continue
		}
		last := c.lastLine(s)
		if !r.Since.IsZero() && last.Add(clockSlack).Before(r.Since) {
			continue
		}
		found = append(found, &cursor{segment: s, first: s.start, last: last})
	}
	slices.SortStableFunc(found, func(a, b *cursor) int {
		if newest {
			return b.last.Compare(a.last)
		}
		return a.first.Compare(b.first)
	})
	return found
}

// lastLine returns the time of a file's last line; the zero time if it has none.
func (c Config) lastLine(s segment) time.Time {
	f, err := os.Open(s.path)
	if err != nil {
		return time.Time{}
	}
	defer f.Close()
	tail, err := readTail(f, s.size)
	if err != nil {
		return time.Time{}
	}
	if last, found := c.lastTime(tail); found {
		return last
	}
	if lines := c.load(s); len(lines) > 0 { // it ends in something else
		return lines[len(lines)-1].At
	}
	return time.Time{}
}

// load reads a file. One that was removed meanwhile has no lines.
func (c Config) load(s segment) []Line {
	f, err := os.Open(s.path)
	if err != nil {
		return nil
	}
	defer f.Close()
	text := make([]byte, min(s.size, c.SegmentBytes+int64(c.Buffer)+maxLine))
	n, err := io.ReadFull(f, text) // less, if its writer takes back what the disk did not
	if err != nil && !errors.Is(err, io.ErrUnexpectedEOF) && !errors.Is(err, io.EOF) {
		return nil
	}
	return c.parse(text[:n])
}

// parse returns the lines of a text in the order of their times.
func (c Config) parse(text []byte) []Line {
	lines := make([]Line, 0, bytes.Count(text, []byte{'\n'})+1)
	for line := range bytes.Lines(text) {
		line = bytes.TrimSuffix(line, []byte{'\n'})
		if len(line) == 0 || bytes.IndexByte(line, 0) >= 0 { // a loss of power leaves zeros
			continue
		}
		at, timed := c.TimeOf(line)
		switch {
		case timed:
			lines = append(lines, Line{at, line})
		case c.Continued && len(lines) > 0:
			before := &lines[len(lines)-1]
			before.Text = append(append(slices.Clip(before.Text), '\n'), line...)
		}
	}
	slices.SortStableFunc(lines, func(a, b Line) int { return a.At.Compare(b.At) })
	return lines
}
