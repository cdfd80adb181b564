package linestore_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/linestore"
)

const form = "2006-01-02T15:04:05.000000000Z"

// A clock shows the time that it is set to.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)} }

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

func timeOf(line []byte) (time.Time, bool) {
	if len(line) < len(form) {
		return time.Time{}, false
	}
	t, err := time.Parse(form, string(line[:len(form)]))
	return t, err == nil
}

func configure(folder string, c *clock) linestore.Config {
	return linestore.Config{
		Folder: folder, Name: "lines", Extension: ".txt", MaxBytes: 64 << 10, SegmentBytes: 4 << 10,
		MaxAge: 10 * 24 * time.Hour, Now: c.time, TimeOf: timeOf,
	}
}

func open(t *testing.T, c linestore.Config) *linestore.Store {
	t.Helper()
	s := linestore.Open(c)
	t.Cleanup(func() { _ = s.Close() })
	return s
}

// add appends a line of the time of the clock.
func add(s *linestore.Store, at time.Time, format string, args ...any) {
	s.Append(at, []byte(at.UTC().Format(form)+" "+fmt.Sprintf(format, args...)+"\n"))
}

// texts are the lines without their times.
func texts(lines func(func(linestore.Line) bool)) (all []string) {
	for line := range lines {
		all = append(all, string(line.Text[len(form)+1:]))
	}
	return all
}

