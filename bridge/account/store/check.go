package store

import (
	"context"
	"fmt"
	"math"
	"strconv"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
)

// A Fault is something in the database that cannot be.
type Fault struct {
	What string // the rule that it breaks
	Row  string // the row, or what SQLite says
}

// mostFaults bounds what one rule reports: one cause can break many rows.
const mostFaults = 20

// ChainRule is what does not hold if the audit log was changed.
const ChainRule = "an audit event follows the one before it"

// A rule is what the schema cannot say. The query returns the ids of rows that break it.
type rule struct{ what, query string }

// rules are all of them. A test holds them against the columns, so that none is added by a migration without a
// decision on whether it needs a rule.
func rules(d *dialect) []rule {
	return []rule{
		{"a group counts the managed people and groups in it", `SELECT g.id FROM groups g WHERE g.managed_count <>
		(SELECT count(*) FROM memberships s JOIN people p ON p.member_id = s.member_id WHERE s.group_id = g.id) +
		(SELECT count(*) FROM nestings n JOIN groups c ON c.id = n.child_id AND c.scim_id IS NOT NULL
			WHERE n.group_id = g.id)`},
		{"a block of positions counts the people in it", `WITH counted AS (
		SELECT 1 AS level, position / 64 AS block, count(*) AS people FROM people GROUP BY 2
		UNION ALL SELECT 2, position / 4096, count(*) FROM people GROUP BY 2
		UNION ALL SELECT 3, position / 262144, count(*) FROM people GROUP BY 2)
		SELECT level || '/' || block FROM (
			SELECT level, block, people FROM counted
			UNION ALL SELECT level, block, -people FROM people_counts) AS difference
		GROUP BY level, block HAVING sum(people) <> 0`},
		{"what there is to suspend and what is held is counted", `SELECT people || '/' || held_removals
		FROM access_counts WHERE people <> (SELECT count(*) FROM members m LEFT JOIN people p ON p.member_id = m.id
			WHERE NOT m.suspended AND m.state <> 'not_invited' AND (m.suspension_held OR p.id IS NOT NULL))
		OR held_removals <> (SELECT count(*) FROM holds WHERE group_id <> '')`},
		{"the memberships in all groups are counted", `SELECT memberships FROM access_counts
		WHERE memberships <> (SELECT COALESCE(sum(managed_count), 0) FROM groups)`},
		{"a member whose suspension is held has the hold, and is not suspended", `SELECT id FROM members
		WHERE suspension_held <> EXISTS (SELECT 1 FROM holds h WHERE h.member_id = members.id AND h.group_id = '')
		OR suspension_held AND suspended
		UNION ALL SELECT h.id FROM holds h JOIN members m ON m.id = h.member_id
		WHERE h.attached AND (h.group_id = '' OR NOT m.suspension_held)`},
		{"a membership is seen by provisioning or held", `SELECT h.id FROM holds h
		JOIN memberships s ON s.group_id = h.group_id AND s.member_id = h.member_id
		UNION ALL SELECT h.id FROM holds h WHERE h.group_id <> ''
			AND NOT EXISTS (SELECT 1 FROM groups g WHERE g.id = h.group_id)`},
		{"a name is found under its folded form", `SELECT id FROM people WHERE user_name_folded <> fold(user_name)
		OR COALESCE(display_name_folded, '') <> fold(COALESCE(display_name, ''))
		UNION ALL SELECT id FROM groups WHERE name_folded <> fold(name)
		UNION ALL SELECT id FROM members WHERE address_folded <> fold(address)
		UNION ALL SELECT member_id FROM address_changes WHERE address_folded <> fold(address)
		UNION ALL SELECT person_id FROM person_emails WHERE value_folded <> fold(value)
			OR COALESCE(type_folded, '') <> fold(COALESCE(type, ''))`},
		{"a person is found under the user name that is served",
			`SELECT id FROM people WHERE user_name IS DISTINCT FROM json_extract(attributes, '` +
				d.path([]string{`"userName"`}) + `')`},
		{"a person's row has the groups, the state and the addresses of its member", `SELECT p.id FROM people p
		JOIN members m ON m.id = p.member_id LEFT JOIN address_changes c ON c.member_id = p.member_id
		WHERE p.member_state <> m.state OR p.member_suspended <> (m.suspended OR m.suspension_held)
		OR p.member_address <> COALESCE(m.address, '') OR p.pending_address <> COALESCE(c.address, '')
		OR COALESCE((SELECT group_concat(id, ' ') FROM (SELECT value AS id
				FROM json_each('["' || replace(replace(p.group_ids, '"', '?'), ' ', '","') || '"]')
				WHERE p.group_ids <> '' ORDER BY 1) AS ids), '') <>
			COALESCE((SELECT group_concat(id, ' ') FROM (SELECT group_id AS id FROM memberships s
				WHERE s.member_id = p.member_id ORDER BY 1) AS ids), '')`},
		{
			"attributes are a JSON object",
			`SELECT id FROM people
			WHERE CASE WHEN json_valid(attributes) THEN json_type(attributes) <> 'object' ELSE TRUE END
		UNION ALL SELECT id FROM groups
			WHERE CASE WHEN json_valid(attributes) THEN json_type(attributes) <> 'object' ELSE TRUE END`,
		},
	}
}

