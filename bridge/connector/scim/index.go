package scim

import (
	"hash/maphash"
	"slices"
	"sync"
	"time"
)

// An index knows under which names the far side has which ids. It is a hint:
// whatever is found by it is asked for. That nothing is found counts only while
// it is complete. Names are kept as hashes, so that a resource takes some 200
// bytes; two with the same hash cost a request.
type index struct {
	seed maphash.Seed
	most int

	// scanning has an element while the whole list is read.
	scanning chan struct{}

	mu sync.Mutex
	entries
	// complete is when the reading of the whole list began that the entries are
	// from; zero if they are not all.
	complete time.Time
	total    int64 // of resources, as the far side counted them then, and what was written since
	// written are ids that were written or deleted while the list is read, with what they then had.
	written map[string][]uint64
	tooMany bool // for this index
	// writing counts creations and deletions under way, of which the far side may count either outcome.
	writing int64
}

type entries struct {
	byID   map[string][]uint64 // hashes of its names
	byName map[uint64][]string // ids
}

func newEntries() entries {
	return entries{byID: make(map[string][]uint64), byName: make(map[uint64][]string)}
}

func newIndex(most int) *index {
	return &index{seed: maphash.MakeSeed(), most: most, entries: newEntries(), scanning: make(chan struct{}, 1)}
}

func (x *index) hash(k key) uint64 {
	return maphash.String(x.seed, k.attribute+"\x00"+k.value)
}

func (x *index) hashes(keys []key) []uint64 {
	hashes := make([]uint64, len(keys))
	for i, k := range keys {
		hashes[i] = x.hash(k)
	}
	return hashes
}

// get returns the ids of what may have a key.
func (x *index) get(k key) []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Clone(x.byName[x.hash(k)])
}

// has reports whether an id was last seen with a key.
func (x *index) has(id string, k key) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Contains(x.byID[id], x.hash(k))
}

// hasID reports whether an id is known.
func (x *index) hasID(id string) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	_, known := x.byID[id]
	return known
}

// put enters a resource that was read or written.
func (x *index) put(id string, keys []key) {
	hashes := x.hashes(keys)
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.written != nil {
		x.written[id] = hashes
	}
	_, known := x.byID[id]
	if !known {
		x.total++
		if len(x.byID) >= x.most { // begin anew: what is left out would not be found
			x.entries, x.complete = newEntries(), time.Time{}
		}
	}
	x.set(id, hashes)
}

// remove takes out a resource that is gone.
func (x *index) remove(id string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.written != nil {
		x.written[id] = nil
	}
	if _, known := x.byID[id]; known {
		x.total--
		x.delete(id)
	}
}

func (e *entries) set(id string, hashes []uint64) {
	e.delete(id)
	e.byID[id] = hashes
	for _, h := range hashes {
		if !slices.Contains(e.byName[h], id) {
			e.byName[h] = append(e.byName[h], id)
		}
	}
}

func (e *entries) delete(id string) {
	for _, h := range e.byID[id] {
		ids := slices.DeleteFunc(e.byName[h], func(other string) bool { return other == id })
		if len(ids) == 0 {
			delete(e.byName, h)
			continue
		}
		e.byName[h] = ids
	}
	delete(e.byID, id)
}

// write says that a resource is about to be created or deleted; the caller must call done when it is entered.
func (x *index) write() (done func()) {
	add := func(n int64) {
		x.mu.Lock()
		defer x.mu.Unlock()
		x.writing += n
	}
	add(1)
	return func() { add(-1) }
}

// counts reports whether the far side counted as many resources as there
// should be, where before is the total when it was asked.
func (x *index) counts(counted, before int64) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return counted >= min(before, x.total)-x.writing && counted <= max(before, x.total)+x.writing
}

// since returns when the reading began that the entries are from, zero if they
// are not complete, and how many resources there should be.
func (x *index) since() (began time.Time, total int64) {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.complete, x.total
}

// isTooSmall reports whether there are more resources than it can have.
func (x *index) isTooSmall() bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.tooMany
}

// begin makes the index remember what is written while the list is read.
func (x *index) begin() {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.written = make(map[string][]uint64)
}

// finish takes over what was read, with what was written meanwhile; failed is
// set if it was not all read.
func (x *index) finish(read entries, began time.Time, total int64, failed, tooMany bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	written := x.written
	x.written, x.tooMany = nil, tooMany
	if failed || tooMany {
		return
	}
	for id, hashes := range written {
		_, had := read.byID[id]
		if hashes == nil {
			read.delete(id)
			if had {
				total--
			}
			continue
		}
		if !had {
			total++
		}
		read.set(id, hashes)
	}
	x.entries, x.complete, x.total = read, began, total
}
