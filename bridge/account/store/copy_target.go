package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/ncruces/go-sqlite3"
)

// A copyTarget is a database in a transaction that writes.
type copyTarget struct {
	engine engine
	tx     *Tx // nil once it is committed
	rowWriter
}

// A rowWriter writes the rows of a copy.
type rowWriter interface {
	// prepare has no trigger fire in the tables: the rows have what triggers have written.
	prepare(ctx context.Context, tables []table) error
	insert(ctx context.Context, t table, rows *rowReader) error
	// finish undoes prepare, and has counted what statements are planned by.
	finish(ctx context.Context, tables []table) error
}

func openTarget(ctx context.Context, dsn string) (*copyTarget, error) {
	if IsPostgres(dsn) {
		return openPostgresTarget(ctx, dsn)
	}
	path, err := fileOf(dsn)
	if err != nil {
		return nil, err
	}
	return openSQLiteTarget(ctx, path)
}

func openPostgresTarget(ctx context.Context, dsn string) (*copyTarget, error) {
	p, err := openPostgres(ctx, dsn, lockWait, true)
	if errors.Is(err, ErrAddress) {
		return nil, err
	}
	if err != nil {
		return nil, openingError(dsn, err)
	}
	tx, err := p.begin(nil)
	if err != nil {
		return nil, errors.Join(postgresError(err), p.close())
	}
	c := tx.conn.(*postgresConn)
	c.timeout = 0
	t := &copyTarget{p, tx, postgresRowWriter{tx, c.conn}}
	if err := unlimit(ctx, tx); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func openSQLiteTarget(ctx context.Context, path string) (*copyTarget, error) {
	if err := refuseFile(ctx, path); err != nil {
		return nil, damage(err)
	}
	s, err := openSQLite(ctx, path, lockWait)
	if err != nil {
		return nil, storageError(err)
	}
	tx, err := s.begin(nil)
	if err != nil {
		return nil, errors.Join(storageError(err), s.close())
	}
	return &copyTarget{s, tx, sqliteRowWriter{s.writer}}, nil
}

// refuseFile returns an error for a file that another process has open, or that is not of an account. It comes before
// the database is opened, which would make tables in it.
func refuseFile(ctx context.Context, path string) (err error) {
	if path, err = filepath.Abs(path); err != nil {
		return err
	}
	if err := refuseLinks(path); err != nil {
		return err
	}
	unlock, err := lockDatabase(path)
	if err != nil {
		return err
	}
	unlock()
	if info, err := os.Stat(path); err != nil || info.Size() == 0 {
		return nil // openSQLite makes it, or says why not
	}
	if err := isDatabase(path); err != nil {
		return err
	}
	c, err := newSQLiteConn(path, []string{"query_only(1)"})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	tx := &Tx{conn: c}
	var tables, ours int
	if err := tx.QueryRow(ctx, `SELECT count(*), COALESCE(sum(name IN `+tablesOfAccount+`), 0) FROM sqlite_schema
		WHERE type = 'table'`).Scan(&tables, &ours); err != nil {
		return err
	}
	if tables == 0 {
		return nil
	}
	if ours < 2 {
		return fmt.Errorf("%w: it has tables of another program", ErrNotEmpty)
	}
	return tx.refuseAccount(ctx)
}

// refuseAccount returns ErrNotEmpty if there is an account.
func (tx *Tx) refuseAccount(ctx context.Context) error {
	a, found, err := tx.Account(ctx)
	if found {
		err = fmt.Errorf("%w: it has the account %s", ErrNotEmpty, a.ID)
	}
	return err
}

// commit makes the copy durable.
func (t *copyTarget) commit() error {
	if err := t.engine.check(); err != nil {
		return err
	}
	err := storageError(t.engine.commit())
	if errors.Is(err, ErrAway) {
		err = fmt.Errorf("%w: %w", ErrUnknownCommit, err)
	}
	if err == nil {
		t.tx = nil
	}
	return err
}

// close closes the database. What is not committed is undone.
func (t *copyTarget) close() {
	if t.tx != nil {
		t.engine.rollback()
	}
	_ = t.engine.close()
}

type sqliteRowWriter struct{ writer *sqliteConn }

func (w sqliteRowWriter) prepare(context.Context, []table) error {
	_, err := w.writer.db.Config(sqlite3.DBCONFIG_ENABLE_TRIGGER, false)
	return err
}

func (w sqliteRowWriter) insert(ctx context.Context, t table, rows *rowReader) error {
	query := fmt.Sprintf(`INSERT INTO %s (%s) VALUES (?%s)`, t.name, strings.Join(t.names(), ", "),
		strings.Repeat(", ?", len(t.columns)-1))
	for rows.Next() {
		if _, err := w.writer.exec(ctx, query, rows.values); err != nil {
			return storageError(err)
		}
	}
	return nil
}

// finish has nothing to do: the setting is one of the connection, which is closed.
func (sqliteRowWriter) finish(context.Context, []table) error { return nil }

type postgresRowWriter struct {
	tx   *Tx
	conn *pgx.Conn
}

func (w postgresRowWriter) prepare(ctx context.Context, tables []table) error {
	return w.alter(ctx, tables, `ALTER TABLE %s DISABLE TRIGGER USER`)
}

func (w postgresRowWriter) insert(ctx context.Context, t table, rows *rowReader) error {
	_, err := w.conn.CopyFrom(ctx, pgx.Identifier{t.name}, t.names(), rows)
	return postgresError(err)
}

func (w postgresRowWriter) finish(ctx context.Context, tables []table) error {
	if err := w.alter(ctx, tables, `ALTER TABLE %s ENABLE TRIGGER USER`); err != nil {
		return err
	}
	return w.alter(ctx, tables, `ANALYZE %s`)
}

func (w postgresRowWriter) alter(ctx context.Context, tables []table, statement string) error {
	for _, t := range tables {
		if _, err := w.tx.Exec(ctx, fmt.Sprintf(statement, t.name)); err != nil {
			return err
		}
	}
	return nil
}
