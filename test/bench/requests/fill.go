package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
)

// filling makes people of one that is there, whose number is the first verb: those with the numbers from the second to
// the third. The last two are the number as an externalId and as an employeeNumber end with it.
const filling = `
BEGIN;
SET LOCAL session_replication_role = replica; -- no triggers: what they would write is in the rows already
CREATE FUNCTION pg_temp.other(old text, n bigint) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
	SELECT left(translate(md5(old || n::text) || md5(n::text || old), '0189', 'ghij'), length(old)) $$;
CREATE FUNCTION pg_temp.renumbered(old text, n bigint) RETURNS text LANGUAGE sql IMMUTABLE STRICT AS $$
	SELECT replace(replace(replace(
		replace(replace(replace(old, '%[4]s', chr(1)), '%[5]d', chr(2)), '%[1]d', chr(3)),
		chr(1), lpad(n::text, 12, '0')), chr(2), (100000 + n)::text), chr(3), n::text) $$;
CREATE TEMPORARY TABLE template AS SELECT id, member_id FROM people WHERE user_name = 'person%[1]d@example.com';

INSERT INTO members SELECT made.* FROM template, members t, generate_series(%[2]d, %[3]d) AS n,
	jsonb_populate_record(t, jsonb_build_object('id', pg_temp.other(t.id, n),
		'address', pg_temp.renumbered(t.address, n), 'address_folded', pg_temp.renumbered(t.address_folded, n),
		'name', pg_temp.renumbered(t.name, n), 'invitation_hash', pg_temp.other(t.invitation_hash, n))) AS made
	WHERE t.id = template.member_id;
INSERT INTO memberships SELECT t.group_id, pg_temp.other(t.member_id, n), t.by_scim
	FROM template, memberships t, generate_series(%[2]d, %[3]d) AS n
	WHERE t.member_id = template.member_id;
INSERT INTO people SELECT made.* FROM template, people t, generate_series(%[2]d, %[3]d) AS n,
	jsonb_populate_record(t, jsonb_build_object('id', pg_temp.other(t.id, n),
		'member_id', pg_temp.other(t.member_id, n), 'user_name', pg_temp.renumbered(t.user_name, n),
		'user_name_folded', pg_temp.renumbered(t.user_name_folded, n),
		'external_id', pg_temp.renumbered(t.external_id, n), 'display_name', pg_temp.renumbered(t.display_name, n),
		'display_name_folded', pg_temp.renumbered(t.display_name_folded, n),
		'attributes', pg_temp.renumbered(t.attributes, n), 'wanted_address', pg_temp.renumbered(t.wanted_address, n),
		'member_address', pg_temp.renumbered(t.member_address, n),
		'position', (SELECT max(position) FROM people) + 1 + n - %[2]d)) AS made
	WHERE t.id = template.id;
INSERT INTO person_emails SELECT made.* FROM template, person_emails t, generate_series(%[2]d, %[3]d) AS n,
	jsonb_populate_record(t, jsonb_build_object('person_id', pg_temp.other(t.person_id, n),
		'value', pg_temp.renumbered(t.value, n), 'value_folded', pg_temp.renumbered(t.value_folded, n))) AS made
	WHERE t.person_id = template.id;

UPDATE groups SET managed_count = managed_count + %[3]d - %[2]d + 1
	WHERE id IN (SELECT group_id FROM memberships JOIN template USING (member_id));
UPDATE access_counts SET people = people + %[3]d - %[2]d + 1, memberships = (SELECT sum(managed_count) FROM groups);
DELETE FROM people_counts;
INSERT INTO people_counts (level, block, people)
	SELECT 1, position / 64, count(*) FROM people GROUP BY 2
	UNION ALL SELECT 2, position / 4096, count(*) FROM people GROUP BY 2
	UNION ALL SELECT 3, position / 262144, count(*) FROM people GROUP BY 2;
COMMIT;
ANALYZE;`

// template is the number of the person that others are made of: no text of a person has such digits but for it.
const template = 999

// fill makes people by statements until there are so many: POST makes a million in an hour or more. Their rows are
// those that the program writes, and account check finds nothing; but there are no events in the audit log, mails and
// answers to requests, as if all had become too old.
func (s *site) fill(ctx context.Context, address string, people int) (err error) {
	started := time.Now()
	db, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close(context.WithoutCancel(ctx))) }()
	if _, err := db.PgConn().Exec(ctx, fmt.Sprintf(filling, template, s.people, people-1, externalID(template)[24:],
		100000+template)).ReadAll(); err != nil {
		return fmt.Errorf("filling the account: %w", err)
	}
	rows, err := db.Query(ctx, `SELECT id FROM people ORDER BY position`)
	if err != nil {
		return err
	}
	if s.ids, err = pgx.CollectRows(rows, pgx.RowTo[string]); err != nil {
		return err
	}
	s.people = people
	fmt.Fprintf(os.Stderr, "filled up to %d people in %s\n", people, time.Since(started).Round(time.Second))
	return nil
}
