package httpkit

import (
	"fmt"
	"log"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/hashicorp/go-hclog"
)

// eventLogInterval is the least time between two lines about one kind.
const eventLogInterval = time.Minute

// An EventLog logs events that any client can cause as often as it likes. Of
// each kind the first event is logged at once; the following are counted and
// logged once a minute, with the networks that caused most of them. The last
// count is logged even if nothing follows.
//
// Kinds, messages and the keys of fields must be a closed set.
type EventLog struct {
	logger hclog.Logger

	mu    sync.Mutex
	kinds map[string]*events
}

// NewEventLog returns an EventLog that writes to logger.
func NewEventLog(logger hclog.Logger) *EventLog {
	return &EventLog{logger: logger, kinds: make(map[string]*events)}
}

// An Event is one thing that happened.
type Event struct {
	Kind    string
	Level   hclog.Level
	Message string
	// Client caused it; the zero Addr if none in particular.
	Client netip.Addr
	Fields []any // keys and values by turns; those of the latest event are logged
}

// events are those of one kind that were not logged yet.
type events struct {
	latest  Event
	count   NetworkCount
	pending bool // a line was written within the interval; a timer runs
}

// Add counts an event.
func (l *EventLog) Add(e Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	kind := l.kinds[e.Kind]
	if kind == nil {
		kind = &events{}
		l.kinds[e.Kind] = kind
	}
	kind.latest = e
	kind.count.Add(e.Client)
	if !kind.pending {
		l.write(kind)
	}
}

// write logs what was counted and looks again after the interval.
func (l *EventLog) write(kind *events) {
	e := kind.latest
	fields := append([]any{"kind", e.Kind, "count", kind.count.Total}, e.Fields...)
	if networks := kind.count.String(); networks != "" {
		fields = append(fields, "networks", networks)
	}
	l.logger.Log(e.Level, e.Message, fields...)
	kind.count, kind.pending = NetworkCount{}, true
	time.AfterFunc(eventLogInterval, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if kind.pending = false; kind.count.Total > 0 {
			l.write(kind)
		}
	})
}

// Flush logs what was counted and not logged yet: the process is about to end.
func (l *EventLog) Flush() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(l.kinds)) {
		if kind := l.kinds[name]; kind.count.Total > 0 {
			l.write(kind)
		}
	}
}

// maxServerLine bounds what is kept of a line of net/http, which may quote a
// client.
const maxServerLine = 300

// ServerLog returns the logger for net/http, which reports broken connections and requests.
func (l *EventLog) ServerLog() *log.Logger { return log.New(serverLog{l}, "", 0) }

type serverLog struct{ events *EventLog }

func (s serverLog) Write(line []byte) (int, error) {
	text := strings.TrimSpace(string(line))
	if len(text) > maxServerLine {
		text = text[:maxServerLine] + "..."
	}
	s.events.Add(Event{
		Kind: "connection", Level: hclog.Debug, Message: "the HTTP server met something unusual",
		Fields: []any{"latest", fmt.Sprintf("%q", text)},
	})
	return len(line), nil
}
