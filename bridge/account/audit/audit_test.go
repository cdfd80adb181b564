package audit_test

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
)

// chain returns events that follow each other.
func chain(n int) []audit.Event {
	var previous string
	events := make([]audit.Event, n)
	for i := range events {
		e := audit.Event{
			Sequence: int64(i + 1), ID: fmt.Sprintf("id%d", i+1), Time: time.UnixMicro(1e15 + int64(i)).UTC(),
			Actor: "token:t", Action: "firewall.rule.create", Object: fmt.Sprintf("rule<%d>", i+1),
			Summary: "default action deny, 1 rules", Address: "192.0.2.1",
		}
		e.Hash = e.Digest(previous)
		previous = e.Hash
		events[i] = e
	}
	return events
}

func previousOf(events []audit.Event, i int) string {
	if events[i].Sequence == 1 {
		return ""
	}
	return chain(int(events[i].Sequence))[events[i].Sequence-2].Hash
}

func export(t *testing.T, events []audit.Event, s audit.Summary) string {
	t.Helper()
	var out bytes.Buffer
	w := audit.NewWriter(&out, s)
	for i, e := range events {
		if err := w.Write(e, previousOf(events, i)); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := w.End(); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func whole(t *testing.T) string {
	t.Helper()
	events := chain(5)
	return export(t, events, audit.Summary{Account: "a", Exported: time.UnixMicro(2e15).UTC(), Last: events[4].Link()})
}

func faultsOf(t *testing.T, text string, known ...audit.Link) []string {
	t.Helper()
	v := &audit.Verifier{Known: known}
	if _, err := audit.VerifyExport(strings.NewReader(text), v); err != nil {
		return []string{err.Error()}
	}
	_, _, faults := v.Result()
	return faults
}

// The hash of an event is stored: it must be the same for ever.
func TestTheHashOfAnEventIsFixed(t *testing.T) {
	t.Parallel()
	e := audit.Event{
		Sequence: 7, ID: "i", Time: time.UnixMicro(1700000000123456), Actor: "machine", Address: "::1",
		Action: "firewall.disable", Object: "firewall", Summary: "until tomorrow",
	}
	const want = "2a89830808758a68e9b04b290c06ab38d86f84396bce348fcab6ec4668f4ac9d"
	if got := e.Digest("p"); got != want {
		t.Errorf("the hash is %s, and was %s", got, want)
	}
}

func TestEveryFieldIsInTheHash(t *testing.T) {
	t.Parallel()
	e := chain(1)[0]
	for name, change := range map[string]func(*audit.Event){
		"the sequence": func(e *audit.Event) { e.Sequence++ },
		"the id":       func(e *audit.Event) { e.ID += "x" },
		"the time":     func(e *audit.Event) { e.Time = e.Time.Add(time.Microsecond) },
		"the actor":    func(e *audit.Event) { e.Actor += "x" },
		"the address":  func(e *audit.Event) { e.Address = "" },
		"the action":   func(e *audit.Event) { e.Action += "x" },
		"the object":   func(e *audit.Event) { e.Object += "x" },
		"the summary":  func(e *audit.Event) { e.Summary += "x" },
		"where one text ends and the next one begins": func(e *audit.Event) {
			e.Action, e.Object = e.Action+e.Object[:1], e.Object[1:]
		},
	} {
		changed := e
		change(&changed)
		if changed.Digest("") == e.Hash {
			t.Errorf("%s is not in the hash", name)
		}
	}
	if e.Digest("x") == e.Hash {
		t.Error("the event before is not in the hash")
	}
}

func TestAnExportIsWhole(t *testing.T) {
	t.Parallel()
	events := chain(5)
	for name, text := range map[string]string{
		"all events": whole(t),
		"no events":  export(t, nil, audit.Summary{Account: "a"}),
		"a range":    export(t, events[2:4], audit.Summary{After: events[1].Link(), Last: events[3].Link()}),
		"a range without its first event, which the filter leaves out": export(t, events[3:4], audit.Summary{
			Filter: &audit.Filter{Action: "firewall"}, After: events[1].Link(), Last: events[4].Link(),
		}),
		"events with others between them": export(t, []audit.Event{events[0], events[2], events[4]}, audit.Summary{
			Filter: &audit.Filter{Object: "x"}, Last: events[4].Link(),
		}),
		"a filter that leaves nothing": export(t, nil, audit.Summary{
			Filter: &audit.Filter{Object: "x"}, After: events[1].Link(), Last: events[4].Link(),
		}),
	} {
		if faults := faultsOf(t, text); len(faults) > 0 {
			t.Errorf("%s: %q", name, faults)
		}
	}
}

func TestAChangedExportIsFound(t *testing.T) {
	t.Parallel()
	text := whole(t)
	lines := strings.SplitAfter(text, "\n")
	lines = lines[:len(lines)-1]
	without := func(i int) string { return strings.Join(slices.Delete(slices.Clone(lines), i, i+1), "") }
	with := func(i int, line string) string { return strings.Join(slices.Insert(slices.Clone(lines), i, line), "") }
	swapped := slices.Clone(lines)
	swapped[1], swapped[2] = swapped[2], swapped[1]
	forged := chain(5)
	forged[2].Actor = "token:other" // with its hash computed anew, and the rest left alone
	forged[2].Hash = forged[2].Digest(forged[1].Hash)
	for _, row := range []struct{ name, text, fault string }{
		{"a text changed", strings.Replace(text, `"rule<3>"`, `"rule<4>"`, 1), "event 3 does not have its hash"},
		{"a hash changed", strings.Replace(text, `"previous":"`+chain(3)[1].Hash, `"previous":"`+chain(3)[0].Hash, 1),
			"event 3 does not follow the one before it"},
		{"a line removed", without(2), "event 3 is missing"},
		{"the first line removed", without(0), "event 1 is missing"},
		{"the newest event removed", without(4), "event 5 is missing"},
		{"the last line removed", without(5), "the export's last line is missing"},
		{"cut within a line", text[:len(text)-20], "not an event: it was changed"},
		{"cut after an event", strings.Join(lines[:3], ""), "the export's last line is missing"},
		{"two lines exchanged", strings.Join(swapped, ""), "event 2 stands after event 3"},
		{"a line twice", with(2, lines[1]), "event 2 stands after event 2"},
		{"an event inserted", with(2, strings.Replace(lines[1], "id2", "id9", 1)), "event 2 stands after event 2"},
		{"a line behind the last one", text + lines[0], "stands after the last line of the export"},
		{"a line that is no event", with(1, "{}\n"), "line 2 is not an event"},
		{"a key twice, of which a reader may take either", strings.Replace(text, `{"sequence":3,`,
			`{"sequence":3,"actor":"person:p",`, 1), "line 3 is not written as it was exported"},
		{"a key more", strings.Replace(text, `{"sequence":3,`, `{"sequence":3,"comment":"x",`, 1),
			"line 3 is not written as it was exported"},
		{"the last line's number changed", strings.Replace(text, `"events":5`, `"events":4`, 1),
			"had 4 when it was written"},
		{"the last line's account changed", strings.Replace(text, `"account":"a"`, `"account":"b"`, 1), "the digest"},
		{"an event forged with its hash", export(t, forged, audit.Summary{Last: forged[4].Link()}),
			"event 4 does not follow the one before it"},
	} {
		if faults := faultsOf(t, row.text); !slices.ContainsFunc(faults, func(f string) bool {
			return strings.Contains(f, row.fault)
		}) {
			t.Errorf("%s: found %q, want %q", row.name, faults, row.fault)
		}
	}
}

// Whatever byte is changed, removed or inserted, the export is not what it was.
func TestEveryByteOfAnExportCounts(t *testing.T) {
	t.Parallel()
	events := chain(2)
	text := export(t, events, audit.Summary{Account: "a", Last: events[1].Link()})
	for i := range text {
		for what, changed := range map[string]string{
			"changed":  text[:i] + string(rune(text[i]^1)) + text[i+1:],
			"removed":  text[:i] + text[i+1:],
			"inserted": text[:i] + " " + text[i:],
		} {
			if changed != text && len(faultsOf(t, changed)) == 0 {
				t.Errorf("byte %d %s: nothing was found in %q", i, what, changed)
			}
		}
	}
}

// All hashes can be computed anew, which only a hash noted elsewhere shows.
func TestAChainMadeAnewIsFoundByALinkNotedBefore(t *testing.T) {
	t.Parallel()
	noted := chain(5)[3].Link()
	if faults := faultsOf(t, whole(t), noted); len(faults) > 0 {
		t.Errorf("in the log itself: %q", faults)
	}
	var anew []audit.Event
	previous := ""
	var out bytes.Buffer
	w := audit.NewWriter(&out, audit.Summary{})
	for _, e := range chain(5) {
		e.Actor = "token:other"
		e.Hash = e.Digest(previous)
		if err := w.Write(e, previous); err != nil {
			t.Fatal(err)
		}
		previous = e.Hash
		anew = append(anew, e)
	}
	out.Reset()
	w = audit.NewWriter(&out, audit.Summary{Last: anew[4].Link()})
	previous = ""
	for _, e := range anew {
		if err := w.Write(e, previous); err != nil {
			t.Fatal(err)
		}
		previous = e.Hash
	}
	if _, err := w.End(); err != nil {
		t.Fatal(err)
	}
	if faults := faultsOf(t, out.String()); len(faults) > 0 {
		t.Errorf("the chain that was made anew does not even follow: %q", faults)
	}
	if faults := faultsOf(t, out.String(), noted); len(faults) != 1 || !strings.Contains(faults[0], "noted before") {
		t.Errorf("with the link: %q", faults)
	}
}

func TestManyFaultsAreCounted(t *testing.T) {
	t.Parallel()
	var v audit.Verifier
	for _, e := range chain(100) {
		v.Add(e, "x")
	}
	_, _, faults := v.Result()
	if len(faults) != 21 || !strings.HasPrefix(faults[20], "and ") {
		t.Errorf("%d faults, the last one %q", len(faults), faults[len(faults)-1])
	}
}

func TestParseLink(t *testing.T) {
	t.Parallel()
	want := chain(3)[2].Link()
	if got, err := audit.ParseLink(want.String()); err != nil || got != want {
		t.Errorf("read %v (%v), want %v", got, err, want)
	}
	for _, text := range []string{"", "12", "12:", "0:" + want.Hash, "x:" + want.Hash, "3:abc", " 3:" + want.Hash,
		"3:" + want.Hash + " 4", "-3:" + want.Hash} {
		if got, err := audit.ParseLink(text); err == nil {
			t.Errorf("%q was read as %v", text, got)
		}
	}
}
