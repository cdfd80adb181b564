package problem

import (
	"encoding/json"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A line is a parsed log line.
type line struct {
	time    time.Time
	message string // the whole text line, or message and error of a JSON line
	keys    map[string]string
	reports map[string]string // state by component, from a health document
}

// isOurs reports whether this project's bridge wrote the line: it has one of its
// logger names, or a problem code.
func (l line) isOurs() bool {
	return knows(Code(l.keys[LogKey])) || ourLogger.MatchString(l.message) ||
		ourModule.MatchString(first(l.keys, "@module", "logger"))
}

var (
	ourLogger = regexp.MustCompile(`^\S+ \[[A-Z]+\] +scim-bridge(\.[a-z]+)*: `)
	ourModule = regexp.MustCompile(`^scim-bridge(\.|$)`)
)

// facts returns the line's keys that the catalogue knows, sanitized: names in a log
// may come from untrusted clients.
func (l line) facts() Facts {
	facts := make(Facts)
	for _, k := range factKeys {
		if v := inputtext.Truncate(inputtext.Line(l.keys[k]), maxFact); v != "" {
			facts[k] = v
		}
	}
	return facts
}

// maxFact is the maximum length of a fact in characters: it becomes part of a
// sentence.
const maxFact = 256

// maxWraps is the maximum number of wrappers around a line, such as the prefix of
// kubectl logs around the JSON of a container runtime.
const maxWraps = 5

// parseLine reads one line of a log in any of the known forms.
func parseLine(s string) line {
	var when time.Time
	for range maxWraps {
		s = strings.TrimSpace(escapes.ReplaceAllString(frames.ReplaceAllString(s, ""), ""))
		if strings.HasPrefix(s, "{") {
			var members map[string]any
			if json.Unmarshal([]byte(s), &members) == nil {
				inner, isContainer := unwrapJSON(members)
				if !isContainer {
					return parseJSON(members, when)
				}
				if t := timeOf(members); !t.IsZero() {
					when = t
				}
				s = inner
				continue
			}
		}
		inner, t, isWrapped := unwrapText(s)
		if !isWrapped {
			inner, isWrapped = behindPrefix(s)
		}
		if !isWrapped {
			break
		}
		if !t.IsZero() {
			when = t
		}
		s = inner
	}
	l := line{message: s, keys: parsePairs(s), time: leadingTime(s)}
	if l.time.IsZero() {
		l.time = when
	}
	return l
}

var (
	// escapes are the terminal colours of a logger.
	escapes = regexp.MustCompile(`\x1b\[[0-9;]*[A-Za-z]`)
	// frames are the headers in the stream of Docker's API.
	frames = regexp.MustCompile(`^[\x00-\x02]\x00\x00\x00(?s:.{4})`)
)

// prefixes are the prefixes of container tools and system logs. The group "time" is
// the line's time, if the prefix has one.
var prefixes = []*regexp.Regexp{
	// kubectl logs --prefix: [pod/NAME/CONTAINER] line
	regexp.MustCompile(`^\[pod/[^\]]+\] +`),
	// container runtimes on a Kubernetes node: TIME stdout F line
	regexp.MustCompile(`^(?P<time>\d{4}-\d\d-\d\dT\S+) (?:stdout|stderr) [FP](?:\S*) +`),
	// docker compose logs, docker service logs: NAME-1  | line
	regexp.MustCompile(`^[\w.@-]+ +\| +`),
	// journald and syslog: Nov 10 07:35:42 host unit[1]: line, also with an ISO time
	regexp.MustCompile(
		`^(?:<\d+>)?(?:[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d(?:\.\d+)?|(?P<time>\d{4}-\d\d-\d\dT\S+)) [\w.-]+ ` +
			`[\w./@-]+(?:\[\d+\])?: +`),
	// RFC 5424: <PRIORITY>1 TIME host unit process message-id data line
	regexp.MustCompile(`^<\d+>1 (?P<time>\S+) \S+ \S+ \S+ \S+ (?:-|\[.*?\]) +`),
	// kubectl logs --timestamps, docker logs --timestamps: TIME line
	regexp.MustCompile(
		`^(?P<time>\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)) +(?:\{|\[LOG\]|\d{1,2}:\d\d[AP]M |` +
			`\d{4}[-/]\d\d[-/]\d\d)`),
}

// unwrapText removes one prefix from a line.
func unwrapText(s string) (inner string, when time.Time, ok bool) {
	for _, p := range prefixes {
		found := p.FindStringSubmatchIndex(s)
		if found == nil {
			continue
		}
		end := found[1]
		if i := p.SubexpIndex("time"); i > 0 && found[2*i] >= 0 {
			when = parseTime(s[found[2*i]:found[2*i+1]])
			if p == prefixes[len(prefixes)-1] { // it also matches the start of the line after it
				end = found[2*i+1]
			}
		}
		return s[end:], when, true
	}
	return "", time.Time{}, false
}

// behindPrefix finds a JSON line after a prefix that matches no pattern, such as the
// name of a stream.
func behindPrefix(s string) (inner string, ok bool) {
	i := strings.Index(s, `{"`)
	if i <= 0 || !strings.HasSuffix(s, "}") || !json.Valid([]byte(s[i:])) {
		return "", false
	}
	return s[i:], true
}

// unwrapJSON returns the line inside a JSON log entry: of Docker's json-file,
// journalctl -o json, or a cloud provider's export.
func unwrapJSON(members map[string]any) (inner string, ok bool) {
	for _, key := range []string{"log", "Log", "MESSAGE", "textPayload", "jsonPayload", "log_message", "LogEntry",
		"LogMessage", "_raw"} {
		switch v := members[key].(type) {
		case string:
			return v, true
		case map[string]any:
			text, err := json.Marshal(v)
			return string(text), err == nil
		case []any: // journald's form of lines that are not plain text, with colours for instance
			b := make([]byte, 0, len(v))
			for _, n := range v {
				f, isNumber := n.(float64)
				if !isNumber || f < 0 || f > math.MaxUint8 {
					return "", false
				}
				b = append(b, byte(f))
			}
			return string(b), true
		}
	}
	// An exporter's message may be a whole line, in JSON or not.
	if text, isText := members["message"].(string); isText &&
		(strings.HasPrefix(text, "{") || strings.Contains(text, "[LOG]")) {
		return text, true
	}
	return "", false
}

func parseJSON(members map[string]any, when time.Time) line {
	l := line{keys: make(map[string]string, len(members)), time: timeOf(members)}
	if l.time.IsZero() {
		l.time = when
	}
	for k, v := range members {
		switch v := v.(type) {
		case string:
			l.keys[k] = v
		case float64, bool:
			l.keys[k] = fmt.Sprint(v)
		}
	}
	// hclog's keys, then those of other loggers, which often have the error's text
	// in a key of its own.
	l.message = strings.Join([]string{first(l.keys, "@message", "message", "msg"), l.keys["error"], l.keys["err"]}, " ")
	l.reports = reportsOf(members)
	return l
}

// reportsOf returns the states in a document of /health, and in a line about
// one component.
func reportsOf(members map[string]any) map[string]string {
	states := make(map[string]string)
	add := func(component, state any) {
		c, isText := component.(string)
		s, isState := state.(string)
		if isText && isState && c != "" {
			states[c] = s
		}
	}
	add(members["component"], members["state"])
	reports, _ := members["reports"].([]any)
	for _, r := range reports {
		if report, ok := r.(map[string]any); ok {
			add(report["source"], report["state"])
		}
	}
	return states
}

func first(m map[string]string, keys ...string) string {
	for _, k := range keys {
		if m[k] != "" {
			return m[k]
		}
	}
	return ""
}

// parsePairs finds hclog's key=value and key="quoted value" in a text line.
func parsePairs(s string) map[string]string {
	pairs := make(map[string]string)
	for {
		eq := strings.IndexByte(s, '=')
		if eq < 0 {
			return pairs
		}
		key := s[strings.LastIndexAny(s[:eq], " \t")+1 : eq]
		s = s[eq+1:]
		var value string
		if quoted, err := strconv.QuotedPrefix(s); err == nil {
			value, _ = strconv.Unquote(quoted)
			s = s[len(quoted):]
		} else {
			value, s, _ = strings.Cut(s, " ")
		}
		if key != "" {
			pairs[key] = value
		}
	}
}

// timeOf returns the time of a JSON line: a text, or seconds, milliseconds,
// microseconds or nanoseconds since 1970, distinguished by magnitude.
func timeOf(members map[string]any) time.Time {
	for _, key := range []string{"@timestamp", "timestamp", "time", "ts", "TimeStamp", "TimeGenerated",
		"__REALTIME_TIMESTAMP"} {
		switch v := members[key].(type) {
		case string:
			if t := parseTime(v); !t.IsZero() {
				return t
			}
			if n, err := strconv.ParseFloat(v, 64); err == nil {
				return sinceEpoch(n)
			}
		case float64:
			return sinceEpoch(v)
		}
	}
	return time.Time{}
}

func sinceEpoch(n float64) time.Time {
	if n <= 0 || n > math.MaxInt64 {
		return time.Time{}
	}
	for n >= 1e11 { // seconds reach that in the year 5138
		n /= 1000
	}
	seconds, fraction := math.Modf(n)
	return time.Unix(int64(seconds), int64(fraction*1e3)*1e6).UTC()
}

// leadingTime finds the time at the beginning of a text line.
func leadingTime(s string) time.Time {
	stamp, _, _ := strings.Cut(strings.TrimPrefix(s, "["), " ")
	if t := parseTime(strings.TrimSuffix(stamp, "]")); !t.IsZero() {
		return t
	}
	if found := slashed.FindString(s); found != "" {
		return parseTime(found)
	}
	return time.Time{}
}

// slashed is the time format of Go's package log, which older versions of the
// vendor's bridge write after the version.
var slashed = regexp.MustCompile(`\d{4}/\d\d/\d\d \d\d:\d\d:\d\d`)

// parseTime parses the times of hclog, RFC 3339 and Go's package log. Others give the
// zero time.
func parseTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000Z0700", "2006-01-02T15:04:05Z0700",
		"2006/01/02 15:04:05"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}
