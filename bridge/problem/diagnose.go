package problem

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// LogKey is the key under which a log line names the code of its problem. The
// facts are the line's other keys.
const LogKey = "problem"

// maxLine bounds what Diagnose keeps of a log line, in bytes.
const maxLine = 64 << 10

// Diagnose reads a bridge's log and returns the problems in it, oldest first,
// one for each code and set of facts. It understands the lines of this bridge
// (hclog, as text or JSON), and the vendor's by their messages; anything else
// is passed over. Details has "count" and "last_seen" beside the facts.
//
// A log tells what was, not what is: whether a problem has passed is for the
// reader to judge by last_seen.
func Diagnose(r io.Reader) ([]Problem, error) {
	type sighting struct {
		code        Code
		facts       Facts
		first, last time.Time
		count       int
	}
	var seen []*sighting
	byKey := make(map[string]*sighting)

	lines := bufio.NewReaderSize(r, maxLine)
	for {
		text, isCut, err := lines.ReadLine()
		if err == io.EOF {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("read the log: %w", err)
		}
		l := parseLine(string(text))
		for isCut && err == nil { // pass over the rest of an overlong line
			_, isCut, err = lines.ReadLine()
		}
		code := l.problem()
		if code == "" {
			continue
		}
		facts := l.facts()
		key := fmt.Sprint(code, facts) // fmt prints maps in the order of their keys
		s := byKey[key]
		if s == nil {
			s = &sighting{code: code, facts: facts, first: l.time}
			byKey[key] = s
			seen = append(seen, s)
		}
		s.last = l.time
		s.count++
	}

	problems := make([]Problem, len(seen))
	for i, s := range seen {
		p := New(s.code, s.first, s.facts)
		p.Details["count"] = strconv.Itoa(s.count)
		if !s.last.IsZero() {
			p.Details["last_seen"] = s.last.UTC().Format(time.RFC3339)
		}
		problems[i] = p
	}
	return problems, nil
}

// A line is what we understand of a log line.
type line struct {
	time    time.Time
	message string // of text lines, all that follows the time
	keys    map[string]string
}

// problem returns the code of the problem that the line reports, or "".
func (l line) problem() Code {
	if code := Code(l.keys[LogKey]); knows(code) {
		return code
	}
	message := strings.ToLower(l.message)
	switch {
	case strings.Contains(message, strings.ToLower(LogFirewallBlocked)):
		return FirewallBlocked
	case strings.Contains(message, strings.ToLower(LogSignInFailed)):
		return signInFailure(l.keys["reason"], message)
	default:
		return ""
	}
}

// signInFailure tells apart what the one message of the vendor's stands for.
func signInFailure(reason, message string) Code {
	switch {
	case knows(Code(reason)):
		return Code(reason)
	case containsAny(message, "two-factor", "two factor", "2fa", "mfa", "duo"):
		return TwoFactorEnforced
	case containsAny(message, "connection refused", "no such host", "i/o timeout", "deadline exceeded"):
		return AccountUnreachable
	default:
		return CredentialsChanged
	}
}

// facts returns the line's keys that the catalogue knows.
func (l line) facts() Facts {
	facts := make(Facts)
	for _, k := range factKeys {
		if v := l.keys[k]; v != "" {
			facts[k] = v
		}
	}
	return facts
}

// factKeys leaves out the count, which differs from line to line and would
// make each a problem of its own.
var factKeys = []string{
	FactAddress, FactAnonymous, FactContinent, FactCountry, FactDatabase, FactDomain, FactEmail, FactExpires, FactGroup, FactIDs, FactInstance,
	FactPrevious, FactReason, FactRuleChangedAt, FactRuleDescription, FactRuleID, FactRuleKind, FactRulePriority, FactRuleValues, FactURL, FactUserName,
}

func knows(code Code) bool {
	return slices.ContainsFunc(catalogue, func(e entry) bool { return e.code == code })
}

func containsAny(s string, words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(s, w) })
}

// parseLine reads one line of a log in any of the known forms.
func parseLine(s string) line {
	s = strings.TrimSpace(s)
	if strings.HasPrefix(s, "{") {
		if l, ok := parseJSON(s); ok {
			return l
		}
	}
	l := line{message: s, keys: parsePairs(s)}
	stamp, _, _ := strings.Cut(strings.TrimPrefix(s, "["), " ")
	l.time = parseTime(strings.TrimSuffix(stamp, "]"))
	return l
}

func parseJSON(s string) (line, bool) {
	var members map[string]any
	if err := json.Unmarshal([]byte(s), &members); err != nil {
		return line{}, false
	}
	l := line{keys: make(map[string]string, len(members))}
	for k, v := range members {
		switch v := v.(type) {
		case string:
			l.keys[k] = v
		case float64, bool:
			l.keys[k] = fmt.Sprint(v)
		}
	}
	// hclog's names, then those of other loggers; an error's text often
	// stands beside the message.
	l.message = strings.Join([]string{first(l.keys, "@message", "message", "msg"), l.keys["error"]}, " ")
	l.time = parseTime(first(l.keys, "@timestamp", "timestamp", "time", "ts"))
	return l, true
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

// parseTime reads hclog's time and RFC 3339; the zero time stands for others.
func parseTime(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.000Z0700"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t
		}
	}
	return time.Time{}
}
