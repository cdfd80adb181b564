package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"net/url"

	"github.com/ncruces/go-sqlite3/driver"
	"github.com/pressly/goose/v3"
)

//go:embed migrations/*.sql
var migrations embed.FS

// isCurrent tells that the database has the newest schema that this program knows, so that
// goose has nothing to do: to find that out takes it longer than all else in opening a database.
// What cannot be read here is for goose to say.
func isCurrent(ctx context.Context, c *conn) bool {
	have, know, err := (&Tx{conn: c}).schemaVersion(ctx)
	return err == nil && have == know
}

// migrate brings the schema at path up to date, over database/sql, as goose
// needs it.
func migrate(ctx context.Context, path string, pragmas []string) (err error) {
	db, err := driver.Open(fileURL(path, url.Values{"_pragma": pragmas}), register)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	db.SetMaxOpenConns(1)
	return upgrade(ctx, db)
}

func upgrade(ctx context.Context, db *sql.DB) error {
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return err
	}
	p, err := goose.NewProvider(goose.DialectSQLite3, db, files, goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	have, err := p.GetDBVersion(ctx)
	if err != nil {
		return fmt.Errorf("reading the schema's version: %w", err)
	}
	sources := p.ListSources()
	if know := sources[len(sources)-1].Version; have > know {
		return newerSchema(have, know)
	}
	if _, err := p.Up(ctx); err != nil {
		return fmt.Errorf("bringing the schema up to date: %w", err)
	}
	return nil
}

func newerSchema(have, know int64) error {
	return fmt.Errorf("its schema is version %d, and this scim-bridge knows up to %d; run the newer scim-bridge that "+
		"wrote it", have, know)
}

// schemaVersion returns the version of the schema that the database has, and the newest one that this program knows.
func (tx *Tx) schemaVersion(ctx context.Context) (have, know int64, err error) {
	files, err := fs.Glob(migrations, "migrations/*.sql")
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
