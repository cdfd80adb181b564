package journal_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// A clock goes on by a millisecond with each look, unless it is held.
type clock struct {
	mu   sync.Mutex
	now  time.Time
	held bool
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)} }

func (c *clock) time() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.held {
		c.now = c.now.Add(time.Millisecond)
	}
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// maxBytes bounds the journals of the tests.
const maxBytes = 256 << 10

func open(t *testing.T, dir string, c *clock) *journal.Journal {
	t.Helper()
	j := journal.Open(journal.Config{DataDir: dir, Now: c.time, MaxBytes: maxBytes})
	t.Cleanup(j.Close)
	return j
}

func read(t *testing.T, j *journal.Journal, f journal.Filter) journal.Page {
	t.Helper()
	p, err := j.Read(f)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// id is the id of a person or group.
func id(n int) string { return fmt.Sprintf("%026s", strings.Map(toLetter, fmt.Sprintf("%026d", n))) }

// requestID is the id of a request.
func requestID(n int) string { return strings.ToUpper(id(n)) }

func toLetter(r rune) rune { return 'a' + r - '0' }

func TestEventsOutliveTheJournal(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), newClock()
	j := open(t, dir, now)
	since := now.time()
	events := []journal.Event{
		{Kind: journal.Started, Version: "1.2.3-rc.1+build", PID: 42},
		{Kind: journal.PersonCreated, Request: requestID(1), Token: "current", Person: id(1), Subject: j.Person("ann"),
			Status: 201, Active: journal.Bool(true), State: "invited", Milliseconds: 12},
		{Kind: journal.PersonUpdated, Person: id(1), Status: 200, Active: journal.Bool(false), Unchanged: true},
		{Kind: journal.PersonUpdated, Person: id(1), SentActive: journal.Bool(false), Active: journal.Bool(true)},
		{Kind: journal.PersonRefused, Method: "POST", Status: 409, Code: "user_name_taken"},
		{Kind: journal.GroupUpdated, Group: "0a1b2c3d-0000-4000-8000-00000000abcd", Unknown: 1,
			Added: journal.NewMembers([]string{id(1), id(2)}), Removed: journal.NewMembers([]string{id(3)})},
		{Kind: journal.GroupUpdated, Group: id(9), Set: journal.NewMembers(nil)},
		{Kind: journal.ProblemEnded, Code: "account_unreachable", Since: since},
		{Kind: journal.SignedIn, Epoch: 3},
	}
	for _, e := range events {
		j.Append(e)
	}
	before := read(t, j, journal.Filter{})
	j.Close()
	after := read(t, open(t, dir, now), journal.Filter{})
	if !reflect.DeepEqual(before, after) {
		t.Errorf("before\n%+v\nafter\n%+v", before, after)
	}
	slices.Reverse(after.Events)
	if len(after.Events) != len(events) {
		t.Fatalf("%d of %d events are there", len(after.Events), len(events))
	}
	for i, got := range after.Events {
		want := events[i]
		want.Time = got.Time
		if !reflect.DeepEqual(got, want) {
			t.Errorf("event %d is\n%+v\nwant\n%+v", i, got, want)
		}
	}
}

// What a client may have put in a field never reaches the disk.
func TestOnlyWhatIsInTheFormOfItsFieldIsRecorded(t *testing.T) {
	t.Parallel()
	bad := []string{
		"ann@example.com", "Ann Example", "sbt1_" + strings.Repeat("x", 48), `"},{"`, "a\nb", strings.Repeat("A", 200),
		"Ann%40example.com", "\x1b[0m", "../../etc", strings.ToUpper(id(1)) + "1",
		"0a1b2c3d-0000-4000-8000-00000000abcg",
	}
	dir := t.TempDir()
	j := open(t, dir, newClock())
	for _, text := range bad {
		j.Append(journal.Event{
			Kind: journal.PersonRefused, Request: text, Token: text, Method: text, Person: text, Group: text,
			Subject: text, Code: text, State: text, Added: journal.NewMembers([]string{text, id(5)}),
			Set: journal.NewMembers([]string{text}),
		})
		j.Count(journal.Served{Person: text})
	}
	j.Close()
	written := everything(t, dir)
	for _, text := range bad {
		if strings.Contains(written, text) {
			t.Errorf("the journal has %q", text)
		}
	}
	p := read(t, open(t, dir, newClock()), journal.Filter{Person: id(5)})
	if len(p.Events) != len(bad) || p.Events[0].Added.Count != 2 {
		t.Errorf("of %d events, %d are found by the member in the form of an id: %+v", len(bad), len(p.Events), p)
	}
}

