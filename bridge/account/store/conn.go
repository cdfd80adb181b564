package store

import (
	"context"
	"database/sql"
	"errors"
	"sync"
)

// A conn is one connection to the database, with the statements that were
// prepared on it: to parse and plan one takes SQLite many times as long as to
// run it. It serves one transaction at a time.
type conn struct {
	sql      *sql.Conn
	prepared map[string]*sql.Stmt
	broken   bool // not fit for another transaction
}

// maxPrepared bounds the statements of a connection. The program's own are
// some hundred; filters make others.
const maxPrepared = 400

func newConn(ctx context.Context, db *sql.DB) (*conn, error) {
	c, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	return &conn{sql: c, prepared: make(map[string]*sql.Stmt)}, nil
}

func (c *conn) prepare(ctx context.Context, query string) (*sql.Stmt, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if s, ok := c.prepared[query]; ok {
		return s, nil
	}
	for old, s := range c.prepared { // any one makes room
		if len(c.prepared) < maxPrepared {
			break
		}
		delete(c.prepared, old)
		if err := s.Close(); err != nil {
			return nil, err
		}
	}
	s, err := c.sql.PrepareContext(context.WithoutCancel(ctx), query)
	if err != nil {
		return nil, err
	}
	c.prepared[query] = s
	return s, nil
}

func (c *conn) exec(ctx context.Context, query string, args ...any) (int64, error) {
	s, err := c.prepare(ctx, query) //nolint:sqlclosecheck // it stays with the connection
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(context.WithoutCancel(ctx), args...)
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

func (c *conn) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	s, err := c.prepare(ctx, query) //nolint:sqlclosecheck // it stays with the connection
	if err != nil {
		return nil, err
	}
	return s.QueryContext(context.WithoutCancel(ctx), args...)
}

func (c *conn) close() error {
	var errs []error
	for _, s := range c.prepared {
		errs = append(errs, s.Close())
	}
	return errors.Join(append(errs, c.sql.Close())...)
}

// A pool lends connections for reading, made as they are needed.
type pool struct {
	db     *sql.DB
	may    chan struct{} // a place for each connection that is lent
	mu     sync.Mutex
	idle   []*conn
	closed bool
}

func newPool(db *sql.DB, most int) *pool {
	return &pool{db: db, may: make(chan struct{}, most)}
}

// take lends a connection, the one used last if there is a choice: what it
// has read is still in its cache.
func (p *pool) take(ctx context.Context) (c *conn, err error) {
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
	p.mu.Unlock()
	switch {
	case closed:
		err = ErrClosed
	case c == nil:
		c, err = newConn(ctx, p.db)
	}
	if err != nil {
		<-p.may
	}
	return c, err
}

func (p *pool) giveBack(c *conn) {
	p.mu.Lock()
	keep := !p.closed && !c.broken
	if keep {
		p.idle = append(p.idle, c)
	}
	p.mu.Unlock()
	if !keep {
		_ = c.close() // what was wrong has been told already
	}
	<-p.may
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
	return errors.Join(append(errs, p.db.Close())...)
}
