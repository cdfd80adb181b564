package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ncruces/go-sqlite3/driver"
	"github.com/pressly/goose/v3"
	"golang.org/x/sync/errgroup"
)

// inUse is an account that was in use before there were holds: active, suspended,
// invited, unmanaged and never invited people, groups with members by provisioning and
// by hand, one in another and one that is unmanaged, an integration and its session.
var inUse = []string{
	`INSERT INTO account (id, name, created_at) VALUES ('acc', 'Acme', 1)`,
	`INSERT INTO members (id, address, address_folded, name, role, state, state_since, suspended, last_user_name,
		created_at) VALUES
		('m-owner', 'Owner@x.example', 'owner@x.example', 'Owner', 'owner', 'active', 1, FALSE, NULL, 1),
		('m-manager', 'scim@x.example', 'scim@x.example', 'M', 'provision_manager', 'active', 1, FALSE, NULL, 1),
		('m-active', 'a@x.example', 'a@x.example', 'A', 'member', 'active', 1, FALSE, NULL, 2),
		('m-pending', 'b@x.example', 'b@x.example', 'B', 'member', 'pending', 1, FALSE, NULL, 3),
		('m-invited', 'c@x.example', 'c@x.example', 'C', 'member', 'invited', 1, FALSE, NULL, 4),
		('m-suspended', 'd@x.example', 'd@x.example', 'D', 'member', 'active', 1, TRUE, NULL, 5),
		('m-deleted', 'e@x.example', 'e@x.example', 'E', 'member', 'active', 1, TRUE, 'e', 6),
		('m-byhand', 'f@x.example', 'f@x.example', 'F', 'member', 'active', 1, FALSE, NULL, 7),
		('m-seat', NULL, NULL, 'G', 'member', 'not_invited', 1, FALSE, NULL, 8)`,
	`INSERT INTO people (id, member_id, user_name, user_name_folded, attributes, wanted_address, wanted_since,
		created_at, modified_at, position) VALUES
		('p-active', 'm-active', 'A', 'a', '{"userName":"A"}', 'a@x.example', 1, 2, 2, 1),
		('p-pending', 'm-pending', 'b', 'b', '{"userName":"b"}', 'b@x.example', 1, 3, 3, 2),
		('p-invited', 'm-invited', 'c', 'c', '{"userName":"c"}', 'c@x.example', 1, 4, 4, 3),
		('p-suspended', 'm-suspended', 'd', 'd', '{"userName":"d","active":false}', 'd@x.example', 1, 5, 5, 64),
		('p-seat', 'm-seat', 'g', 'g', '{"userName":"g"}', '', 1, 8, 8, 65)`,
	`INSERT INTO people_counts (level, block, people) VALUES (1, 0, 3), (1, 1, 2), (2, 0, 5), (3, 0, 5)`,
	`INSERT INTO groups (id, scim_id, name, name_folded, managed_count, created_at, modified_at) VALUES
		('g-all', 's-all', 'All', 'all', 6, 1, 1), ('g-in', 's-in', 'In', 'in', 1, 1, 1),
		('g-byhand', NULL, 'By hand', 'by hand', 1, 1, 1), ('g-empty', 's-empty', 'Empty', 'empty', 0, 1, 1)`,
	`INSERT INTO memberships (group_id, member_id, by_scim) VALUES ('g-all', 'm-active', TRUE),
		('g-all', 'm-pending', TRUE), ('g-all', 'm-invited', TRUE), ('g-all', 'm-suspended', TRUE),
		('g-all', 'm-seat', TRUE), ('g-all', 'm-byhand', FALSE), ('g-in', 'm-active', FALSE),
		('g-byhand', 'm-active', FALSE), ('g-byhand', 'm-owner', FALSE)`,
	`INSERT INTO nestings (group_id, child_id) VALUES ('g-all', 'g-in')`,
	`INSERT INTO tokens (id, name, digest, created_at, scope, expires_at) VALUES ('t', 'tf', 'digest', 1, 'read', 9)`,
	`UPDATE integration SET active = TRUE, id = 'i', manager_id = 'm-manager', manager_email = 'scim@x.example',
		suspension_limit = 'max(3, 0%)/1h', epoch = 1, session_epoch = 1, next_epoch = 2, session = 'sealed'`,
	`INSERT INTO generations (epoch, email, kdf, verifier, created_at) VALUES (1, 'scim@x.example', '{}', 'v', 1)`,
	`INSERT INTO sessions (digest, id, epoch, instance, created_at, expires_at) VALUES ('d', 's', 1, 'b', 1, 9)`,
	`INSERT INTO bridges (instance, version, revision, address, first_seen, last_contact, state)
		VALUES ('b', '1', 'r', '192.0.2.1', 1, 1, 'healthy')`,
	`INSERT INTO audit (id, time, actor, address, action, object, summary) VALUES ('a', 1, 'x', '', 'y', 'z', '')`,
}

