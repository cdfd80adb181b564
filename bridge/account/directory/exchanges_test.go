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
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

// A write has the lock on writing for as long as its exchanges with PostgreSQL take, over a network.
func TestWhatIsAskedMostTakesFewExchangesWithPostgreSQL(t *testing.T) {
	t.Parallel()
	counter, err := postgres.Start(t, "fsync=off").Count(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer counter.Close()
	s, err := store.Open(t.Context(), counter.URL("postgres"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	a, err := account.Create(t.Context(), s, "Example", time.Now, rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	d := directory.New(a)
	ctx := t.Context()
	made := 0
	create := func() (p directory.Person, err error) {
		made++
		var text string
		err = a.Idempotent(ctx, account.Request{Key: fmt.Sprint(made)}, &text, func(ctx context.Context) error {
			p, err = d.CreatePerson(ctx, directory.PersonInput{
				Attributes: []byte(fmt.Sprintf(`{"userName":"ann%d","emails":[{"value":"ann%[1]d@example.com"},
					{"value":"ann%[1]d@home.example"}]}`, made)),
				SignInAddress: fmt.Sprintf("ann%d@example.com", made),
			})
			return err
		})
		return p, err
	}
	p, err := create()
	if err != nil {
		t.Fatal(err)
	}
	var g directory.Group
	for _, name := range []string{"A", "B", "C"} {
		in := directory.GroupInput{Attributes: []byte(`{"displayName":"` + name + `"}`)}
		if g, err = d.CreateGroup(ctx, in); err != nil {
			t.Fatal(err)
		}
		if _, err := d.UpdateGroup(ctx, g.ID, directory.GroupUpdate{Add: []string{p.ID}}, "", false); err != nil {
			t.Fatal(err)
		}
	}
	for _, op := range []struct {
		name string
		most int64 // what nobody waits for included: the end of a snapshot
		do   func() error
	}{
		{"reading a person", 2, func() error { _, err := d.Person(ctx, p.ID); return err }},
		{"finding a person", 2, func() error {
			_, err := d.SearchPeople(ctx, directory.Search{Filter: eq("userName", "ann1"), Limit: 100})
			return err
		}},
		{"a page", 4, func() error {
			_, err := d.SearchPeople(ctx, directory.Search{Limit: 100})
			return err
		}},
		{"replacing a person", 3, func() error {
			_, err := d.ReplacePerson(ctx, p.ID, directory.PersonInput{
				Attributes: []byte(fmt.Sprintf(`{"userName":"ann1","title":%q}`, time.Now())),
			}, "")
			return err
		}},
		{"removing a member", 7, func() error {
			_, err := d.UpdateGroup(ctx, g.ID, directory.GroupUpdate{Remove: []string{p.ID}}, "", false)
			return err
		}},
		{"adding a member", 5, func() error {
			_, err := d.UpdateGroup(ctx, g.ID, directory.GroupUpdate{Add: []string{p.ID}}, "", false)
			return err
		}},
		{"creating a person", 4, func() error { _, err := create(); return err }},
	} {
		const times = 3 // the first time statements are prepared
		var least int64
		for range times {
			before := counter.Sent()
			if err := op.do(); err != nil {
				t.Fatalf("%s: %v", op.name, err)
			}
			time.Sleep(100 * time.Millisecond)
			if n := counter.Sent() - before; least == 0 || n < least {
				least = n
			}
		}
		t.Logf("%s: %d", op.name, least)
		if least > op.most {
			t.Errorf("%s takes %d exchanges, want %d or fewer", op.name, least, op.most)
		}
	}
}