// everything is what the journal's folder has, but its key.
func everything(t *testing.T, dir string) string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, journal.Folder, "*.jsonl"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("the journal has the files %q: %v", paths, err)
	}
	var all strings.Builder
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all.Write(text)
	}
	return all.String()
}

// history is a journal in which two people have the same address one after the other.
func history(t *testing.T) (j *journal.Journal, times []time.Time) {
	t.Helper()
	now := newClock()
	j = open(t, t.TempDir(), now)
	append1 := func(e journal.Event) {
		now.pass(time.Minute)
		times = append(times, now.time())
		j.Append(e)
	}
	ann := j.Person("Ann@Example.com")
	append1(journal.Event{Kind: journal.PersonRefused, Subject: ann, Status: 400, Request: requestID(0)})
	append1(journal.Event{Kind: journal.PersonCreated, Subject: ann, Person: id(1), Request: requestID(1)})
	append1(journal.Event{Kind: journal.PersonCreated, Subject: j.Person("bob"), Person: id(2), Request: requestID(2)})
	append1(journal.Event{Kind: journal.GroupUpdated, Group: id(7), Added: journal.NewMembers([]string{id(2), id(1)})})
	append1(journal.Event{Kind: journal.GroupUpdated, Group: id(8), Removed: journal.NewMembers([]string{id(2)})})
	append1(journal.Event{Kind: journal.PersonDeleted, Person: id(1), Request: requestID(5)})
	append1(journal.Event{Kind: journal.PersonCreated, Subject: ann, Person: id(3), Request: requestID(6)})
	append1(journal.Event{Kind: journal.ProblemBegan, Code: "sealed"})
	append1(journal.Event{Kind: journal.GroupCreated, Group: id(8), Subject: j.Group("All")})
	return j, times
}

func TestFilters(t *testing.T) {
	t.Parallel()
	j, times := history(t)
	for _, row := range []struct {
		name string
		f    journal.Filter
		want []int // events, newest first
	}{
		{"no filter", journal.Filter{}, []int{8, 7, 6, 5, 4, 3, 2, 1, 0}},
		{"a person by its id, as a member too", journal.Filter{Person: id(1)}, []int{5, 3, 1}},
		{"a person by its userName, under every id", journal.Filter{Person: " ann@example.COM"}, []int{6, 5, 3, 1, 0}},
		{"a person by another userName", journal.Filter{Person: "bob"}, []int{4, 3, 2}},
		{"a person of whom nothing is known", journal.Filter{Person: "eve@example.com"}, nil},
		{"a group by its id", journal.Filter{Group: id(8)}, []int{8, 4}},
		{"a group by its name", journal.Filter{Group: "all"}, []int{8, 4}},
		{"a person in a group", journal.Filter{Person: id(2), Group: id(8)}, []int{4}},
		{"a group's name is no person's", journal.Filter{Person: "all"}, nil},
		{"a request", journal.Filter{Request: requestID(6)}, []int{6}},
		{"two kinds", journal.Filter{Kinds: []journal.Kind{journal.PersonRefused, journal.ProblemBegan}}, []int{7, 0}},
		{"from a time on", journal.Filter{Since: times[6]}, []int{8, 7, 6}},
		{"up to a time", journal.Filter{Until: times[1]}, []int{0}},
		{"a person in a time", journal.Filter{Person: id(1), Since: times[2], Until: times[4]}, []int{3}},
		{"the latest", journal.Filter{Limit: 2}, []int{8, 7}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p := read(t, j, row.f)
			all := read(t, j, journal.Filter{}).Events
			var got []int
			for _, e := range p.Events {
				got = append(got, slices.IndexFunc(times, func(at time.Time) bool {
					return e.Time.After(at) &&
						e.Time.Sub(at) < time.Second
				}))
			}
			if !slices.Equal(got, row.want) {
				t.Errorf("got the events %v, want %v", got, row.want)
			}
			if !p.Oldest.Equal(all[len(all)-1].Time) {
				t.Errorf("the journal goes back to %s, it says to %s", all[len(all)-1].Time, p.Oldest)
			}
		})
	}
}

