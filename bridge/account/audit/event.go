package audit

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strconv"
	"time"
)

// An Event is one change, or a refused attempt to make one, and its author.
type Event struct {
	Sequence                                int64 // from 1; 0 for what is counted beside the chain
	ID                                      string
	Time                                    time.Time // in microseconds
	Actor, Address, Action, Object, Summary string
	Hash                                    string // in hexadecimal digits
}

// A Link is an event's place in the chain. The zero Link stands before the first event.
type Link struct {
	Sequence int64  `json:"sequence"`
	Hash     string `json:"hash"`
}

// String returns the link as ParseLink reads it.
func (l Link) String() string { return strconv.FormatInt(l.Sequence, 10) + ":" + l.Hash }

// ParseLink reads a link that was noted before.
func ParseLink(text string) (Link, error) {
	var l Link
	if n, err := fmt.Sscanf(text, "%d:%s", &l.Sequence, &l.Hash); err != nil || n != 2 || l.String() != text ||
		l.Sequence < 1 || len(l.Hash) != hex.EncodedLen(sha256.Size) {
		return Link{}, fmt.Errorf("%q is not the number of an event and its hash, such as 12:%064x", text, 0)
	}
	return l, nil
}

// Link returns the event's place.
func (e Event) Link() Link { return Link{e.Sequence, e.Hash} }

// Digest returns the hash that e must have after an event with the hash previous. It
// is stored: a change would break the chain of every account.
func (e Event) Digest(previous string) string {
	h := sha256.New()
	for _, field := range []string{
		"scimbridge audit event 1", previous, strconv.FormatInt(e.Sequence, 10), e.ID,
		strconv.FormatInt(micros(e.Time), 10), e.Actor, e.Address, e.Action, e.Object, e.Summary,
	} {
		// With its length, since the texts of two events may be divided differently.
		fmt.Fprintf(h, "%d:%s,", len(field), field)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// micros is a time as the database has it.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}
