package journal

import (
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A Kind is what an event is about, from a closed set.
type Kind string

// The kinds.
const (
	Started         Kind = "started"
	Stopped         Kind = "stopped"
	Reloaded        Kind = "reloaded"
	HandedOver      Kind = "handed_over" // to a newer bridge on the same data folder
	TookOver        Kind = "took_over"   // from an older one
	Unsealed        Kind = "unsealed"    // the bearer token opened a session
	Sealed          Kind = "sealed"      // by hand, or the overlap of the open session is over
	SignedIn        Kind = "signed_in"   // to the account
	PageSignedIn    Kind = "page_signed_in"
	PageSignedOut   Kind = "page_signed_out"
	HoldsApproved   Kind = "holds_approved"  // on the status page
	HoldsCancelled  Kind = "holds_cancelled" // on the status page
	BundleMade      Kind = "bundle_made"     // a support bundle, on the status page or over the control socket
	Explained       Kind = "explained"       // an operator asked about a person or a group
	Previewed       Kind = "previewed"       // an operator asked what creating Count people would do
	ProblemBegan    Kind = "problem_began"   // Code says which
	ProblemEnded    Kind = "problem_ended"   // Since says when it began
	PersonCreated   Kind = "person_created"  // or adopted
	PersonUpdated   Kind = "person_updated"
	PersonDeleted   Kind = "person_deleted"
	PersonRefused   Kind = "person_refused"   // a write of a person failed
	PersonConfirmed Kind = "person_confirmed" // by the confirmation watcher
	GroupCreated    Kind = "group_created"    // or adopted
	GroupUpdated    Kind = "group_updated"
	GroupDeleted    Kind = "group_deleted"
	GroupRefused    Kind = "group_refused"   // a write of a group failed
	RequestRefused  Kind = "request_refused" // a bulk request failed as a whole
	PersonRead      Kind = "person_read"     // Count times in the minute from Since on
	Traffic         Kind = "traffic"         // Requests in the minute from Since on
)

var kinds = []Kind{
	Started, Stopped, Reloaded, HandedOver, TookOver, Unsealed, Sealed, SignedIn, PageSignedIn, PageSignedOut,
	HoldsApproved, HoldsCancelled, BundleMade, Explained, Previewed, ProblemBegan, ProblemEnded,
	PersonCreated, PersonUpdated, PersonDeleted, PersonRefused, PersonConfirmed,
	GroupCreated, GroupUpdated, GroupDeleted, GroupRefused, RequestRefused, PersonRead, Traffic,
}

// Kinds lists them all.
func Kinds() []Kind { return slices.Clone(kinds) }

// isSummary reports whether events of the kind summarise a minute.
func (k Kind) isSummary() bool { return k == PersonRead || k == Traffic }

// An Event is one thing that happened. The zero value of a field means that it does not apply.
type Event struct {
	Time time.Time `json:"time"`
	Kind Kind      `json:"kind"`
	// Request is the id under which the log knows the request.
	Request string `json:"request,omitempty"`
	// Token is the kind of token that the request showed.
	Token  string `json:"token,omitempty"`
	Method string `json:"method,omitempty"` // of a refused request
	Person string `json:"person,omitempty"` // its id
	Group  string `json:"group,omitempty"`  // its id
	// Subject is a digest of the userName or the group's name in the request; see Journal.Person.
	Subject string `json:"subject,omitempty"`
	Status  int    `json:"status,omitempty"` // of HTTP
	// Code is that of a problem, or why a request was refused: of the directory, or a scimType.
	Code string `json:"code,omitempty"`
	// SentActive is what the request itself set active to; nil if it did not, and in events of older versions.
	SentActive *bool `json:"sent_active,omitempty"`
	// Active reports whether the identity provider now sees the person active, and State is its member's.
	Active *bool  `json:"active,omitempty"`
	State  string `json:"state,omitempty"`
	// Unchanged is set if the write is known to have changed nothing.
	Unchanged bool `json:"unchanged,omitempty"`
	// Added and Removed are members in the request, and Set is a list that takes the place of all.
	Added   *Members `json:"added,omitempty"`
	Removed *Members `json:"removed,omitempty"`
	Set     *Members `json:"set,omitempty"`
	// Unknown is how many ids in the request are of nobody.
	Unknown int   `json:"unknown,omitempty"`
	Count   int64 `json:"count,omitempty"`
	// Milliseconds is how long the request took.
	Milliseconds int64     `json:"ms,omitempty"`
	Since        time.Time `json:"since,omitzero"`
	Epoch        int64     `json:"epoch,omitempty"`   // the generation of the credentials
	Version      string    `json:"version,omitempty"` // of the build
	PID          int       `json:"pid,omitempty"`
	// Requests is set for Traffic.
	Requests *Requests `json:"requests,omitempty"`
}

// Members are the ids in a request, of which an event has the first.
type Members struct {
	Count int      `json:"count"`
	IDs   []string `json:"ids,omitempty"`
}

// maxIDs is how many members an event names: a group of thousands that is pushed every hour would drive everything
// else out.
const maxIDs = 100

// NewMembers returns the members with these ids.
func NewMembers(ids []string) *Members {
	return &Members{Count: len(ids), IDs: ids[:min(len(ids), maxIDs)]}
}

// Requests are how SCIM requests were answered.
type Requests struct {
	Reads   int64 `json:"reads"`
	Writes  int64 `json:"writes"`  // bulk requests among them
	Refused int64 `json:"refused"` // with a status of 400 to 499
	Failed  int64 `json:"failed"`  // with a status from 500 on
	// Milliseconds is the sum of what they took, and Slowest the longest.
	Milliseconds int64 `json:"ms"`
	Slowest      int64 `json:"slowest_ms"`
}

// Bool returns a pointer to b, for Active.
func Bool(b bool) *bool {
	if b {
		return &yes
	}
	return &no
}

var yes, no = true, false

// clean removes what is not in the form of its field: a client may have put anything there.
func (e *Event) clean() {
	for _, f := range [...]struct {
		text *string
		is   func(string) bool
	}{
		{&e.Request, isRequestID}, {&e.Token, isWord}, {&e.Method, isMethod}, {&e.Person, inputtext.IsOpaqueID},
		{&e.Group, inputtext.IsOpaqueID}, {&e.Subject, isSubject}, {&e.Code, isWord}, {&e.State, isWord},
		{&e.Version, isVersion},
	} {
		if *f.text != "" && !f.is(*f.text) {
			*f.text = ""
		}
	}
	for _, m := range [...]*Members{e.Added, e.Removed, e.Set} {
		if m == nil {
			continue
		}
		if slices.ContainsFunc(m.IDs, isNoID) {
			m.IDs = slices.DeleteFunc(slices.Clone(m.IDs), isNoID)
		}
		if m.Count = max(m.Count, len(m.IDs)); len(m.IDs) == 0 {
			m.IDs = nil
		}
	}
}

func isNoID(s string) bool { return !inputtext.IsOpaqueID(s) }

// consistsOf reports whether s has at most limit bytes, each within one of the ranges, given as pairs.
func consistsOf(s string, limit int, ranges string) bool {
	for i := range len(s) {
		ok := false
		for j := 0; j < len(ranges); j += 2 {
			ok = ok || ranges[j] <= s[i] && s[i] <= ranges[j+1]
		}
		if !ok {
			return false
		}
	}
	return len(s) <= limit
}

// isWord reports whether s may be a code. The longest ones have some thirty characters.
func isWord(s string) bool    { return consistsOf(s, 48, "azAZ__") }
func isVersion(s string) bool { return consistsOf(s, 64, "azAZ09..++--") }

// isRequestID reports whether s has the form of httpkit's request ids.
func isRequestID(s string) bool { return len(s) == 26 && consistsOf(s, 26, "AZ27") }

func isMethod(s string) bool {
	switch s {
	case http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete:
		return true
	default:
		return false
	}
}

// timeForm is RFC 3339 with nanoseconds of a fixed width, so that lines sort by their times.
const timeForm = "2006-01-02T15:04:05.000000000Z"

// lineBegin is what each line begins with.
const lineBegin = `{"time":"`

// appendLine appends a cleaned event as a line of JSON. Nothing in it needs to be escaped.
func (e *Event) appendLine(b []byte) []byte {
	b = append(b, lineBegin...)
	b = e.Time.UTC().AppendFormat(b, timeForm)
	b = append(b, '"')
	b = appendText(b, "kind", string(e.Kind))
	b = appendText(b, "request", e.Request)
	b = appendText(b, "token", e.Token)
	b = appendText(b, "method", e.Method)
	b = appendText(b, "person", e.Person)
	b = appendText(b, "group", e.Group)
	b = appendText(b, "subject", e.Subject)
	b = appendNumber(b, "status", int64(e.Status))
	b = appendText(b, "code", e.Code)
	b = appendBool(b, "sent_active", e.SentActive)
	b = appendBool(b, "active", e.Active)
	b = appendText(b, "state", e.State)
	if e.Unchanged {
		b = append(b, `,"unchanged":true`...)
	}
	b = appendMembers(b, "added", e.Added)
	b = appendMembers(b, "removed", e.Removed)
	b = appendMembers(b, "set", e.Set)
	b = appendNumber(b, "unknown", int64(e.Unknown))
	b = appendNumber(b, "count", e.Count)
	b = appendNumber(b, "ms", e.Milliseconds)
	if !e.Since.IsZero() {
		b = append(b, `,"since":"`...)
		b = append(e.Since.UTC().AppendFormat(b, timeForm), '"')
	}
	b = appendNumber(b, "epoch", e.Epoch)
	b = appendText(b, "version", e.Version)
	b = appendNumber(b, "pid", int64(e.PID))
	if e.Requests != nil {
		b = append(b, `,"requests":`...)
		text, _ := json.Marshal(e.Requests) // numbers always marshal
		b = append(b, text...)
	}
	return append(b, '}', '\n')
}

func appendText(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, key...)
	b = append(b, `":"`...)
	b = append(b, value...)
	return append(b, '"')
}

