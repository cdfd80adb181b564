package store

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A postgres is a PostgreSQL database that is open.
//
// Several account servers may have it open. Whoever writes has the lock on writing from the beginning of its
// transaction to its end, so that its statements find what they would find in SQLite, which has one writer too. The
// waiting writes of a server share such a transaction, and its commit.
//
// Nothing of a session is used beyond a transaction, so that the address may be that of a pooler that gives each
// transaction another server connection.
type postgres struct {
	address   string // without a password
	config    *pgx.ConnConfig
	readers   *pgxpool.Pool
	writer    *pgx.Conn     // nil if there is none, or none that works
	writing   *postgresConn // to the writer, in the transaction that begin began
	statement *statements
	wait      time.Duration
	closed    atomic.Bool
}

// The keys of advisory locks, which a program that is not this one does not take by chance.
const (
	writeLock   = 0x5c1b_acc0_0001
	migrateLock = 0x5c1b_acc0_0002
)

const (
	// longestWrite bounds each exchange with the server in a write, the wait for the lock on writing aside.
	longestWrite = 30 * time.Second
	// reconnecting is for how long a read or a write that has not begun looks for a server that takes it. It covers the
	// restart of a server, and is shorter than the deadline of a bridge's request.
	reconnecting = 5 * time.Second
	// longestIdle bounds the pauses between the statements of a write: a server that is lost from the network, or
	// stopped, has the lock on writing no longer. Others wait for the lock as long.
	longestIdle = lockWait
	// reconnectPause is the time between two tries.
	reconnectPause = 100 * time.Millisecond
)

// leastVersion is the oldest PostgreSQL that is supported, as server_version_num has it.
const leastVersion = 140000

// applicationName is how the connections of account servers are named at the server, if their address names no other.
const applicationName = "scim-bridge"

// openPostgres opens a database. One without our schema is only made ours if create is set.
func openPostgres(ctx context.Context, dsn string, wait time.Duration, create bool) (*postgres, error) {
	p, config, err := newPostgres(dsn, wait)
	if err != nil {
		return nil, err
	}
	if err := p.whileAway(ctx, func() (err error) {
		p.writer, err = pgx.ConnectConfig(ctx, p.config)
		return err
	}); err != nil {
		return nil, err
	}
	if err := p.bringUpToDate(ctx, create); err != nil {
		return nil, errors.Join(err, p.closeWriter())
	}
	// From here on no connection is made to a standby, what it has may be old: where the address names several servers,
	// it is another one's turn.
	for _, c := range []*pgx.ConnConfig{p.config, config.ConnConfig} {
		if c.ValidateConnect == nil {
			c.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
		}
	}
	if p.readers, err = pgxpool.NewWithConfig(ctx, config); err != nil {
		return nil, errors.Join(postgresError(err), p.closeWriter())
	}
	return p, nil
}

// newPostgres returns a database without connections, and the configuration of those of its readers.
func newPostgres(dsn string, wait time.Duration) (*postgres, *pgxpool.Config, error) {
	config, err := pgxpool.ParseConfig(dsn)
	if err != nil {
		return nil, nil, addressError(err)
	}
	if !strings.Contains(dsn, "pool_max_conns=") {
		config.MaxConns = int32(2 * max(4, runtime.GOMAXPROCS(0)))
	}
	if config.ConnConfig.ConnectTimeout == 0 {
		config.ConnConfig.ConnectTimeout = reconnecting
	}
	if config.ConnConfig.RuntimeParams["application_name"] == "" {
		config.ConnConfig.RuntimeParams["application_name"] = applicationName
	}
	return &postgres{
		address: WithoutPassword(dsn), config: config.ConnConfig.Copy(), statement: newStatements(), wait: wait,
	}, config, nil
}

// beginRead implements engine. The transaction begins with its first statement, in one exchange with the server.
func (p *postgres) beginRead(_ context.Context, in *Store) (*Tx, error) {
	return &Tx{store: in, conn: &postgresReader{postgres: p}, names: make(map[string]*groupName)}, nil
}

// endRead implements engine.
func (p *postgres) endRead(ctx context.Context, tx *Tx, failed error) error {
	tx.conn.(*postgresReader).end()
	if ctx.Err() != nil && failed != nil {
		return ctx.Err()
	}
	return failed
}

