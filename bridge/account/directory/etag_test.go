package directory_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store/storetest"
)

// shown is everything that a document tells of a person or a group but its
// times, by the strong entity tag under which it is served.
type shown struct{ document, tag string }

func (d *fixture) shownPerson(id string) shown {
	d.t.Helper()
	p := d.person(id)
	document := fmt.Sprint(p.Attributes, p.Groups, p.State, p.Suspended, p.Address, p.PendingAddress)
	tag := directory.PersonETag(p)
	// A list and a filter know the same version.
	for _, filter := range []*bridge.Predicate{eq("id", id), exact(eq("meta.version", tag))} {
		list, err := d.SearchPeople(d.t.Context(), directory.Search{Filter: filter, Limit: 10})
		if err != nil {
			d.t.Fatal(err)
		}
		found := false
		for _, q := range list.Items {
			found = found || q.ID == id && directory.PersonETag(q) == tag
		}
		if !found {
			d.t.Errorf("a list by %v does not have %s at version %s", filter, id, tag)
		}
	}
	return shown{document, tag}
}

func (d *fixture) shownGroup(id string) shown {
	d.t.Helper()
	g, err := d.Group(d.t.Context(), id, true)
	if err != nil {
		d.t.Fatal(err)
	}
	return shown{fmt.Sprint(g.Attributes, g.Members, g.MemberCount), account.ETag(g.Version)}
}