// splitChain tells the faults of the audit log from the others.
func splitChain(faults []Fault) (chain, others []Fault) {
	for _, f := range faults {
		if f.What == ChainRule {
			chain = append(chain, f)
		} else {
			others = append(others, f)
		}
	}
	return chain, others
}

// Check reads the whole database and returns what is damaged: what is kept in two places, and in SQLite pages,
// indexes and references.
func (s *Store) Check(ctx context.Context) (faults []Fault, err error) {
	return faults, s.Read(ctx, func(ctx context.Context, tx *Tx) error {
		faults, err = tx.check(ctx, s.engine)
		return err
	})
}

// QuickCheck is Check without what takes longest: whether SQLite's indexes have what its tables
// have, and what is kept in two places.
func (s *Store) QuickCheck(ctx context.Context) (faults []Fault, err error) {
	return faults, s.Read(ctx, func(ctx context.Context, tx *Tx) error {
		faults, err = s.engine.checkPages(ctx, tx, true)
		return err
	})
}

func (tx *Tx) check(ctx context.Context, e engine) ([]Fault, error) {
	faults, err := e.checkPages(ctx, tx, false)
	if err != nil {
		return nil, err
	}
	for _, rule := range rules(e.dialect()) {
		ids, err := All(ctx, tx, scanText, `SELECT * FROM (`+rule.query+`) AS broken LIMIT ?`, mostFaults)
		if err != nil {
			return nil, fmt.Errorf("checking that %s: %w", rule.what, err)
		}
		for _, id := range ids {
			faults = append(faults, Fault{rule.what, id})
		}
	}
	chain, err := tx.checkChain(ctx)
	if err != nil {
		return nil, fmt.Errorf("checking that %s: %w", ChainRule, err)
	}
	return append(faults, chain...), nil
}

// checkChain returns the events of the audit log that do not follow the one before them.
func (tx *Tx) checkChain(ctx context.Context) (faults []Fault, err error) {
	removed, last, err := tx.AuditChain(ctx)
	if err != nil {
		return nil, err
	}
	end := removed
	err = tx.EachAuditEvent(ctx, math.MinInt64+1, math.MaxInt64, func(e audit.Event, previous string) error {
		if e.Hash != e.Digest(previous) && len(faults) < mostFaults {
			faults = append(faults, Fault{ChainRule, strconv.FormatInt(e.Sequence, 10)})
		}
		end = e.Link()
		return nil
	})
	if end != last && err == nil {
		faults = append(faults, Fault{ChainRule, strconv.FormatInt(last.Sequence, 10)})
	}
	return faults, err
}

// checkPages implements engine: one of SQLite's own checks, and that of the references.
func (*sqlite) checkPages(ctx context.Context, tx *Tx, quick bool) ([]Fault, error) {
	return tx.checkPages(ctx, quick)
}

func (tx *Tx) checkPages(ctx context.Context, quick bool) (faults []Fault, err error) {
	pragma := "integrity_check"
	if quick {
		pragma = "quick_check"
	}
	lines, err := All(ctx, tx, scanText, fmt.Sprintf(`PRAGMA %s(%d)`, pragma, mostFaults))
	if err != nil {
		return nil, fmt.Errorf("checking pages and indexes: %w", err)
	}
	for _, line := range lines {
		if line != "ok" {
			faults = append(faults, Fault{"pages and indexes are whole", line})
		}
	}
	dangling, err := All(ctx, tx, scanText, `SELECT "table" || ' ' || COALESCE(rowid, '') || ' to ' || parent
		FROM pragma_foreign_key_check LIMIT ?`, mostFaults)
	if err != nil {
		return nil, fmt.Errorf("checking references: %w", err)
	}
	for _, row := range dangling {
		faults = append(faults, Fault{"a reference leads to a row", row})
	}
	return faults, nil
}

// checkPages implements engine. PostgreSQL checks references at each write, and pages have checks of its own
// (pg_amcheck).
func (*postgres) checkPages(context.Context, *Tx, bool) ([]Fault, error) { return nil, nil }

func scanText(row Scanner) (text string, err error) { return text, row.Scan(&text) }

// Sizes is how many rows of a kind there are.
type Sizes struct{ Members, People, Groups, Memberships, Nestings int64 }

// Sizes counts rows.
func (s *Store) Sizes(ctx context.Context) (n Sizes, err error) {
	return n, s.Read(ctx, func(ctx context.Context, tx *Tx) error {
		n, err = tx.Sizes(ctx)
		return err
	})
}

// Sizes counts rows.
func (tx *Tx) Sizes(ctx context.Context) (n Sizes, err error) {
	row := tx.QueryRow(ctx, `SELECT (SELECT count(*) FROM members), (SELECT count(*) FROM people),
		(SELECT count(*) FROM groups), (SELECT count(*) FROM memberships), (SELECT count(*) FROM nestings)`)
	return n, row.Scan(&n.Members, &n.People, &n.Groups, &n.Memberships, &n.Nestings)
}
