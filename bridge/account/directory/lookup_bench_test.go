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

// A lookup must cost what it finds, whatever the size of the account. Details cost what looking through the latest
// 100,000 audit events does, once however many members are found: they have no index by object, which every change
// would write.
func BenchmarkLookUpMembers(b *testing.B) {
	for _, size := range []int{1000, 100_000} {
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
		d := directory.New(a)
		if err := s.Write(b.Context(), func(ctx context.Context, tx *store.Tx) error {
			_, err := tx.Exec(ctx, `INSERT INTO audit
					(sequence, id, time, actor, address, action, object, summary, hash)
				WITH RECURSIVE n (i) AS (SELECT 10000000 UNION ALL SELECT i + 1 FROM n LIMIT 300000)
				SELECT i, 'x' || i, 1700000000000000 + i, 'bridge:b', '', 'person.replace', 'o' || i, '', '' FROM n`)
			return err
		}); err != nil {
			b.Fatal(err)
		}
		names := make([]string, 500)
		for i := range names {
			names[i] = fmt.Sprintf("p%d@example.com", i+1)
		}
		for _, n := range []int{1, 500} {
			b.Run(fmt.Sprintf("%d names of %d people", n, size), func(b *testing.B) {
				for b.Loop() {
					if _, err := d.LookUpMembers(b.Context(), names[:n], false); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
		for _, n := range []int{1, 20} {
			b.Run(fmt.Sprintf("%d names of %d people with details", n, size), func(b *testing.B) {
				for b.Loop() {
					if _, err := d.LookUpMembers(b.Context(), names[:n], true); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