// A strong entity tag names one document (RFC 9110 section 8.8.1): whatever
// else changes it, be it another row's text, makes it another version. The
// versions of all times differ.
func TestADocumentThatChangedHasAnotherEntityTag(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	ctx := t.Context()
	ann, bob := d.joined("ann@example.com"), d.create("bob@example.com")
	byHand, err := d.CreateGroupByHand(ctx, "Choir")
	if err != nil {
		t.Fatal(err)
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(d.AddGroupMember(ctx, byHand.ID, ann.MemberID))
	inner := d.group("Inner", ann.ID)
	outer := d.group("Outer", inner.ID, ann.ID)
	rename := func(id, name string) {
		d.update(id, directory.GroupUpdate{Attributes: attributes("displayName", name)})
	}
	choir := ""

	steps := []struct {
		name   string
		change func()
	}{
		{"nothing", func() {}},
		{"a group is renamed", func() { rename(outer.ID, "Around") }},
		{"in case only", func() { rename(outer.ID, "AROUND") }},
		{"and back", func() { rename(outer.ID, "Outer") }},
		{"a nested group is renamed", func() { rename(inner.ID, "Core") }},
		{"a group is written with its own name", func() { rename(inner.ID, "Core") }},
		{"two are renamed, with names that were another's", func() {
			rename(inner.ID, "X")
			rename(outer.ID, "Core")
			rename(inner.ID, "Outer")
		}},
		{"another person joins", func() { d.update(outer.ID, directory.GroupUpdate{Add: []string{bob.ID}}) }},
		{"the person leaves a group", func() { d.update(outer.ID, directory.GroupUpdate{Remove: []string{ann.ID}}) }},
		{"and joins it again", func() { d.update(outer.ID, directory.GroupUpdate{Add: []string{ann.ID}}) }},
		{"a group made by hand becomes managed", func() { choir = d.group("Choir").ID }},
		{"is renamed", func() { rename(choir, "Band") }},
		{"and unmanaged", func() { must(d.DeleteGroup(ctx, choir, "")) }},
		{"the person is renamed", func() { d.replace(ann.ID, input("ann@example.com", "displayName", "Ann Lee")) }},
		{"loses the display name", func() { d.replace(ann.ID, input("ann@example.com")) }},
		{"gets another userName, and a pending address with it", func() { d.replace(ann.ID, input("ann@new.com")) }},
		{"gets a title", func() { d.replace(ann.ID, input("ann@new.com", "title", "Dr.")) }},
		{"another member of the group is renamed", func() {
			d.replace(bob.ID, input("bob@example.com", "displayName", "Bob"))
		}},
		{"and deprovisioned", func() { d.remove(bob.ID) }},
		{"the domain is allowed and the address confirmed", func() {
			d.allow("new.com")
			_, token := d.mailTo("ann@new.com")
			_, err := d.ConfirmAddress(ctx, token)
			must(err)
		}},
		{"the person is suspended by hand", func() {
			_, err := d.UpdateMember(ctx, ann.MemberID, directory.MemberUpdate{Suspended: new(true)}, "")
			must(err)
		}},
		{"and let in again", func() { d.replace(ann.ID, input("ann@new.com", "active", true)) }},
		{"a group is deleted", func() { must(d.DeleteGroup(ctx, inner.ID, "")) }},
	}
	documents := map[string]func() shown{
		"the member": func() shown {
			m := d.member(ann.MemberID)
			tag := account.ETag(m.Version)
			// which are not shown
			m.Version, m.InvitedAt, m.LastUserName, m.StateSince = 0, time.Time{}, "", time.Time{}
			return shown{fmt.Sprint(m), tag}
		},
		"the person":      func() shown { return d.shownPerson(ann.ID) },
		"the outer group": func() shown { return d.shownGroup(outer.ID) },
	}
	seen := map[string]map[string]string{} // by resource and tag, the document
	for _, step := range steps {
		step.change()
		for name, show := range documents {
			if seen[name] == nil {
				seen[name] = map[string]string{}
			}
			now := show()
			if before, known := seen[name][now.tag]; known && before != now.document {
				t.Errorf("%s: %s has version %s as before, and was\n%s\nand is\n%s", step.name,
					name, now.tag, before, now.document)
			}
			seen[name][now.tag] = now.document
		}
	}
	if n := len(seen["the person"]); n < 12 {
		t.Errorf("the person had %d versions; the steps change little", n)
	}
}

// The tag of the document that a client has read is what If-Match is about.
func TestIfMatchKnowsTheNamesOfGroups(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	p := d.create("ann@example.com")
	g := d.group("Engineers", p.ID)
	old := directory.PersonETag(d.person(p.ID))
	d.update(g.ID, directory.GroupUpdate{Attributes: attributes("displayName", "Builders")})
	_, err := d.ReplacePerson(t.Context(), p.ID, input("ann@example.com", "title", "Dr."), old)
	wantRefusal(t, err, "version_mismatch")
	wantRefusal(t, d.DeletePerson(t.Context(), p.ID, old), "version_mismatch")
	if _, err := d.ReplacePerson(t.Context(), p.ID, input("ann@example.com", "title", "Dr."),
		directory.PersonETag(d.person(p.ID))); err != nil {
		t.Error(err)
	}
}

// rowsWritten counts the rows that a change writes.
func (d *fixture) rowsWritten(change func(context.Context) error) (n int64) {
	d.t.Helper()
	err := d.Store.Write(d.t.Context(), func(ctx context.Context, tx *store.Tx) error {
		before, err := storetest.RowsWritten(ctx, tx)
		if err != nil {
			return err
		}
		if err := change(ctx); err != nil {
			return err
		}
		after, err := storetest.RowsWritten(ctx, tx)
		n = after - before
		return err
	})
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

func TestRenamingAGroupWritesTheSameNumberOfRowsHoweverLargeItIs(t *testing.T) {
	t.Parallel()
	d := newDirectory(t)
	var people []string
	for i := range 60 {
		people = append(people, d.create(fmt.Sprintf("p%d@example.com", i)).ID)
	}
	small, large := d.group("Small", people[0]), d.group("Large", people...)
	rename := func(g directory.Group) int64 {
		return d.rowsWritten(func(ctx context.Context) error {
			u := directory.GroupUpdate{Attributes: attributes("displayName", "Renamed "+g.ID)}
			_, err := d.UpdateGroup(ctx, g.ID, u, "", false)
			return err
		})
	}
	if few, many := rename(small), rename(large); few == 0 || few != many {
		t.Errorf("%d rows written for the small group, %d for the large one", few, many)
	}
}
