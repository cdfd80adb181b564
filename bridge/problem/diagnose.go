package problem

import (
	"bufio"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// LogKey is the key of the problem's code in a log line. The line's other keys are
// the facts.
const LogKey = "problem"

// maxLine bounds what Diagnose keeps of a log line, in bytes.
const maxLine = 64 << 10

// A Diagnosis is the result of reading a log. Each list has the oldest first.
type Diagnosis struct {
	Problems []Problem `json:"problems"`
	// Harmless are lines that look like problems but are none.
	Harmless []Problem `json:"harmless"`
}

// Diagnose reads a bridge's log and returns the problems in it, one for each
// code and set of facts. It understands the lines of this bridge (hclog, as text or
// JSON) and of the vendor's (VendorLines, with the vendor's remedies), also with the
// prefixes of container tools and system logs, and compressed with gzip or bzip2.
// Other lines are skipped. Details has the facts, "count" and "last_seen".
//
// With an error it returns what was found before it: a log may be truncated.
//
// Problems in a log may be solved by now; last_seen shows when they occurred.
func Diagnose(r io.Reader) (Diagnosis, error) {
	d := Diagnosis{Problems: []Problem{}, Harmless: []Problem{}}
	text, err := openLog(r)
	if err != nil {
		return d, fmt.Errorf("read the log: %w", err)
	}
	found := sightings{byKey: make(map[string]*sighting), kinds: make(map[Code]int), well: make(map[string]bool)}
	lines := bufio.NewReaderSize(text, maxLine)
	for {
		raw, isCut, err := lines.ReadLine()
		if len(raw) > 0 {
			found.add(parseLine(string(raw)))
		}
		for isCut && err == nil { // skip the rest of an overlong line
			_, isCut, err = lines.ReadLine()
		}
		if err == nil {
			continue
		}
		found.writeTo(&d)
		if err != io.EOF {
			return d, fmt.Errorf("read the log: %w", err)
		}
		return d, nil
	}
}

// maxSightings bounds how many problems of one code are distinguished, since facts
// may hold names from untrusted clients. Further ones are counted as one, without facts.
const maxSightings = 100

// A sighting is one problem and how often it was seen.
type sighting struct {
	problem   Problem
	harmless  bool
	component string // not reported yet
	last      time.Time
	count     int
}

// sightings are all problems in a log.
type sightings struct {
	all   []*sighting
	byKey map[string]*sighting
	kinds map[Code]int    // number of sightings by code
	well  map[string]bool // components whose last report was healthy
}

// add counts the problems in a line.
func (f *sightings) add(l line) {
	if l.isOurs() {
		if code := Code(l.keys[LogKey]); knows(code) {
			facts := l.facts()
			key := fmt.Sprint(code, facts) // fmt prints maps in the order of their keys
			if f.byKey[key] == nil && f.kinds[code] >= maxSightings {
				facts, key = nil, "more of "+string(code)
			}
			f.see(key, l.time, func() *sighting { return &sighting{problem: New(code, l.time, facts)} })
		}
		return
	}
	if row, ok := vendorLine(l.message); ok {
		f.seeVendor(row, l.time, componentOf(l.message))
	}
	f.noteHealth(l.message)
	for component, state := range l.reports {
		report := component + ": " + state
		if row, ok := vendorLine(report); ok {
			f.seeVendor(row, l.time, componentOf(report))
		}
		f.noteHealth(report)
	}
}

func (f *sightings) seeVendor(row int, when time.Time, component string) {
	if f.kinds[vendorLines[row].Code] >= maxSightings {
		component = ""
	}
	f.see(fmt.Sprint(row, component), when, func() *sighting {
		v := vendorLines[row]
		details := map[string]string{DetailSource: v.Source}
		s := &sighting{harmless: v.Harmless, problem: Problem{
			Code: v.Code, Title: v.Title, Since: when.UTC(), Cause: v.Cause, Remedy: v.Remedy, Details: details,
		}}
		if component != "" {
			details["component"] = component
			if v.Harmless {
				s.component = component
			}
		}
		return s
	})
}

// see counts a problem. The first time, it calls first to create it.
func (f *sightings) see(key string, when time.Time, first func() *sighting) {
	s := f.byKey[key]
	if s == nil {
		s = first()
		f.kinds[s.problem.Code]++
		f.byKey[key] = s
		f.all = append(f.all, s)
	}
	s.last = when
	s.count++
}

var (
	componentReport = regexp.MustCompile(`\b([A-Z][A-Za-z]+): (?:unhealthy|disconnected|degraded|unknown)\b`)
	healthyReport   = regexp.MustCompile(`\b([A-Z][A-Za-z]+): healthy\b`)
)

// componentOf returns the component in a report line of the vendor's bridge.
func componentOf(message string) string {
	if found := componentReport.FindStringSubmatch(message); found != nil {
		return found[1]
	}
	return ""
}

// noteHealth records which component reported that it is healthy.
func (f *sightings) noteHealth(message string) {
	if found := healthyReport.FindStringSubmatch(message); found != nil {
		f.well[found[1]] = true
	}
}

// writeTo lists the sightings in d. Missing reports of components that became
// healthy after the start are left out.
func (f *sightings) writeTo(d *Diagnosis) {
	for _, s := range f.all {
		if s.component != "" && f.well[s.component] {
			continue
		}
		p := s.problem
		p.Details["count"] = strconv.Itoa(s.count)
		if !s.last.IsZero() {
			p.Details["last_seen"] = s.last.UTC().Format(time.RFC3339)
		}
		if s.harmless {
			d.Harmless = append(d.Harmless, p)
		} else {
			d.Problems = append(d.Problems, p)
		}
	}
}

// factKeys leaves out the count, which differs from line to line and would make
// each line a problem of its own.
var factKeys = []string{
	FactAddress, FactAnonymous, FactAnswered, FactContinent, FactCountry, FactDatabase,
	FactDataDir, FactDomain, FactEmail,
	FactExpires, FactGroup, FactHolds, FactIDs, FactInstance, FactOldest, FactPrevious, FactReason, FactRefused,
	FactRuleChangedAt, FactRuleDescription, FactRuleID, FactRuleKind, FactRulePriority, FactRuleValues, FactURL,
	FactUserName,
	FactCertFile, FactExpired, FactIssuer, FactKeyFile, FactMissing, FactSuccessor,
}

func knows(code Code) bool {
	return slices.ContainsFunc(catalogue, func(e entry) bool { return e.code == code })
}
