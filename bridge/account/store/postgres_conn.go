package store

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"
	"github.com/jackc/pgx/v5/pgxpool"
)

// A postgresConn is a connection to PostgreSQL in a transaction.
type postgresConn struct {
	conn       *pgx.Conn
	statements *statements
	timeout    time.Duration // of a statement; 0 for none but the context's
	// waiting are sent with the next statement, in one exchange: those that control the transaction, and those of whose
	// answers nothing depends. The latter are all of the innermost savepoint.
	waiting []statement
	writes  bool // there is one of the latter
	failed  bool // one of them has failed
}

// A statement is one in PostgreSQL's own text.
type statement struct {
	text string
	args []any
}

// mostWaiting bounds the statements of an exchange.
const mostWaiting = 100

// exec implements conn.
func (c *postgresConn) exec(ctx context.Context, query string, args []any) (int64, error) {
	text, err := c.statements.of(query, args)
	if err != nil {
		return 0, err
	}
	tag, err := c.run(ctx, text, args...)
	return tag.RowsAffected(), err
}

// later implements conn.
func (c *postgresConn) later(ctx context.Context, query string, args []any) error {
	text, err := c.statements.of(query, args)
	if err != nil {
		return err
	}
	c.waiting, c.writes = append(c.waiting, statement{text, args}), true
	if len(c.waiting) < mostWaiting {
		return nil
	}
	return c.flush(ctx)
}

// flush implements conn. What only controls the transaction need not be sent.
func (c *postgresConn) flush(ctx context.Context) error {
	if !c.writes {
		return nil
	}
	last := c.waiting[len(c.waiting)-1]
	c.waiting = c.waiting[:len(c.waiting)-1]
	_, err := c.run(ctx, last.text, last.args...)
	return err
}

// savepoint implements conn. What waits belongs to the savepoint before.
func (c *postgresConn) savepoint(ctx context.Context, name string) error {
	err := c.flush(ctx)
	c.waiting = append(c.waiting, statement{text: "SAVEPOINT " + name})
	return err
}

// rollbackTo implements conn. What was not sent is not.
func (c *postgresConn) rollbackTo(ctx context.Context, name string) error {
	c.writes = false
	for i := len(c.waiting) - 1; i >= 0; i-- {
		if c.waiting[i].text == "SAVEPOINT "+name {
			c.waiting = c.waiting[:i+1]
			return nil
		}
	}
	c.waiting = c.waiting[:0]
	_, err := c.run(ctx, "ROLLBACK TO "+name)
	c.failed = false
	return err
}

// release implements conn.
func (c *postgresConn) release(_ context.Context, name string) error {
	c.waiting = append(c.waiting, statement{text: "RELEASE " + name})
	return nil
}

// run runs a statement of PostgreSQL's own text.
func (c *postgresConn) run(ctx context.Context, text string, args ...any) (tag pgconn.CommandTag, err error) {
	ctx, cancel := c.bounded(ctx)
	defer cancel()
	if len(c.waiting) == 0 {
		tag, err = c.conn.Exec(ctx, text, args...)
		return tag, postgresError(err)
	}
	batch, err := c.send(ctx, text, args)
	if err == nil {
		tag, err = batch.Exec()
	}
	if closed := batch.Close(); err == nil {
		err = closed
	}
	return tag, postgresError(err)
}

// query implements conn.
func (c *postgresConn) query(ctx context.Context, query string, args []any) (*Rows, error) {
	text, err := c.statements.of(query, args)
	if err != nil {
		return nil, err
	}
	ctx, cancel := c.bounded(ctx)
	rows := &postgresRows{types: c.conn.TypeMap(), cancel: cancel}
	if len(c.waiting) == 0 {
		rows.rows, err = c.conn.Query(ctx, text, args...)
	} else if rows.batch, err = c.send(ctx, text, args); err == nil {
		rows.rows, err = rows.batch.Query()
	}
	if err != nil {
		if rows.batch != nil {
			_ = rows.batch.Close()
		}
		cancel()
		return nil, postgresError(err)
	}
	return &Rows{postgres: rows}, nil
}

// send sends a statement behind those that wait, whose answers it reads. If one of those fails, that is the error.
func (c *postgresConn) send(ctx context.Context, text string, args []any) (pgx.BatchResults, error) {
	batch := new(pgx.Batch)
	for _, s := range c.waiting {
		batch.Queue(s.text, s.args...)
	}
	batch.Queue(text, args...)
	results, before := c.conn.SendBatch(ctx, batch), len(c.waiting)
	clear(c.waiting)
	c.waiting, c.writes = c.waiting[:0], false
	for range before {
		if _, err := results.Exec(); err != nil {
			c.failed = true
			return results, err
		}
	}
	return results, nil
}

func (c *postgresConn) bounded(ctx context.Context) (context.Context, context.CancelFunc) {
	if c.timeout == 0 {
		return ctx, func() {}
	}
	return context.WithTimeout(ctx, c.timeout)
}

