package linestore

import (
	"bytes"
	"cmp"
	"os"
	"sync"
	"time"
)

// Config is where lines are kept and how many.
type Config struct {
	// Folder has the files. It is created, but not the folder above it. If it is empty, lines are kept in memory.
	Folder string
	// Name begins the names of the files, and Extension ends them.
	Name, Extension string
	// MaxBytes and MaxAge bound what is kept.
	MaxBytes int64
	MaxAge   time.Duration
	// SegmentBytes is the size of a file, a 32nd of MaxBytes if it is zero.
	SegmentBytes int64
	// Buffer is how many bytes of lines are kept in memory while they cannot be written; 1 MiB if it is zero.
	Buffer int
	Now    func() time.Time
	// TimeOf returns the time that a line begins with.
	TimeOf func(line []byte) (time.Time, bool)
	// Continued is set if a line without a time belongs to the line before. Otherwise it is passed over.
	Continued bool
	// OnNewFile is called when a file was begun. It may be nil.
	OnNewFile func()
	// OnFault is called with the error when lines cannot be written any more, and with nil when they are written
	// again. It may be nil.
	OnFault func(error)
}

const (
	// flushInterval is how long lines may stay unwritten.
	flushInterval = time.Second
	// urgentInterval is the least time between two writes for urgent lines.
	urgentInterval = 100 * time.Millisecond
	// faultInterval is the time between two attempts while lines cannot be written.
	faultInterval = 5 * time.Second
	// flushBytes is how many unwritten bytes are written at once.
	flushBytes = 64 << 10
	// maxSpare is how many bytes of memory are kept for the next lines.
	maxSpare = 4 * flushBytes
	// expireInterval is how often files that have become too old are looked for.
	expireInterval = time.Hour
	// steadyHours is for how long a clock must have gone right before it alone decides what is too old.
	steadyHours = 24
	// clockSlack is how far a line's time may be before that of the line before it in a file.
	clockSlack = time.Second
)

// A Store keeps lines. It is safe for concurrent use.
type Store struct {
	cfg Config

	writing sync.Mutex // held while files are written; taken before mu
	file    *segmentFile
	looked  time.Time // when files that have become too old were last looked for
	steady  int       // how often in a row it was an hour later by the clock, too

	mu      sync.Mutex
	pending []batch // oldest first
	size    int     // bytes in pending
	spare   []byte  // memory for the next batch
	timer   *time.Timer
	due     time.Time // of the timer; zero if it does not run
	flushed time.Time // of the last attempt
	fault   error
	since   time.Time // of fault
	closed  bool
	expiry  *time.Timer
}

// A batch is lines of one day in the order of their times, for one file.
type batch struct {
	text        []byte
	first, last time.Time
}

// cut removes n bytes from the beginning.
func (b *batch) cut(n int, timeOf func([]byte) (time.Time, bool)) {
	b.text = b.text[n:]
	line, _, _ := bytes.Cut(b.text, []byte{'\n'})
	if at, ok := timeOf(line); ok {
		b.first = at
	}
}

