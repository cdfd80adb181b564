package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

// While account servers are replaced by those of a newer version, the older ones must be able to start again. Only the
// newer migrations know whether they can work with the new schema.
func TestAnOlderProgramOpensANewerSchemaThatSaysSo(t *testing.T) {
	t.Parallel()
	server := postgres.Start(t, "fsync=off")
	sqlOn(t, server.URL("postgres"), `CREATE DATABASE fresh`)
	var known int64 // the newest version of the schema that this program knows
	if err := openOn(t, server.URL("fresh")).Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT max(version_id) FROM goose_db_version`).Scan(&known)
	}); err != nil {
		t.Fatal(err)
	}
	const another = `; INSERT INTO goose_db_version (version_id, is_applied)
		SELECT max(version_id) + 1, TRUE FROM goose_db_version`
	expands := fmt.Sprintf(`UPDATE schema_compatibility SET version = %d`, known+1)
	for i, row := range []struct {
		name string
		says string // what the newer migrations say
		open bool
	}{
		{"a migration that expands", expands, true},
		{"two that expand", expands + another + `; UPDATE schema_compatibility SET version = version + 1`, true},
		{"one that contracts what this program does not use", expands + fmt.Sprintf(", since = %d", known), true},
		{"one that contracts what it uses", expands + fmt.Sprintf(", since = %d", known+1), false},
		{"one that says nothing", `SELECT 1`, false},
		{"one that expands, and one that says nothing", expands + another, false},
		{"one that removes what is said", `DROP TABLE schema_compatibility`, false},
		{"one that empties it", `DELETE FROM schema_compatibility`, false},
	} {
		name := fmt.Sprintf("newer%d", i)
		sqlOn(t, server.URL("postgres"), `CREATE DATABASE `+name)
		serving := openOn(t, server.URL(name))
		sqlOn(t, server.URL(name), fmt.Sprintf(`BEGIN; ALTER TABLE tokens ADD COLUMN later TEXT NOT NULL DEFAULT 'x';
			CREATE TABLE later (id TEXT PRIMARY KEY);
			INSERT INTO goose_db_version (version_id, is_applied) VALUES (%d, TRUE); %s; COMMIT`, known+1, row.says))
		s, err := store.Open(t.Context(), server.URL(name))
		if err == nil {
			err = s.Close()
		} else if !strings.Contains(err.Error(), fmt.Sprintf("this scim-bridge knows up to %d", known)) {
			t.Errorf("%s: %v", row.name, err)
		}
		if (err == nil) != row.open {
			t.Errorf("%s: opening it: %v", row.name, err)
		}
		// One that has it open goes on.
		if err := serving.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
			return tx.InsertToken(ctx, store.Token{ID: "t", Name: "t", Digest: "d"})
		}); err != nil {
			t.Errorf("%s: writing by a store that was open: %v", row.name, err)
		}
	}
}

// A migration that says nothing keeps older programs out.
func TestTheNewestMigrationSaysWhichProgramsWorkWithIt(t *testing.T) {
	t.Parallel()
	s := openOn(t, postgres.Start(t, "fsync=off").URL("postgres"))
	var version, said, since int64
	if err := s.Read(t.Context(), func(ctx context.Context, tx *store.Tx) error {
		return tx.QueryRow(ctx, `SELECT max(version_id), version, since FROM goose_db_version, schema_compatibility
			GROUP BY version, since`).Scan(&version, &said, &since)
	}); err != nil {
		t.Fatal(err)
	}
	if said != version || since > version {
		t.Errorf("the schema is version %d, and what is said is of version %d, for programs since %d: see the README "+
			"of the migrations", version, said, since)
	}
}
