package simulate

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"time"
)

// The elements of a JUnit report that common CI systems read: a suite for each provider, a case for each of its habits.
// Names are the same in every run, so that their history is kept.
type (
	junitReport struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Name     string       `xml:"name,attr"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Errors   int          `xml:"errors,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Time     string       `xml:"time,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name      string      `xml:"name,attr"`
		Tests     int         `xml:"tests,attr"`
		Failures  int         `xml:"failures,attr"`
		Errors    int         `xml:"errors,attr"`
		Skipped   int         `xml:"skipped,attr"`
		Time      string      `xml:"time,attr"`
		Timestamp string      `xml:"timestamp,attr"`
		Cases     []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Class   string      `xml:"classname,attr"`
		Name    string      `xml:"name,attr"`
		Time    string      `xml:"time,attr"`
		Failure *junitFault `xml:"failure"`
		Error   *junitFault `xml:"error"`
		Skipped *junitFault `xml:"skipped"`
	}
	junitFault struct {
		Message string `xml:"message,attr"`
		Type    string `xml:"type,attr,omitempty"`
		Text    string `xml:",chardata"`
	}
)

// WriteJUnit writes a JUnit report. What the server declares unsupported is skipped there; a run that was interrupted
// or failed, and people and groups that could not be removed, are errors.
func (d *Document) WriteJUnit(out io.Writer) error {
	all := junitReport{Name: "scim-bridge simulate", Time: seconds(d.Seconds)}
	for _, idp := range d.IdPs {
		suite := junitSuite{Name: "simulate." + idp}
		var took float64
		for _, h := range d.Habits {
			for _, one := range h.IdPs {
				if one.IdP == idp {
					suite.add(h.junit(one))
					took += one.Seconds
				}
			}
		}
		suite.Time = seconds(took)
		all.add(suite, d.Started)
	}
	run := junitSuite{Name: "simulate.run", Time: seconds(0)}
	end := junitCase{Class: "simulate.run", Name: "Everything is played", Time: seconds(0)}
	if d.Error != "" {
		end.Error = &junitFault{Message: d.Error, Type: d.Result}
	}
	run.add(end)
	clean := junitCase{Class: "simulate.run", Name: "What was made is removed", Time: seconds(0)}
	if len(d.Left) > 0 {
		clean.Error = &junitFault{Message: fmt.Sprintf("%d people or groups could not be removed", len(d.Left)),
			Type: "left"}
		for _, one := range d.Left {
			clean.Error.Text += line(strings.TrimSpace(one.Path+" "+one.Name+": "+one.Reason)) + "\n"
		}
	}
	run.add(clean)
	all.add(run, d.Started)
	if _, err := io.WriteString(out, xml.Header); err != nil {
		return err
	}
	e := xml.NewEncoder(out)
	e.Indent("", "  ")
	if err := e.Encode(all); err != nil {
		return err
	}
	_, err := io.WriteString(out, "\n")
	return err
}

func (h HabitResult) junit(one IdPResult) junitCase {
	c := junitCase{Class: "simulate." + one.IdP, Name: h.ID + ": " + h.Title, Time: seconds(one.Seconds)}
	if one.State == StateRight || one.First == nil {
		return c
	}
	var text strings.Builder
	h.First = one.First
	h.writeFault(&text)
	fault := &junitFault{
		Message: fmt.Sprintf("%d of %d steps: %s", one.Counts.Steps-one.Counts.Right-one.Counts.Differs,
			one.Counts.Steps, one.First.Problem),
		Type: string(one.State), Text: text.String(),
	}
	if one.State == StateUnsupported {
		c.Skipped = fault
	} else {
		c.Failure = fault
	}
	return c
}

func (s *junitSuite) add(c junitCase) {
	s.Tests++
	switch {
	case c.Failure != nil:
		s.Failures++
	case c.Error != nil:
		s.Errors++
	case c.Skipped != nil:
		s.Skipped++
	}
	s.Cases = append(s.Cases, c)
}

func (r *junitReport) add(s junitSuite, started time.Time) {
	s.Timestamp = started.UTC().Format("2006-01-02T15:04:05")
	r.Tests, r.Failures = r.Tests+s.Tests, r.Failures+s.Failures
	r.Errors, r.Skipped = r.Errors+s.Errors, r.Skipped+s.Skipped
	r.Suites = append(r.Suites, s)
}

func seconds(n float64) string { return fmt.Sprintf("%.3f", n) }