func (c Config) withDefaults() Config {
	if c.SegmentBytes == 0 {
		c.SegmentBytes = c.MaxBytes / 32
	}
	if c.Buffer == 0 {
		c.Buffer = 1 << 20
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Open returns a store. Its first file is opened with the first lines.
func Open(c Config) *Store {
	s := &Store{cfg: c.withDefaults()}
	s.timer = time.AfterFunc(time.Hour, func() { _ = s.Flush() })
	s.timer.Stop()
	if c.Folder != "" {
		s.looked = s.cfg.Now().Round(0) // by the clock alone
		s.expiry = time.AfterFunc(expireInterval, s.expire)
	}
	return s
}

// Append keeps a line, which ends in a line break. It must not be called with times that go back, but by a clock
// that was set back.
func (s *Store) Append(at time.Time, line []byte) { s.append(at, line, flushInterval) }

// AppendUrgent is Append for a line that is worth a write of its own: the process may be about to end.
func (s *Store) AppendUrgent(at time.Time, line []byte) { s.append(at, line, urgentInterval) }

func (s *Store) append(at time.Time, line []byte, within time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	b := s.batchFor(at)
	b.text = append(b.text, line...)
	b.last = at
	s.size += len(line)
	s.limit()
	if s.size >= flushBytes {
		within = 0
	}
	s.schedule(within)
}

// batchFor returns the batch for a line. Lines of another day, or of a clock that was set back, begin another one.
func (s *Store) batchFor(at time.Time) *batch {
	if n := len(s.pending); n > 0 {
		if b := &s.pending[n-1]; sameDay(b.last, at) && !at.Before(b.last.Add(-clockSlack)) {
			return b
		}
	}
	s.pending = append(s.pending, batch{text: s.spare[:0], first: at, last: at})
	s.spare = nil
	return &s.pending[len(s.pending)-1]
}

// limit gives up the oldest lines beyond the buffer.
func (s *Store) limit() {
	if s.size <= s.cfg.Buffer {
		return
	}
	for s.size > s.cfg.Buffer-s.cfg.Buffer/8 && len(s.pending) > 0 {
		b := &s.pending[0]
		excess := min(len(b.text), s.size-(s.cfg.Buffer-s.cfg.Buffer/8))
		end := excess
		if rest := bytes.IndexByte(b.text[excess-1:], '\n'); rest >= 0 {
			end = excess + rest
		}
		for line := range bytes.Lines(b.text[end:]) { // what continues a line goes with it
			if s.cfg.begins(line) {
				break
			}
			end += len(line)
		}
		s.size -= end
		if b.cut(end, s.cfg.TimeOf); len(b.text) == 0 {
			s.pending = s.pending[1:]
		}
	}
}

// schedule makes pending lines be written within a time.
func (s *Store) schedule(within time.Duration) {
	if s.cfg.Folder == "" {
		return
	}
	now := time.Now()
	due := now.Add(within)
	if s.fault != nil {
		due = now.Add(faultInterval)
	} else if earliest := s.flushed.Add(urgentInterval); within < flushInterval && due.Before(earliest) &&
		s.size < flushBytes {
		due = earliest
	}
	if s.due.IsZero() || due.Before(s.due) {
		s.due = due
		s.timer.Reset(due.Sub(now))
	}
}

// Flush writes the lines so far. It returns why they cannot be written.
func (s *Store) Flush() error {
	if s.cfg.Folder == "" {
		return nil
	}
	s.writing.Lock()
	defer s.writing.Unlock()
	s.mu.Lock()
	batches := s.pending
	s.pending, s.size, s.due, s.flushed = nil, 0, time.Time{}, time.Now()
	s.mu.Unlock()
	if len(batches) == 0 {
		return nil
	}
	spare := batches[0].text
	var err error
	for i := range batches {
		if err = s.write(&batches[i]); err != nil {
			s.putBack(batches[i:])
			break
		}
	}
	s.note(err)
	if err == nil && cap(spare) <= maxSpare {
		s.mu.Lock()
		s.spare = spare
		s.mu.Unlock()
	}
	return err
}

// putBack keeps lines that could not be written for the next attempt.
func (s *Store) putBack(batches []batch) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range batches {
		s.size += len(b.text)
	}
	s.pending = append(batches, s.pending...)
	s.limit()
}

// note records the result of a write, and calls OnFault when it is another than before.
func (s *Store) note(err error) {
	s.mu.Lock()
	changed := (err == nil) != (s.fault == nil)
	if err != nil && s.fault == nil {
		s.since = s.cfg.Now()
	}
	s.fault = err
	if err != nil && !s.closed {
		s.due = time.Time{}
		s.schedule(faultInterval)
	}
	s.mu.Unlock()
	if changed && s.cfg.OnFault != nil {
		s.cfg.OnFault(err)
	}
}

// Fault returns why lines cannot be written, and since when; nil if they can.
func (s *Store) Fault() (since time.Time, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.since, s.fault
}

// Close writes the lines so far and releases the file. Lines that come later are lost.
func (s *Store) Close() error {
	s.mu.Lock()
	s.closed = true
	s.mu.Unlock()
	s.timer.Stop()
	if s.expiry != nil {
		s.expiry.Stop()
	}
	err := s.Flush()
	s.writing.Lock()
	defer s.writing.Unlock()
	s.release()
	return err
}

// write writes a batch, and cuts what was written off it.
func (s *Store) write(b *batch) error {
	checked := false
	for len(b.text) > 0 {
		if err := s.ready(b, checked); err != nil {
			return err
		}
		checked = true
		n := s.cfg.wholeLines(b.text, s.cfg.SegmentBytes-s.file.size)
		if err := s.file.write(b.text[:n]); err != nil {
			s.release()
			return err
		}
		s.file.last = b.last
		if b.cut(n, s.cfg.TimeOf); len(b.text) > 0 {
			s.file.last = b.first
		}
	}
	return nil
}

// ready makes s.file one that takes a line of the batch.
func (s *Store) ready(b *batch, checked bool) error {
	if s.file != nil && (s.file.size >= s.cfg.SegmentBytes || !sameDay(s.file.last, b.last) ||
		b.first.Before(s.file.last.Add(-clockSlack)) || !checked && !s.file.isThere()) {
		s.release()
	}
	if s.file != nil {
		return nil
	}
	err := s.cfg.makeFolder()
	if err != nil {
		return err
	}
	s.cfg.prune(s.cfg.Now(), s.steady >= steadyHours)
	if s.file = s.cfg.continueSegment(b.first); s.file != nil {
		return nil
	}
	s.file, err = s.cfg.createSegment(b.first)
	if err == nil && s.cfg.OnNewFile != nil {
		s.cfg.OnNewFile()
	}
	return err
}

// release closes the file. An empty one, on a full disk, is removed.
func (s *Store) release() {
	if s.file == nil {
		return
	}
	if s.file.size == 0 && s.file.isThere() {
		_ = os.Remove(s.file.Name())
	}
	s.file.Close()
	s.file = nil
}

// expire removes files that have become too old, in a process that writes nothing, too.
func (s *Store) expire() {
	s.writing.Lock()
	now := s.cfg.Now().Round(0)
	if off := now.Sub(s.looked) - expireInterval; off.Abs() < expireInterval/4 {
		s.steady++
	} else {
		s.steady = 0
	}
	s.looked = now
	s.cfg.prune(now, s.steady >= steadyHours)
	s.writing.Unlock()
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.closed {
		s.expiry.Reset(expireInterval)
	}
}

// makeFolder creates the folder for its owner only.
func (c Config) makeFolder() error {
	err := os.Mkdir(c.Folder, 0o700)
	if os.IsExist(err) {
		return nil
	}
	return err
}

// begins reports whether a line is not one that continues the line before.
func (c Config) begins(line []byte) bool {
	if !c.Continued {
		return true
	}
	_, timed := c.TimeOf(line)
	return timed
}

// wholeLines returns the length of the lines at the beginning of text that fit into room, with those that continue
// them: at least one.
func (c Config) wholeLines(text []byte, room int64) int {
	if int64(len(text)) <= room {
		return len(text)
	}
	at, whole := 0, 0
	for line := range bytes.Lines(text) {
		if at > 0 && c.begins(line) {
			if int64(at) > room {
				return cmp.Or(whole, at)
			}
			whole = at
		}
		at += len(line)
	}
	return cmp.Or(whole, len(text))
}

func sameDay(a, b time.Time) bool {
	return dayOf(a).Equal(dayOf(b))
}

// dayOf returns the beginning of the day, in UTC.
func dayOf(t time.Time) time.Time { return t.UTC().Truncate(24 * time.Hour) }
