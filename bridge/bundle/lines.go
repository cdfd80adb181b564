package bundle

import (
	"regexp"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// lines redacts the lines of a log. A value of several lines is logged below its key: key=, then lines that begin with
// a bar.
type lines struct {
	*redactor
	key    string // that the next lines are a value of
	barred bool   // one of them was
}

var (
	// below matches a key whose value is on the lines below.
	below = regexp.MustCompile(`([A-Za-z][\w.-]*)[\\"']*\s*[=:]\s*[|>]?-?$`)
	bar   = regexp.MustCompile(`^\s+\| ?`)
)

// next redacts the next line.
func (l *lines) next(line string) string {
	begin := bar.FindString(line)
	switch at := moment.FindStringIndex(line); {
	case begin != "":
		l.barred = true
	case l.barred, at != nil && at[0] == 0: // another value, or another entry of the log
		l.key, l.barred = "", false
	}
	of := l.key
	if begin == "" {
		l.key = ""
	}
	if form := below.FindStringSubmatch(line); form != nil && l.class(of) == ordinary {
		l.key = form[1]
	}
	if begin == "" && l.class(of) == maybeName { // "the names:"
		of = ""
	}
	if begin == "" {
		begin = line[:len(line)-len(strings.TrimLeft(line, " \t"))]
	}
	value := inputtext.TrimBlanks(line[len(begin):])
	switch c := l.class(of); {
	case value == "" || c < maybeName:
		return l.line(line)
	case c >= sensitive && isHarmlessValue(value):
		return line
	case c >= sensitive:
		return begin + hidden
	default:
		return begin + l.names.value(value)
	}
}

// text redacts a text of any kind.
func (r *redactor) text(s string) string {
	if !strings.Contains(s, "\n") {
		return r.line(s)
	}
	l := &lines{redactor: r}
	all := strings.Split(s, "\n")
	for i, line := range all {
		all[i] = l.next(line)
	}
	return strings.Join(all, "\n")
}
