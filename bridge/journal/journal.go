package journal

import (
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/linestore"
)

// Folder is the journal's folder within the bridge's data folder, and KeyFile the key of its digests there.
const (
	Folder  = "journal"
	KeyFile = "key"
)

// Kept returns patterns of the names of the files in which a data folder keeps what happened, by their folders within
// it. The log for the download is among them: who copies or removes the one does so with the other.
func Kept() map[string][]string {
	return map[string][]string{
		Folder: {eventsName + "-*.jsonl", readsName + "-*.jsonl", trafficName + "-*.jsonl"},
		"log":  {"scim-bridge-*.log"},
	}
}

// Config is what a Journal needs.
type Config struct {
	// DataDir is the bridge's data folder; if it is empty, the journal is kept in memory.
	DataDir string
	Now     func() time.Time
	// OnFault is called with the error when events cannot be written any more, and with nil when they are written
	// again. It may be nil.
	OnFault func(error)
	// MaxBytes bounds the events, 32 MiB if it is zero: some 150,000 writes. A quarter of it beside that is for the
	// reads of people, and another one for traffic.
	MaxBytes int64
	// MaxAge bounds how long they are kept, 30 days if it is zero; if it is negative, nothing does.
	MaxAge time.Duration
}

const (
	defaultBytes = 32 << 20
	defaultAge   = 30 * 24 * time.Hour
	// summariesShare is the part of MaxBytes that summaries of each kind may have: they must not drive writes out,
	// nor those of each person, of which there are thousands, the one of the minute.
	summariesShare = 4
	// maxUnavailable is how many refusals of a minute are recorded singly while the account is away: a client that
	// repeats its requests as fast as it can would drive everything else out.
	maxUnavailable = 100
	// maxLookups is how many people's reads are counted before they are written.
	maxLookups = 4096
)

// A Journal records events. It is safe for concurrent use, and so is a nil one, which records nothing.
type Journal struct {
	source
	cfg     Config
	events  *linestore.Store
	reads   *linestore.Store
	traffic *linestore.Store

	mu      sync.Mutex // also keeps lines in the order of their times
	line    []byte
	minute  time.Time // that is being counted; zero if nothing was
	counted Requests
	lookups map[string]int64 // by person
	away    struct {         // refusals with 503
		minute time.Time
		count  int
	}
	timer  *time.Timer // ends the minute
	closed bool

	telling sync.Mutex       // held while OnFault is called, so that it is told in order
	faults  map[string]error // by store
}