func TestWrongFiltersAreRefused(t *testing.T) {
	t.Parallel()
	j := open(t, "", newClock())
	for _, row := range []struct {
		name string
		f    journal.Filter
		want string
	}{
		{"a kind that there is not", journal.Filter{Kinds: []journal.Kind{"sbt1_secret"}}, "the kinds are started,"},
		{"something that is no id of a request", journal.Filter{Request: "sbt1_secret"}, "26 letters and digits"},
		{"too many events", journal.Filter{Limit: 501}, "from 1 to 500"},
		{"a negative number of events", journal.Filter{Limit: -1}, "from 1 to 500"},
		{"a cursor of something else", journal.Filter{Cursor: "sbt1_secret"}, "begin again without it"},
		{"a cursor with more behind it", journal.Filter{Cursor: "1.1sbt1_secret"}, "begin again without it"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			_, err := j.Read(row.f)
			if _, ok := errors.AsType[*journal.FilterError](err); !ok || !strings.Contains(err.Error(), row.want) ||
				strings.Contains(err.Error(), "secret") {
				t.Errorf("got %v", err)
			}
		})
	}
}

// Pages show each event once, however many have the same time, and whatever comes meanwhile.
func TestPagesHaveEachEventOnce(t *testing.T) {
	t.Parallel()
	for _, held := range []bool{false, true} {
		for _, limit := range []int{1, 3, 7, 100} {
			t.Run(fmt.Sprintf("limit %d, same time %t", limit, held), func(t *testing.T) {
				t.Parallel()
				now := newClock()
				j := open(t, t.TempDir(), now)
				now.held = held
				for i := range 50 {
					j.Append(journal.Event{Kind: journal.PersonUpdated, Person: id(i)})
					if i%8 == 0 {
						j.Flush()
						now.pass(time.Millisecond)
					}
				}
				j.Flush()
				f := journal.Filter{Limit: limit}
				seen := map[string]int{}
				var order []string
				for {
					p := read(t, j, f)
					for _, e := range p.Events {
						seen[e.Person]++
						order = append(order, e.Person)
					}
					now.pass(time.Second)
					j.Append(journal.Event{Kind: journal.Reloaded}) // behind what is being read
					if f.Cursor = p.Next; f.Cursor == "" {
						break
					}
				}
				for i := range 50 {
					if seen[id(i)] != 1 {
						t.Errorf("event %d was on %d pages: %q", i, seen[id(i)], order)
					}
				}
			})
		}
	}
}

