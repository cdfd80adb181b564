package store

import (
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// The queries of identity providers before each write must not read all people.
func TestLookUpsGoByIndex(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "account.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	leaf := func(path, value string, exact bool) *bridge.Predicate {
		return &bridge.Predicate{Op: "eq", Path: strings.Split(path, "."), Value: value, CaseExact: exact}
	}
	anyOf := func(path string, term *bridge.Predicate) *bridge.Predicate {
		return &bridge.Predicate{Op: "any", Path: []string{path}, Terms: []bridge.Predicate{*term}}
	}
	both := &bridge.Predicate{
		Op: "and", Terms: []bridge.Predicate{*leaf("type", "work", false), *leaf("value", "x", false)},
	}
	for _, row := range []struct {
		name  string
		p     *bridge.Predicate
		scope scope
		from  string
	}{
		{"a person by id", leaf("id", "x", true), peopleScope, fromPeople},
		{"a person by userName", leaf("userName", "x", false), peopleScope, fromPeople},
		{"a person by userName with regard to case", leaf("userName", "x", true), peopleScope, fromPeople},
		{"a person by externalId", leaf("externalId", "x", true), peopleScope, fromPeople},
		{"a person by displayName", leaf("displayName", "x", false), peopleScope, fromPeople},
		{"people by what userName begins with", &bridge.Predicate{Op: "sw", Path: []string{"userName"}, Value: "x"},
			peopleScope, fromPeople},
		{"a person by e-mail", anyOf("emails", leaf("value", "x", false)), peopleScope, fromPeople},
		{"a person by e-mail and type", anyOf("emails", both), peopleScope, fromPeople},
		{"people by group", anyOf("groups", leaf("value", "x", true)), peopleScope, fromPeople},
		{"either of two people", &bridge.Predicate{
			Op: "or", Terms: []bridge.Predicate{*leaf("userName", "x", false), *leaf("externalId", "x", true)},
		}, peopleScope, fromPeople},
		{"a group by id", leaf("id", "x", true), groupsScope, fromGroups},
		{"a group by displayName", leaf("displayName", "x", false), groupsScope, fromGroups},
		{"a group by externalId", leaf("externalId", "x", true), groupsScope, fromGroups},
		{"groups by member", anyOf("members", leaf("value", "x", true)), groupsScope, fromGroups},
	} {
		t.Run(row.name, func(t *testing.T) {
			var c compiler
			if err := c.compile(*row.p, row.scope, 1); err != nil {
				t.Fatal(err)
			}
			err := s.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
				steps, err := All(ctx, tx, func(row Scanner) (step string, err error) {
					var id, parent, unused int
					return step, row.Scan(&id, &parent, &unused, &step)
				}, `EXPLAIN QUERY PLAN SELECT count(*)`+row.from+` AND `+c.text.String(), c.args...)
				if len(steps) == 0 {
					t.Error("no plan")
				}
				for _, step := range steps {
					if strings.HasPrefix(step, "SCAN") {
						t.Errorf("reads a whole table: %q", steps)
						break
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// Sorting what is one person, mostly, costs as much as finding it.
func TestLookUpsByOneColumnSortNothing(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "account.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, column := range []string{"userName", "externalId"} {
		c := &compiler{}
		c.add(" AND ")
		if err := c.compile(bridge.Predicate{
			Op: "eq", Path: []string{column}, Value: "x", CaseExact: column == "externalId",
		}, peopleScope, 1); err != nil {
			t.Fatal(err)
		}
		if c, err = peopleKind.page(*c, Search{Limit: 101}); err != nil {
			t.Fatal(err)
		}
		err := s.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
			steps, err := All(ctx, tx, func(row Scanner) (step string, err error) {
				var id, parent, unused int
				return step, row.Scan(&id, &parent, &unused, &step)
			}, `EXPLAIN QUERY PLAN `+c.text.String(), c.args...)
			if len(steps) != 1 || !strings.HasPrefix(steps[0], "SEARCH p USING INDEX") {
				t.Errorf("%s: %q", column, steps)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The sender of mails holds up every other write, and metrics are asked for every few seconds: neither must read
// thousands of mails that wait, wait for a reactivation, or were sent.
func TestMailsAreFoundByIndex(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "account.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, row := range []struct {
		name, query string
		args        int
		first       string // step
	}{
		{"the mail that is due first", `SELECT id FROM outbox ` + dueMail + ` LIMIT 1`, 3,
			"SEARCH outbox USING INDEX outbox_by_state (state=? AND next_attempt<?)"},
		{"those that were not tried", untriedMails, 3,
			"SEARCH outbox USING INDEX outbox_by_state (state=? AND next_attempt<?)"},
		{"those of a member", releaseMails, 2, "SEARCH outbox USING INDEX outbox_by_link (link_hash=?)"},
		{"the oldest that waits", oldestWaiting, 0, "SEARCH outbox USING INDEX outbox_by_age (state=?)"},
		{"those that were not sent", `SELECT count(*)` + unsentAndNeeded, 0, ""},
	} {
		err := s.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
			steps, err := All(ctx, tx, func(row Scanner) (step string, err error) {
				var id, parent, unused int
				return step, row.Scan(&id, &parent, &unused, &step)
			}, `EXPLAIN QUERY PLAN `+row.query, make([]any, row.args)...)
			for i, step := range steps {
				if i == 0 && row.first != "" && step != row.first || strings.HasPrefix(step, "SCAN") ||
					strings.HasPrefix(step, "USE TEMP") || strings.HasPrefix(step, "SEARCH o USING INDEX outbox_by_") &&
					step != "SEARCH o USING INDEX outbox_by_link (link_hash=?)" {
					t.Errorf("%s: %q", row.name, steps)
					break
				}
			}
			if len(steps) == 0 {
				t.Error("no plan")
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The status page and the confirmation watcher ask every few seconds who waits: that must not read all people.
func TestThoseWhoWaitAreFoundByIndex(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "account.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, w := range waits {
		for _, search := range []string{"", "ann"} {
			where, args := w.among(search)
			err := s.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
				steps, err := All(ctx, tx, func(row Scanner) (step string, err error) {
					var id, parent, unused int
					return step, row.Scan(&id, &parent, &unused, &step)
				}, `EXPLAIN QUERY PLAN SELECT count(*)`+where, args...)
				if len(steps) == 0 {
					t.Error("no plan")
				}
				for _, step := range steps {
					if strings.HasPrefix(step, "SCAN m") ||
						strings.HasPrefix(step, "SCAN p") && !strings.Contains(step, "people_by_blocked_address") {
						t.Errorf("%s reads all people: %q", w.kind, steps)
					}
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}
