package linestore

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

const (
	// maxSegments bounds the number of files: a process that cannot lock files begins another one with each start.
	maxSegments = 512
	// maxContinued is how many files a process that is started tries to continue.
	maxContinued = 8
	// maxLine is how much of a file is read to find its last line.
	maxLine = 64 << 10
)

// nameTime is the form of the time in a file's name: that of its first line.
const nameTime = "20060102T150405.000000000Z"

// A segment is a file with lines.
type segment struct {
	path  string
	size  int64
	start time.Time
}

// segments lists the files, oldest first. Other files in the folder are not touched.
func (c Config) segments() []segment {
	entries, err := os.ReadDir(c.Folder) // sorted by name
	if err != nil {
		return nil // none yet
	}
	var found []segment
	for _, e := range entries {
		start, ok := c.startOf(e.Name())
		if !ok || !e.Type().IsRegular() {
			continue
		}
		info, err := e.Info()
		if err != nil {
			continue // removed by another process
		}
		found = append(found, segment{filepath.Join(c.Folder, e.Name()), info.Size(), start})
	}
	return found
}

// startOf returns the time in a file's name.
func (c Config) startOf(name string) (time.Time, bool) {
	rest, ours := strings.CutPrefix(name, c.Name+"-")
	rest, ends := strings.CutSuffix(rest, c.Extension)
	text, _, marked := strings.Cut(rest, "Z-")
	if !ours || !ends || !marked {
		return time.Time{}, false
	}
	start, err := time.Parse(nameTime, text+"Z")
	return start, err == nil
}

// prune removes the oldest files, so that two processes can each fill another one within the bounds.
//
// A clock may be years ahead for a moment, when a machine is started: what is too old is judged against the latest file
// that was there before, unless the clock is steady. When room is needed, files of a time to come go first.
func (c Config) prune(now time.Time, steady bool) {
	found := c.segments()
	if len(found) == 0 {
		return
	}
	today := now
	if latest := found[len(found)-1].start; !steady && latest.Before(now) {
		today = latest
	}
	ahead := slices.IndexFunc(found, func(s segment) bool { return s.start.After(now.Add(24 * time.Hour)) })
	if ahead > 0 {
		found = slices.Concat(found[ahead:], found[:ahead])
	}
	var total int64
	for _, s := range found {
		total += s.size
	}
	left := len(found)
	for _, s := range found {
		// A file has the lines of one day.
		isOld := c.MaxAge > 0 && dayOf(s.start).Add(24*time.Hour+c.MaxAge).Before(today)
		if !isOld && total+2*c.SegmentBytes <= c.MaxBytes && left < maxSegments {
			continue
		}
		if err := os.Remove(s.path); err != nil && !errors.Is(err, os.ErrNotExist) {
			continue
		}
		total -= s.size
		left--
	}
}

// A segmentFile is a file that this process writes.
type segmentFile struct {
	*os.File
	size int64
	last time.Time // of its last line
}

// write appends text. If that fails, the file is as it was before.
func (f *segmentFile) write(text []byte) error {
	n, err := f.Write(text)
	if err == nil {
		f.size += int64(n)
		return nil
	}
	_ = f.Truncate(f.size) // otherwise a reader passes over half a line
	return err
}

// isThere reports whether the file is still at its path: another process, or an operator, may have removed it.
func (f *segmentFile) isThere() bool {
	own, err := f.Stat()
	if err != nil {
		return false
	}
	there, err := os.Lstat(f.Name())
	return err == nil && os.SameFile(own, there)
}

func (c Config) createSegment(first time.Time) (*segmentFile, error) {
	name := c.Name + "-" + first.UTC().Format(nameTime) + "-" + strings.ToLower(rand.Text()[:8]) + c.Extension
	f, err := os.OpenFile(filepath.Join(c.Folder, name), os.O_CREATE|os.O_EXCL|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	_ = lock(f) // where that is not possible, no other process continues a file
	return &segmentFile{File: f, last: first}, nil
}

// continueSegment opens the latest file of the day that no process writes, for a line of a time; nil if there is none.
func (c Config) continueSegment(at time.Time) *segmentFile {
	tried := 0
	for _, s := range slices.Backward(c.segments()) {
		if dayOf(s.start).After(dayOf(at)) { // of a clock that was ahead
			continue
		}
		if tried == maxContinued || !sameDay(s.start, at) {
			return nil
		}
		tried++
		if s.size >= c.SegmentBytes {
			continue
		}
		if f, err := c.continueFile(s, at); err == nil {
			return f
		}
	}
	return nil
}

func (c Config) continueFile(s segment, at time.Time) (*segmentFile, error) {
	f, err := os.OpenFile(s.path, os.O_RDWR|os.O_APPEND, 0)
	if err != nil {
		return nil, err
	}
	file := &segmentFile{File: f, last: s.start}
	if err := c.prepare(file, at); err != nil {
		f.Close()
		return nil, err
	}
	return file, nil
}

// prepare locks a file and ends a line that its last writer did not end.
func (c Config) prepare(f *segmentFile, at time.Time) error {
	if err := lock(f.File); err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() || !f.isThere() {
		return errors.New("the file was removed")
	}
	if f.size = info.Size(); f.size == 0 {
		return nil
	}
	tail, err := readTail(f.File, f.size)
	if err != nil {
		return err
	}
	last, found := c.lastTime(tail)
	if !found || at.Before(last.Add(-clockSlack)) {
		return fmt.Errorf("the file's last line is not one before %s", at)
	}
	if f.last = last; !bytes.HasSuffix(tail, []byte{'\n'}) {
		return f.write([]byte{'\n'})
	}
	return nil
}

// readTail reads the end of a file.
func readTail(f *os.File, size int64) ([]byte, error) {
	tail := make([]byte, min(size, maxLine))
	_, err := f.ReadAt(tail, size-int64(len(tail)))
	if errors.Is(err, io.EOF) {
		err = nil
	}
	return tail, err
}

// lastTime returns the time of the last line that has one.
func (c Config) lastTime(tail []byte) (last time.Time, found bool) {
	for len(tail) > 0 {
		tail = bytes.TrimSuffix(tail, []byte{'\n'})
		begin := bytes.LastIndexByte(tail, '\n') + 1
		if last, found = c.TimeOf(tail[begin:]); found {
			return last, true
		}
		tail = tail[:begin]
	}
	return last, false
}