// A postgresReader is a transaction that reads. It takes a connection with its first statement.
type postgresReader struct {
	*postgres
	lent *pgxpool.Conn // nil before
	postgresConn
}

// exec implements conn.
func (c *postgresReader) exec(ctx context.Context, query string, args []any) (n int64, err error) {
	return n, c.begun(ctx, func() error {
		n, err = c.postgresConn.exec(ctx, query, args)
		return err
	})
}

// later implements conn. A reader has nothing to send that asks for nothing.
func (c *postgresReader) later(ctx context.Context, query string, args []any) error {
	_, err := c.exec(ctx, query, args)
	return err
}

// query implements conn.
func (c *postgresReader) query(ctx context.Context, query string, args []any) (rows *Rows, err error) {
	return rows, c.begun(ctx, func() error {
		rows, err = c.postgresConn.query(ctx, query, args)
		return err
	})
}

// begun asks in the transaction. The first statement begins it, and is asked again on another connection if that one
// fails: one that was idle may have been closed by the server.
func (c *postgresReader) begun(ctx context.Context, ask func() error) error {
	if c.lent != nil {
		return ask()
	}
	return c.whileAway(ctx, func() (err error) {
		if c.lent, err = c.readers.Acquire(ctx); err != nil {
			return err
		}
		c.postgresConn = postgresConn{conn: c.lent.Conn(), statements: c.statement,
			waiting: []statement{{text: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"}}}
		if err = ask(); isAway(err) {
			c.lent.Release()
			c.lent = nil
		}
		return err
	})
}

// end gives the connection back, once the server has ended the transaction, for which nobody waits.
func (c *postgresReader) end() {
	if c.lent == nil {
		return
	}
	go func() {
		defer c.lent.Release()
		ctx, cancel := context.WithTimeout(context.Background(), reconnecting)
		defer cancel()
		if !c.lent.Conn().IsClosed() {
			_, _ = c.lent.Exec(ctx, "ROLLBACK") // nothing was written; a connection that fails is not kept
		}
	}()
}

// postgresRows are the rows of a query as PostgreSQL sends them.
type postgresRows struct {
	rows   pgx.Rows
	batch  pgx.BatchResults // that they are the last of, or nil
	types  *pgtype.Map
	cancel context.CancelFunc
}

func (r *postgresRows) close() error {
	r.rows.Close()
	err := r.rows.Err()
	if r.batch != nil {
		if closed := r.batch.Close(); err == nil {
			err = closed
		}
	}
	r.cancel()
	return postgresError(err)
}

// The types of columns.
func isText(oid uint32) bool {
	switch oid {
	case pgtype.TextOID, pgtype.VarcharOID, pgtype.UnknownOID, pgtype.NameOID:
		return true
	}
	return false
}

// int64 returns the number in a column, or 1 and 0 for true and false.
func (r *postgresRows) int64(i int) (n int64, err error) {
	raw, field := r.rows.RawValues()[i], r.rows.FieldDescriptions()[i]
	if raw == nil {
		return 0, nil
	}
	binaryFormat := field.Format == pgtype.BinaryFormatCode
	switch field.DataTypeOID {
	case pgtype.Int8OID:
		if binaryFormat {
			return int64(binary.BigEndian.Uint64(raw)), nil
		}
	case pgtype.Int4OID:
		if binaryFormat {
			return int64(int32(binary.BigEndian.Uint32(raw))), nil
		}
	case pgtype.BoolOID:
		if raw[0] == 1 || raw[0] == 't' {
			return 1, nil
		}
		return 0, nil
	case pgtype.NumericOID: // of sum
		return n, r.types.Scan(field.DataTypeOID, field.Format, raw, &n)
	default:
		return 0, fmt.Errorf("column %s is no number", field.Name)
	}
	return strconv.ParseInt(string(raw), 10, 64)
}

// text returns the text in a column, good until the next row.
func (r *postgresRows) text(i int) ([]byte, error) {
	raw, field := r.rows.RawValues()[i], r.rows.FieldDescriptions()[i]
	if raw != nil && !isText(field.DataTypeOID) {
		n, err := r.int64(i)
		return strconv.AppendInt(nil, n, 10), err
	}
	return raw, nil
}

// statements are those of this program as PostgreSQL has them.
type statements struct {
	mu    sync.RWMutex
	known map[string]string
}

// maxStatements bounds what is known. The program's own are some hundred; filters make others.
const maxStatements = 1000

func newStatements() *statements { return &statements{known: make(map[string]string)} }

// of returns the statement for parameters of the types of args.
func (s *statements) of(query string, args []any) (string, error) {
	if len(args) == 0 {
		return query, nil
	}
	s.mu.RLock()
	text, known := s.known[query]
	s.mu.RUnlock()
	if known {
		return text, nil
	}
	text, err := numbered(query, args)
	if err != nil {
		return "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.known) >= maxStatements {
		clear(s.known)
	}
	s.known[query] = text
	return text, nil
}

// numbered gives the parameters their numbers, from ? and ?1 to $1, and their types, which PostgreSQL does not see
// everywhere. A statement has the same types each time. There are no question marks in it but those of parameters and
// in quotes.
func numbered(query string, args []any) (string, error) {
	var b strings.Builder
	next := 0
	for len(query) > 0 {
		i := strings.IndexAny(query, `'"?`)
		if i < 0 {
			b.WriteString(query)
			break
		}
		b.WriteString(query[:i])
		quote := query[i]
		query = query[i+1:]
		if quote != '?' {
			end := strings.IndexByte(query, quote)
			if end < 0 {
				return "", errors.New("a statement has a quote without an end")
			}
			b.WriteByte(quote)
			b.WriteString(query[:end+1])
			query = query[end+1:]
			continue
		}
		digits := 0
		for digits < len(query) && query[digits] >= '0' && query[digits] <= '9' {
			digits++
		}
		n := next
		if digits > 0 {
			number, err := strconv.Atoi(query[:digits])
			if err != nil {
				return "", err
			}
			n = number - 1
			query = query[digits:]
		}
		next = max(next, n+1)
		if n >= len(args) {
			return "", fmt.Errorf("a statement of %d parameters or more got %d", n+1, len(args))
		}
		kind, err := columnType(args[n])
		if err != nil {
			return "", fmt.Errorf("parameter %d %w", n+1, err)
		}
		fmt.Fprintf(&b, "$%d%s", n+1, kind)
	}
	if next != len(args) {
		return "", fmt.Errorf("a statement of %d parameters got %d", next, len(args))
	}
	return b.String(), nil
}

func columnType(arg any) (string, error) {
	switch arg.(type) {
	case nil:
		return "", nil
	case string:
		return "::text", nil
	case int64, int:
		return "::bigint", nil
	case bool:
		return "::boolean", nil
	case float64:
		return "::double precision", nil
	default:
		return "", fmt.Errorf("is a %T, which has no column type", arg)
	}
}

// The errors of a PostgreSQL server.
var (
	// ErrAway says that the database's server cannot be reached, or ends or refuses connections.
	ErrAway = errors.New("the database server cannot be reached")
	// ErrRefused says that the database's server does not let us in: a password is wrong, or there is no such user or
	// database.
	ErrRefused = errors.New("the database server refuses the connection")
	// ErrReadOnly says that the server is a standby, or takes no writes for another reason.
	ErrReadOnly = errors.New("the database server is read-only")
	// ErrText says that a text has the character U+0000, which PostgreSQL has none of.
	ErrText = errors.New("a text has the character U+0000")
)

// postgresError wraps an error of the server, or of the connection to it, in the error that says what kind it is.
func postgresError(err error) error {
	answer, isAnswer := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil, isStorageError(err), errors.Is(err, context.Canceled), errors.Is(err, pgx.ErrNoRows):
		return err
	case errors.Is(err, pgconn.ErrReadOnlyConnection): // of a server of the address, perhaps beside others
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case !isAnswer:
		return fmt.Errorf("%w: %w", ErrAway, err)
	}
	switch code := answer.Code; {
	case code == "53100": // disk_full
		return fmt.Errorf("%w: %w", ErrFull, err)
	case code == "25006", // read_only_sql_transaction
		code == "0A000" && strings.Contains(answer.Message, "recovery"): // BEGIN READ WRITE on a standby
		return fmt.Errorf("%w: %w", ErrReadOnly, err)
	case code == "22021", code == "22P05": // character_not_in_repertoire, untranslatable_character
		return fmt.Errorf("%w: %w", ErrText, err)
	case code == "55P03": // lock_not_available
		return fmt.Errorf("%w: %w", ErrLocked, err)
	case strings.HasPrefix(code, "08"), strings.HasPrefix(code, "57P"), code == "53300", // too_many_connections
		code == "25P03": // idle_in_transaction_session_timeout
		return fmt.Errorf("%w: %w", ErrAway, err)
	case strings.HasPrefix(code, "58"), strings.HasPrefix(code, "53"), strings.HasPrefix(code, "XX"):
		return fmt.Errorf("%w: %w", ErrDisk, err)
	case strings.HasPrefix(code, "28"), strings.HasPrefix(code, "3D"): // a password, a database
		return fmt.Errorf("%w: %w", ErrRefused, err)
	default:
		return err
	}
}

// isAway reports whether it may help to ask again, perhaps another server of several.
func isAway(err error) bool { return errors.Is(err, ErrAway) || errors.Is(err, ErrReadOnly) }

// hasNoTable reports whether a statement named a table that is not there.
func hasNoTable(err error) bool {
	answer, ok := errors.AsType[*pgconn.PgError](err)
	return ok && answer.Code == "42P01"
}
