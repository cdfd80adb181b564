package directory_test

import (
	"context"
	"crypto/rand"
	"fmt"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
)

// What it costs to add and remove one member must not depend on how many
// there are already.
func BenchmarkOneMemberInAndOut(b *testing.B) {
	for _, size := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("group of %d", size), func(b *testing.B) {
			d := populated(b, size)
			g, err := d.CreateGroup(b.Context(),
				directory.GroupInput{Attributes: attributes("displayName", "Everybody")})
			if err != nil {
				b.Fatal(err)
			}
			everybody := make([]string, size)
			for i := range everybody {
				everybody[i] = fmt.Sprintf("p%d", i+1)
			}
			if _, err := d.UpdateGroup(b.Context(), g.ID, directory.GroupUpdate{Add: everybody[1:]},
				"", false); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				for _, change := range []directory.GroupUpdate{{Add: everybody[:1]}, {Remove: everybody[:1]}} {
					if _, err := d.UpdateGroup(b.Context(), g.ID, change, "", false); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}

func BenchmarkFindByUserName(b *testing.B) {
	for _, size := range []int{100, 100_000} {
		b.Run(fmt.Sprintf("among %d", size), func(b *testing.B) {
			d := populated(b, size)
			for b.Loop() {
				found, err := d.SearchPeople(b.Context(),
					directory.Search{Filter: eq("userName", "P7@example.com"), Limit: 1})
				if err != nil || found.Total != 1 {
					b.Fatalf("found %d, %v", found.Total, err)
				}
			}
		})
	}
}

// BenchmarkPerson reads people all over the database.
func BenchmarkPerson(b *testing.B) {
	for _, size := range []int{100, 10_000, 100_000} {
		b.Run(fmt.Sprintf("among %d", size), func(b *testing.B) {
			d := populated(b, size)
			b.ReportAllocs()
			i := 0
			for b.Loop() {
				i += 7919
				if _, err := d.Person(b.Context(), fmt.Sprintf("p%d", i%size+1)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkCreatePerson(b *testing.B) {
	d := populated(b, 1)
	n := 0
	for b.Loop() {
		n++
		if _, err := d.CreatePerson(b.Context(), input(fmt.Sprintf("new%d@example.com", n))); err != nil {
			b.Fatal(err)
		}
	}
}

// populated is a directory with people p1, p2, ... written straight into the
// tables, since a hundred thousand calls of CreatePerson take minutes.
func populated(b *testing.B, size int) *directory.Directory {
	b.Helper()
	d, _ := populatedStore(b, size)
	return d
}

func populatedStore(b *testing.B, size int) (*directory.Directory, *store.Store) {
	b.Helper()
	s, err := store.Open(b.Context(), storetest.New(b))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = s.Close() })
	a, err := account.Create(b.Context(), s, "Example", time.Now, rand.Reader)
	if err != nil {
		b.Fatal(err)
	}
	populate(b, s, size)
	// What is taken away is counted, and not held.
	if err := s.Write(b.Context(), func(ctx context.Context, tx *store.Tx) error {
		_, err := tx.Exec(ctx, `UPDATE integration SET suspension_limit = 'max(1000000000, 0%)/1h'`)
		return err
	}); err != nil {
		b.Fatal(err)
	}
	return directory.New(a), s
}

// populate writes the people of populated.
func populate(tb testing.TB, s *store.Store, size int) {
	tb.Helper()
	const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) `
	err := s.Write(tb.Context(), func(ctx context.Context, tx *store.Tx) error {
		for _, insert := range []string{
			`INSERT INTO members (id, address, address_folded, name, role, state, state_since, created_at)
				SELECT 'm' || i, 'p' || i || '@example.com', 'p' || i || '@example.com', 'P', 'member', 'active', 1, i
				FROM n`,
			`INSERT INTO people (id, member_id, user_name, user_name_folded, attributes, wanted_address, wanted_since,
				created_at, modified_at, position)
				SELECT 'p' || i, 'm' || i, 'p' || i || '@example.com', 'p' || i || '@example.com',
					'{"userName":"p' || i || '@example.com"}', 'p' || i || '@example.com', 1, i, i, i FROM n`,
			`INSERT INTO people_counts (level, block, people) SELECT 1, i / 64, count(*) FROM n GROUP BY 2`,
			`INSERT INTO people_counts (level, block, people) SELECT 2, i / 4096, count(*) FROM n GROUP BY 2`,
			`INSERT INTO people_counts (level, block, people) SELECT 3, i / 262144, count(*) FROM n GROUP BY 2`,
			`UPDATE access_counts SET people = people + (SELECT count(*) FROM n)`,
		} {
			if _, err := tx.Exec(ctx, numbers+insert, size); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}