// Open returns the journal of a data folder. It does not fail: what cannot be written is kept in memory, as much as
// fits, and OnFault is told.
func Open(c Config) *Journal {
	if c.MaxBytes == 0 {
		c.MaxBytes = defaultBytes
	}
	if c.MaxAge == 0 {
		c.MaxAge = defaultAge
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	j := &Journal{cfg: c, lookups: make(map[string]int64), faults: make(map[string]error)}
	j.key = openKey(c.folder())
	events, reads, traffic := stores(c)
	for _, s := range []*linestore.Config{&events, &reads, &traffic} {
		s.OnFault = func(err error) { j.noteFault(s.Name, err) }
		s.OnNewFile = func() { keepKey(c.folder(), j.key.key) } // an operator may have removed it with the folder
	}
	j.events, j.reads, j.traffic = linestore.Open(events), linestore.Open(reads), linestore.Open(traffic)
	j.source = source{
		events: j.events.Newest, reads: j.reads.Newest, traffic: j.traffic.Newest, fromOldest: j.events.Oldest,
		key: j.key,
	}
	j.timer = time.AfterFunc(time.Hour, j.endMinute)
	j.timer.Stop()
	return j
}

const (
	eventsName  = "events"
	readsName   = "reads"
	trafficName = "traffic"
)

func (c Config) folder() string {
	if c.DataDir == "" {
		return ""
	}
	return filepath.Join(c.DataDir, Folder)
}

// stores are where the journal of a data folder is.
func stores(c Config) (events, reads, traffic linestore.Config) {
	events = linestore.Config{
		Folder: c.folder(), Name: eventsName, Extension: ".jsonl", MaxBytes: c.MaxBytes, MaxAge: c.MaxAge, Now: c.Now,
		TimeOf: timeOf,
	}
	reads = events
	reads.Name, reads.MaxBytes = readsName, c.MaxBytes/summariesShare
	traffic = reads
	traffic.Name = trafficName
	return events, reads, traffic
}

// noteFault tells the first of several faults, and the end of the last.
func (j *Journal) noteFault(of string, err error) {
	j.telling.Lock()
	defer j.telling.Unlock()
	if err == nil {
		keepKey(j.cfg.folder(), j.key.key) // which may have failed before
	}
	before := len(j.faults)
	if err == nil {
		delete(j.faults, of)
	} else {
		j.faults[of] = err
	}
	after := len(j.faults)
	if j.cfg.OnFault != nil && (before == 0) != (after == 0) {
		j.cfg.OnFault(err)
	}
}

// Append records an event at this time.
func (j *Journal) Append(e Event) {
	if j == nil {
		return
	}
	e.clean()
	j.mu.Lock()
	defer j.mu.Unlock()
	if e.Status == http.StatusServiceUnavailable && j.tooManyAway() {
		return
	}
	j.write(j.events, &e)
}

// tooManyAway counts a refusal with 503, and reports whether there were enough of them in this minute.
func (j *Journal) tooManyAway() bool {
	if minute := j.cfg.Now().Truncate(time.Minute); !minute.Equal(j.away.minute) {
		j.away.minute, j.away.count = minute, 0
	}
	j.away.count++
	return j.away.count > maxUnavailable
}

// write is called with the lock held.
func (j *Journal) write(to *linestore.Store, e *Event) {
	if j.closed {
		return
	}
	e.Time = j.cfg.Now()
	j.line = e.appendLine(j.line[:0])
	to.Append(e.Time, j.line)
}

// A Served is a SCIM request that was answered.
type Served struct {
	Write  bool
	Status int
	Took   time.Duration
	Person string // that was read by itself; empty for none
}

// Count counts a SCIM request.
func (j *Journal) Count(s Served) {
	if j == nil {
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.cfg.Now()
	if minute := now.Truncate(time.Minute); !minute.Equal(j.minute) {
		j.summarise()
		j.minute = minute
		j.timer.Reset(minute.Add(time.Minute).Sub(now))
	}
	j.counted.add(s)
	if s.Person != "" {
		if len(j.lookups) >= maxLookups {
			j.summariseLookups()
		}
		j.lookups[s.Person]++
	}
}

func (r *Requests) add(s Served) {
	if s.Write {
		r.Writes++
	} else {
		r.Reads++
	}
	switch {
	case s.Status >= 500:
		r.Failed++
	case s.Status >= 400:
		r.Refused++
	}
	ms := s.Took.Milliseconds()
	r.Milliseconds += ms
	r.Slowest = max(r.Slowest, ms)
}

// merge adds what another process counted in the same minute.
func (r *Requests) merge(other Requests) {
	r.Reads += other.Reads
	r.Writes += other.Writes
	r.Refused += other.Refused
	r.Failed += other.Failed
	r.Milliseconds += other.Milliseconds
	r.Slowest = max(r.Slowest, other.Slowest)
}

// endMinute records a minute after which no request came.
func (j *Journal) endMinute() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.summarise()
}

// summarise records what was counted. It is called with the lock held.
func (j *Journal) summarise() {
	if j.minute.IsZero() {
		return
	}
	j.summariseLookups()
	counted := j.counted
	j.write(j.traffic, &Event{Kind: Traffic, Since: j.minute, Requests: &counted})
	j.counted, j.minute = Requests{}, time.Time{}
}

func (j *Journal) summariseLookups() {
	for _, person := range slices.Sorted(maps.Keys(j.lookups)) {
		e := Event{Kind: PersonRead, Since: j.minute, Person: person, Count: j.lookups[person]}
		if e.clean(); e.Person != "" {
			j.write(j.reads, &e)
		}
	}
	clear(j.lookups)
}

// A Minute is how the SCIM requests of the minute from At on were answered.
type Minute struct {
	At time.Time
	Requests
}

// Minutes returns the minutes since a time in which requests came, oldest first, the current one among them.
func (j *Journal) Minutes(since time.Time) []Minute {
	if j == nil {
		return nil
	}
	found := map[time.Time]*Minute{}
	add := func(at time.Time, counted Requests) {
		at = at.UTC()
		if at.Before(since.Truncate(time.Minute)) {
			return
		}
		m := found[at]
		if m == nil {
			m = &Minute{At: at}
			found[at] = m
		}
		m.merge(counted)
	}
	j.mu.Lock()
	if !j.minute.IsZero() {
		add(j.minute, j.counted)
	}
	j.mu.Unlock()
	for line := range j.traffic.Newest(linestore.Range{Since: since}) { // a minute is written when it is over
		if e, err := parseLine(line.Text); err == nil && e.Kind == Traffic && e.Requests != nil {
			add(e.Since, *e.Requests)
		}
	}
	minutes := make([]Minute, 0, len(found))
	for _, at := range slices.SortedFunc(maps.Keys(found), time.Time.Compare) {
		minutes = append(minutes, *found[at])
	}
	return minutes
}

// LastMinute returns the latest minute in which requests came; zero if the journal knows none.
func (j *Journal) LastMinute() time.Time {
	if j == nil {
		return time.Time{}
	}
	j.mu.Lock()
	current := j.minute
	j.mu.Unlock()
	if !current.IsZero() {
		return current.UTC()
	}
	for line := range j.traffic.Newest(linestore.Range{}) {
		if e, err := parseLine(line.Text); err == nil && e.Kind == Traffic {
			return e.Since
		}
	}
	return time.Time{}
}

// Person returns the digest under which the journal has a userName, for Event.Subject.
func (j *Journal) Person(userName string) string {
	if j == nil {
		return ""
	}
	return j.key.of("person", userName)
}

// Group returns the digest under which the journal has a group's name.
func (j *Journal) Group(name string) string {
	if j == nil {
		return ""
	}
	return j.key.of("group", name)
}

// Flush writes the events so far.
func (j *Journal) Flush() {
	if j == nil {
		return
	}
	_ = j.events.Flush() // OnFault is told
	_ = j.reads.Flush()
	_ = j.traffic.Flush()
}

// Close writes the events so far. Those that come later are lost.
func (j *Journal) Close() {
	if j == nil {
		return
	}
	j.mu.Lock()
	j.summarise()
	j.closed = true
	j.timer.Stop()
	j.mu.Unlock()
	_ = j.events.Close() // OnFault is told
	_ = j.reads.Close()
	_ = j.traffic.Close()
}
