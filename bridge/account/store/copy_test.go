package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	_ "github.com/jackc/pgx/v5/stdlib" // the driver of contentsOf
	_ "github.com/ncruces/go-sqlite3/driver"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

func noCopyProgress(store.CopyStep, int64, int64) {}

// copyServer starts a server for databases that newOn makes.
func copyServer(t *testing.T) *postgres.Server {
	t.Helper()
	// What a test loses with the power is not what these tests are about.
	return postgres.Start(t, "fsync=off", "full_page_writes=off")
}

var copyDatabases atomic.Int64

// newOn makes a database without tables, and returns its address.
func newOn(t *testing.T, server *postgres.Server) string {
	t.Helper()
	name := fmt.Sprintf("copy_%d", copyDatabases.Add(1))
	execOn(t, server.URL("postgres"), "CREATE DATABASE "+name)
	return server.URL(name)
}

// execOn runs statements of another program than ours.
func execOn(t *testing.T, address string, statements ...string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	for _, statement := range statements {
		if _, err := c.Exec(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
}

// newFilled makes a SQLite database of an account with so many people, and returns its address. Each table has rows,
// and each column that may be NULL has some that are and some that are not.
func newFilled(t testing.TB, people int) string {
	t.Helper()
	dsn := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	err = s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		a := store.Account{ID: "a", Name: "Acme", CreatedAt: time.UnixMicro(1)}
		if err := tx.InsertAccount(ctx, a); err != nil {
			return err
		}
		for i := range people/10 + 2 {
			if err := tx.AppendAuditEvent(ctx, audit.Event{ID: fmt.Sprint("e", i), Time: time.UnixMicro(int64(i)).UTC(),
				Actor: "token:a", Action: "person.create", Object: fmt.Sprint("p", i)}); err != nil {
				return err
			}
		}
		for _, statement := range filling {
			args := []any{people}
			if !strings.Contains(statement, "?") {
				args = nil
			}
			if _, err := tx.Exec(ctx, statement, args...); err != nil {
				return fmt.Errorf("%s: %w", statement, err)
			}
		}
		return nil
	})
	if err := errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	return dsn
}