func TestReadsAreCounted(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), newClock()
	j := open(t, dir, now)
	first := now.time().Truncate(time.Minute)
	for range 3 {
		j.Count(journal.Served{Status: 200, Took: 5 * time.Millisecond, Person: id(1)})
	}
	j.Count(journal.Served{Write: true, Status: 404, Took: 40 * time.Millisecond})
	j.Count(journal.Served{Status: 503})
	if p := read(t, j, journal.Filter{Person: id(1)}); p.Lookups == nil || p.Lookups.Count != 3 {
		t.Errorf("within the minute: %+v", p.Lookups)
	}
	now.pass(5 * time.Minute)
	j.Count(journal.Served{Status: 200, Person: id(1)})
	now.pass(5 * time.Minute)
	j.Count(journal.Served{Status: 200, Person: id(2)})
	j.Close()

	j = open(t, dir, now)
	p := read(t, j, journal.Filter{Person: id(1)})
	if p.Lookups.Count != 4 || !p.Lookups.Last.Equal(first.Add(5*time.Minute)) || len(p.Events) != 0 {
		t.Errorf("after a restart: %+v %+v", p.Lookups, p.Events)
	}
	p = read(t, j, journal.Filter{Kinds: []journal.Kind{journal.Traffic}})
	if len(p.Events) != 3 {
		t.Fatalf("there are %d minutes with traffic", len(p.Events))
	}
	e := p.Events[2]
	want := journal.Requests{Reads: 4, Writes: 1, Refused: 1, Failed: 1, Milliseconds: 55, Slowest: 40}
	if !e.Since.Equal(first) || *e.Requests != want {
		t.Errorf("the first minute is %s %+v, want %+v", e.Since, *e.Requests, want)
	}
	p = read(t, j, journal.Filter{Kinds: []journal.Kind{journal.PersonRead, journal.Started}, Person: id(2)})
	if len(p.Events) != 1 || p.Events[0].Count != 1 {
		t.Errorf("of another person: %+v", p.Events)
	}
}

// A directory that is read every 40 minutes must not drive out what was changed.
func TestReadsDoNotDriveOutWrites(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), newClock()
	j := open(t, dir, now)
	j.Append(journal.Event{Kind: journal.PersonUpdated, Person: id(1)})
	for round := range 4 {
		now.pass(40 * time.Minute)
		for i := range 2500 {
			j.Count(journal.Served{Status: 200, Person: id(round*2500 + i)})
		}
		j.Flush()
	}
	j.Close()
	if p := read(t, open(t, dir, now), journal.Filter{}); len(p.Events) != 1 {
		t.Errorf("the write is gone: %+v", p.Events)
	}
	if size := sizeOf(t, dir); size > maxBytes+maxBytes/4 {
		t.Errorf("the files have %d bytes", size)
	}
}

// Whether the identity provider comes at all is what an operator asks first.
func TestReadsOfPeopleDoNotDriveOutTraffic(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), newClock()
	j := open(t, dir, now)
	const minutes = 180
	people := make([]string, 300)
	for i := range people {
		people[i] = id(i)
	}
	now.held = true
	for range minutes {
		now.pass(time.Minute)
		for _, person := range people {
			j.Count(journal.Served{Status: 200, Person: person})
		}
		j.Flush()
	}
	j.Close()
	j = open(t, dir, now)
	p := read(t, j, journal.Filter{Kinds: []journal.Kind{journal.Traffic}, Limit: journal.MaxLimit})
	if len(p.Events) != minutes || p.Events[0].Requests.Reads != 300 {
		t.Errorf("of %d minutes with traffic, %d are there", minutes, len(p.Events))
	}
	both := []journal.Kind{journal.Traffic, journal.PersonRead}
	p = read(t, j, journal.Filter{Kinds: both, Limit: journal.MaxLimit})
	if len(p.Events) != journal.MaxLimit ||
		!slices.IsSortedFunc(p.Events, func(a, b journal.Event) int { return b.Time.Compare(a.Time) }) {
		t.Errorf("both kinds: %d events", len(p.Events))
	}
	if size := sizeOf(t, dir); size > maxBytes/2 {
		t.Errorf("the files have %d bytes", size)
	}
}

func sizeOf(t *testing.T, dir string) (size int64) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(dir, journal.Folder))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		size += info.Size()
	}
	return size
}

func TestTheJournalIsBounded(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), newClock()
	j := open(t, dir, now)
	e := journal.Event{
		Kind: journal.PersonUpdated, Request: requestID(1), Token: "current", Subject: j.Person("ann"), Status: 200,
		Active: journal.Bool(true), State: "active", Milliseconds: 7,
	}
	const events = 12_500 // of 230 bytes: eleven times the bound
	for i := range events {
		e.Person = id(i)
		j.Append(e)
		if i%1000 == 0 {
			j.Flush()
		}
	}
	j.Close()
	size := sizeOf(t, dir)
	p := read(t, open(t, dir, now), journal.Filter{Limit: 500})
	if size > maxBytes || size < maxBytes/4*3 {
		t.Errorf("the journal has %d bytes, of %d", size, maxBytes)
	}
	if len(p.Events) != 500 || p.Events[0].Person != id(events-1) {
		t.Errorf("the latest events are %d, the last %+v", len(p.Events), p.Events[0])
	}
}

