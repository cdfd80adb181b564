package account_test

import (
	"fmt"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// BenchmarkQuestions is what a question costs from the bridge's side of the
// connector to the account's database and back, within one process.
func BenchmarkQuestions(b *testing.B) {
	c, _ := signedIn(b)
	var id string
	for n := range 200 {
		p, err := c.CreatePerson(b.Context(), input(fmt.Sprintf("p%d@example.com", n)))
		if err != nil {
			b.Fatal(err)
		}
		id = p.ID
	}
	find := func(name string) bridge.Query {
		return bridge.Query{Limit: 100, Filter: &bridge.Predicate{Op: "eq", Path: []string{"userName"}, Value: name}}
	}
	for _, row := range []struct {
		name string
		ask  func() error
	}{
		{"a person by id", func() error { _, err := c.Person(b.Context(), id); return err }},
		{"a userName that is there", func() error {
			_, err := c.SearchPeople(b.Context(), find("p7@example.com"))
			return err
		}},
		{"a userName that is not", func() error {
			_, err := c.SearchPeople(b.Context(), find("nobody@example.com"))
			return err
		}},
		{"a page of 100", func() error {
			_, err := c.SearchPeople(b.Context(), bridge.Query{Offset: 90, Limit: 100})
			return err
		}},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := row.ask(); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
