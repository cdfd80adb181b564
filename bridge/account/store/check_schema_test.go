package store

import (
	"context"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const (
	chainRule  = "an audit event follows the one before it"
	foldedRule = "a name is found under its folded form"
	accessRule = "what there is to suspend and what is held is counted"
	rowRule    = "a person's row has the groups, the state and the addresses of its member"
	heldRule   = "a member whose suspension is held has the hold, and is not suspended"
)

// comparedColumns are kept beside what they follow from; the rule of Check
// with this name compares the two.
var comparedColumns = map[string]string{
	"access_counts.held_removals":    accessRule,
	"access_counts.memberships":      "the memberships in all groups are counted",
	"access_counts.people":           accessRule,
	"address_changes.address_folded": foldedRule,
	"audit.hash":                     chainRule,
	"audit_chain.last_hash":          chainRule,
	"audit_chain.last_sequence":      chainRule,
	"holds.attached":                 heldRule,
	"holds.group_id":                 "a membership is seen by provisioning or held",
	"members.suspension_held":        heldRule,
	"groups.managed_count":           "a group counts the managed people and groups in it",
	"groups.name_folded":             foldedRule,
	"members.address_folded":         foldedRule,
	"people.display_name_folded":     foldedRule,
	"people.group_ids":               rowRule,
	"people.member_address":          rowRule,
	"people.member_state":            rowRule,
	"people.member_suspended":        rowRule,
	"people.pending_address":         rowRule,
	"people.user_name":               "a person is found under the user name that is served",
	"people.user_name_folded":        foldedRule,
	"people_counts.people":           "a block of positions counts the people in it",
	"person_emails.type_folded":      foldedRule,
	"person_emails.value_folded":     foldedRule,
}

// otherColumns follow from no others, or are computed in Go from them, where
// no statement can compare them.
var otherColumns = map[string]string{
	"access_counts":    "one last_hold",
	"account":          "id name created_at",
	"address_changes":  "member_id address domain token_hash since",
	"attempts":         "id hour session_id address email instance result rule_id first_time last_time tries",
	"audit":            "sequence id time actor address action object summary",
	"audit_chain":      "one removed_sequence removed_hash judged_at",
	"bridges":          "instance version revision address first_seen last_contact state problems last_refusal",
	"firewall":         "one default_action disabled_until version revision",
	"firewall_rules":   "id action priority kind match_values description version likeness changed_at",
	"generations":      "epoch email kdf verifier created_at expires_at ended needs_second_factor",
	"goose_db_version": "id version_id is_applied tstamp",
	"groups":           "id scim_id name external_id attributes built_in version created_at modified_at name_version",
	"handshakes":       "id epoch email state expires_at",
	"holds":            "id member_id by_scim person_id user_name since made request_id client idp",
	"idempotency":      "scope key digest answer created_at",
	"integration": "one active id manager_id manager_email idp suspension_limit epoch session_epoch next_epoch " +
		"session activated_at last_contact last_refusal sign_in_secret version released_limit",
	"members": "id address name role state state_since suspended last_user_name invitation_hash version created_at " +
		"invited_at signed_up",
	"memberships": "group_id member_id by_scim",
	"nestings":    "group_id child_id",
	"mail_server": "one name public_url failures failing_since next_attempt last_error",
	"outbox": "id created_at kind recipient subject body link link_hash state expires_at attempts next_attempt " +
		"leased_until first_failure last_error sent_at blamed copies",
	"people": "id member_id external_id display_name attributes wanted_address wanted_since wanted_blocked version " +
		"created_at modified_at position",
	"people_counts":  "level block",
	"person_emails":  "person_id position value type",
	"sessions":       "digest id epoch instance created_at expires_at last_heartbeat",
	"refused_tokens": "day time address tries",
	"signup_domains": "domain created_at",
	"tokens":         "id name digest created_at last_used_at scope expires_at",
	"two_factor":     "one enforced_at version",
	"withdrawals":    "kind time total_before total_after",
}

func TestEveryColumnIsCheckedOrNeedsNoCheck(t *testing.T) {
	t.Parallel()
	s, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "account.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var columns []string
	err = s.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
		columns, err = All(ctx, tx, scanText,
			`SELECT t.name || '.' || c.name FROM sqlite_schema t, pragma_table_info(t.name) c
			WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite%'`)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	listed := slices.Collect(maps.Keys(comparedColumns))
	for table, names := range otherColumns {
		for _, name := range strings.Fields(names) {
			listed = append(listed, table+"."+name)
		}
	}
	for _, column := range columns {
		if !slices.Contains(listed, column) {
			t.Errorf("%s is new: if it follows from other columns, "+
				"give it a rule in check.go and list it in comparedColumns; otherwise list it in otherColumns", column)
		}
	}
	for _, column := range listed {
		if !slices.Contains(columns, column) {
			t.Errorf("%s is listed, but no table has it", column)
		}
	}
	for column, name := range comparedColumns {
		if name == chainRule { // which checkChain reads in Go
			continue
		}
		_, column, _ = strings.Cut(column, ".")
		if !slices.ContainsFunc(rules(&sqliteDialect), func(r rule) bool {
			return r.what == name && strings.Contains(r.query, column)
		}) {
			t.Errorf("no rule %q mentions %s", name, column)
		}
	}
}