// What no bridge is asked for is read from the files, each to its end.
func TestAFolderIsReadAsTheJournalIs(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), newClock()
	j := journal.Open(journal.Config{DataDir: dir, Now: now.time}) // with files of 1 MiB
	for i := range 3000 {
		j.Append(journal.Event{Kind: journal.PersonUpdated, Person: id(i), Request: requestID(i)})
	}
	want := read(t, j, journal.Filter{Limit: journal.MaxLimit})
	j.Close()
	got, err := journal.ReadFolder(dir, journal.Filter{Limit: journal.MaxLimit})
	if err != nil || len(got.Events) != journal.MaxLimit || !reflect.DeepEqual(got, want) {
		t.Errorf("from the files come %d events, the first %+v: %v", len(got.Events), got.Events[0], err)
	}
	if p, err := journal.ReadFolder(dir, journal.Filter{Person: id(1500)}); err != nil || len(p.Events) != 1 {
		t.Errorf("of one in the middle, %d events: %v", len(p.Events), err)
	}
}

// A client that repeats what is refused as fast as it can must not drive out everything else.
func TestABurstWhileTheAccountIsAwayIsBounded(t *testing.T) {
	t.Parallel()
	now := newClock()
	j := open(t, t.TempDir(), now)
	now.held = true
	for range 5000 {
		j.Append(journal.Event{Kind: journal.PersonRefused, Status: 503, Code: "unavailable", Person: id(1)})
	}
	j.Append(journal.Event{Kind: journal.PersonRefused, Status: 409, Person: id(1)})
	if p := read(t, j, journal.Filter{Limit: 500}); len(p.Events) != 101 {
		t.Errorf("%d events were recorded", len(p.Events))
	}
	now.pass(time.Minute)
	j.Append(journal.Event{Kind: journal.PersonRefused, Status: 503, Code: "unavailable", Person: id(1)})
	if p := read(t, j, journal.Filter{Limit: 500}); len(p.Events) != 102 {
		t.Errorf("in the next minute, %d events were recorded", len(p.Events))
	}
}

// The digest of a name finds it in the next process, and says nothing to whoever has the files alone.
func TestSubjects(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	j := open(t, dir, newClock())
	ann := j.Person("ann@example.com")
	j.Close()
	again := open(t, dir, newClock())
	if got := again.Person("\u00a0ANN@example.com "); got != ann || ann == "" {
		t.Errorf("the next process has %q for %q", got, ann)
	}
	if again.Group("ann@example.com") == ann || again.Person("ann@example.org") == ann || again.Person(" ") != "" {
		t.Error("digests do not tell names apart")
	}
	if other := open(t, t.TempDir(), newClock()); other.Person("ann@example.com") == ann {
		t.Error("another bridge has the same digest")
	}
	info, err := os.Stat(filepath.Join(dir, journal.Folder, "key"))
	if err != nil || info.Mode().Perm() != 0o600 || info.Size() != 32 {
		t.Errorf("the key is %v, %v", info, err)
	}
}

// A file without a key must not be one under which anybody can try names.
func TestADamagedKeyIsReplaced(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		key  []byte
	}{
		{"zeros, of a loss of power", make([]byte, 32)},
		{"an empty file, of a full disk", nil},
		{"half a key", []byte("0123456789abcdef")},
		{"more than a key", []byte(strings.Repeat("x", 33))},
		{"much more than a key", []byte(strings.Repeat("x", 1<<20))},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			path := filepath.Join(dir, journal.Folder, journal.KeyFile)
			if err := os.Mkdir(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, row.key, 0o600); err != nil {
				t.Fatal(err)
			}
			j := open(t, dir, newClock())
			key, err := os.ReadFile(path)
			if err != nil || len(key) != 32 || bytes.Equal(key, row.key) {
				t.Errorf("the key is %x, %v", key, err)
			}
			if other := open(t, dir, newClock()); other.Person("ann") != j.Person("ann") || j.Person("ann") == "" {
				t.Error("two processes have different digests")
			}
		})
	}
}

