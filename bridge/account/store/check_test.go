package store_test

import (
	"context"
	"slices"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

const hold = `INSERT INTO holds (id, member_id, group_id, by_scim, attached, person_id, user_name, since, made, ` +
	`request_id, client, idp) VALUES `

const rowRule = "a person's row has the groups, the state and the addresses of its member"

func TestCheckFindsWhatTheSchemaCannotSay(t *testing.T) {
	t.Parallel()
	// A sound database: ann and ben, both in a group.
	sound := []string{
		`INSERT INTO members (id, name, role, state, state_since, created_at) VALUES ('ma', 'Ann', 'member', ` +
			`'not_invited', 0, 0), ('mb', 'Ben', 'member', 'not_invited', 0, 0)`,
		`INSERT INTO people (id, member_id, user_name, user_name_folded, attributes, wanted_address, wanted_since,
			created_at, modified_at, position)
			VALUES ('a', 'ma', 'Ann', 'ann', '{"userName":"Ann"}', '', 0, 0, 0, 1), ('b', 'mb', 'ben', 'ben',
				'{"userName":"ben"}', '', 0, 0, 0, 64)`,
		`INSERT INTO people_counts (level, block, people) VALUES (1, 0, 1), (1, 1, 1), (2, 0, 2), (3, 0, 2)`,
		`INSERT INTO groups (id, scim_id, name, name_folded, managed_count, created_at, modified_at) VALUES ('g', ` +
			`'G', 'All', 'all', 2, 0, 0)`,
		`UPDATE access_counts SET memberships = 2`,
		`INSERT INTO memberships (group_id, member_id, by_scim) VALUES ('g', 'ma', TRUE), ('g', 'mb', TRUE)`,
	}
	tests := []struct{ name, damage, what, row string }{
		{"nothing is wrong", `SELECT 1`, "", ""},
		{"a group that lost a member without counting", `DELETE FROM memberships WHERE member_id = 'mb'`,
			"a group counts the managed people and groups in it", "g"},
		{"a block that counts too many", `UPDATE people_counts SET people = 3 WHERE level = 2`,
			"a block of positions counts the people in it", "2/0"},
		{"a person that no block counts", `DELETE FROM people_counts WHERE level = 1 AND block = 1`,
			"a block of positions counts the people in it", "1/1"},
		{"a name folded wrongly", `UPDATE groups SET name_folded = 'All'`,
			"a name is found under its folded form", "g"},
		{"an e-mail address folded wrongly", `INSERT INTO person_emails (person_id, position, value, value_folded)
			VALUES ('a', 0, 'Ann@example.com', 'Ann@example.com')`, "a name is found under its folded form", "a"},
		{"an address to move to folded wrongly",
			`INSERT INTO address_changes (member_id, address, address_folded, domain, since)
			VALUES ('mb', 'Ben@example.com', 'Ben@example.com', 'example.com', 0)`,
			"a name is found under its folded form", "mb"},
		{"a user name that is not the one served", `UPDATE people SET attributes = '{"userName":"bob"}' WHERE id = 'b'`,
			"a person is found under the user name that is served", "b"},
		{"people with access that are not counted", `UPDATE members SET state = 'invited', address = 'a', ` +
			`address_folded = 'a' WHERE id = 'ma'`, "what there is to suspend and what is held is counted", "0/0"},
		{"memberships that are not counted", `UPDATE access_counts SET memberships = 1`,
			"the memberships in all groups are counted", "1"},
		{"a held suspension without its hold", `UPDATE members SET suspension_held = TRUE WHERE id = 'mb'`,
			"a member whose suspension is held has the hold, and is not suspended", "mb"},
		{"a removal that belongs to no suspension", hold + `('h', 'ma', 'g', TRUE, TRUE, '', '', 0, 0, '', '', '')`,
			"a member whose suspension is held has the hold, and is not suspended", "h"},
		{"a membership that is held and there", hold + `('h', 'ma', 'g', TRUE, FALSE, '', '', 0, 0, '', '', '')`,
			"a membership is seen by provisioning or held", "h"},
		{"a removal from no group", hold + `('h', 'ma', 'x', TRUE, FALSE, '', '', 0, 0, '', '', '')`,
			"a membership is seen by provisioning or held", "h"},
		{"a row without a group of the member", `UPDATE people SET group_ids = '' WHERE id = 'a'`, rowRule, "a"},
		{"a row with a group that the member is not in", `UPDATE people SET group_ids = 'g h' WHERE id = 'a'`,
			rowRule, "a"},
		{"a row with what is no id of a group", `UPDATE people SET group_ids = 'g ' WHERE id = 'a'`, rowRule, "a"},
		{"a row with what is no JSON text", `UPDATE people SET group_ids = 'g"' WHERE id = 'a'`, rowRule, "a"},
		{"a row with a group twice", `UPDATE people SET group_ids = 'g g' WHERE id = 'b'`, rowRule, "b"},
		{"a row with another state", `UPDATE people SET member_state = 'active' WHERE id = 'b'`, rowRule, "b"},
		{"a row that is suspended alone", `UPDATE people SET member_suspended = TRUE WHERE id = 'b'`, rowRule, "b"},
		{"a row with another address", `UPDATE people SET member_address = 'a@x.example' WHERE id = 'b'`, rowRule, "b"},
		{"a row with a change of address that is over", `UPDATE people SET pending_address = 'a' WHERE id = 'b'`,
			rowRule, "b"},
		{"attributes that are no object", `UPDATE groups SET attributes = '[]'`, "attributes are a JSON object", "g"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s := open(t)
			err := s.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				for _, statement := range append(slices.Clone(sound), tt.damage) {
					if _, err := tx.Exec(ctx, statement); err != nil {
						return err
					}
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
			faults, err := s.Check(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			switch {
			case tt.what == "" && len(faults) > 0:
				t.Errorf("found %v in a sound database", faults)
			case tt.what != "" && !slices.Contains(faults, store.Fault{What: tt.what, Row: tt.row}):
				t.Errorf("found %v, want %q at %s", faults, tt.what, tt.row)
			}
			if n, err := s.Sizes(t.Context()); err != nil || n.People != 2 || n.Members != 2 || n.Groups != 1 {
				t.Errorf("counted %+v (%v)", n, err)
			}
		})
	}
}
