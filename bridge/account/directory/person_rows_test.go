package directory_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// joinedPeople reads what people's documents show from the tables that it belongs to.
func joinedPeople(ctx context.Context, tx *store.Tx) (map[string]directory.Person, error) {
	people := make(map[string]directory.Person)
	list, err := store.All(ctx, tx, func(row store.Scanner) (p directory.Person, err error) {
		return p, row.Scan(&p.ID, &p.MemberID, &p.Attributes, &p.Version, &p.State, &p.Suspended, &p.Address,
			&p.PendingAddress)
	}, `SELECT p.id, p.member_id, p.attributes, p.version, m.state, m.suspended OR m.suspension_held,
			COALESCE(m.address, ''), COALESCE(c.address, '')
		FROM people p JOIN members m ON m.id = p.member_id LEFT JOIN address_changes c ON c.member_id = m.id`)
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		p.Groups, err = store.All(ctx, tx, func(row store.Scanner) (directory.Reference, error) {
			r := directory.Reference{IsGroup: true}
			var nameVersion int64
			err := row.Scan(&r.ID, &r.Display, &nameVersion)
			p.GroupNames += nameVersion
			return r, err
		}, `SELECT g.scim_id, g.name, g.name_version FROM memberships s JOIN groups g ON g.id = s.group_id
			WHERE s.member_id = ? AND g.scim_id IS NOT NULL ORDER BY g.name_folded`, p.MemberID)
		if err != nil {
			return nil, err
		}
		people[p.ID] = p
	}
	return people, nil
}

// sameDocument compares what the documents of a person show, by the ways in which it was read.
func sameDocument(a, b directory.Person) bool {
	return a.ID == b.ID && a.MemberID == b.MemberID && a.Attributes == b.Attributes && a.Version == b.Version &&
		a.State == b.State && a.Suspended == b.Suspended && a.Address == b.Address &&
		a.PendingAddress == b.PendingAddress && a.GroupNames == b.GroupNames &&
		(len(a.Groups) == 0 && len(b.Groups) == 0 || reflect.DeepEqual(a.Groups, b.Groups))
}

// compareRows compares people as they are read with what the other tables have of them.
func (d *fixture) compareRows(step string) {
	d.t.Helper()
	var want map[string]directory.Person
	if err := d.Store.Read(d.t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		want, err = joinedPeople(ctx, tx)
		return err
	}); err != nil {
		d.t.Fatal(err)
	}
	check := func(how string, got directory.Person) {
		d.t.Helper()
		if !sameDocument(got, want[got.ID]) {
			d.t.Fatalf("after %s, %s reads\n%+v, want\n%+v", step, how, got, want[got.ID])
		}
	}
	page, err := d.SearchPeople(d.t.Context(), directory.Search{Limit: 1000})
	if err != nil || len(page.Items) != len(want) {
		d.t.Fatalf("after %s, a page has %d people, want %d: %v", step, len(page.Items), len(want), err)
	}
	for _, p := range page.Items {
		check("a page", p)
		check("a look-up by id", d.person(p.ID))
	}
	var written []directory.Person
	if err := d.Store.Write(d.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		written = nil
		for id := range want {
			p, _, err := tx.Person(ctx, id)
			if err != nil {
				return err
			}
			written = append(written, p)
		}
		return nil
	}); err != nil {
		d.t.Fatal(err)
	}
	for _, p := range written {
		check("the writer", p)
	}
}

// Whatever is done to people, members and groups, what is served from people's rows is what the tables say that they
// are copies of.
func TestPeoplesRowsHaveWhatTheOtherTablesSay(t *testing.T) {
	t.Parallel()
	for seed := range uint64(4) {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			d := newDirectory(t)
			d.allow("example.com")
			r := &randomChanges{fixture: d, Rand: rand.New(rand.NewPCG(seed, 0)), done: make(map[string]int)}
			for n := range 400 {
				name := r.change()
				d.compareRows(fmt.Sprintf("change %d, %s", n, name))
			}
			d.sound()
			for _, c := range r.changes() {
				if r.done[c.name] == 0 {
					t.Errorf("%s: was done in no case", c.name)
				}
			}
		})
	}
}

// randomChanges changes an account of few people, names and groups, so that they meet.
type randomChanges struct {
	*fixture
	*rand.Rand
	done map[string]int // which were not refused
}

type namedChange struct {
	name string
	do   func(ctx context.Context) error
}