// beforeHolds is the last version of the schema without holds.
const beforeHolds = 11

// An account that was in use keeps what it has, and counts from then on what there is
// to take away.
func TestAnAccountFromBeforeThereWereHolds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		steps func(ctx context.Context, p *goose.Provider) error
	}{
		{"it is brought up to date", func(context.Context, *goose.Provider) error { return nil }},
		{"it was brought up to date and back before", func(ctx context.Context, p *goose.Provider) error {
			if _, err := p.UpTo(ctx, beforeHolds+1); err != nil {
				return err
			}
			_, err := p.DownTo(ctx, beforeHolds)
			return err
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "account.db")
			makeOld(t, path, row.steps)
			s, err := Open(t.Context(), "sqlite:"+path)
			if err != nil {
				t.Fatal(err)
			}
			defer s.Close()
			if faults, err := s.Check(t.Context()); err != nil || len(faults) > 0 {
				t.Errorf("the database has faults: %v %v", faults, err)
			}
			if n, err := s.Sizes(t.Context()); err != nil || n != (Sizes{
				Members: 9, People: 5, Groups: 4, Memberships: 9, Nestings: 1,
			}) {
				t.Errorf("it has %+v, %v", n, err)
			}
			err = s.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
				for kind, want := range map[string]int64{Suspension: 3, Removal: 8} {
					w, err := tx.Withdrawn(ctx, kind, time.Time{})
					if err != nil || w != (Withdrawals{Present: want, Limit: "max(3, 0%)/1h"}) {
						t.Errorf("it counts %+v of kind %s, %v; want %d present", w, kind, err, want)
					}
				}
				// The limit was the same before: nothing waits to be released.
				if before, now, differ, err := tx.UnreleasedLimit(ctx); err != nil || differ || before != now ||
					now != "max(3, 0%)/1h" {
					t.Errorf("the limit was %q and is %q, %v", before, now, err)
				}
				if n, err := tx.CountHolds(ctx); err != nil || n != (HoldCount{}) {
					t.Errorf("it holds %+v, %v", n, err)
				}
				for _, kept := range []struct{ what, query, want string }{
					{"the token", `SELECT digest || scope || expires_at FROM tokens`, "digestread9"},
					{"the session", `SELECT digest || instance FROM sessions`, "db"},
					{"the integration", `SELECT id || epoch || session FROM integration`, "i1sealed"},
					{"who is suspended", `SELECT group_concat(id) FROM members WHERE suspended`,
						"m-suspended,m-deleted"},
					{"who is held", `SELECT count(*) FROM members WHERE suspension_held`, "0"},
				} {
					var got string
					if err := tx.QueryRow(ctx, kept.query).Scan(&got); err != nil || got != kept.want {
						t.Errorf("%s is %q, %v; want %q", kept.what, got, err, kept.want)
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		})
	}
}

