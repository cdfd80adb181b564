package explain_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// BenchmarkExplain is a question to a bridge whose journal has 100,000 events: of nobody, of one person, and of ten
// that have a name in common.
func BenchmarkExplain(b *testing.B) {
	const events, people = 100_000, 2000
	clock := at(0)
	j := journal.Open(journal.Config{DataDir: b.TempDir(), Now: func() time.Time { return clock }})
	b.Cleanup(j.Close)
	id := func(n int) string { // in letters
		return strings.Map(func(r rune) rune { return r - '0' + 'a' }, fmt.Sprintf("%026d", n))
	}
	userName := func(n int) string { return fmt.Sprintf("u%d@example.com", n) }
	inactive := false
	for i := range events {
		clock = clock.Add(100 * time.Millisecond)
		j.Append(journal.Event{
			Kind: journal.PersonUpdated, Person: id(i % people), Subject: j.Person(userName(i % people)),
			Request: requestID, Status: 200, Active: &inactive, State: "active", Milliseconds: 3,
		})
		if i%1000 == 0 {
			j.Flush()
		}
	}
	j.Flush()
	a := &fakeAccount{people: map[string][]bridge.Person{}, ids: map[string]bridge.Person{}}
	for n := range 10 {
		text, _ := json.Marshal(map[string]string{"userName": userName(n)})
		p := bridge.Person{ID: id(n), State: bridge.Active, Attributes: text}
		a.ids[p.ID] = p
		a.people["userName="+userName(n)] = []bridge.Person{p}
		a.people["value=shared@example.com"] = append(a.people["value=shared@example.com"], p)
	}
	x := &explain.Explainer{Account: a, Journal: j.Search, Now: func() time.Time { return clock }}
	for _, row := range []struct {
		name, asked string
		found       int
	}{
		{"nobody", "nobody@example.com", 1}, {"one person", userName(7), 1}, {"ten people", "shared@example.com", 10},
	} {
		b.Run(row.name, func(b *testing.B) {
			for b.Loop() {
				answer, err := x.Explain(b.Context(), explain.Question{Person: row.asked})
				if err != nil || len(answer.Found) != row.found {
					b.Fatalf("%d are found, %v", len(answer.Found), err)
				}
			}
		})
	}
}