func (r *randomChanges) changes() []namedChange {
	return []namedChange{
		{"a creation", func(ctx context.Context) error {
			in := input(r.address(), "active", r.IntN(4) > 0)
			if r.IntN(3) == 0 {
				in.SignInAddress = "" // a seat
			}
			_, err := r.CreatePerson(ctx, in)
			return err
		}},
		{"a replacement", func(ctx context.Context) error {
			in := input(r.address(), "active", r.IntN(2) > 0)
			in.SignInAddress = r.address()
			_, err := r.ReplacePerson(ctx, r.somebody(), in, "")
			return err
		}},
		{"a move to another address", func(ctx context.Context) error {
			in := input(r.address())
			in.SignInAddress = fmt.Sprintf("new%d@example.com", r.IntN(1000))
			p, err := r.ReplacePerson(ctx, r.one(`SELECT p.id FROM people p JOIN members m ON m.id = p.member_id
				WHERE m.state IN ('pending', 'active') AND NOT m.suspended AND m.role = 'member' ORDER BY 1`), in, "")
			if err == nil && p.PendingAddress == "" {
				return errNothing
			}
			return err
		}},
		{"a deletion", func(ctx context.Context) error {
			if r.IntN(3) > 0 {
				return nil
			}
			return r.DeletePerson(ctx, r.somebody(), "")
		}},
		{"a link that is followed", func(ctx context.Context) error {
			_, token := r.mailTo(r.address())
			_, err := r.AcceptInvitation(ctx, token)
			if err == nil {
				return nil
			}
			_, err = r.ConfirmAddress(ctx, token)
			return err
		}},
		{"a confirmation", func(ctx context.Context) error { return r.ConfirmPerson(ctx, r.somebody()) }},
		{"an invitation by hand", func(ctx context.Context) error {
			_, err := r.InviteMember(ctx, r.address(), "", store.RoleMember)
			return err
		}},
		{"a suspension by hand", func(ctx context.Context) error {
			_, err := r.UpdateMember(ctx, r.someMember(), directory.MemberUpdate{Suspended: new(r.IntN(2) > 0)}, "")
			return err
		}},
		{"a group", func(ctx context.Context) error {
			_, err := r.CreateGroup(ctx, directory.GroupInput{
				Attributes: attributes("displayName", r.groupName()), Members: r.some(),
			})
			return err
		}},
		{"a group by hand", func(ctx context.Context) error {
			_, err := r.CreateGroupByHand(ctx, r.groupName())
			return err
		}},
		{"joining", func(ctx context.Context) error {
			_, err := r.UpdateGroup(ctx, r.someGroup(), directory.GroupUpdate{Add: r.some()}, "", false)
			return err
		}},
		{"joining by hand", func(ctx context.Context) error {
			return r.AddGroupMember(ctx, r.anyGroup(), r.someMember())
		}},
		{"leaving", func(ctx context.Context) error {
			_, err := r.UpdateGroup(ctx, r.someGroup(), directory.GroupUpdate{Remove: r.some()}, "", false)
			return err
		}},
		{"another list of members", func(ctx context.Context) error {
			_, err := r.UpdateGroup(ctx, r.someGroup(), directory.GroupUpdate{Replace: new(r.some())}, "", false)
			return err
		}},
		{"another name of a group", func(ctx context.Context) error {
			_, err := r.UpdateGroup(ctx, r.someGroup(),
				directory.GroupUpdate{Attributes: attributes("displayName", r.groupName())}, "", false)
			return err
		}},
		{"the deletion of a group", func(ctx context.Context) error {
			if r.IntN(3) > 0 {
				return nil
			}
			return r.DeleteGroup(ctx, r.someGroup(), "")
		}},
		{"another limit", func(context.Context) error {
			r.limit([]string{"off", nothing, nothing, "max(2, 0%)/1h"}[r.IntN(4)])
			return nil
		}},
		{"decisions", func(ctx context.Context) error {
			var held []string
			for _, h := range r.allHolds() {
				if r.IntN(2) > 0 {
					held = append(held, h.ID)
				}
			}
			if len(held) == 0 {
				return errNothing
			}
			_, _, err := r.DecideHolds(ctx, []directory.Decision{directory.Approve, directory.Cancel}[r.IntN(2)], held)
			return err
		}},
		{"a change that is undone", func(ctx context.Context) error {
			err := r.Store.Write(ctx, func(ctx context.Context, _ *store.Tx) error {
				if _, err := r.CreateGroup(ctx, directory.GroupInput{
					Attributes: attributes("displayName", "Undone"), Members: r.some(),
				}); err != nil {
					return err
				}
				return errNothing
			})
			if errors.Is(err, errNothing) {
				return nil
			}
			return err
		}},
	}
}

var errNothing = errors.New("there is nothing to change")

// change makes one change, which may be refused, and returns its name.
func (r *randomChanges) change() string {
	all := r.changes()
	c := all[r.IntN(len(all))]
	err := c.do(r.t.Context())
	_, refused := errors.AsType[*account.Error](err)
	switch {
	case err == nil:
		r.done[c.name]++
	case !refused && !errors.Is(err, errNothing):
		r.t.Fatalf("%s: %v", c.name, err)
	}
	return c.name
}

func (r *randomChanges) address() string { return fmt.Sprintf("p%d@example.com", r.IntN(12)) }

func (r *randomChanges) groupName() string { return string(rune('A' + r.IntN(8))) }

// column reads a column of all rows.
func (r *randomChanges) column(query string) (all []string) {
	r.t.Helper()
	if err := r.Store.Read(r.t.Context(), func(ctx context.Context, tx *store.Tx) (err error) {
		all, err = store.All(ctx, tx, func(row store.Scanner) (s string, err error) { return s, row.Scan(&s) }, query)
		return err
	}); err != nil {
		r.t.Fatal(err)
	}
	return all
}

// one is one row's column; "none" if there is no row.
func (r *randomChanges) one(query string) string {
	r.t.Helper()
	all := r.column(query)
	if len(all) == 0 {
		return "none"
	}
	return all[r.IntN(len(all))]
}

func (r *randomChanges) somebody() string { return r.one(`SELECT id FROM people ORDER BY position`) }

func (r *randomChanges) someMember() string {
	return r.one(`SELECT id FROM members WHERE role = 'member' ORDER BY created_at, id`)
}

func (r *randomChanges) someGroup() string {
	return r.one(`SELECT scim_id FROM groups WHERE scim_id IS NOT NULL ORDER BY name_folded`)
}

func (r *randomChanges) anyGroup() string { return r.one(`SELECT id FROM groups ORDER BY name_folded`) }

// some are half of all people and groups, about.
func (r *randomChanges) some() []string {
	return slices.DeleteFunc(r.column(`SELECT id FROM people UNION ALL
		SELECT * FROM (SELECT scim_id FROM groups WHERE scim_id IS NOT NULL ORDER BY name_folded LIMIT 2) AS two`),
		func(string) bool { return r.IntN(2) == 0 })
}
