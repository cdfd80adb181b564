package page

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/keptlog"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// Lines are the lines of the log that are kept.
type Lines interface {
	io.WriterTo
	Find(keptlog.Query) keptlog.Found
}

// Log shows and searches the log, and offers it for download. The log has no names: the journal knows under which ids
// somebody of a userName is in it.
func Log(lines Lines, j *journal.Journal) Section {
	l := logView{lines, j}
	return Section{
		Links: []Link{{Path: logPath, Text: "Log"}, {Path: "/app/logs", Text: "Download the log", Download: true}},
		Actions: []Action{
			{http.MethodGet, logPath, l.show},
			{http.MethodGet, "/app/logs", func(v *Visit) {
				v.Download("scim-bridge", ".log", "text/plain; charset=utf-8")
				_, _ = lines.WriteTo(v.Writer)
			}},
		},
	}
}

const (
	logPath = "/app/log"
	// downloadTimeout is how long a download may take.
	downloadTimeout = 10 * time.Minute
	linesOnPage     = 100
	// maxLineShown is how much of a line is shown, in bytes.
	maxLineShown = 2000
)

type logView struct {
	lines   Lines
	journal *journal.Journal
}

// logPage is the data of log.html.
type logPage struct {
	Now                            time.Time
	Level, Person, Request, Search string
	Levels                         []logLevel
	Notice                         string
	Lines                          []logLine
	next                           keptlog.Found
	Further                        bool // it is not the first page
}

type logLevel struct {
	Name, Text string
	On         bool
}

type logLine struct {
	At          time.Time
	Level, Text string
	Request     string
}

var logLevels = []logLevel{
	{Name: "debug", Text: "all lines"}, {Name: "info", Text: "info and higher"},
	{Name: "warn", Text: "warnings and errors"}, {Name: "error", Text: "errors"},
}

const defaultLevel = "info"

// show keeps only the newest lines current: the search for a text may read all of the log.
func (l logView) show(v *Visit) {
	if p := l.find(v); p.Further || p.Person+p.Request+p.Search != "" {
		v.ShowAnswer(http.StatusOK, "log", "Log", p)
	} else {
		v.ShowPage(http.StatusOK, "log", "Log", p)
	}
}

func (l logView) find(v *Visit) logPage {
	p := logPage{
		Now: v.Now, Level: defaultLevel,
		Person: v.searchText("person"), Request: v.searchText("request"), Search: v.searchText("search"),
	}
	for _, level := range logLevels {
		if level.Name == v.Query("level") {
			p.Level = level.Name
		}
	}
	for _, level := range logLevels {
		level.On = level.Name == p.Level
		p.Levels = append(p.Levels, level)
	}
	q := keptlog.Query{Level: hclog.LevelFromString(p.Level), Limit: linesOnPage}
	if p.Level == "debug" {
		q.Level = hclog.NoLevel
	}
	q.Until, q.Skip = readPlace(v.Query("before"))
	p.Further = !q.Until.IsZero()
	for _, text := range []string{p.Request, p.Search} {
		if text != "" {
			q.All = append(q.All, text)
		}
	}
	if p.Person != "" {
		if q.Any = l.idsOf(p.Person); len(q.Any) == 0 {
			p.Notice = "The journal knows nobody of this name, so no line can be found. The log has ids, and no names."
			return p
		}
	}
	p.next = l.lines.Find(q)
	for _, line := range p.next.Lines {
		p.Lines = append(p.Lines, toLogLine(line))
	}
	return p
}

// idsOf returns the texts by which lines about a person are found: an id itself; for a userName, the ids and requests
// that the journal has of it.
func (l logView) idsOf(person string) []string {
	if inputtext.IsOpaqueID(person) {
		return []string{person}
	}
	found, err := l.journal.Read(journal.Filter{Person: person, Limit: journal.MaxLimit})
	if err != nil {
		return nil
	}
	var ids []string
	seen := map[string]bool{"": true}
	for _, e := range found.Events {
		for _, id := range []string{e.Person, e.Request} {
			if !seen[id] && len(ids) < maxIDs {
				seen[id], ids = true, append(ids, id)
			}
		}
	}
	return ids
}

// maxIDs bounds how many texts a line is searched for.
const maxIDs = 100

var requestID = regexp.MustCompile(`\brequest_id=([A-Z2-7]{26})\b`)

func toLogLine(line keptlog.Line) logLine {
	shown := logLine{At: line.At, Level: strings.ToLower(line.Level.String())}
	if line.Level == hclog.NoLevel {
		shown.Level = ""
	}
	shown.Text = inputtext.ShortLine(line.Text, maxLineShown)
	if found := requestID.FindStringSubmatch(shown.Text); found != nil {
		shown.Request = found[1]
	}
	return shown
}

// LogPath returns the address of the log's lines about a request.
func (l logLine) LogPath() string { return pathWith(logPath, "level", "debug", "request", l.Request) }

// More reports whether there are older lines.
func (p logPage) More() bool { return !p.next.Until.IsZero() }

// FirstPath is the address of the newest lines that were searched for.
func (p logPage) FirstPath() string { return p.path("") }

// NextPath is the address of the lines that are older.
func (p logPage) NextPath() string {
	return p.path(fmt.Sprintf("%d.%d", p.next.Until.UnixMilli(), p.next.Skip))
}

func (p logPage) path(before string) string {
	return pathWith(logPath, "level", p.Level, "person", p.Person, "request", p.Request, "search", p.Search,
		"before", before)
}

// readPlace reads where a page begins; a text that is none is the beginning.
func readPlace(text string) (until time.Time, skip int) {
	var ms int64
	_, err := fmt.Sscanf(text+"\n", "%d.%d\n", &ms, &skip)
	if err != nil || skip < 0 || ms <= 0 || ms > maxMilliseconds {
		return time.Time{}, 0
	}
	return time.UnixMilli(ms).UTC(), skip
}

// maxMilliseconds is in the year 9999, which is the last that can be written.
const maxMilliseconds = 253402300799999
