package main

import (
	"context"
	"crypto/rand"
	"path/filepath"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

// People that are made by SQL are as those that the program makes, and the account is whole.
func TestFilledPeopleAreLikeTheOthers(t *testing.T) {
	t.Parallel()
	file := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	s := &site{people: template + 1}
	load(t, file, s)
	server := postgres.Start(t, "fsync=off")
	untold := func(store.CopyStep, int64, int64) {}
	if _, err := store.Copy(t.Context(), file, server.URL("postgres"), false, untold); err != nil {
		t.Fatal(err)
	}
	const all, one = 3000, 1999 // whose number has the template's in it
	if err := s.fill(t.Context(), server.URL("postgres"), all); err != nil {
		t.Fatal(err)
	}
	rows, err := store.Open(t.Context(), server.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	a, err := account.Load(t.Context(), rows)
	if err != nil {
		t.Fatal(err)
	}
	people := directory.New(a)
	filled, err := people.Person(t.Context(), s.ids[one])
	if err != nil {
		t.Fatal(err)
	}
	faults, err := rows.Check(t.Context())
	if err != nil || len(faults) > 0 {
		t.Errorf("check finds %v (%v)", faults, err)
	}
	if err := people.DeletePerson(t.Context(), filled.ID, ""); err != nil {
		t.Fatal(err)
	}
	made, err := people.CreatePerson(t.Context(),
		directory.PersonInput{Attributes: user(one), SignInAddress: userName(one)})
	if err != nil {
		t.Fatal(err)
	}
	if filled.Attributes != made.Attributes || filled.UserName != made.UserName ||
		filled.ExternalID != made.ExternalID || filled.DisplayName != made.DisplayName ||
		filled.Address != made.Address || len(filled.Groups) != 1 {
		t.Errorf("filled: %+v\nmade: %+v", filled, made)
	}
	if err := rows.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		total, page, err := tx.SearchPeople(ctx, store.Search{Offset: one - 1, Limit: 1})
		if err == nil && (total != all || len(page) != 1 || page[0].ID != s.ids[one-1]) {
			t.Errorf("page %v of %d, want %s of %d", page, total, s.ids[one-1], all)
		}
		return err
	}); err != nil {
		t.Error(err)
	}
}

// load makes an account in a file, with the people of a site.
func load(t *testing.T, file string, s *site) {
	t.Helper()
	rows, err := store.Open(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	a, err := account.Create(t.Context(), rows, "Example", time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.loadInto(t.Context(), directory.New(a)); err != nil {
		t.Fatal(err)
	}
}
