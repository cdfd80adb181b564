package audit

import (
	"fmt"
	"slices"
)

// maxFaults bounds what is reported: one cause can break many events.
const maxFaults = 20

// A Verifier is given the events of a log in its order, and finds what does not follow.
type Verifier struct {
	// Known are links that were noted before, and must be in the log.
	Known []Link

	first  Link // the event before the first one
	last   Link
	events int64
	gaps   [][2]int64
	faults []string
	more   int // faults that are not reported
	// older are known links that cannot be compared, since the log begins after them.
	older   []Link
	restore int64 // the last event that says that a backup was restored
}

// Begin sets the event before the first one.
func (v *Verifier) Begin(after Link) {
	v.first, v.last = after, after
	v.known(after)
}

// Unknown is the hash of an event that is not there.
const Unknown = "unknown"

// Add takes the next event, and the hash of the one before it or Unknown.
func (v *Verifier) Add(e Event, previous string) {
	v.events++
	if e.Sequence <= v.last.Sequence {
		v.report("event %d stands after event %d: it was inserted or moved", e.Sequence, v.last.Sequence)
		return
	}
	gap := e.Sequence > v.last.Sequence+1
	switch {
	case gap && len(v.gaps) < maxFaults:
		v.gaps = append(v.gaps, [2]int64{v.last.Sequence + 1, e.Sequence - 1})
	case !gap && previous != v.last.Hash:
		v.report("event %d does not follow the one before it: one of the two was changed, inserted or moved",
			e.Sequence)
	}
	if previous != Unknown && e.Digest(previous) != e.Hash {
		v.report("event %d does not have its hash: it, or the hash of the one before it, was changed, inserted "+
			"or moved", e.Sequence)
	}
	if e.Action == "account.restore" {
		v.restore = e.Sequence
	}
	v.last = e.Link()
	v.known(v.last)
}

// End compares the last event with the one that the log ends with.
func (v *Verifier) End(last Link) { v.finish(last, false) }

// finish is End for a log of which events may have been left out on purpose.
func (v *Verifier) finish(last Link, filtered bool) {
	if !filtered {
		for _, gap := range v.gaps {
			v.missing(gap[0], gap[1])
		}
	}
	switch {
	case v.last.Sequence < last.Sequence && !filtered:
		v.missing(v.last.Sequence+1, last.Sequence)
	case v.last.Sequence > last.Sequence:
		v.report("event %d stands after event %d, which was the last one: it was inserted", v.last.Sequence,
			last.Sequence)
	case v.last.Sequence == last.Sequence && v.last.Hash != last.Hash:
		v.report("event %d is the last one and does not have the hash that was recorded for it: it was changed",
			last.Sequence)
	}
	v.known(last)
	for _, l := range v.Known {
		switch {
		case l.Sequence < v.first.Sequence:
			v.older = append(v.older, l)
		case v.restore > 0:
			v.report("event %d is not in the log with the hash that was noted before; a backup was restored "+
				"since: event %d, account.restore, has the newest event of the backup, and of the database that was "+
				"replaced", l.Sequence, v.restore)
		default:
			v.report("event %d is not in the log with the hash that was noted before", l.Sequence)
		}
	}
}

// Older returns the known links that could not be compared: the log begins after them, since older events were removed
// because of their age, or left out of the export.
func (v *Verifier) Older() []Link { return v.older }

// Result returns the number of events, the last one, and what is wrong.
func (v *Verifier) Result() (events int64, last Link, faults []string) {
	if v.more > 0 {
		return v.events, v.last, append(slices.Clip(v.faults), fmt.Sprintf("and %d faults more", v.more))
	}
	return v.events, v.last, v.faults
}

func (v *Verifier) known(l Link) {
	v.Known = slices.DeleteFunc(v.Known, func(k Link) bool { return k == l })
}

func (v *Verifier) missing(from, to int64) {
	if from == to {
		v.report("event %d is missing", from)
		return
	}
	v.report("events %d to %d are missing", from, to)
}

func (v *Verifier) report(format string, args ...any) {
	if len(v.faults) == maxFaults {
		v.more++
		return
	}
	v.faults = append(v.faults, fmt.Sprintf(format, args...))
}