// whileAway calls try again while the server is away, for a time.
func (p *postgres) whileAway(ctx context.Context, try func() error) error {
	for until := time.Now().Add(reconnecting); ; {
		err := try()
		if err != nil && p.closed.Load() {
			return ErrClosed
		}
		if ctx.Err() != nil && err != nil {
			return ctx.Err()
		}
		if err = postgresError(err); !isAway(err) || time.Now().After(until) {
			return err
		}
		select {
		case <-time.After(reconnectPause):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// begin implements engine.
func (p *postgres) begin(in *Store) (*Tx, error) {
	// A server may acknowledge a commit before it is on disk if it is told so, which is not for a database of ours. The
	// wait for the lock is bounded by the server, so that a connection that is lost leaves the queue.
	begin := fmt.Sprintf("BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL lock_timeout = %d; "+
		"SET LOCAL idle_in_transaction_session_timeout = %d; SELECT set_config('synchronous_commit', 'on', true) "+
		"WHERE current_setting('synchronous_commit') = 'off'; SELECT pg_advisory_xact_lock(%d)",
		p.wait.Milliseconds(), longestIdle.Milliseconds(), writeLock)
	if in != nil {
		begin += "; SELECT last_sequence, last_hash, (SELECT max(position) FROM people) FROM audit_chain" // see ahead
	}
	ctx, cancel := context.WithTimeout(context.Background(), reconnecting+p.wait+longestWrite)
	defer cancel()
	var answers []*pgconn.Result
	err := p.whileAway(ctx, func() (err error) {
		if p.writer == nil || p.writer.IsClosed() {
			if p.writer, err = pgx.ConnectConfig(ctx, p.config); err != nil {
				p.writer = nil
				return err
			}
		}
		if answers, err = p.writer.PgConn().Exec(ctx, begin).ReadAll(); err != nil {
			_ = p.closeWriter() // it may be of a server that takes no writes any more
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	p.writing = &postgresConn{conn: p.writer, statements: p.statement, timeout: longestWrite}
	tx := &Tx{store: in, conn: p.writing}
	if in == nil {
		return tx, nil
	}
	for _, row := range answers[len(answers)-1].Rows {
		tx.ahead.appended.Hash = string(row[1])
		for column, into := range map[int]*int64{0: &tx.ahead.appended.Sequence, 2: &tx.ahead.position} {
			if len(row[column]) > 0 {
				if *into, err = strconv.ParseInt(string(row[column]), 10, 64); err != nil {
					return nil, errors.Join(err, p.closeWriter())
				}
			}
		}
	}
	return tx, nil
}

// commit implements engine. If the server is lost before it answers, nobody knows whether there was a commit; the error
// is that of a write that has failed.
func (p *postgres) commit() error {
	ctx, cancel := context.WithTimeout(context.Background(), longestWrite)
	defer cancel()
	tag, err := p.writing.run(ctx, "COMMIT")
	if p.writing.failed && err != nil {
		return err
	}
	if err == nil && tag.String() != "COMMIT" {
		// A statement had failed, and the error was passed over.
		err = fmt.Errorf("the server answered COMMIT with %s", tag)
	}
	return commitError(err)
}

// rollback implements engine.
func (p *postgres) rollback() {
	if p.writer == nil || p.writer.IsClosed() {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), longestWrite)
	defer cancel()
	if _, err := p.writer.Exec(ctx, "ROLLBACK"); err != nil {
		_ = p.closeWriter()
	}
}

func (p *postgres) closeWriter() error {
	if p.writer == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	err := p.writer.Close(ctx)
	p.writer = nil
	return err
}

// newest implements engine.
func (p *postgres) newest(ctx context.Context) (at state, known bool, err error) {
	err = p.whileAway(ctx, func() error {
		return p.readers.QueryRow(ctx, "SELECT version FROM admission_version").Scan(&at.version)
	})
	return at, err == nil, err
}

// explain implements engine.
func (p *postgres) explain(err error) error { return err }

// check implements engine.
func (p *postgres) check() error { return nil }

// takesWrites implements engine.
func (p *postgres) takesWrites() error { return nil }

var postgresDialect = dialect{
	path: func(names []string) string { return "{" + strings.Join(names, ",") + "}" },
	get:  "json_get(%s, ?)", number: "json_number(%s)", bytes: ` COLLATE "C"`, endsWith: "right(%s, length(?)) = ?",
	windows: true,
	groupNames: `, CASE WHEN p.group_ids = '' THEN '' ELSE COALESCE((SELECT json_agg(json_build_object('ID', g.id,
		'ScimID', g.scim_id, 'Name', g.name, 'Folded', g.name_folded, 'Version', g.name_version))
		FROM groups g WHERE g.id = ANY (string_to_array(p.group_ids, ' ')))::text, '') END`,
}

// dialect implements engine.
func (*postgres) dialect() *dialect { return &postgresDialect }

// setting implements engine.
func (p *postgres) setting() string { return p.address }

// close implements engine.
func (p *postgres) close() error {
	p.closed.Store(true)
	p.readers.Close()
	return p.closeWriter()
}
