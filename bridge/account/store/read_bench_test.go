package store

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// benchPeople is how many people the benchmarks of reads read among.
const benchPeople = 10_000

// benchAttributes is a document as identity providers make them.
const benchAttributes = `{"active":true,"addresses":[{"country":"US","formatted":"1 Main St",` +
	`"locality":"Springfield","postalCode":"12345","primary":true,"region":"IL","streetAddress":"1 Main St",` +
	`"type":"work"}],"displayName":"Person Number %[1]d",` +
	`"emails":[{"primary":true,"type":"work","value":"person%[1]d@example.com"}],` +
	`"externalId":"ext-%[1]d","name":{"familyName":"Number","formatted":"Person Number","givenName":"Person"},` +
	`"phoneNumbers":[{"type":"work","value":"+1 555 0100"}],"title":"Analyst",` +
	`"urn:ietf:params:scim:schemas:extension:enterprise:2.0:User":{"department":"Sales","employeeNumber":"17"},` +
	`"userName":"person%[1]d@example.com"}`

// benchStore has benchPeople people, all of them in one group, and every tenth in a
// second one.
func benchStore(b *testing.B) (*Store, []string) {
	b.Helper()
	s, err := Open(b.Context(), "sqlite:"+filepath.Join(b.TempDir(), "account.db"))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Error(err)
		}
	})
	ids := make([]string, benchPeople)
	now := time.Now()
	err = s.Write(b.Context(), func(ctx context.Context, tx *Tx) error {
		for _, name := range []string{"Everybody", "Some"} {
			g := Group{ID: "g" + name, ScimID: "s" + name, Name: name, CreatedAt: now, ModifiedAt: now}
			if err := tx.InsertGroup(ctx, g); err != nil {
				return err
			}
		}
		for i := range ids {
			ids[i] = fmt.Sprintf("%026x", uint64(i)*0x9E3779B97F4A7C15)
			address := fmt.Sprintf("person%d@example.com", i)
			m := Member{
				ID: "m" + ids[i], Address: address, Name: "Person", Role: RoleMember, State: Active, StateSince: now,
				CreatedAt: now,
			}
			if err := tx.InsertMember(ctx, m); err != nil {
				return err
			}
			if err := tx.InsertPerson(ctx, &Person{
				ID: ids[i], MemberID: m.ID, UserName: address, ExternalID: fmt.Sprintf("ext-%d", i),
				DisplayName: fmt.Sprintf("Person Number %d", i), Attributes: fmt.Sprintf(benchAttributes, i),
				CreatedAt: now, ModifiedAt: now, WantedSince: now, WantedAddress: address,
			}); err != nil {
				return err
			}
			if err := tx.SetEmails(ctx, ids[i], []Email{{address, "work"}}); err != nil {
				return err
			}
			if i%10 == 0 {
				if _, err := tx.AddByHand(ctx, "gSome", m.ID); err != nil {
					return err
				}
			}
			if _, err := tx.AddByHand(ctx, "gEverybody", m.ID); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		b.Fatal(err)
	}
	return s, ids
}

// BenchmarkRead is what a read costs within the store, transaction included.
func BenchmarkRead(b *testing.B) {
	s, ids := benchStore(b)
	eq := func(path, value string, exact bool) bridge.Predicate {
		return bridge.Predicate{Op: "eq", Path: []string{path}, Value: value, CaseExact: exact}
	}
	find := func(of func(n int) bridge.Predicate) func(context.Context, *Tx, int) (int, error) {
		return func(ctx context.Context, tx *Tx, n int) (int, error) {
			filter := of(n)
			_, people, err := tx.SearchPeople(ctx, Search{Filter: &filter, Limit: 101})
			return len(people), err
		}
	}
	for _, row := range []struct {
		name string
		want int
		read func(ctx context.Context, tx *Tx, n int) (int, error)
	}{
		{"a person by id", 1, func(ctx context.Context, tx *Tx, n int) (int, error) {
			p, _, err := tx.Person(ctx, ids[n])
			return min(1, len(p.Groups)), err
		}},
		{"by userName", 1, find(func(n int) bridge.Predicate {
			return eq("userName", fmt.Sprintf("person%d@example.com", n), false)
		})},
		{"by externalId", 1, find(func(n int) bridge.Predicate {
			return eq("externalId", fmt.Sprintf("ext-%d", n), true)
		})},
		{"by e-mail", 1, find(func(n int) bridge.Predicate {
			return bridge.Predicate{Op: "any", Path: []string{"emails"}, Terms: []bridge.Predicate{
				eq("value", fmt.Sprintf("person%d@example.com", n), false),
			}}
		})},
		{"a page of 100", 101, func(ctx context.Context, tx *Tx, n int) (int, error) {
			_, people, err := tx.SearchPeople(ctx, Search{Offset: int64(n * 9 / 10), Limit: 101})
			return len(people), err
		}},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n = (n + 7919) % len(ids)
				err := s.Read(b.Context(), func(ctx context.Context, tx *Tx) error {
					got, err := row.read(ctx, tx, n)
					if got != row.want {
						b.Fatalf("read %d people, want %d", got, row.want)
					}
					return err
				})
				if err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