// makeOld makes a database with the schema from before holds.
func makeOld(t *testing.T, path string, steps func(ctx context.Context, p *goose.Provider) error) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(makePrivate(path))
	db, err := driver.Open(fileURL(path, url.Values{"_pragma": {"foreign_keys(1)"}}), register)
	must(err)
	defer func() { must(db.Close()) }()
	db.SetMaxOpenConns(1)
	p := gooseProvider(t, db)
	_, err = p.UpTo(t.Context(), beforeHolds)
	must(err)
	for _, statement := range inUse {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v\n%s", err, statement)
		}
	}
	must(steps(t.Context(), p))
}

func gooseProvider(t *testing.T, db *sql.DB) *goose.Provider {
	t.Helper()
	files, err := fs.Sub(migrations, ofSQLite)
	if err != nil {
		t.Fatal(err)
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// beforeRows is the last version of the schema in which people's rows had no copies of what other tables say.
const beforeRows = 14

// People of an older account get what their documents show into their rows, and keep it up to date, also by statements
// that this program does not have.
func TestPeopleFromBeforeTheirRowsWereRead(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	makeOld(t, path, func(ctx context.Context, p *goose.Provider) error {
		if _, err := p.UpTo(ctx, beforeRows+1); err != nil {
			return err
		}
		_, err := p.DownTo(ctx, beforeRows)
		return err
	})
	db, err := driver.Open(fileURL(path, url.Values{}), register)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`INSERT INTO address_changes VALUES ('m-active', 'New@x.example', 'new@x.example', 'x.example', NULL, 1)`,
		`UPDATE members SET suspension_held = TRUE WHERE id = 'm-pending'`,
		`INSERT INTO holds VALUES ('h', 'm-pending', '', FALSE, FALSE, 'p-pending', 'b', 1, 1, '', '', '')`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v\n%s", err, statement)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for _, row := range []struct{ statement, want string }{
		{`SELECT 1`, "p-active active 0 a@x.example New@x.example s-all s-in|p-invited invited 0 c@x.example  s-all|" +
			"p-pending pending 1 b@x.example  s-all|p-seat not_invited 0   s-all|" +
			"p-suspended active 1 d@x.example  s-all"},
		{`UPDATE address_changes SET address = 'N@x.example', address_folded = 'n@x.example'`,
			"p-active active 0 a@x.example N@x.example s-all s-in"},
		{`DELETE FROM address_changes`, "p-active active 0 a@x.example  s-all s-in"},
		{`UPDATE groups SET scim_id = 's-byhand', name = '0', name_folded = '0' WHERE id = 'g-byhand'`,
			"p-active active 0 a@x.example  s-byhand s-all s-in"},
		{`DELETE FROM memberships WHERE group_id = 'g-all'`, "p-active active 0 a@x.example  s-byhand s-in"},
		{`DELETE FROM memberships`, "p-active active 0 a@x.example "},
	} {
		if err := s.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
			_, err := tx.Exec(ctx, row.statement)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		var lines []string
		if err := s.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
			_, people, err := tx.SearchPeople(ctx, Search{Limit: 10})
			for _, p := range people {
				line := fmt.Sprintf("%s %s %d %s %s", p.ID, p.State, map[bool]int{true: 1}[p.Suspended], p.Address,
					p.PendingAddress)
				for _, g := range p.Groups {
					line += " " + g.ID
				}
				lines = append(lines, line)
			}
			return err
		}); err != nil {
			t.Fatal(err)
		}
		slices.Sort(lines)
		if got := strings.Join(lines, "|"); !strings.HasPrefix(got, row.want) {
			t.Errorf("after %s: %s, want %s", row.statement, got, row.want)
		}
	}
	faults, err := s.Check(t.Context())
	if err != nil || slices.ContainsFunc(faults, func(f Fault) bool { return f.What == rowRule }) {
		t.Errorf("the database has faults: %v %v", faults, err)
	}
}

