package keptlog

import (
	"bytes"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/linestore"
)

// A Query asks for lines.
type Query struct {
	Level hclog.Level // and higher ones; hclog.NoLevel for all
	// All are texts that a line must have, and Any some of which it must have one, if there are any. Case does not
	// count.
	All, Any []string
	// Until is the time of the newest line, and Skip how many of that time to pass over; see Found.
	Until time.Time
	Skip  int
	Limit int
}

// A Line is one line, with those that continue it.
type Line struct {
	At    time.Time
	Level hclog.Level
	Text  string // without time and level
}

// Found are lines, newest first.
type Found struct {
	Lines []Line
	// Until and Skip are those of the query for older ones; Until is zero if there are none.
	Until time.Time
	Skip  int
}

// Find returns lines that were kept, those of earlier processes among them.
func (l *Log) Find(q Query) (f Found) {
	var has matcher
	for _, text := range q.All {
		has.all = append(has.all, bytes.ToLower([]byte(text)))
	}
	for _, text := range q.Any {
		has.any = append(has.any, bytes.ToLower([]byte(text)))
	}
	var at time.Time // of the line before
	same := 0        // lines of that time
	for line := range l.store.Newest(linestore.Range{Until: q.Until}) {
		if !line.At.Equal(at) {
			at, same = line.At, 0
		}
		same++
		if line.At.Equal(q.Until) && same <= q.Skip {
			continue
		}
		level, text := split(line.Text)
		if level < q.Level || !has.matches(line.Text) {
			continue
		}
		if len(f.Lines) == q.Limit {
			f.Until, f.Skip = at, same-1
			return f
		}
		f.Lines = append(f.Lines, Line{line.At, level, text})
	}
	return f
}

// ByField returns for each value of a field the newest line that has it, if there is one. A value has no blanks.
func (l *Log) ByField(key string, values []string) map[string]string {
	missing := make(map[string]bool, len(values))
	for _, v := range values {
		missing[v] = true
	}
	found := make(map[string]string, len(values))
	for line := range l.store.Newest(linestore.Range{}) {
		if len(missing) == 0 {
			break
		}
		if !bytes.Contains(line.Text, []byte(" "+key+"=")) {
			continue
		}
		text := string(line.Text)
		if v := Field(text, key); missing[v] {
			found[v] = text
			delete(missing, v)
		}
	}
	return found
}

// Field returns a field of a line, up to the next blank; empty if the line does not have it.
func Field(line, key string) string {
	_, value, _ := strings.Cut(line, " "+key+"=")
	value, _, _ = strings.Cut(value, " ")
	return value
}

type matcher struct{ all, any [][]byte }

func (m *matcher) matches(line []byte) bool {
	if len(m.all) == 0 && len(m.any) == 0 {
		return true
	}
	line = bytes.ToLower(line)
	for _, text := range m.all {
		if !bytes.Contains(line, text) {
			return false
		}
	}
	for _, text := range m.any {
		if bytes.Contains(line, text) {
			return true
		}
	}
	return len(m.any) == 0
}

// split cuts time and level off a line.
func split(line []byte) (hclog.Level, string) {
	text := string(line[min(len(timeForm)+1, len(line)):])
	for level, bracket := range brackets {
		if rest, ok := strings.CutPrefix(text, bracket); ok {
			return level, rest
		}
	}
	return hclog.NoLevel, text
}
