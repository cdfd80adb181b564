package audit

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"io"
	"strings"
	"time"
)

// A Line is an event in an export. The names are a contract with those who read it.
type Line struct {
	Sequence int64     `json:"sequence"`
	ID       string    `json:"id"`
	Time     time.Time `json:"time"`
	Actor    string    `json:"actor"`
	Address  string    `json:"address,omitempty"`
	Action   string    `json:"action"`
	Object   string    `json:"object"`
	Summary  string    `json:"summary,omitempty"`
	Previous string    `json:"previous"` // the hash of the event before it
	Hash     string    `json:"hash"`
}

func toLine(e Event, previous string) Line {
	return Line{
		Sequence: e.Sequence, ID: e.ID, Time: e.Time.UTC(), Actor: e.Actor, Address: e.Address, Action: e.Action,
		Object: e.Object, Summary: e.Summary, Previous: previous, Hash: e.Hash,
	}
}

func fromLine(l Line) Event {
	return Event{
		Sequence: l.Sequence, ID: l.ID, Time: l.Time, Actor: l.Actor, Address: l.Address, Action: l.Action,
		Object: l.Object, Summary: l.Summary, Hash: l.Hash,
	}
}

// A Summary is what an export says of itself in its last line: without it, lines
// could be cut off from its end unnoticed.
type Summary struct {
	Account  string    `json:"account"`
	Exported time.Time `json:"exported"`
	Filter   *Filter   `json:"filter,omitempty"`
	Events   int64     `json:"events"` // lines before this one
	After    Link      `json:"after"`  // where the range begins
	Last     Link      `json:"last"`   // where the range ends
	Digest   string    `json:"digest"` // of all bytes before, and of this line without its digest
}

// A Filter chooses events of a range: the others are left out.
type Filter struct {
	Actor  string `json:"actor,omitempty"`
	Action string `json:"action,omitempty"` // or a group of actions, such as "firewall"
	Object string `json:"object,omitempty"`
}

// Matches reports whether the filter leaves e in.
func (f Filter) Matches(e Event) bool {
	return (f.Actor == "" || e.Actor == f.Actor) && (f.Object == "" || e.Object == f.Object) &&
		(f.Action == "" || e.Action == f.Action || strings.HasPrefix(e.Action, f.Action+"."))
}

type lastLine struct {
	Export *Summary `json:"export"`
}

// A Writer writes an export.
type Writer struct {
	out     io.Writer
	digest  hash.Hash
	summary Summary
}

// NewWriter returns a writer of the export that s describes; what can be counted, the
// writer sets.
func NewWriter(out io.Writer, s Summary) *Writer {
	return &Writer{out: out, digest: sha256.New(), summary: s}
}

// Write writes an event after an event with the hash previous.
func (w *Writer) Write(e Event, previous string) error {
	text, err := encode(toLine(e, previous))
	if err != nil {
		return err
	}
	w.summary.Events++
	w.digest.Write(text)
	_, err = w.out.Write(text)
	return err
}

// End writes the last line, and returns what it says.
func (w *Writer) End() (Summary, error) {
	var err error
	if w.summary.Digest, err = digestOf(w.digest, w.summary); err != nil {
		return w.summary, err
	}
	text, err := encode(lastLine{&w.summary})
	if err != nil {
		return w.summary, err
	}
	_, err = w.out.Write(text)
	return w.summary, err
}

func digestOf(before hash.Hash, s Summary) (string, error) {
	s.Digest = ""
	text, err := encode(lastLine{&s})
	if err != nil {
		return "", err
	}
	before.Write(text)
	return hex.EncodeToString(before.Sum(nil)), nil
}

// encode returns the only text that a line may have, so that a line cannot be changed
// in a way that another reader of JSON takes differently.
func encode(line any) ([]byte, error) {
	var text bytes.Buffer
	enc := json.NewEncoder(&text)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(line); err != nil {
		return nil, fmt.Errorf("encoding a line of the audit log: %w", err)
	}
	return text.Bytes(), nil
}
