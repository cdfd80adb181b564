package directory_test

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

func (d *fixture) find(q directory.WaitingQuery) (names []string, p directory.WaitingPage) {
	d.t.Helper()
	p, err := d.Waiting(d.t.Context(), q)
	if err != nil {
		d.t.Fatal(err)
	}
	names = []string{}
	for _, a := range p.Items {
		names = append(names, a.UserName)
	}
	return names, p
}

func TestPeopleWhoWaitAreFound(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	moving := d.joined("moving@example.com")
	d.replace(moving.ID, directory.PersonInput{
		Attributes: attributes("userName", "Moving"), SignInAddress: "moving@new.com",
	})
	d.create("Älice@example.com")
	d.create("under_score@example.com")
	d.create("underXscore@example.com")
	d.create("per%cent@example.com")
	d.createFrom(directory.PersonInput{Attributes: attributes("userName", "nobody")})
	gone := d.create("gone@example.com")
	if err := d.DeletePerson(t.Context(), gone.ID, ""); err != nil {
		t.Fatal(err)
	}
	d.joined("happy@example.com")
	all := []string{
		"Moving", "nobody", "Älice@example.com", "under_score@example.com", "underXscore@example.com",
		"per%cent@example.com",
	}
	for _, row := range []struct {
		name  string
		query directory.WaitingQuery
		want  []string
		open  int64 // invitations that the search finds
	}{
		{"all, by kind and age", directory.WaitingQuery{}, all, 4},
		{"a kind", directory.WaitingQuery{Kind: "signup_domain_missing"}, all[:1], 4},
		{"another kind", directory.WaitingQuery{Kind: "invitation_open"}, all[2:], 4},
		{"a userName without regard to case", directory.WaitingQuery{Search: "äLICE"}, all[2:3], 1},
		{"the address that somebody moves to", directory.WaitingQuery{Search: "@NEW.com"}, all[:1], 0},
		{"an underscore is itself", directory.WaitingQuery{Search: "under_score"}, all[3:4], 1},
		{"a percent sign is itself", directory.WaitingQuery{Search: "r%c"}, all[5:], 1},
		{"a search within a kind", directory.WaitingQuery{Search: "example", Kind: "address_missing"}, []string{}, 4},
		{"what nobody has", directory.WaitingQuery{Search: "!"}, []string{}, 0},
		{"a quote", directory.WaitingQuery{Search: "'; DROP TABLE people"}, []string{}, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			row.query.Limit = 100
			names, p := d.find(row.query)
			if !slices.Equal(names, row.want) || p.Next != "" {
				t.Errorf("found %q, next %q; want %q", names, p.Next, row.want)
			}
			if p.Counts["invitation_open"] != row.open || len(p.Counts) != 8 || p.AsOf.IsZero() {
				t.Errorf("counted %v as of %s, want %d invitations", p.Counts, p.AsOf, row.open)
			}
		})
	}
	for limit := 1; limit <= len(all); limit++ {
		got, q := []string{}, directory.WaitingQuery{Limit: limit}
		for range 2 * len(all) {
			names, p := d.find(q)
			if got = append(got, names...); p.Next == "" {
				break
			}
			q.Cursor = p.Next
		}
		if !slices.Equal(got, all) {
			t.Errorf("in pages of %d: %q, want %q", limit, got, all)
		}
	}
	_, err := d.Waiting(t.Context(), directory.WaitingQuery{Kind: "x", Limit: 1})
	wantRefusal(t, err, "invalid_value")
	for _, cursor := range []string{"x", `[8,1,"x"]`, `[-1,1,"x"]`, `[1,"x"]`} {
		cursor = base64.RawURLEncoding.EncodeToString([]byte(cursor))
		_, err := d.Waiting(t.Context(), directory.WaitingQuery{Cursor: cursor, Limit: 1})
		wantRefusal(t, err, "invalid_cursor")
	}
}

// A page of the list, its counts and a search must cost the same however many people there are who do not wait.
func BenchmarkWaiting(b *testing.B) {
	const waiting = 5000
	for _, size := range []int{10_000, 100_000} {
		d, s := populatedStore(b, size)
		if err := s.Write(b.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, `UPDATE members SET state = 'invited', state_since = created_at
				WHERE created_at <= ?`, waiting)
			return err
		}); err != nil {
			b.Fatal(err)
		}
		for name, q := range map[string]directory.WaitingQuery{
			"first page": {Limit: 50}, "search": {Limit: 50, Search: "p4321@"},
			"search for nobody": {Limit: 50, Search: "nobody"},
		} {
			b.Run(fmt.Sprintf("%s of %d among %d", name, waiting, size), func(b *testing.B) {
				for b.Loop() {
					p, err := d.Waiting(b.Context(), q)
					if err != nil || q.Search == "" && p.Counts["invitation_open"] != waiting {
						b.Fatalf("counted %v, %v", p.Counts, err)
					}
				}
			})
		}
	}
}