// Of two processes that start at once, one makes the key, and neither sees half of it.
func TestProcessesThatStartAtOnceHaveOneKey(t *testing.T) {
	t.Parallel()
	for range 20 {
		dir := t.TempDir()
		var group sync.WaitGroup
		digests := make([]string, 8)
		for i := range digests {
			group.Go(func() {
				j := journal.Open(journal.Config{DataDir: dir})
				defer j.Close()
				digests[i] = j.Person("ann")
			})
		}
		group.Wait()
		if slices.Sort(digests); len(slices.Compact(digests)) != 1 {
			t.Fatalf("there are the digests %q", digests)
		}
		entries, err := os.ReadDir(filepath.Join(dir, journal.Folder))
		if err != nil || len(entries) != 1 {
			t.Fatalf("the folder has %v, %v", entries, err)
		}
	}
}

// The guide says that the files can be removed while the bridge runs.
func TestWhoseFilesAreRemovedFindsNamesAfterwards(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		remove string
	}{
		{"the whole folder", journal.Folder},
		{"all files", journal.Folder + "/*"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			dir, now := t.TempDir(), newClock()
			j := open(t, dir, now)
			j.Append(journal.Event{Kind: journal.Started})
			j.Flush()
			paths, err := filepath.Glob(filepath.Join(dir, row.remove))
			if err != nil || len(paths) == 0 {
				t.Fatal(paths, err)
			}
			for _, path := range paths {
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			}
			j.Append(journal.Event{Kind: journal.PersonRefused, Status: 409, Subject: j.Person("ann")})
			j.Flush()
			p, err := journal.ReadFolder(dir, journal.Filter{Person: "ann"})
			if err != nil || len(p.Events) != 1 {
				t.Errorf("from the folder come %d events: %v", len(p.Events), err)
			}
			j.Close()
			if p := read(t, open(t, dir, now), journal.Filter{Person: "ann"}); len(p.Events) != 1 {
				t.Errorf("the next process finds %d events", len(p.Events))
			}
		})
	}
}

// An identity provider may make userNames and names of groups of its own ids.
func TestANameInTheFormOfAnIDIsFound(t *testing.T) {
	t.Parallel()
	j := open(t, t.TempDir(), newClock())
	for _, name := range []string{"0A1b2c3d-0000-4000-8000-00000000abcd", id(77)} {
		j.Append(journal.Event{Kind: journal.PersonRefused, Subject: j.Person(name), Status: 400})
		j.Append(journal.Event{Kind: journal.PersonCreated, Subject: j.Person(name), Person: id(1), Status: 201})
		j.Append(journal.Event{Kind: journal.PersonDeleted, Person: id(1), Status: 204})
		j.Append(journal.Event{Kind: journal.PersonDeleted, Person: name, Status: 404})
		j.Append(journal.Event{Kind: journal.GroupRefused, Subject: j.Group(name), Status: 400})
		if p := read(t, j, journal.Filter{Person: name}); len(p.Events) != 4 {
			t.Errorf("of the person %s, %d of 4 events are found", name, len(p.Events))
		}
		if p := read(t, j, journal.Filter{Group: name}); len(p.Events) != 1 {
			t.Errorf("of the group %s, %d events are found", name, len(p.Events))
		}
		j.Append(journal.Event{Kind: journal.PersonCreated, Person: id(2), Status: 201})
		if p := read(t, j, journal.Filter{Person: id(2)}); len(p.Events) != 1 {
			t.Errorf("of another person, %d events are found", len(p.Events))
		}
		j = open(t, t.TempDir(), newClock())
	}
}