// filling fills the tables. Its parameter is the number of people; there is a group for each hundred, and one more.
var filling = func() (all []string) {
	const numbers = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) `
	for _, statement := range []string{
		`INSERT INTO members (id, address, address_folded, name, role, state, state_since, suspended, last_user_name,
				invitation_hash, created_at)
			SELECT 'm' || i, CASE WHEN i % 10 > 0 THEN 'Ü' || i || '@example.com' END,
				CASE WHEN i % 10 > 0 THEN fold('Ü' || i || '@example.com') END, 'Jürgen ' || i, 'member',
				CASE WHEN i % 10 > 0 THEN 'active' ELSE 'not_invited' END, i, i % 7 = 0,
				CASE WHEN i % 11 = 0 THEN 'last' || i END, CASE WHEN i % 13 = 0 THEN 'hash' || i END, i FROM n`,
		`INSERT INTO people (id, member_id, user_name, user_name_folded, external_id, display_name, display_name_folded,
				attributes, wanted_address, wanted_since, wanted_blocked, created_at, modified_at, position)
			SELECT 'p' || i, 'm' || i, 'Straße' || i, fold('Straße' || i), CASE WHEN i % 3 > 0 THEN 'x' || i END,
				CASE WHEN i % 4 > 0 THEN '名' || i END, CASE WHEN i % 4 > 0 THEN fold('名' || i) END,
				json_object('userName', 'Straße' || i, 'title', CASE WHEN i % 5 = 0 THEN '"\n\' END), '', i, i % 17 = 0,
				i, i, i FROM n`,
		`INSERT INTO person_emails (person_id, position, value, value_folded, type, type_folded)
			SELECT 'p' || i, i % 3, 'E' || i || '@example.com', 'e' || i || '@example.com',
				CASE WHEN i % 3 > 0 THEN 'Work' END, CASE WHEN i % 3 > 0 THEN 'work' END FROM n`,
		`INSERT INTO groups (id, scim_id, name, name_folded, external_id, built_in, created_at, modified_at)
			SELECT 'g' || i, CASE WHEN i % 5 > 0 THEN 's' || i END, 'Group ' || i, 'group ' || i,
				CASE WHEN i % 2 > 0 THEN 'x' || i END, i % 5 = 0, i, i FROM n
			WHERE i % 100 = 1 OR i % 500 = 0 OR i < 20`,
		// Not in the order of their keys, which group_ids would have otherwise.
		`INSERT INTO memberships (group_id, member_id, by_scim)
			SELECT 'g' || (19 - i % 7), 'm' || i, i % 2 = 0 FROM n`,
		`INSERT INTO memberships (group_id, member_id, by_scim)
			SELECT 'g' || (i % 7 + 1), 'm' || i, i % 2 = 1 FROM n`,
		`INSERT INTO memberships (group_id, member_id, by_scim) SELECT 'g' || (i - (i - 1) % 100), 'm' || i, TRUE
			FROM n WHERE i > 100`,
		`INSERT INTO address_changes (member_id, address, address_folded, domain, token_hash, since)
			SELECT 'm' || i, 'N' || i || '@example.org', 'n' || i || '@example.org', 'example.org',
				CASE WHEN i % 2 = 0 THEN 't' || i END, i FROM n WHERE i % 19 = 1`,
		`INSERT INTO holds (id, member_id, group_id, by_scim, attached, person_id, user_name, since, made, request_id,
				client, idp)
			SELECT 'h' || i, 'm' || i, CASE WHEN i % 2 = 0 THEN '' ELSE 'g19' END, TRUE, FALSE, 'p' || i,
				'Straße' || i, i, i, 'r', 'c', 'okta' FROM n WHERE i % 23 = 1 AND i % 10 > 0 AND i % 7 > 0`,
		`INSERT INTO outbox (id, created_at, kind, recipient, subject, body, link, link_hash)
			SELECT 'o' || i, i, 'invitation', 'a@example.com', 'Hello', 'Text ' || char(10) || '\.', 'l',
				CASE WHEN i % 2 = 0 THEN 'l' || i END FROM n WHERE i % 29 < 2`,
		`INSERT INTO withdrawals (kind, time, total_before, total_after) SELECT 'removal', i, i - 1, i FROM n
			WHERE i % 31 = 1`,
	} {
		all = append(all, numbers+statement)
	}
	return append(all,
		`UPDATE members SET suspension_held = TRUE
			WHERE id IN (SELECT member_id FROM holds WHERE group_id = '')`,
		`INSERT INTO people_counts (level, block, people) SELECT 1, position / 64, count(*) FROM people GROUP BY 2
			UNION ALL SELECT 2, position / 4096, count(*) FROM people GROUP BY 2
			UNION ALL SELECT 3, position / 262144, count(*) FROM people GROUP BY 2`,
		`INSERT INTO nestings (group_id, child_id) VALUES ('g1', 'g2'), ('g1', 'g3'), ('g3', 'g4')`,
		`UPDATE groups SET managed_count =
			(SELECT count(*) FROM memberships s JOIN people p ON p.member_id = s.member_id
				WHERE s.group_id = groups.id) + (SELECT count(*) FROM nestings n
				JOIN groups c ON c.id = n.child_id AND c.scim_id IS NOT NULL WHERE n.group_id = groups.id)`,
		`UPDATE access_counts SET last_hold = 7, people = (SELECT count(*) FROM members m
				WHERE NOT m.suspended AND m.state <> 'not_invited'),
			held_removals = (SELECT count(*) FROM holds WHERE group_id <> ''),
			memberships = (SELECT sum(managed_count) FROM groups)`,
		`INSERT INTO tokens (id, name, digest, created_at, scope) VALUES ('t1', 'CI', 'd1', 9, 'read'),
			('t2', '', 'd2', 9, 'admin')`,
		`UPDATE firewall SET default_action = 'deny', version = 8, revision = 'r'`,
		`INSERT INTO firewall_rules (id, action, priority, kind, match_values, description, version)
			VALUES ('f', 'allow', -1, 'ip_ranges', '["192.0.2.0/24"]', 'Büro', 3)`,
		`INSERT INTO signup_domains (domain, created_at) VALUES ('example.com', 9223372036854775807),
			('example.org', -1)`,
		`UPDATE integration SET active = TRUE, id = 'i', manager_id = 'm1', session = 'sealed', epoch = 2,
			next_epoch = 3, version = 12, sign_in_secret = 'abcd'`,
		`INSERT INTO generations (epoch, email, kdf, verifier, created_at, ended)
			VALUES (1, 'm@example.com', '{}', 'ab', 1, 'changed'), (2, 'm@example.com', '{}', 'cd', 2, '')`,
		`INSERT INTO handshakes (id, epoch, email, state, expires_at) VALUES ('k', 2, 'm@example.com', 'c3Rh', 5)`,
		`INSERT INTO sessions (digest, id, epoch, instance, created_at, expires_at) VALUES ('x', 's', 2, 'b', 1, 99)`,
		`INSERT INTO bridges (instance, version, revision, address, first_seen, last_contact, state)
			VALUES ('b', '0.1.0', '', '192.0.2.1', 1, 2, 'healthy')`,
		`INSERT INTO attempts (id, hour, session_id, address, email, instance, result, rule_id, first_time, last_time,
			tries) VALUES ('q', 1, 's', '192.0.2.1', 'm@example.com', 'b', 'ok', '', 1, 2, 3)`,
		`INSERT INTO idempotency (scope, key, digest, answer, created_at) VALUES ('t1', 'a key', 'd', '{"a":1}', 4),
			('t1', 'A key', 'd', '', 4)`,
		`UPDATE two_factor SET enforced_at = 5, version = 4`,
		`INSERT INTO refused_tokens (day, time, address, tries) VALUES ('2026-01-02', 1, '192.0.2.7', 12)`,
		`UPDATE mail_server SET name = 'mail.example.com:25', failures = 1`)
}()

// contentsOf returns the rows of each table of an account, in the order of the primary key, as another client than the
// store reads them: each is column=type:value.
func contentsOf(t *testing.T, dsn string) map[string][]string {
	t.Helper()
	driver, address := "pgx", dsn
	columns := `SELECT table_name, column_name FROM information_schema.columns WHERE table_schema = 'public'
		AND table_name NOT IN ('goose_db_version', 'admission_version', 'schema_compatibility') ORDER BY 1, 2`
	if path, isFile := strings.CutPrefix(dsn, "sqlite:"); isFile {
		driver, address = "sqlite3", "file:"+path
		columns = `SELECT t.name, c.name FROM sqlite_schema t, pragma_table_info(t.name) c WHERE t.type = 'table'
			AND t.name NOT IN ('goose_db_version') AND t.name NOT LIKE 'sqlite%' ORDER BY 1, 2`
	}
	db, err := sql.Open(driver, address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	names := make(map[string][]string)
	for _, row := range rowsOf(t, db, columns) {
		names[row[0].(string)] = append(names[row[0].(string)], row[1].(string))
	}
	all := make(map[string][]string)
	for table, columns := range names {
		all[table] = []string{strings.Join(columns, " ")}
		for _, row := range rowsOf(t, db, "SELECT "+strings.Join(columns, ", ")+" FROM "+table) {
			var text []string
			for i, value := range row {
				if b, isBool := value.(bool); isBool { // which SQLite has as numbers
					value = map[bool]int64{false: 0, true: 1}[b]
				}
				text = append(text, fmt.Sprintf("%s=%T:%v", columns[i], value, value))
			}
			all[table] = append(all[table], strings.Join(text, "|"))
		}
		slices.Sort(all[table][1:])
	}
	return all
}

func rowsOf(t *testing.T, db *sql.DB, query string) (all [][]any) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		t.Fatal(err)
	}
	for rows.Next() {
		row, into := make([]any, len(columns)), make([]any, len(columns))
		for i := range row {
			into[i] = &row[i]
		}
		if err := rows.Scan(into...); err != nil {
			t.Fatal(err)
		}
		all = append(all, row)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// wantEqual compares what two databases have.
func wantEqual(t *testing.T, got, want map[string][]string) {
	t.Helper()
	if a, b := slices.Sorted(maps.Keys(got)), slices.Sorted(maps.Keys(want)); !slices.Equal(a, b) {
		t.Errorf("the tables are %v, want %v", a, b)
	}
	for table, rows := range want {
		if len(rows) < 2 {
			t.Errorf("%s has no rows to compare", table)
		}
		for i, row := range rows {
			if i >= len(got[table]) || got[table][i] != row {
				t.Errorf("%s has %d rows, want %d; row %d is not\n%s", table, len(got[table])-1, len(rows)-1, i, row)
				break
			}
		}
	}
}

// wantEmpty opens a target that was left by a copy that failed, and looks for rows.
func wantEmpty(t *testing.T, dsn string) {
	t.Helper()
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	err = s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		var n int
		err := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM account) + (SELECT count(*) FROM members)
			+ (SELECT count(*) FROM tokens)`).Scan(&n)
		if n > 0 {
			err = fmt.Errorf("%d rows are there", n)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func TestCopy(t *testing.T) {
	t.Parallel()
	server := copyServer(t)

	t.Run("to PostgreSQL and back", func(t *testing.T) {
		t.Parallel()
		from, to, back := newFilled(t, 2000), newOn(t, server), "sqlite:"+filepath.Join(t.TempDir(), "account.db")
		want := contentsOf(t, from)
		var steps []store.CopyStep
		var last int64
		n, err := store.Copy(t.Context(), from, to, false, func(step store.CopyStep, done, total int64) {
			if !slices.Contains(steps, step) {
				steps, last = append(steps, step), 0
			}
			if done < last || done > total {
				t.Errorf("%s: %d rows of %d, after %d", step, done, total, last)
			}
			last = done
		})
		if err != nil {
			t.Fatal(err)
		}
		rows := int64(0)
		for _, all := range want {
			rows += int64(len(all) - 1)
		}
		if n.Account.Name != "Acme" || n.Sizes.People != 2000 || n.Rows != rows || n.Tables != len(want) {
			t.Errorf("it says %+v, want %d rows of %d tables", n, rows, len(want))
		}
		if want := []store.CopyStep{store.CheckingSource, store.Copying, store.Comparing,
			store.CheckingTarget}; !slices.Equal(steps, want) {
			t.Errorf("the steps were %v", steps)
		}
		wantEqual(t, contentsOf(t, to), want)
		if _, err := store.Copy(t.Context(), to, back, false, noCopyProgress); err != nil {
			t.Fatal(err)
		}
		wantEqual(t, contentsOf(t, back), want)
		for _, dsn := range []string{from, to, back} {
			wantTriggers(t, dsn)
		}
	})

	t.Run("a killed copy leaves both sides", func(t *testing.T) {
		t.Parallel()
		file := newFilled(t, 300)
		want := contentsOf(t, file)
		served := newOn(t, server)
		if _, err := store.Copy(t.Context(), file, served, false, noCopyProgress); err != nil {
			t.Fatal(err)
		}
		for _, step := range []store.CopyStep{store.Copying, store.CheckingTarget} {
			for _, pair := range [][2]string{
				{file, newOn(t, server)}, {served, "sqlite:" + filepath.Join(t.TempDir(), "account.db")},
			} {
				killCopy(t, pair[0], pair[1], step)
				wantEmpty(t, pair[1])
				if _, err := store.Copy(t.Context(), pair[0], pair[1], false, noCopyProgress); err != nil {
					t.Fatalf("%s: again, after a kill: %v", step, err)
				}
				wantEqual(t, contentsOf(t, pair[0]), want)
				wantEqual(t, contentsOf(t, pair[1]), want)
			}
		}
	})

	t.Run("an interrupted copy leaves the target", func(t *testing.T) {
		t.Parallel()
		file := newFilled(t, 100)
		served := newOn(t, server)
		if _, err := store.Copy(t.Context(), file, served, false, noCopyProgress); err != nil {
			t.Fatal(err)
		}
		for _, pair := range [][2]string{
			{file, newOn(t, server)}, {served, "sqlite:" + filepath.Join(t.TempDir(), "account.db")},
		} {
			ctx, cancel := context.WithCancel(t.Context())
			_, err := store.Copy(ctx, pair[0], pair[1], false, func(step store.CopyStep, _, _ int64) {
				if step == store.Copying {
					cancel()
				}
			})
			if !errors.Is(err, context.Canceled) {
				t.Errorf("it answered %v", err)
			}
			wantEmpty(t, pair[1])
		}
	})

	t.Run("what is refused", func(t *testing.T) {
		t.Parallel()
		testCopyRefusals(t, server)
	})
}

// wantTriggers changes what a person's row has a copy of.
func wantTriggers(t *testing.T, dsn string) {
	t.Helper()
	s, err := store.Open(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	write(t, s, `UPDATE members SET state = 'pending' WHERE id = 'm1'`,
		`DELETE FROM memberships WHERE member_id = 'm1' AND group_id = 'g2'`,
		`UPDATE groups SET managed_count = managed_count - 1 WHERE id = 'g2'`,
		`UPDATE access_counts SET memberships = memberships - 1`)
	if faults, err := s.Check(t.Context()); err != nil || len(faults) > 0 {
		t.Errorf("%s: after a change, what is checked is %v (%v)", s.Setting(), faults, err)
	}
}

func testCopyRefusals(t *testing.T, server *postgres.Server) {
	t.Helper()
	small := func(t *testing.T, statements ...string) string {
		t.Helper()
		dsn := newFilled(t, 20)
		s, err := store.Open(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		write(t, s, statements...)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return dsn
	}
	onServer := func(t *testing.T, statements ...string) string {
		t.Helper()
		dsn := newOn(t, server)
		if _, err := store.Copy(t.Context(), small(t), dsn, false, noCopyProgress); err != nil {
			t.Fatal(err)
		}
		execOn(t, dsn, statements...)
		return dsn
	}
	empty := func(t *testing.T, dsn string, statements ...string) string {
		t.Helper()
		s, err := store.Open(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		write(t, s, statements...)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return dsn
	}
	opened := func(t *testing.T, dsn string) string {
		t.Helper()
		s, err := store.Open(t.Context(), dsn)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return dsn
	}
	newFile := func(t *testing.T) string {
		t.Helper()
		return "sqlite:" + filepath.Join(t.TempDir(), "new.db")
	}
	for _, tt := range []struct {
		name     string
		from, to func(t *testing.T) string
		want     error
		text     string // in the error
		ofTarget bool
	}{
		{
			"a file that a process has open", func(t *testing.T) string { return opened(t, small(t)) },
			func(t *testing.T) string { return newOn(t, server) }, store.ErrInUse, "", false,
		},
		{
			"a database that a server has open", func(t *testing.T) string { return opened(t, onServer(t)) }, newFile,
			store.ErrInUse, "of its connections", false,
		},
		{
			"a database of another name that a server has open",
			func(t *testing.T) string { return opened(t, onServer(t)+"?application_name=ours") }, newFile,
			store.ErrInUse, "", false,
		},
		{
			"two files", func(t *testing.T) string { return small(t) }, newFile, store.ErrSameKind, "", false,
		},
		{
			"a file without an account", func(t *testing.T) string { return empty(t, newFile(t)) },
			func(t *testing.T) string { return newOn(t, server) }, store.ErrNoBackup,
			"there is no account in it", false,
		},
		{
			"a database without an account", func(t *testing.T) string { return empty(t, newOn(t, server)) }, newFile,
			store.ErrNoBackup, "there is no account in it", false,
		},
		{
			"a database without tables", func(t *testing.T) string { return newOn(t, server) }, newFile,
			store.ErrNoBackup, "", false,
		},
		{
			"no file", newFile, func(t *testing.T) string { return newOn(t, server) }, os.ErrNotExist, "", false,
		},
		{
			"a target with an account, PostgreSQL", func(t *testing.T) string { return small(t) },
			func(t *testing.T) string { return onServer(t) }, store.ErrNotEmpty, "it has the account a", true,
		},
		{
			"a target with an account, SQLite", func(t *testing.T) string { return onServer(t) },
			func(t *testing.T) string { return small(t) }, store.ErrNotEmpty, "it has the account a", true,
		},
		{
			"a target with rows", func(t *testing.T) string { return small(t) },
			func(t *testing.T) string {
				return empty(t, newOn(t, server), `INSERT INTO signup_domains (domain, created_at) VALUES ('d', 0)`)
			}, store.ErrNotEmpty, "rows in signup_domains", true,
		},
		{
			"a target of another program", func(t *testing.T) string { return onServer(t) },
			func(t *testing.T) string {
				dsn := newFile(t)
				db, err := sql.Open("sqlite3", "file:"+strings.TrimPrefix(dsn, "sqlite:"))
				if err != nil {
					t.Fatal(err)
				}
				_, err = db.ExecContext(t.Context(), `CREATE TABLE theirs (id)`)
				if err := errors.Join(err, db.Close()); err != nil {
					t.Fatal(err)
				}
				return dsn
			}, store.ErrNotEmpty, "tables of another program", true,
		},
		{
			"a folder that is not there", func(t *testing.T) string { return onServer(t) },
			func(t *testing.T) string { return "sqlite:" + filepath.Join(t.TempDir(), "none", "account.db") },
			os.ErrNotExist, "", true,
		},
		{
			"a source that is damaged",
			func(t *testing.T) string { return small(t, `UPDATE groups SET managed_count = 99`) },
			func(t *testing.T) string { return newOn(t, server) }, nil, "it is damaged", false,
		},
		{
			"an audit log that was changed",
			func(t *testing.T) string { return onServer(t, `UPDATE audit SET actor = 'me'`) },
			newFile, nil, "its audit log was changed", false,
		},
		{
			"an older schema",
			func(t *testing.T) string { return small(t, `DELETE FROM goose_db_version WHERE version_id > 14`) },
			func(t *testing.T) string { return newOn(t, server) }, store.ErrOlderSchema, "version 14", false,
		},
		{
			"a newer schema",
			func(t *testing.T) string {
				return small(t, `UPDATE goose_db_version SET version_id = 99 WHERE version_id = 2`)
			},
			func(t *testing.T) string { return newOn(t, server) }, nil, "run the newer scim-bridge", false,
		},
		{
			"a text that PostgreSQL does not take",
			func(t *testing.T) string { return small(t, `UPDATE members SET name = 'a' || char(0) WHERE id = 'm3'`) },
			func(t *testing.T) string { return newOn(t, server) }, store.ErrText,
			`members, the row with the id "m3"`, true,
		},
		{
			"attributes that PostgreSQL does not take",
			func(t *testing.T) string {
				return small(t, `UPDATE people SET attributes = json_set(attributes, '$.x', char(0)) WHERE id = 'p7'`)
			},
			func(t *testing.T) string { return newOn(t, server) }, store.ErrText,
			`people, the row with the id "p7"`, true,
		},
		{
			"a value of another type", func(t *testing.T) string { return small(t, `UPDATE tokens SET name = x'00'`) },
			func(t *testing.T) string { return newOn(t, server) }, nil, "row 1 of tokens, column name", false,
		},
		{
			// The server cuts what is too long, if that is blanks.
			"a target that does not keep what it is given",
			func(t *testing.T) string { return small(t, `UPDATE tokens SET name = 'CI  ' WHERE id = 't1'`) },
			func(t *testing.T) string {
				dsn := empty(t, newOn(t, server))
				execOn(t, dsn, `ALTER TABLE tokens ALTER COLUMN name TYPE varchar(2) COLLATE "C"`)
				return dsn
			}, store.ErrDiffers, "tokens has 2 rows", true,
		},
		{
			"a target that is damaged by what it is given",
			func(t *testing.T) string { return small(t) },
			func(t *testing.T) string {
				dsn := empty(t, newOn(t, server))
				execOn(t, dsn, `CREATE OR REPLACE FUNCTION fold(s text) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS
					'SELECT upper(s)'`)
				return dsn
			}, nil, "it is damaged", true,
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			from, to := tt.from(t), tt.to(t)
			_, err := store.Copy(t.Context(), from, to, false, noCopyProgress)
			if err == nil || tt.want != nil && !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
				t.Errorf("it answered %v, want %v with %q", err, tt.want, tt.text)
			}
			if side, isOfSide := errors.AsType[*store.CopyError](err); isOfSide && side.OfTarget != tt.ofTarget {
				t.Errorf("of the target: %v", side.OfTarget)
			}
			if !errors.Is(err, store.ErrNotEmpty) && !errors.Is(err, os.ErrNotExist) {
				wantEmpty(t, to)
			}
		})
	}

	t.Run("an audit log that was changed, if that is known", func(t *testing.T) {
		t.Parallel()
		from, to := small(t, `UPDATE audit SET actor = 'me' WHERE id = 'e1'`), newOn(t, server)
		n, err := store.Copy(t.Context(), from, to, true, noCopyProgress)
		if err != nil || len(n.Changed) != 1 {
			t.Fatalf("it answered %v, %v", n.Changed, err)
		}
		wantEqual(t, contentsOf(t, to), contentsOf(t, from))
	})

	t.Run("a server that starts while it is copied", func(t *testing.T) {
		t.Parallel()
		from, to := onServer(t), newFile(t)
		_, err := store.Copy(t.Context(), from, to, false, func(step store.CopyStep, _, _ int64) {
			if step == store.Comparing {
				opened(t, from)
			}
		})
		if !errors.Is(err, store.ErrInUse) {
			t.Errorf("it answered %v", err)
		}
		wantEmpty(t, to)
	})

	t.Run("nobody writes to the source meanwhile", func(t *testing.T) {
		t.Parallel()
		for _, pair := range [][2]string{{small(t), newOn(t, server)}, {onServer(t), newFile(t)}} {
			tried := make(map[store.CopyStep]bool)
			_, _ = store.Copy(t.Context(), pair[0], pair[1], false, func(step store.CopyStep, _, _ int64) {
				if tried[step] {
					return
				}
				tried[step] = true
				s, err := store.OpenWaiting(t.Context(), pair[0], 50*time.Millisecond)
				if err == nil {
					err = s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
						_, err := tx.Exec(ctx, `UPDATE account SET name = 'late'`)
						return err
					})
					_ = s.Close()
				}
				if err == nil {
					t.Errorf("%s: somebody wrote to %s", step, pair[0])
				}
			})
			if len(tried) < 4 {
				t.Errorf("it was tried at %v alone", tried)
			}
		}
	})
}

// copiedEnv makes this test program a process that stops in the middle of a copy. It has both addresses and the step.
const copiedEnv = "SCIMBRIDGE_STORE_TEST_COPIED"

// TestCopied is that process, and nothing otherwise.
func TestCopied(t *testing.T) {
	what := strings.Split(os.Getenv(copiedEnv), "\n")
	if len(what) < 3 {
		return
	}
	_, err := store.Copy(t.Context(), what[0], what[1], false, func(step store.CopyStep, done, total int64) {
		if string(step) == what[2] && done >= total/2 {
			_, _ = os.Stdout.WriteString("stopped\n")
			_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends, if it does not kill this process
			os.Exit(1)
		}
	})
	t.Fatalf("it did not stop: %v", err)
}

// killCopy runs TestCopied and kills it in the middle of a step.
func killCopy(t *testing.T, from, to string, step store.CopyStep) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestCopied$")
	cmd.Env = append(os.Environ(), copiedEnv+"="+strings.Join([]string{from, to, string(step)}, "\n"))
	killWhenStopped(t, cmd)
}
