package journal_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// The account takes names for one that differ by more than the case of letters.
func TestASearchFoldsNamesAsTheAccountDoes(t *testing.T) {
	t.Parallel()
	j := journal.Open(journal.Config{Now: time.Now})
	defer j.Close()
	j.Append(journal.Event{Kind: journal.PersonRefused, Subject: j.Person("Stra\u00dfe")})
	j.Append(journal.Event{Kind: journal.PersonRefused, Subject: j.Person("caf\u00e9")})
	for _, name := range []string{"strasse", "STRASSE", "CAFE\u0301"} {
		f, err := j.Search(t.Context(), journal.Search{Names: []string{name}})
		if err != nil || len(f.Events) != 1 || !f.Named(f.Events[0], name) {
			t.Errorf("%q finds %+v, %v", name, f.Events, err)
		}
	}
}

// One search finds what is about several people, by their ids and names, and says which name it was.
func TestASearchIsAboutSeveral(t *testing.T) {
	t.Parallel()
	const ann, bob, eve = "aaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbb", "eeeeeeeeeeeeeeeeeeeeeeeeee"
	dir := t.TempDir()
	clock := time.Date(2026, 1, 2, 3, 0, 0, 0, time.UTC)
	j := journal.Open(journal.Config{DataDir: dir, Now: func() time.Time { return clock }})
	append1 := func(e journal.Event) {
		clock = clock.Add(time.Minute)
		j.Append(e)
	}
	append1(journal.Event{Kind: journal.PersonCreated, Person: ann, Subject: j.Person("ann")})
	append1(journal.Event{Kind: journal.PersonCreated, Person: bob, Subject: j.Person("bob")})
	append1(journal.Event{Kind: journal.PersonCreated, Person: eve, Subject: j.Person("eve")})
	append1(journal.Event{Kind: journal.PersonUpdated, Person: bob})
	append1(journal.Event{Kind: journal.GroupUpdated, Group: eve, Added: journal.NewMembers([]string{ann})})
	append1(journal.Event{Kind: journal.PersonRefused, Subject: j.Person("bob")})
	j.Count(journal.Served{Person: ann, Status: 200})
	j.Flush()

	q := journal.Search{IDs: []string{ann}, Names: []string{" BOB "}}
	check := func(where string, f journal.Found, err error) {
		t.Helper()
		var minutes []int
		named := 0
		for _, e := range f.Events {
			minutes = append(minutes, e.Time.Minute())
			if f.Named(e, " BOB ") {
				named++
			}
		}
		if err != nil || !slices.Equal(minutes, []int{6, 5, 4, 2, 1}) || named != 2 || f.Oldest.Minute() != 1 {
			t.Errorf("%s: %v, %d named, since %s, %v", where, minutes, named, f.Oldest, err)
		}
	}
	f, err := j.Search(t.Context(), q)
	check("the open journal", f, err)
	if got := f.Lookups[ann].Count; got != 1 {
		t.Errorf("read %d times", got)
	}
	f, err = journal.SearchFolder(t.Context(), dir, q)
	check("the folder", f, err)
	if f, err := j.Search(t.Context(), journal.Search{}); err != nil || len(f.Events) != 0 {
		t.Errorf("a search for nobody finds %d events, %v", len(f.Events), err)
	}
	if f, err := j.Search(t.Context(), journal.Search{IDs: []string{ann}, Limit: 1}); err != nil || len(f.Events) != 1 {
		t.Errorf("with a limit of 1: %d events, %v", len(f.Events), err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := j.Search(ctx, q); !errors.Is(err, context.Canceled) {
		t.Errorf("a search that is not wanted any more: %v", err)
	}
	j.Close()
	if f, err := (*journal.Journal)(nil).Search(t.Context(), q); err != nil || len(f.Events) != 0 {
		t.Errorf("no journal: %+v, %v", f, err)
	}
}

// Somebody who had the name before may be changed every night: that leaves no less of whom is asked for.
func TestASearchBoundsTheEventsOfEach(t *testing.T) {
	t.Parallel()
	const ann, bob = "aaaaaaaaaaaaaaaaaaaaaaaaaa", "bbbbbbbbbbbbbbbbbbbbbbbbbb"
	j := journal.Open(journal.Config{Now: time.Now})
	defer j.Close()
	j.Append(journal.Event{Kind: journal.PersonCreated, Person: bob, Subject: j.Person("ann")})
	j.Append(journal.Event{Kind: journal.PersonRefused, Subject: j.Person("ann")})
	j.Append(journal.Event{Kind: journal.GroupUpdated, Group: bob, Set: journal.NewMembers([]string{bob, ann})})
	j.Append(journal.Event{Kind: journal.PersonCreated, Person: ann, Subject: j.Person("ann")})
	for range 5 {
		j.Append(journal.Event{Kind: journal.PersonUpdated, Person: bob})
		j.Append(journal.Event{Kind: journal.GroupUpdated, Group: bob, Set: journal.NewMembers([]string{bob})})
	}
	f, err := j.Search(t.Context(), journal.Search{IDs: []string{ann}, Names: []string{"ann"}, Limit: 2})
	var got []string
	for _, e := range f.Events {
		got = append(got, string(e.Kind)+" "+e.Person)
	}
	want := []string{"person_updated " + bob, "person_updated " + bob, "person_created " + ann, "group_updated ",
		"person_refused "}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("found are %q, %v; want %q", got, err, want)
	}
}
