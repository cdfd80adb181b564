package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// Pages must be those of a plain OFFSET, whatever was added and deleted before.
func TestThePageAtAnyPlaceIsTheSameAsByReadingOverAll(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "account.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const people = 5 * blockSize
	err = s.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		now := time.Now()
		for i := range people {
			id := fmt.Sprint(i)
			m := Member{ID: id, Name: id, Role: RoleMember, State: NotInvited, StateSince: now, CreatedAt: now}
			if err := tx.InsertMember(ctx, m); err != nil {
				return err
			}
			p := Person{ID: id, MemberID: id, UserName: id, Attributes: "{}", CreatedAt: now, ModifiedAt: now}
			if err := tx.InsertPerson(ctx, &p); err != nil {
				return err
			}
			if i != people/2 {
				continue
			}
			// As if thousands had come and gone: the others are in the next
			// block of every level.
			const far = blockSize * blockSize * blockSize
			if _, err := tx.Exec(ctx, `UPDATE people SET position = ? WHERE id = ?`, far, id); err != nil {
				return err
			}
			if err := errors.Join(tx.updateOrderIndex(ctx, int64(i+1), -1),
				tx.updateOrderIndex(ctx, far, +1)); err != nil {
				return err
			}
		}
		for i := range people {
			// Single ones, a whole block, and the last.
			if i%7 == 0 || i/blockSize == 1 || i == people-1 {
				if err := tx.DeletePerson(ctx, fmt.Sprint(i)); err != nil {
					return err
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	err = s.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
		all, err := tx.people(ctx, 0, `SELECT `+personColumns+` FROM people p ORDER BY p.position`)
		if err != nil {
			return err
		}
		for offset := range len(all) + 1 {
			var places [2][3]int64
			for i, find := range []func(context.Context, int64) (total, block, rest int64, err error){
				tx.placeByLevel, tx.placeAtOnce,
			} {
				p := &places[i]
				if p[0], p[1], p[2], err = find(ctx, int64(offset)); err != nil {
					return err
				}
			}
			if offset < len(all) && places[0] != places[1] {
				t.Errorf("the place at offset %d is %v by level, and %v at once", offset, places[0], places[1])
			}
			total, page, err := tx.pageOfPeople(ctx, int64(offset), 3)
			if err != nil {
				return err
			}
			want := all[offset:min(offset+3, len(all))]
			same := func(a, b Person) bool { return a.ID == b.ID }
			if int(total) != len(all) || !slices.EqualFunc(page, want, same) {
				t.Fatalf("at %d: got %d people of %d, want %d of %d", offset, len(page), total, len(want), len(all))
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