func appendBool(b []byte, key string, value *bool) []byte {
	if value == nil {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, key...)
	b = append(b, `":`...)
	return strconv.AppendBool(b, *value)
}

func appendNumber(b []byte, key string, n int64) []byte {
	if n == 0 {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, key...)
	b = append(b, `":`...)
	return strconv.AppendInt(b, n, 10)
}

func appendMembers(b []byte, key string, m *Members) []byte {
	if m == nil {
		return b
	}
	b = append(b, `,"`...)
	b = append(b, key...)
	b = append(b, `":{"count":`...)
	b = strconv.AppendInt(b, int64(m.Count), 10)
	if len(m.IDs) > 0 {
		b = append(b, `,"ids":["`...)
		b = append(b, strings.Join(m.IDs, `","`)...)
		b = append(b, `"]`...)
	}
	return append(b, '}')
}

// timeOf returns the time of a line.
func timeOf(line []byte) (time.Time, bool) {
	end := len(lineBegin) + len(timeForm)
	if len(line) <= end || string(line[:len(lineBegin)]) != lineBegin {
		return time.Time{}, false
	}
	t, err := time.Parse(time.RFC3339Nano, string(line[len(lineBegin):end]))
	return t, err == nil
}

// parseLine is the reverse of appendLine. A line of a kind that this version does not know is an error.
func parseLine(line []byte) (e Event, err error) {
	if err := json.Unmarshal(line, &e); err != nil {
		return e, err
	}
	if !slices.Contains(kinds, e.Kind) {
		return e, errors.New("unknown kind")
	}
	e.Time, e.Since = e.Time.UTC(), e.Since.UTC()
	e.clean()
	return e, nil
}