// Mails of an account that sent none wait if their links are good, of each link the latest, until the link ends; what
// links that are over were in is not sent.
func TestMailsFromBeforeTheyWereSent(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "account.db")
	makeOld(t, path, func(ctx context.Context, p *goose.Provider) error {
		_, err := p.UpTo(ctx, beforeHolds+1)
		return err
	})
	db, err := driver.Open(fileURL(path, url.Values{}), register)
	if err != nil {
		t.Fatal(err)
	}
	for _, statement := range []string{
		`UPDATE members SET invitation_hash = 'h', invited_at = 6000000 WHERE id = 'm-invited'`,
		`INSERT INTO members (id, address, address_folded, name, role, state, state_since, created_at, invitation_hash,
			invited_at, signed_up)
			VALUES ('m-signup', 's@x.example', 's@x.example', 'S', 'member', 'invited', 1, 1, 's', 6000000, TRUE)`,
		`INSERT INTO address_changes VALUES ('m-active', 'n@x.example', 'n@x.example', 'x.example', 'c', 5000000)`,
		`INSERT INTO outbox (id, created_at, kind, recipient, subject, body, link, link_hash) VALUES
			('a-copy', 7000000, 'invitation', 'c@x.example', 's', 'b', 'https://a/join/x', 'h'),
			('b-copy', 7000000, 'invitation', 'c@x.example', 's', 'b', 'https://a/join/x', 'h'),
			('a-open', 7000001, 'invitation', 'c@x.example', 's', 'b', 'https://a/join/x', 'h'),
			('over', 8000000, 'invitation', 'd@x.example', 's', 'b (this link is over)', '', NULL),
			('sign-up', 8000000, 'signup', 's@x.example', 's', 'b', 'https://a/join/s', 's'),
			('change', 8000000, 'address_confirmation', 'n@x.example', 's', 'b', 'https://a/confirm/c', 'c'),
			('unknown', 8000000, 'invitation', 'u@x.example', 's', 'b', 'https://a/join/u', 'u')`,
	} {
		if _, err := db.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%v\n%s", err, statement)
		}
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), "sqlite:"+path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	const day, month = 86400, 30 * 86400
	want := map[string]struct {
		state string
		due   int64
		ends  int64 // zero if it is not sent
	}{
		"a-copy": {MailVoid, 7, 0}, "b-copy": {MailVoid, 7, 0}, "a-open": {MailWaiting, 7, 6 + month},
		"over": {MailVoid, 8, 0}, "sign-up": {MailWaiting, 8, 6 + day}, "change": {MailWaiting, 8, 5 + month},
		"unknown": {MailWaiting, 8, 8 + month},
	}
	err = s.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
		mails, err := tx.Mails(ctx)
		for _, m := range mails {
			w := want[m.ID]
			if m.State != w.state || m.NextAttempt.Unix() != w.due || w.ends != 0 && m.ExpiresAt.Unix() != w.ends {
				t.Errorf("%s is %+v, want %+v", m.ID, m, w)
			}
		}
		if len(mails) != len(want) {
			t.Errorf("there are %d mails", len(mails))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
}

// A command beside a server that is started after an upgrade opens the same old database, or a new one, at the same
// time.
func TestADatabaseIsMigratedByManyAtOnce(t *testing.T) {
	t.Parallel()
	for name, prepare := range map[string]func(path string){
		"a new one": func(string) {},
		"an old one": func(path string) {
			makeOld(t, path, func(context.Context, *goose.Provider) error { return nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "account.db")
			prepare(path)
			var openings errgroup.Group
			for range 4 {
				openings.Go(func() error {
					s, err := Open(t.Context(), "sqlite:"+path)
					if err != nil {
						return err
					}
					faults, err := s.Check(t.Context())
					if len(faults) > 0 {
						t.Errorf("the database has faults: %v", faults)
					}
					return errors.Join(err, s.Close())
				})
			}
			if err := openings.Wait(); err != nil {
				t.Error(err)
			}
		})
	}
}
