package store

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/ncruces/go-sqlite3"
)

// A sqliteConn is one connection to the database, with the statements that were
// prepared on it, since SQLite takes many times as long to parse and plan one
// as to run it. It serves one transaction at a time.
//
// SQLite is spoken to directly and not through database/sql, whose locks and
// conversions cost a small statement more than SQLite does.
type sqliteConn struct {
	db       *sqlite3.Conn
	prepared map[string]*sqlite3.Stmt
	broken   bool // not fit for another transaction

	kept    bool      // the last transaction goes on, and its snapshot serves the next one
	at      walHeader // the newest state before the snapshot was taken
	atKnown bool      // that was known
	round   int       // of the pool, before the snapshot was taken

	names map[string]*groupName // those that were read in the snapshot
}

// maxPrepared bounds the statements of a connection. The program's own are
// some hundred; filters make others.
const maxPrepared = 400

func newSQLiteConn(path string, pragmas []string) (*sqliteConn, error) {
	return newSQLiteConnTo(fileURL(path, url.Values{"_pragma": pragmas}), sqlite3.OPEN_READWRITE)
}

func newSQLiteConnTo(url string, flags sqlite3.OpenFlag) (*sqliteConn, error) {
	db, err := sqlite3.OpenFlags(url, flags|sqlite3.OPEN_URI)
	if err != nil {
		return nil, err
	}
	// One plan for a statement, whatever its parameters: to look at them, SQLite
	// would plan it again each time.
	_, err = db.Config(sqlite3.DBCONFIG_ENABLE_QPSG, true)
	if err := errors.Join(err, register(db)); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &sqliteConn{db: db, prepared: make(map[string]*sqlite3.Stmt)}, nil
}

// fileURL is the database at path to SQLite. The log beside it, in which the
// newest rows are, gets its mode.
func fileURL(path string, options url.Values) string {
	options.Set("modeof", path)
	options.Set("vfs", vfsOf(filepath.Dir(path)))
	query := strings.ReplaceAll(options.Encode(), "+", "%20") // SQLite does not read + as a space
	u := url.URL{Scheme: "file", OmitHost: true, Path: path, RawQuery: query}
	return u.String()
}

// within makes every statement until the next call end when ctx does.
func (c *sqliteConn) within(ctx context.Context) { c.db.SetInterrupt(ctx) }

// begin begins a transaction for reading, unless the snapshot that was kept is of the newest state.
func (c *sqliteConn) begin(newest walHeader, known bool) error {
	if c.kept {
		if known && c.at == newest {
			return nil
		}
		if err := c.end(); err != nil {
			return err
		}
	}
	c.at, c.atKnown = newest, known
	c.names = make(map[string]*groupName)
	_, err := c.run("BEGIN")
	return err
}

// end ends the transaction, in which nothing was written.
func (c *sqliteConn) end() error {
	c.kept = false
	_, err := c.run("ROLLBACK")
	return err
}

// prepare returns the statement, ready to run with args.
func (c *sqliteConn) prepare(query string, args []any) (*sqlite3.Stmt, error) {
	s, ok := c.prepared[query]
	if !ok {
		var err error
		if s, err = c.compile(query); err != nil {
			return nil, err
		}
	}
	if n := s.BindCount(); n != len(args) {
		return nil, fmt.Errorf("a statement of %d parameters got %d", n, len(args))
	}
	for i, arg := range args {
		if err := bind(s, i+1, arg); err != nil {
			return nil, err
		}
	}
	return s, nil
}

func (c *sqliteConn) compile(query string) (*sqlite3.Stmt, error) {
	for old, s := range c.prepared { // any one makes room
		if len(c.prepared) < maxPrepared {
			break
		}
		delete(c.prepared, old)
		if err := s.Close(); err != nil {
			return nil, err
		}
	}
	s, _, err := c.db.PrepareFlags(query, sqlite3.PREPARE_PERSISTENT)
	if err != nil {
		return nil, err
	}
	c.prepared[query] = s
	return s, nil
}

func bind(s *sqlite3.Stmt, i int, arg any) error {
	switch v := arg.(type) {
	case nil:
		return s.BindNull(i)
	case string:
		return s.BindText(i, v)
	case int64:
		return s.BindInt64(i, v)
	case int:
		return s.BindInt(i, v)
	case bool:
		return s.BindBool(i, v)
	case float64:
		return s.BindFloat(i, v)
	default:
		return fmt.Errorf("parameter %d is a %T, which has no column type", i, arg)
	}
}

