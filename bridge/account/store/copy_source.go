package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/jackc/pgx/v5"
)

// A copySource is a database in a transaction that reads, and in which nobody writes until close.
type copySource struct {
	engine engine // for check
	tx     *Tx
	isHeld func(ctx context.Context) error // returns an error if somebody may have written, or will
	close  func()
}

func openSource(ctx context.Context, dsn string) (*copySource, error) {
	if IsPostgres(dsn) {
		return openPostgresSource(ctx, dsn)
	}
	path, err := fileOf(dsn)
	if err != nil {
		return nil, err
	}
	return openSQLiteSource(ctx, path)
}

// openSQLiteSource opens a database that nobody else has open, nor can open meanwhile.
func openSQLiteSource(ctx context.Context, path string) (_ *copySource, err error) {
	if path, err = filepath.Abs(path); err != nil {
		return nil, err
	}
	if err := isDatabase(path); err != nil {
		return nil, err
	}
	c, err := newSQLiteConn(path, []string{"locking_mode(EXCLUSIVE)"})
	if err != nil {
		return nil, damage(err)
	}
	s := &copySource{
		engine: (*sqlite)(nil),
		tx:     &Tx{conn: c},
		isHeld: func(context.Context) error { return nil }, // the lock is SQLite's
		close: func() {
			c.within(context.Background())
			_, _ = c.run("ROLLBACK") // nothing was written
			_ = c.close()
		},
	}
	if _, err = c.run("BEGIN EXCLUSIVE"); err == nil {
		c.within(ctx)
		err = s.refuse(ctx, `SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name IN `+tablesOfAccount)
	}
	if err != nil {
		s.close()
		return nil, damage(err)
	}
	return s, nil
}

// tablesOfAccount are two tables that every account has.
const tablesOfAccount = `('account', 'goose_db_version')`

// copierName is the application name of a copy's connections to a PostgreSQL server.
const copierName = applicationName + " account copy"

// openPostgresSource opens a database that no account server is connected to. One connection has the lock on writing,
// and another one the snapshot, which is to be from after the lock.
func openPostgresSource(ctx context.Context, dsn string) (*copySource, error) {
	p, _, err := newPostgres(dsn, lockWait)
	if err != nil {
		return nil, err
	}
	ofServers := [2]string{applicationName, p.config.RuntimeParams["application_name"]}
	p.config.RuntimeParams["application_name"] = copierName
	lock, err := p.begin(nil)
	if err != nil {
		return nil, openingError(dsn, err)
	}
	s := &copySource{engine: p, isHeld: func(ctx context.Context) error { return refuseServed(ctx, lock, ofServers) }}
	var reader *pgx.Conn
	s.close = func() {
		p.abandon()
		if reader != nil {
			closing, cancel := context.WithTimeout(context.Background(), time.Second)
			defer cancel()
			_ = reader.Close(closing)
		}
	}
	err = unlimit(ctx, lock)
	if err == nil {
		err = s.isHeld(ctx)
	}
	if err == nil {
		reader, err = p.connectReader(ctx)
	}
	if err == nil {
		s.tx = &Tx{conn: &postgresConn{conn: reader, statements: p.statement}}
		err = unlimit(ctx, s.tx)
	}
	if err == nil {
		err = s.refuse(ctx, `SELECT count(*) FROM pg_tables WHERE schemaname = current_schema() AND tablename IN `+
			tablesOfAccount)
	}
	if err != nil {
		s.close()
		return nil, err
	}
	return s, nil
}

// abandon rolls back what the writer has begun, and closes its connection.
func (p *postgres) abandon() {
	p.rollback()
	_ = p.closeWriter()
}

// connectReader opens a connection, and a snapshot in it.
func (p *postgres) connectReader(ctx context.Context) (*pgx.Conn, error) {
	c, err := pgx.ConnectConfig(ctx, p.config)
	if err == nil {
		_, err = c.Exec(ctx, "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
	}
	return c, postgresError(err)
}

// unlimit lifts the limits that the server may have for transactions that take long.
func unlimit(ctx context.Context, tx *Tx) error {
	_, err := tx.Exec(ctx, `SELECT set_config(name, '0', true) FROM pg_settings
		WHERE name IN ('statement_timeout', 'transaction_timeout', 'idle_in_transaction_session_timeout')`)
	return err
}

// refuseServed returns ErrInUse while there are connections of an application of these names. Those of a process that
// has just ended may still be there for a moment.
func refuseServed(ctx context.Context, tx *Tx, names [2]string) error {
	for until := time.Now().Add(goneWithin); ; {
		// A transaction sees the connections as they were when it asked first, until this.
		if _, err := tx.Exec(ctx, `SELECT pg_stat_clear_snapshot()`); err != nil {
			return err
		}
		var connections int
		err := tx.QueryRow(ctx, `SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()
			AND application_name IN (?, ?)`, names[0], names[1]).Scan(&connections)
		if err != nil || connections == 0 {
			return err
		}
		if time.Now().After(until) {
			return fmt.Errorf("%w: the server has %d of its connections", ErrInUse, connections)
		}
		select {
		case <-time.After(reconnectPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// goneWithin is how long a server takes at most to notice that a client has ended.
const goneWithin = 2 * time.Second

// refuse returns an error unless the database is that of an account, and has the newest schema. The query counts those
// of tablesOfAccount.
func (s *copySource) refuse(ctx context.Context, tables string) error {
	var n int
	if err := s.tx.QueryRow(ctx, tables).Scan(&n); err != nil {
		return err
	}
	if n < 2 {
		return ErrNoBackup
	}
	if _, found, err := s.tx.Account(ctx); err != nil || !found {
		return errors.Join(err, fmt.Errorf("%w: there is no account in it", ErrNoBackup))
	}
	have, know, err := s.tx.schemaVersion(ctx)
	switch {
	case err != nil:
		return err
	case have > know:
		return newerSchemaError{have, know}
	case have < know:
		return fmt.Errorf("%w: version %d, and this scim-bridge has %d", ErrOlderSchema, have, know)
	}
	return nil
}

// examine checks the database, and fills n but for the rows. Not every row would be read by an index that is damaged.
func (s *copySource) examine(ctx context.Context, allowChanged bool, n *Copied, progress CopyProgress) error {
	progress(CheckingSource, 0, 0)
	faults, err := s.tx.check(ctx, s.engine)
	if err != nil {
		return err
	}
	n.Changed, faults = splitChain(faults)
	if len(faults) > 0 {
		return &DamageError{faults}
	}
	if len(n.Changed) > 0 && !allowChanged {
		return &ChangedLogError{n.Changed}
	}
	if n.Account, _, err = s.tx.Account(ctx); err != nil {
		return err
	}
	n.Sizes, err = s.tx.Sizes(ctx)
	return err
}
