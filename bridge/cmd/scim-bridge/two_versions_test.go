package main

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/test/postgres"
)

// olderBinary is the variable that names an older scim-bridge. Without it, a newer schema is served by this one, which
// does not know that schema either.
const olderBinary = "SCIMBRIDGE_TEST_OLDER_BINARY"

// A roll-out runs two versions on one database for a while: account servers and bridges of the older one are replaced
// one by one, and back, while identity providers provision; then beside a schema that neither version knows. All that
// was acknowledged is there.
func TestTwoVersionsServeOneDatabase(t *testing.T) {
	t.Parallel()
	const newer = "scim-bridge"
	older, isOther := os.LookupEnv(olderBinary)
	if !isOther {
		older = newer
	}
	database := postgres.Start(t, "fsync=off").URL("postgres")
	f := newFleetOf(t, older, database, 2)
	f.open(2)
	idps := f.simulate("entra", "okta", "onelogin", "keycloak")
	idps.await(40)
	replaceAll := func(program, what string) {
		for i := range f.servers {
			f.servers[i].end(syscall.SIGTERM)
			f.program = program
			f.servers[i].start()
			f.servers[i].await()
			idps.await(20)
			f.bridges[i].terminate()
			f.startBridge(i, f.bridges[i].dir)
			f.bridges[i].awaitState(control.Ready)
			idps.await(20)
		}
		t.Logf("%s: %d writes acknowledged", what, idps.writes.Load())
	}
	if isOther {
		replaceAll(newer, "replaced by the newer one")
		replaceAll(older, "and by the older one")
	}
	expandSchema(t, database)
	idps.await(40) // by servers that had the database open
	said, opens := opensNewerSchema(t, older, database)
	if isOther {
		replaceAll(newer, "replaced by the newer one, beside a newer schema")
	}
	switch {
	case opens:
		replaceAll(older, "started again, beside a newer schema")
	case isOther && strings.Contains(said, "run the newer scim-bridge"):
		t.Logf("the older program knows of no schema_compatibility, and is not started again: %s", said)
	default:
		t.Errorf("the older program says of a newer schema: %s", said)
	}
	idps.end()
	t.Logf("%d steps, %d requests sent again", idps.steps, idps.repeated.Load())
	f.checkCompanies(idps)
	f.checkMails(idps, 0, false)
	t.Logf("account check: %s", output(t, "account", "check", "--database", database))
	f.checkBridges()
	f.checkLogs()
}

// expandSchema does what a migration of a later version may do while servers of this one run: see the README of the
// migrations.
func expandSchema(t *testing.T, database string) {
	t.Helper()
	c, err := pgx.Connect(t.Context(), database)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close(context.WithoutCancel(t.Context()))
	if _, err := c.Exec(t.Context(), `BEGIN;
		SET LOCAL lock_timeout = '30s';
		ALTER TABLE people ADD COLUMN later TEXT COLLATE "C" NOT NULL DEFAULT 'x';
		ALTER TABLE members ADD COLUMN later BIGINT;
		ALTER TABLE sessions ADD COLUMN later BOOLEAN NOT NULL DEFAULT FALSE;
		CREATE TABLE later (person_id TEXT COLLATE "C" PRIMARY KEY REFERENCES people (id) ON DELETE CASCADE);
		CREATE INDEX people_later ON people (later, id);
		CREATE FUNCTION note_later() RETURNS trigger LANGUAGE plpgsql AS
			$$ BEGIN INSERT INTO later VALUES (NEW.id); RETURN NULL; END $$;
		CREATE TRIGGER note_later AFTER INSERT ON people FOR EACH ROW EXECUTE FUNCTION note_later();
		INSERT INTO goose_db_version (version_id, is_applied) SELECT max(version_id) + 1, TRUE FROM goose_db_version;
		UPDATE schema_compatibility SET version = version + 1;
		COMMIT`); err != nil {
		t.Fatal(err)
	}
}

// opensNewerSchema reports whether a program opens a database, and what it says otherwise.
func opensNewerSchema(t *testing.T, program, database string) (said string, opens bool) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, "account", "token", "list")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SCIMBRIDGE_DATABASE=" + database}
	text, err := cmd.CombinedOutput()
	return string(text), err == nil
}