// Who copies or removes the files knows them by their patterns.
func TestKeptAreTheJournalsFiles(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), newClock()
	j := open(t, dir, now)
	j.Append(journal.Event{Kind: journal.Started})
	j.Count(journal.Served{Status: 200, Person: id(1)})
	j.Close()
	entries, err := os.ReadDir(filepath.Join(dir, journal.Folder))
	if err != nil || len(entries) != 4 {
		t.Fatalf("the folder has %v, %v", entries, err)
	}
	for _, e := range entries {
		isKept := slices.ContainsFunc(journal.Kept()[journal.Folder], func(pattern string) bool {
			ok, err := filepath.Match(pattern, e.Name())
			return ok && err == nil
		})
		if isKept == (e.Name() == journal.KeyFile) {
			t.Errorf("%s: kept %t", e.Name(), isKept)
		}
	}
}

func TestAJournalThatCannotBeWrittenWorksInMemory(t *testing.T) {
	t.Parallel()
	above := t.TempDir()
	var mu sync.Mutex
	var told []error
	j := journal.Open(journal.Config{DataDir: filepath.Join(above, "missing"), OnFault: func(err error) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, err)
	}})
	t.Cleanup(j.Close)
	subject := j.Person("ann")
	for i := range 10 {
		j.Append(journal.Event{Kind: journal.PersonUpdated, Person: id(i), Subject: subject})
		j.Flush()
	}
	if p := read(t, j, journal.Filter{Person: "ann"}); len(p.Events) != 10 {
		t.Errorf("%d events are in memory", len(p.Events))
	}
	mu.Lock()
	if len(told) != 1 || told[0] == nil {
		t.Errorf("it was told %v", told)
	}
	mu.Unlock()
	if err := os.Mkdir(filepath.Join(above, "missing"), 0o700); err != nil {
		t.Fatal(err)
	}
	j.Append(journal.Event{Kind: journal.Reloaded})
	j.Flush()
	if p, err := journal.ReadFolder(filepath.Join(above, "missing"), journal.Filter{Person: "ann"}); err != nil ||
		len(p.Events) != 10 {
		t.Errorf("%d events were written: %v", len(p.Events), err)
	}
	mu.Lock()
	defer mu.Unlock()
	if len(told) != 2 || told[1] != nil {
		t.Errorf("it was told %v", told)
	}
}

func TestNoJournalRecordsNothing(t *testing.T) {
	t.Parallel()
	var j *journal.Journal
	j.Append(journal.Event{Kind: journal.Started})
	j.Count(journal.Served{})
	j.Flush()
	if p, err := j.Read(journal.Filter{}); err != nil || p.Events == nil || len(p.Events) != 0 || j.Person("x") != "" {
		t.Errorf("got %+v, %v", p, err)
	}
	j.Close()
}

// A newer version may have written kinds that this one does not know.
func TestUnknownLinesArePassedOver(t *testing.T) {
	t.Parallel()
	dir, now := t.TempDir(), newClock()
	j := open(t, dir, now)
	j.Append(journal.Event{Kind: journal.Started})
	j.Close()
	path := filepath.Join(dir, journal.Folder, "events-20261129T110000.000000000Z-newer.jsonl")
	text := `{"time":"2026-11-29T11:00:00.000000000Z","kind":"from_the_future","what":[1]}
{"time":"2026-11-29T11:00:01.000000000Z","kind":"stopped","what":"more than we know"}
{"time":"2026-11-29T11:00:02.000000000Z","kind":"stop`
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := read(t, open(t, dir, now), journal.Filter{})
	if len(p.Events) != 2 || p.Events[0].Kind != journal.Started || p.Events[1].Kind != journal.Stopped {
		t.Errorf("got %+v", p.Events)
	}
}

