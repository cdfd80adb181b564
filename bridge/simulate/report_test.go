package simulate

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"slices"
	"strings"
	"testing"
	"time"
)

// steps returns every step of every provider, once.
func allSteps(t *testing.T) (steps []Step) {
	t.Helper()
	for _, scenario := range Exchanges() {
		steps = append(steps, scenario.Steps...)
	}
	people, _ := company(2, 0, "example.com", "simulate-x")
	members := []member{{"1", "A"}, {"2", "B"}}
	for _, provider := range providers {
		d := provider.dialect
		steps = append(steps, d.connectionTest(strings.Repeat("0", 36))...)
		steps = append(steps, d.leave("1", people[0]), get("/Groups/1"))
		for _, p := range people {
			steps = append(steps, d.findPerson(p), d.createPerson(p))
			steps = append(steps, d.updatePerson("1", nil, p)...)
		}
		if suspends, ok := d.(suspender); ok {
			steps = append(steps, suspends.comeBack("1", people[0]))
		}
		if pusher, ok := d.(groupPusher); ok {
			steps = append(steps, pusher.findTeam("T"), pusher.createTeam("T"))
			steps = append(steps, pusher.changeMembers(group{"G", "T", members}, members, nil)...)
			steps = append(steps, pusher.changeMembers(group{"G", "T", nil}, nil, members)...)
		}
	}
	return steps
}

// A habit that no step checks would be a row that is always right.
func TestEveryStepChecksAHabitAndEveryHabitIsChecked(t *testing.T) {
	t.Parallel()
	unused := map[string]bool{}
	for _, h := range Habits() {
		if unused[h.ID] || h.Title == "" || !strings.HasPrefix(h.RFC, "764") {
			t.Errorf("habit %+v comes twice, or has no title or section", h)
		}
		unused[h.ID] = true
	}
	known := len(unused)
	for _, s := range allSteps(t) {
		if !slices.ContainsFunc(habits, func(h Habit) bool { return h.ID == s.habit() }) {
			t.Errorf("%s %s %s checks %q, which is no habit", s.ID, s.Method, s.Path, s.habit())
		}
		delete(unused, s.habit())
	}
	if len(unused) > 0 || known < 20 {
		t.Errorf("of %d habits, no step checks %v", known, unused)
	}
}

// document is of a run with one wrong answer among many.
func document() *Document {
	r := newReport()
	for i := range 1000 {
		r.add(Outcome{IdP: "okta", Phase: "p", Habit: habitPages, Took: time.Millisecond})
		if i > 0 {
			r.add(Outcome{IdP: "okta", Phase: "p", Habit: habitPages, Result: Wrong, Problem: "another"})
		} else {
			r.add(Outcome{
				IdP: "okta", Phase: "p", Habit: habitPages, Result: Wrong, Problem: "broken <\"1\">",
				Request: "GET /Users", Expected: "status 200", Answer: "status 500 <html>",
			})
		}
	}
	r.add(Outcome{IdP: "entra", Phase: "q", Habit: habitPages})
	r.add(Outcome{IdP: "entra", Phase: "q", Habit: habitPatchText, Result: Unsupported, Problem: "no PATCH"})
	r.add(Outcome{IdP: "entra", Phase: "q", Habit: habitDelete, Result: Differs, Problem: "late"})
	return r.Document()
}

func TestAReportShowsTheFirstFaultOfEachHabit(t *testing.T) {
	t.Parallel()
	d := document()
	var b strings.Builder
	if err := d.WriteTables(&b, true); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"broken", "expected  status 200", "differs: Delete"} {
		if strings.Count(b.String(), want) != 1 {
			t.Errorf("%q is not in the table once:\n%s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "another") || strings.Contains(b.String(), "no PATCH") ||
		d.Result != "wrong" || d.Counts.Wrong != 1000 ||
		d.Counts.Right != 1001 || d.Counts.Unsupported != 1 || d.Counts.Differs != 1 {
		t.Errorf("%+v\n%s", d.Counts, b.String())
	}
}

// The keys are what others' programs read.
func TestTheShapeOfTheJSONReport(t *testing.T) {
	t.Parallel()
	b, err := json.Marshal(document())
	if err != nil {
		t.Fatal(err)
	}
	var whole map[string]any
	if err := json.Unmarshal(b, &whole); err != nil {
		t.Fatal(err)
	}
	list, _ := whole["habits"].([]any)
	if len(list) != len(habits) {
		t.Fatalf("%d habits are in the report, want all %d", len(list), len(habits))
	}
	keys := func(v any) string {
		object, _ := v.(map[string]any)
		var names []string
		for name := range object {
			names = append(names, name)
		}
		slices.Sort(names)
		return strings.Join(names, " ")
	}
	pages := list[slices.IndexFunc(habits, func(h Habit) bool { return h.ID == habitPages })]
	first, _ := Path{"first"}.in(pages)
	idp, _ := Path{"idps", "0"}.in(pages)
	phase, _ := Path{"phases", "0"}.in(whole)
	for _, row := range []struct {
		name string
		of   any
		want string
	}{
		{"the report", whole, "counts declared_unsupported format habits idps kept left phases removed result run " +
			"seconds started tool url waited_seconds"},
		{"counts", whole["counts"], "differs right steps unsupported wrong"},
		{"a habit", pages, "beyond_rfc counts first id idps rfc state title"},
		{"a habit of a provider", idp, "counts first idp seconds state"},
		{"a fault", first, "answer expected idp phase problem request result"},
		{"a phase", phase, "counts median_seconds name slowest_seconds"},
	} {
		if got := keys(row.of); got != row.want {
			t.Errorf("%s has %s, want %s", row.name, got, row.want)
		}
	}
}

func TestTheJUnitReport(t *testing.T) {
	t.Parallel()
	d := document()
	d.Started = time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	d.Left = []Left{{Path: "/Users/1", Name: "u", Reason: "it is still there"}}
	var b bytes.Buffer
	if err := d.WriteJUnit(&b); err != nil {
		t.Fatal(err)
	}
	var report junitReport
	if err := xml.Unmarshal(b.Bytes(), &report); err != nil {
		t.Fatalf("%v\n%s", err, b.String())
	}
	// okta: pages; entra: pages, patch-text, delete; the run: played, removed
	if report.Tests != 6 || report.Failures != 1 || report.Skipped != 1 || report.Errors != 1 ||
		len(report.Suites) != 3 || report.Suites[0].Timestamp != "2026-11-29T12:00:00" {
		t.Fatalf("%s", b.String())
	}
	pages := report.Suites[0].Cases[0]
	if pages.Class != "simulate.okta" || pages.Name != "pages: Read all, page by page, each once" ||
		pages.Failure == nil || !strings.Contains(pages.Failure.Message, `1000 of 2000 steps: broken <"1">`) ||
		!strings.Contains(pages.Failure.Text, "status 500 <html>") {
		t.Errorf("the failure is\n%s", b.String())
	}
	if !strings.Contains(b.String(), "/Users/1 u: it is still there") {
		t.Errorf("what is left is not named:\n%s", b.String())
	}
}