func files(t *testing.T, folder string) (paths []string, size int64) {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(folder, "*"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		info, err := os.Stat(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue // its writer has removed it meanwhile
		}
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return paths, size
}

func flush(t *testing.T, s *linestore.Store) {
	t.Helper()
	if err := s.Flush(); err != nil {
		t.Fatal(err)
	}
}

func TestLinesOutliveTheStore(t *testing.T) {
	t.Parallel()
	now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
	first := open(t, configure(folder, now))
	add(first, now.pass(time.Second), "one")
	add(first, now.pass(time.Second), "two")
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second := open(t, configure(folder, now))
	add(second, now.pass(time.Second), "three")
	if got := texts(second.Newest(linestore.Range{})); !slices.Equal(got, []string{"three", "two", "one"}) {
		t.Errorf("newest first: %q", got)
	}
	if got := texts(second.Oldest(linestore.Range{})); !slices.Equal(got, []string{"one", "two", "three"}) {
		t.Errorf("oldest first: %q", got)
	}
	if paths, _ := files(t, folder); len(paths) != 1 {
		t.Errorf("two processes, one after the other, left %q", paths)
	}
}

// A process in a loop of crashes must not drive out what was before it.
func TestAProcessThatIsStartedAgainAndAgainContinuesOneFile(t *testing.T) {
	t.Parallel()
	now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
	for i := range 100 {
		s := open(t, configure(folder, now))
		add(s, now.pass(time.Second), "start %d", i)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if paths, _ := files(t, folder); len(paths) != 1 {
		t.Errorf("a hundred starts left %d files", len(paths))
	}
	if got := texts(configure(folder, now).Newest(linestore.Range{})); len(got) != 100 {
		t.Errorf("%d of 100 lines are there", len(got))
	}
}

// The old and the new process of a redeploy write at the same time.
func TestTwoWritersDoNotMixTheirLines(t *testing.T) {
	t.Parallel()
	now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
	a, b := open(t, configure(folder, now)), open(t, configure(folder, now))
	var want []string
	for i := range 300 {
		for name, s := range map[string]*linestore.Store{"a": a, "b": b} {
			text := fmt.Sprintf("%s %d", name, i)
			add(s, now.pass(time.Millisecond), "%s", text)
			want = append(want, text)
			if i%7 == 0 {
				flush(t, s)
			}
		}
	}
	flush(t, b)
	paths, _ := files(t, folder)
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil || bytes.Contains(text, []byte(" a ")) == bytes.Contains(text, []byte(" b ")) {
			t.Errorf("%s has lines of both writers, or of neither: %v", path, err)
		}
	}
	if got := texts(a.Oldest(linestore.Range{})); !slices.Equal(got, want) {
		t.Errorf("read %d lines, want %d in the order of their times", len(got), len(want))
	}
	slices.Reverse(want)
	if got := texts(a.Newest(linestore.Range{})); !slices.Equal(got, want) {
		t.Errorf("newest first, read %d lines, want %d in the order of their times", len(got), len(want))
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	t.Parallel()
	now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
	s := open(t, configure(folder, now))
	const lines = 10_000 // of 100 bytes: more than ten times the bound
	for i := range lines {
		add(s, now.pass(time.Second), "%069d", i)
		if i%13 == 0 {
			flush(t, s)
		}
		if _, size := files(t, folder); i%500 == 0 && size > 64<<10 {
			t.Fatalf("after %d lines the files have %d bytes", i, size)
		}
	}
	flush(t, s)
	_, size := files(t, folder)
	got := texts(s.Newest(linestore.Range{}))
	if size > 64<<10 || size < 48<<10 {
		t.Errorf("the files have %d bytes, of 65536", size)
	}
	for i, text := range got {
		if want := fmt.Sprintf("%069d", lines-1-i); text != want {
			t.Fatalf("line %d is %q: the latest must be kept without a gap", i, text)
		}
	}
	if len(got) < 450 {
		t.Errorf("%d lines of 100 bytes are kept", len(got))
	}
}

func TestOldLinesGo(t *testing.T) {
	t.Parallel()
	now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
	s := open(t, configure(folder, now))
	for day := range 30 {
		add(s, now.pass(24*time.Hour), "day %d", day)
		flush(t, s)
	}
	got := texts(s.Oldest(linestore.Range{}))
	if len(got) > 12 || got[len(got)-1] != "day 29" {
		t.Errorf("of 10 days, there are %q", got)
	}
	if paths, _ := files(t, folder); len(paths) != len(got) {
		t.Errorf("there are %d files for %d days", len(paths), len(got))
	}
}

func TestRanges(t *testing.T) {
	t.Parallel()
	now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
	s := open(t, configure(folder, now))
	begin := now.time()
	for i := range 200 {
		add(s, begin.Add(time.Duration(i)*time.Minute), "%d %s", i, strings.Repeat("x", 50))
		flush(t, s)
	}
	at := func(minutes int) time.Time { return begin.Add(time.Duration(minutes) * time.Minute) }
	for _, row := range []struct {
		name        string
		r           linestore.Range
		first, last string // of the lines, newest first
		n           int
	}{
		{"both ends are included", linestore.Range{Since: at(10), Until: at(20)}, "20", "10", 11},
		{"one moment", linestore.Range{Since: at(77), Until: at(77)}, "77", "77", 1},
		{"from a time on", linestore.Range{Since: at(195)}, "199", "195", 5},
		{"up to a time", linestore.Range{Until: at(3)}, "3", "0", 4},
		{"between two lines", linestore.Range{Since: at(5).Add(1), Until: at(6).Add(-1)}, "", "", 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			got := texts(s.Newest(row.r))
			if len(got) != row.n {
				t.Fatalf("got %d lines, want %d", len(got), row.n)
			}
			if row.n > 0 && (!strings.HasPrefix(got[0], row.first+" ") ||
				!strings.HasPrefix(got[len(got)-1], row.last+" ")) {
				t.Errorf("got %q to %q", got[0], got[len(got)-1])
			}
		})
	}
}

// damage changes the only file in a folder.
func damage(t *testing.T, folder string, change func([]byte) []byte) {
	t.Helper()
	paths, _ := files(t, folder)
	if len(paths) != 1 {
		t.Fatalf("there are %q", paths)
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(paths[0], change(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestDamageCostsOnlyWhatItHits(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		change func([]byte) []byte
		want   []string
	}{
		{"the last line is torn within its time", func(b []byte) []byte { return append(b, "2026-11-29T12:0"...) },
			[]string{"one", "two", "three", "after"}},
		{"a loss of power left zeros at the end", func(b []byte) []byte { return append(b, make([]byte, 900)...) },
			[]string{"one", "two", "three", "after"}},
		{"zeros and then a line", func(b []byte) []byte { return append(append(b, 0, 0, '\n'), b[:34]...) },
			[]string{"one", "one", "two", "three", "after"}},
		{"something else stands between", func(b []byte) []byte { return append([]byte("what?\n\n\xff\xfe\n"), b...) },
			[]string{"one", "two", "three", "after"}},
		{"everything is something else", func([]byte) []byte { return []byte("nothing\nof ours") },
			[]string{"after"}},
		{"the file is empty", func([]byte) []byte { return nil }, []string{"after"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
			s := open(t, configure(folder, now))
			for _, text := range []string{"one", "two", "three"} {
				add(s, now.pass(time.Second), "%s", text)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			damage(t, folder, row.change)
			next := open(t, configure(folder, now))
			add(next, now.pass(time.Minute), "after")
			if got := texts(next.Oldest(linestore.Range{})); !slices.Equal(got, row.want) {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestFilesThatAreRemovedWhileTheyAreWrittenAreBegunAnew(t *testing.T) {
	t.Parallel()
	now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
	s := open(t, configure(folder, now))
	add(s, now.pass(time.Second), "before")
	flush(t, s)
	if err := os.RemoveAll(folder); err != nil {
		t.Fatal(err)
	}
	add(s, now.pass(time.Second), "after")
	flush(t, s)
	if got := texts(s.Oldest(linestore.Range{})); !slices.Equal(got, []string{"after"}) {
		t.Errorf("got %q", got)
	}
}

// A machine may be started with a clock that is wrong.
func TestAClockThatIsSetBackLosesNoLine(t *testing.T) {
	t.Parallel()
	now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
	s := open(t, configure(folder, now))
	const second, hour = time.Second, time.Hour
	for i, step := range []time.Duration{second, -hour, second, -24 * hour, second, hour} {
		add(s, now.pass(step), "%d", i)
	}
	flush(t, s)
	if got := texts(s.Oldest(linestore.Range{})); !slices.Equal(got, []string{"3", "4", "5", "1", "2", "0"}) {
		t.Errorf("got %q", got)
	}
	again := open(t, configure(folder, now))
	if got := texts(again.Newest(linestore.Range{})); len(got) != 6 || !slices.IsSorted(slices.Collect(times(again))) {
		t.Errorf("got %q", got)
	}
}

// A machine may have been started with a clock that is ahead, until it has asked others for the time.
func TestAClockThatIsSetAheadForAMomentLosesNoLine(t *testing.T) {
	t.Parallel()
	const day = 24 * time.Hour
	for _, row := range []struct {
		name   string
		ahead  time.Duration
		starts bool // another process with each change of the clock
		steps  []time.Duration
	}{
		{"by ten years, for a line", 3650 * day, false, []time.Duration{time.Second}},
		{"by ten years, for lines of a minute", 3650 * day, false, []time.Duration{time.Second, time.Minute}},
		{"by ten years, in a process that is started then", 3650 * day, true, []time.Duration{time.Second}},
		{"by a month and a half", 45 * day, true, []time.Duration{time.Second}},
		{"by two days", 2 * day, true, []time.Duration{time.Second}},
		{"by an hour", time.Hour, false, []time.Duration{time.Second}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
			s := open(t, configure(folder, now))
			restart := func() {
				if row.starts {
					_ = s.Close()
					s = open(t, configure(folder, now))
				}
			}
			n := 0
			write := func(step time.Duration) {
				add(s, now.pass(step), "%d", n)
				flush(t, s)
				n++
			}
			for range 5 {
				write(day)
			}
			now.pass(row.ahead)
			restart()
			for _, step := range row.steps {
				write(step)
				now.pass(-step)
			}
			now.pass(-row.ahead)
			for range 20 { // each of which could begin a file of its own
				restart()
				write(time.Second)
			}
			if got := texts(s.Oldest(linestore.Range{})); len(got) != n {
				t.Errorf("of %d lines, there are %q", n, got)
			}
			if paths, _ := files(t, folder); len(paths) > 8 {
				t.Errorf("there are %d files", len(paths))
			}
		})
	}
}

// What a clock that was ahead has left is never too old.
func TestFilesOfATimeToComeGoFirstWhenRoomIsNeeded(t *testing.T) {
	t.Parallel()
	now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
	s := open(t, configure(folder, now))
	const ahead = 3650 * 24 * time.Hour
	now.pass(ahead)
	for i := range 40 {
		add(s, now.pass(time.Second), "ahead %02d %s", i, strings.Repeat("x", 100))
	}
	flush(t, s)
	now.pass(-ahead)
	for i := range 600 {
		add(s, now.pass(time.Second), "%069d", i)
		flush(t, s)
	}
	got := texts(s.Newest(linestore.Range{}))
	if i := slices.IndexFunc(got, func(text string) bool { return strings.HasPrefix(text, "ahead") }); i >= 0 {
		t.Errorf("there is still %q", got[i])
	}
	if len(got) < 450 || got[0] != fmt.Sprintf("%069d", 599) {
		t.Errorf("%d lines of 100 bytes are kept, the latest %q", len(got), got[0])
	}
}

// A process that writes nothing for months still keeps to the bound in days.
func TestOldLinesGoInAProcessThatWritesNothing(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "lines")
	synctest.Test(t, func(t *testing.T) {
		c := configure(folder, nil)
		c.Now = time.Now
		s := linestore.Open(c)
		for day := range 3 {
			add(s, time.Now(), "day %d", day)
			flush(t, s)
			time.Sleep(24 * time.Hour)
		}
		time.Sleep(20 * 24 * time.Hour)
		synctest.Wait()
		if got := texts(s.Oldest(linestore.Range{})); len(got) != 0 {
			t.Errorf("of 10 days, there are %q after 20", got)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}

// times are those of the lines, oldest first, as texts.
func times(s *linestore.Store) func(func(string) bool) {
	return func(yield func(string) bool) {
		for line := range s.Oldest(linestore.Range{}) {
			if !yield(line.At.Format(form)) {
				return
			}
		}
	}
}

// faults notes what OnFault was told.
type faults struct {
	mu   sync.Mutex
	told []error
}

func (f *faults) note(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.told = append(f.told, err)
}

func (f *faults) all() []error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.told)
}

func TestWhatCannotBeWrittenIsKeptInMemoryAndWrittenLater(t *testing.T) {
	t.Parallel()
	now, above := newClock(), filepath.Join(t.TempDir(), "not there yet")
	told := new(faults)
	c := configure(filepath.Join(above, "lines"), now)
	c.Buffer, c.OnFault = 4<<10, told.note
	s := open(t, c)
	for i := range 200 { // of 100 bytes
		add(s, now.pass(time.Second), "%069d", i)
		if i%10 == 0 {
			if s.Flush() == nil {
				t.Fatal("there is no folder above, and nothing failed")
			}
		}
	}
	got := texts(s.Newest(linestore.Range{}))
	if len(got) < 30 || len(got) > 42 || got[0] != fmt.Sprintf("%069d", 199) {
		t.Errorf("%d lines of 100 bytes are in 4 KiB of memory, the latest %q", len(got), got[0])
	}
	if _, err := s.Fault(); err == nil || len(told.all()) != 1 {
		t.Errorf("the fault is %v, and was told as %v", err, told.all())
	}
	if err := os.Mkdir(above, 0o700); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	if after := texts(c.Newest(linestore.Range{})); !slices.Equal(after, got) {
		t.Errorf("written were %d lines, want the %d", len(after), len(got))
	}
	if _, err := s.Fault(); err != nil || len(told.all()) != 2 || told.all()[1] != nil {
		t.Errorf("the fault is %v, and was told as %v", err, told.all())
	}
}

func TestWithoutAFolderLinesAreInMemory(t *testing.T) {
	t.Parallel()
	now := newClock()
	c := configure("", now)
	c.Buffer = 1 << 10
	s := open(t, c)
	for i := range 100 {
		add(s, now.pass(time.Second), "%d", i)
	}
	got := texts(s.Newest(linestore.Range{}))
	if len(got) < 20 || len(got) > 35 || got[0] != "99" {
		t.Errorf("%d lines of 32 bytes are in 1 KiB", len(got))
	}
}

// Whatever else is in the folder is not ours to remove, and no reader may hang on it.
func TestOtherFilesAreLeftAlone(t *testing.T) {
	t.Parallel()
	now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
	if err := os.Mkdir(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	others := []string{"key", "lines-notes.txt", "lines-20200101T000000.000000000Z-x.txt.gz", "other.txt"}
	for _, name := range others {
		if err := os.WriteFile(filepath.Join(folder, name), []byte("theirs\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	linked := filepath.Join(folder, "lines-20261129T000000.000000000Z-linked.txt")
	if err := os.Symlink("/dev/zero", linked); err != nil {
		t.Fatal(err)
	}
	s := open(t, configure(folder, now))
	add(s, now.pass(time.Second), "ours")
	if got := texts(s.Oldest(linestore.Range{})); !slices.Equal(got, []string{"ours"}) {
		t.Errorf("got %q", got)
	}
	for _, name := range others {
		if text, err := os.ReadFile(filepath.Join(folder, name)); err != nil || string(text) != "theirs\n" {
			t.Errorf("%s: %q %v", name, text, err)
		}
	}
}

func TestFilesAreForTheirOwnerOnly(t *testing.T) {
	t.Parallel()
	now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
	s := open(t, configure(folder, now))
	add(s, now.time(), "a line")
	flush(t, s)
	paths, _ := files(t, folder)
	for _, path := range append(paths, folder) {
		if info, err := os.Stat(path); err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s: %v %v", path, info.Mode(), err)
		}
	}
}

func TestManyWritersAndReaders(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "lines")
	c := configure(folder, newClock())
	c.Now, c.MaxBytes, c.SegmentBytes = time.Now, 1<<20, 32<<10
	a, b := open(t, c), open(t, c)
	var group sync.WaitGroup
	var ordered sync.Mutex
	for range 4 {
		group.Go(func() {
			for i := range 200 {
				ordered.Lock()
				add(a, time.Now(), "a %d", i)
				add(b, time.Now(), "b %d", i)
				ordered.Unlock()
			}
		})
	}
	group.Go(func() {
		for range 20 {
			for range a.Newest(linestore.Range{}) {
				break
			}
			_ = texts(b.Oldest(linestore.Range{}))
		}
	})
	group.Wait()
	flush(t, b)
	if got := texts(a.Oldest(linestore.Range{})); len(got) != 1600 {
		t.Errorf("%d of 1600 lines are there", len(got))
	}
}

// Whoever reads slowly, as a person with a browser does, must not see lines twice that are written meanwhile.
func TestLinesThatAreWrittenWhileTheyAreReadAreThereOnce(t *testing.T) {
	t.Parallel()
	now, above := newClock(), filepath.Join(t.TempDir(), "not there yet")
	s := open(t, configure(filepath.Join(above, "lines"), now))
	var want []string
	for i := range 50 {
		add(s, now.pass(time.Second), "%d", i)
		want = append(want, fmt.Sprint(i))
	}
	for _, newest := range []bool{false, true} {
		lines := s.Oldest(linestore.Range{}) // from memory, since there is no folder above
		if newest {
			lines = s.Newest(linestore.Range{})
			slices.Reverse(want)
		}
		if err := os.MkdirAll(above, 0o700); err != nil {
			t.Fatal(err)
		}
		add(s, now.pass(time.Second), "meanwhile")
		flush(t, s)
		if got := texts(lines); !slices.Equal(got, want) {
			t.Errorf("newest first %t: read %q, want %q", newest, got, want)
		}
		if newest {
			break
		}
		want = append(want, "meanwhile")
	}
}

// A stack trace has more lines than one, and a file may end anywhere.
func TestLinesThatContinueOthersStayInTheirFile(t *testing.T) {
	t.Parallel()
	now, folder := newClock(), filepath.Join(t.TempDir(), "lines")
	c := configure(folder, now)
	c.Continued = true
	s := open(t, c)
	const trace = "\n  goroutine 1\n  main.main()\n  main.go:42\n  exit status 2"
	for i := range 200 {
		add(s, now.pass(time.Second), "%d%s", i, trace)
		if i%9 == 0 {
			flush(t, s)
		}
	}
	got := texts(s.Oldest(linestore.Range{}))
	for i, text := range got {
		if text != fmt.Sprint(i)+trace {
			t.Fatalf("line %d is %q", i, text)
		}
	}
	if len(got) != 200 {
		t.Errorf("%d of 200 lines are there", len(got))
	}
	if paths, _ := files(t, folder); len(paths) < 3 {
		t.Fatalf("all is in %d files: the test would prove nothing", len(paths))
	}
}

// The same, of those that go when memory is full.
func TestALineThatIsGivenUpTakesThoseThatContinueItWithIt(t *testing.T) {
	t.Parallel()
	now := newClock()
	above := filepath.Join(t.TempDir(), "not there yet")
	c := configure(filepath.Join(above, "lines"), now)
	c.Continued, c.Buffer = true, 1<<10
	s := open(t, c)
	for i := range 100 {
		add(s, now.pass(time.Second), "%02d\n  continued\n  and on", i)
	}
	if err := os.Mkdir(above, 0o700); err != nil {
		t.Fatal(err)
	}
	flush(t, s)
	paths, _ := files(t, filepath.Join(above, "lines"))
	if len(paths) != 1 {
		t.Fatalf("there are %q", paths)
	}
	text, err := os.ReadFile(paths[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, timed := timeOf(text); !timed {
		t.Errorf("the file begins with %.40q", text)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte("2026-11-29T12:00:00.000000000Z one\n2026-11-29T12:00:01.000000000Z two\n"), false)
	f.Add([]byte("2026-11-29T12:00:01.000000000Z two\n2026-11-29T12:00:00.000000000Z one\n  more\n\n"), true)
	f.Add([]byte("\x00\x00\n2026-11-29T12:00:00.0000"), true)
	f.Fuzz(func(t *testing.T, text []byte, continued bool) {
		now, folder := newClock(), t.TempDir()
		c := configure(folder, now)
		c.Continued = continued
		path := filepath.Join(folder, "lines-20261129T000000.000000000Z-fuzz.txt")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		var before time.Time
		n := 0
		for line := range c.Oldest(linestore.Range{}) {
			if n > 0 && line.At.Before(before) { // the first may be of the year 0, which is before the zero time
				t.Errorf("%s comes after %s", line.At, before)
			}
			before = line.At
			n++
			if first, _, _ := bytes.Cut(line.Text, []byte{'\n'}); !bytes.Contains(text, first) {
				t.Errorf("nobody wrote %q", line.Text)
			}
		}
		backwards := 0
		for range c.Newest(linestore.Range{}) {
			backwards++
		}
		if n != backwards || n > bytes.Count(text, []byte{'\n'})+1 {
			t.Errorf("%d lines, %d backwards", n, backwards)
		}
		// And what is there already keeps nobody from writing.
		s := open(t, c)
		add(s, now.pass(time.Hour), "after")
		flush(t, s)
		found := 0
		for line := range s.Newest(linestore.Range{}) {
			if bytes.HasSuffix(line.Text, []byte(" after")) && line.At.Equal(now.time()) {
				found++
			}
		}
		if found == 0 {
			t.Error("the line that was written is not there")
		}
	})
}