// FuzzRead states that whatever is in the files, what is read is what could have been written.
func FuzzRead(f *testing.F) {
	j := journal.Open(journal.Config{DataDir: f.TempDir(), Now: newClock().time})
	j.Append(journal.Event{
		Kind: journal.GroupUpdated, Group: id(1), Request: requestID(2), Added: journal.NewMembers([]string{id(3)}),
		Subject: j.Group("all"), Status: 200, Unknown: 2, Since: time.Unix(0, 0),
	})
	j.Append(journal.Event{Kind: journal.Traffic, Requests: &journal.Requests{Reads: 1}})
	j.Close()
	f.Add([]byte(`{"time":"2026-11-29T11:00:00.000000000Z","kind":"started","version":"<b>"}` + "\n"))
	f.Add([]byte(`{"time":"2026-11-29T11:00:00.000000000Z","kind":"person_refused","person":"ann@example.com"}` +
		"\n\n{"))
	f.Add([]byte(`{"time":"2026-11-29T11:00:00.000000000Z","kind":"stopped","time":"9999-01-01T00:00:00Z"}`))
	f.Add([]byte(`{"time":"2026-11-29T11:00:00.000000000Z","kind":"group_updated",` +
		`"set":{"count":-1,"ids":["\u0000"]}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		dir, again := t.TempDir(), t.TempDir()
		folder := filepath.Join(dir, journal.Folder)
		if err := os.Mkdir(folder, 0o700); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(folder, "events-20261129T110000.000000000Z-fuzz.jsonl")
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		p, err := journal.ReadFolder(dir, journal.Filter{Limit: journal.MaxLimit})
		if err != nil || len(p.Events) > bytes.Count(text, []byte{'\n'})+1 {
			t.Fatalf("%d events: %v", len(p.Events), err)
		}
		slices.Reverse(p.Events)
		now := newClock()
		now.held = true
		// The events may be years apart, and all are to be kept.
		rewritten := journal.Open(journal.Config{DataDir: again, MaxAge: -1, Now: now.time})
		for _, e := range p.Events {
			if !slices.Contains(journal.Kinds(), e.Kind) {
				t.Errorf("a kind is %q", e.Kind)
			}
			now.now = e.Time
			rewritten.Append(e)
		}
		rewritten.Close()
		if len(p.Events) > 100 {
			return // refusals with 503 are bounded
		}
		q, err := journal.ReadFolder(again, journal.Filter{Limit: journal.MaxLimit})
		if err != nil {
			t.Fatal(err)
		}
		slices.Reverse(q.Events)
		if !reflect.DeepEqual(p.Events, q.Events) {
			t.Errorf("read\n%+v\nand written again\n%+v", p.Events, q.Events)
		}
	})
}

func BenchmarkAppend(b *testing.B) {
	j := journal.Open(journal.Config{DataDir: b.TempDir()})
	defer j.Close()
	e := journal.Event{
		Kind: journal.PersonUpdated, Request: requestID(1), Token: "current", Person: id(1), Status: 200,
		Active: journal.Bool(true), State: "active", Milliseconds: 7,
	}
	b.ReportAllocs()
	for b.Loop() {
		e.Subject = j.Person("ann@example.com")
		j.Append(e)
	}
}

func BenchmarkCount(b *testing.B) {
	j := journal.Open(journal.Config{DataDir: b.TempDir()})
	defer j.Close()
	people := make([]string, 1000)
	for i := range people {
		people[i] = id(i)
	}
	b.ReportAllocs()
	for b.Loop() {
		j.Count(journal.Served{Status: 200, Took: time.Millisecond, Person: people[rand.IntN(len(people))]})
	}
}

// What an operator waits for with a full journal.
func BenchmarkReadPersonInFullJournal(b *testing.B) {
	j := journal.Open(journal.Config{DataDir: b.TempDir()})
	defer j.Close()
	e := journal.Event{
		Kind: journal.PersonUpdated, Request: requestID(1), Token: "current", Status: 200,
		Active: journal.Bool(true), State: "active", Milliseconds: 7, Subject: j.Person("ann"),
	}
	for i := range 150_000 {
		e.Person = id(i)
		j.Append(e)
		if i%500 == 0 {
			j.Flush()
		}
	}
	for b.Loop() {
		if p, err := j.Read(journal.Filter{Person: id(100_000)}); err != nil || len(p.Events) != 1 {
			b.Fatal(err, len(p.Events))
		}
	}
}