// exec implements conn.
func (c *sqliteConn) exec(ctx context.Context, query string, args []any) (int64, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	return c.run(query, args...)
}

// later implements conn.
func (c *sqliteConn) later(ctx context.Context, query string, args []any) error {
	_, err := c.exec(ctx, query, args)
	return err
}

// flush implements conn.
func (c *sqliteConn) flush(context.Context) error { return nil }

// savepoint implements conn.
func (c *sqliteConn) savepoint(_ context.Context, name string) error {
	_, err := c.run("SAVEPOINT " + name)
	return err
}

// rollbackTo implements conn.
func (c *sqliteConn) rollbackTo(_ context.Context, name string) error {
	_, err := c.run("ROLLBACK TO " + name)
	return err
}

// release implements conn.
func (c *sqliteConn) release(_ context.Context, name string) error {
	_, err := c.run("RELEASE " + name)
	return err
}

func (c *sqliteConn) run(query string, args ...any) (int64, error) {
	s, err := c.prepare(query, args)
	if err != nil {
		return 0, err
	}
	if err := s.Exec(); err != nil {
		return 0, err
	}
	return c.db.Changes(), nil
}

// query implements conn.
func (c *sqliteConn) query(ctx context.Context, query string, args []any) (*Rows, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	return c.rows(query, args...)
}

func (c *sqliteConn) rows(query string, args ...any) (*Rows, error) {
	s, err := c.prepare(query, args)
	if err != nil {
		return nil, err
	}
	return &Rows{stmt: s}, nil
}

func (c *sqliteConn) close() error {
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.db.Close())...)
}

// A pool lends connections for reading, made as they are needed.
type pool struct {
	open   func() (*sqliteConn, error)
	may    chan struct{} // a place for each connection that is lent
	mu     sync.Mutex
	idle   []*sqliteConn
	closed bool
	round  int  // counts calls of letGo
	timed  bool // expire will be called
}

func newPool(open func() (*sqliteConn, error), most int) *pool {
	return &pool{open: open, may: make(chan struct{}, most)}
}

// take lends a connection, the one used last if there is a choice: what it
// has read is still in its cache.
func (p *pool) take(ctx context.Context) (c *sqliteConn, err error) {
	select {
	case p.may <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	p.mu.Lock()
	closed := p.closed
	if last := len(p.idle) - 1; last >= 0 {
		c, p.idle = p.idle[last], p.idle[:last]
	}
	round := p.round
	p.mu.Unlock()
	switch {
	case closed:
		err = ErrClosed
	case c == nil:
		c, err = p.open()
	}
	if err != nil {
		<-p.may
		return nil, err
	}
	c.round = round
	return c, nil
}

func (p *pool) giveBack(c *sqliteConn) {
	p.mu.Lock()
	if c.kept && c.round != p.round && c.end() != nil {
		c.broken = true
	}
	keep := !p.closed && !c.broken
	if keep {
		p.idle = append(p.idle, c)
	}
	if keep && c.kept && !p.timed {
		p.timed = true
		time.AfterFunc(keptFor, p.expire)
	}
	p.mu.Unlock()
	if !keep {
		_ = c.close() // why it is broken was returned already
	}
	<-p.may
}

// keptFor is how long a snapshot is kept.
const keptFor = 100 * time.Millisecond

func (p *pool) expire() {
	p.mu.Lock()
	p.timed = false
	p.mu.Unlock()
	p.letGo()
}

// letGo ends the snapshots of idle connections, and has those of the others end when they are given back: the log
// cannot begin anew while somebody reads from it.
func (p *pool) letGo() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.round++
	p.idle = slices.DeleteFunc(p.idle, func(c *sqliteConn) bool {
		if !c.kept || c.end() == nil {
			return false
		}
		_ = c.close()
		return true
	})
}

// close closes the connections; those that are lent follow when they come back.
func (p *pool) close() error {
	p.mu.Lock()
	idle := p.idle
	p.idle, p.closed = nil, true
	p.mu.Unlock()
	var errs []error
	for _, c := range idle {
		errs = append(errs, c.close())
	}
	return errors.Join(errs...)
}
