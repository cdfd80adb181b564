package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"time"

	"github.com/jackc/pgx/v5/stdlib"
	"github.com/ncruces/go-sqlite3"
	"github.com/ncruces/go-sqlite3/driver"
	"github.com/pressly/goose/v3"
)

//go:embed migrations
var migrations embed.FS

// The folders of migrations. Those of one number make the same schema.
const (
	ofSQLite   = "migrations/sqlite"
	ofPostgres = "migrations/postgres"
)

// bringUpToDate migrates the database at path, which writer is a connection to, unless it has the newest schema that
// this program knows: to find that out takes goose longer than all else in opening a database. What cannot be read
// here is for goose to say.
//
// Another process may migrate the database at the same time. Each step is a transaction, so that one of the two fails,
// with whatever its statements say of what is there already. It goes on from where the other one has come to.
func bringUpToDate(ctx context.Context, writer *sqliteConn, path string, pragmas []string, wait time.Duration) error {
	const none = -1
	version := func() (have, know int64) {
		have, know, err := (&Tx{conn: writer}).schemaVersion(ctx)
		if err != nil {
			return none, know
		}
		return have, know
	}
	have, know := version()
	if have == know {
		return nil
	}
	for until := time.Now().Add(wait); ; {
		err := migrate(ctx, path, pragmas)
		if err == nil {
			_, err = writer.run("PRAGMA wal_checkpoint(TRUNCATE)") // a migration may have written all rows anew
			return err
		}
		before := have
		if have, know = version(); have == know {
			return nil
		}
		hasMoved := have > before
		if !hasMoved && (!errors.Is(err, sqlite3.BUSY) || time.Now().After(until)) {
			return err
		}
		if !hasMoved {
			time.Sleep(busyPause)
		}
	}
}

// busyPause is how long a migration waits before it tries again what another process held up.
const busyPause = 20 * time.Millisecond

// migrate brings the schema at path up to date, over database/sql, as goose
// needs it.
func migrate(ctx context.Context, path string, pragmas []string) (err error) {
	db, err := driver.Open(fileURL(path, url.Values{"_pragma": pragmas}), register)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	return upgrade(ctx, db, goose.DialectSQLite3, ofSQLite)
}

func upgrade(ctx context.Context, db *sql.DB, dialect goose.Dialect, folder string) error {
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(dialect, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	sources := p.ListSources()
	if know := sources[len(sources)-1].Version; have > know {
		return newerSchemaError{have, know}
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bringing the schema up to date: %w", err)
	}
	return nil
}

// A newerSchemaError is that of a schema that this program does not know.
type newerSchemaError struct{ have, know int64 }

func (e newerSchemaError) Error() string {
	return fmt.Sprintf("its schema is version %d, and this scim-bridge knows up to %d; run the newer scim-bridge that "+
		"wrote it", e.have, e.know)
}

// schemaVersion returns the version of the schema that the database has, and the newest one that this program knows.
func (tx *Tx) schemaVersion(ctx context.Context) (have, know int64, err error) {
	files, err := fs.Glob(migrations, ofSQLite+"/*.sql")
	if err != nil {
		return 0, 0, err
	}
	for _, file := range files {
		version, err := goose.NumericComponent(file)
		if err != nil {
			return 0, 0, err
		}
		know = max(know, version)
	}
	err = tx.QueryRow(ctx, `SELECT COALESCE(max(version_id), 0) FROM goose_db_version`).Scan(&have)
	return have, know, err
}

// bringUpToDate migrates the database. Of several servers that begin at once one does it, and the others wait. The lock
// is that of a transaction, and held while another connection migrates: a pooler gives no other.
func (p *postgres) bringUpToDate(ctx context.Context, create bool) error {
	tx := &Tx{conn: &postgresConn{conn: p.writer, statements: p.statement}}
	if err := p.refuseServer(ctx, tx); err != nil {
		return err
	}
	have, know, err := tx.schemaVersion(ctx)
	switch {
	case err == nil && have == know:
		return nil
	case err == nil && have > know:
		return tx.refuseNewer(ctx, newerSchemaError{have, know})
	case hasNoTable(err) && !create:
		return ErrNoSchema
	}
	lock := fmt.Sprintf("BEGIN; SELECT pg_advisory_xact_lock(%d)", migrateLock)
	if _, err := p.writer.PgConn().Exec(ctx, lock).ReadAll(); err != nil {
		return postgresError(err)
	}
	db := stdlib.OpenDB(*p.config)
	err = upgrade(ctx, db, goose.DialectPostgres, ofPostgres)
	_, ended := p.writer.Exec(ctx, "ROLLBACK")                 // nothing was written here
	if newer, ok := errors.AsType[newerSchemaError](err); ok { // a newer program had the lock before
		err = tx.refuseNewer(ctx, newer)
	} else {
		err = postgresError(err)
	}
	return errors.Join(err, postgresError(ended), db.Close())
}

// refuseNewer returns the error, unless the migrations that this program does not know say that it works with their
// schema. So an account server can be started again while others are replaced by those of a newer version.
func (tx *Tx) refuseNewer(ctx context.Context, newer newerSchemaError) error {
	var version, since int64
	err := tx.QueryRow(ctx, `SELECT version, since FROM schema_compatibility`).Scan(&version, &since)
	switch {
	case hasNoTable(err) || errors.Is(err, ErrNoRow):
		return newer
	case err != nil:
		return err
	case version != newer.have || since > newer.know: // a migration that says nothing leaves the version behind
		return newer
	}
	return nil
}

// refuseServer returns an error for a server that cannot have the database.
func (p *postgres) refuseServer(ctx context.Context, tx *Tx) error {
	var version int64
	var encoding string
	var isStandby bool
	if err := tx.QueryRow(ctx, `SELECT CAST(current_setting('server_version_num') AS BIGINT),
		pg_encoding_to_char(encoding), pg_is_in_recovery() FROM pg_database WHERE datname = current_database()`).
		Scan(&version, &encoding, &isStandby); err != nil {
		return err
	}
	return unfit(version, encoding, isStandby)
}

// unfit says why a server cannot have the database: of a version as server_version_num has it.
func unfit(version int64, encoding string, isStandby bool) error {
	switch {
	case isStandby:
		return fmt.Errorf("%w: it is a standby; give the address of the primary, or of all servers with "+
			"target_session_attrs=read-write", ErrReadOnly)
	case version < leastVersion:
		return fmt.Errorf("the server is PostgreSQL %d, and %d or later is needed", version/10000, leastVersion/10000)
	case encoding != "UTF8":
		return fmt.Errorf("the database has the encoding %s, and UTF8 is needed: create it with ENCODING 'UTF8' "+
			"TEMPLATE template0", encoding)
	}
	return nil
}
