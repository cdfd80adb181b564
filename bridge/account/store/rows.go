package store

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"
	"unsafe"

	"github.com/ncruces/go-sqlite3"
)

// A Scanner is one row.
type Scanner interface{ Scan(dest ...any) error }

// Rows are the answer to a query. Its texts are copied into few allocations, each of which is kept for as
// long as one of the texts in it: a row's others fit beside its first text, if that is the longest.
type Rows struct {
	stmt     *sqlite3.Stmt
	postgres *postgresRows // instead of stmt
	room     []byte        // what is left of the latest allocation, with a length of 0
	taken    int           // the size of that allocation
}

// Next goes to the next row, at first to the first one, and reports whether
// there is one.
func (r *Rows) Next() bool {
	if r.postgres != nil {
		return r.postgres.rows.Next()
	}
	return r.stmt.Step()
}

// Scan copies the columns of the row; NULL is the zero value.
func (r *Rows) Scan(dest ...any) error {
	if n := r.columns(); n != len(dest) {
		return fmt.Errorf("scanning a row of %d columns into %d variables", n, len(dest))
	}
	for i, d := range dest {
		if d, isText := d.(*string); isText {
			text, err := r.rawText(i)
			if err != nil {
				return err
			}
			*d = r.copied(text)
			continue
		}
		n, err := r.number(i)
		if err != nil {
			return err
		}
		switch d := d.(type) {
		case *int64:
			*d = n
		case *int:
			*d = int(n)
		case *bool:
			*d = n != 0
		case *Time:
			*d = timeOf(n)
		default:
			return fmt.Errorf("scanning column %d: no column type goes into a %T", i, d)
		}
	}
	return nil
}

func (r *Rows) columns() int {
	if r.postgres != nil {
		return len(r.postgres.rows.FieldDescriptions())
	}
	return r.stmt.ColumnCount()
}

func (r *Rows) number(i int) (int64, error) {
	if r.postgres != nil {
		return r.postgres.int64(i)
	}
	return r.stmt.ColumnInt64(i), nil
}

// rawText returns the text in a column, good until the next row.
func (r *Rows) rawText(i int) ([]byte, error) {
	if r.postgres != nil {
		return r.postgres.text(i)
	}
	return r.stmt.ColumnRawText(i), nil
}

// The bounds of an allocation for texts, if none of them is longer.
const (
	leastText = 64
	mostText  = 32 << 10
)

// copied returns a copy of a text.
func (r *Rows) copied(text []byte) string {
	if len(text) == 0 {
		return ""
	}
	if cap(r.room) < len(text) {
		r.taken = min(2*r.taken, mostText)
		r.taken = max(r.taken, len(text)+len(text)/4+leastText)
		r.room = make([]byte, 0, r.taken)
	}
	copied := append(r.room, text...)
	r.room = copied[len(copied):]
	return unsafe.String(&copied[0], len(copied)) // nobody writes there again
}

// Close ends the query and returns the error that ended it early. Of an
// interruption between two rows only the statement knows, until it is reset.
func (r *Rows) Close() error {
	if r.postgres != nil {
		return r.postgres.close()
	}
	err := r.stmt.Err()
	return cmp.Or(err, r.stmt.Reset(), r.stmt.ClearBindings())
}

// All reads every row of a query with scan.
func All[T any](
	ctx context.Context, tx *Tx, scan func(Scanner) (T, error), query string, args ...any,
) (all []T, err error) {
	rows, err := tx.Query(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, errors.Join(err, rows.Close())
		}
		all = append(all, one)
	}
	return all, rows.Close()
}

// One reads the only row of a query with scan; found is false if there is none.
func One[T any](
	ctx context.Context, tx *Tx, scan func(Scanner) (T, error), query string, args ...any,
) (one T, found bool, err error) {
	one, err = scan(tx.QueryRow(ctx, query, args...))
	if errors.Is(err, ErrNoRow) {
		return one, false, nil
	}
	return one, err == nil, err
}

// affected reports whether a statement changed any row, from what Exec returned.
func affected(rows int64, err error) (bool, error) { return rows > 0, err }

// Micros is how a time is kept: microseconds since 1970 UTC, 0 for none.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time scans what Micros wrote.
type Time time.Time

func timeOf(us int64) Time {
	if us == 0 {
		return Time{}
	}
	return Time(time.UnixMicro(us).UTC())
}

// List passes strings as one parameter, for `IN (SELECT value FROM json_each(?))`,
// so that a statement is the same for one and for a hundred thousand.
func List(items []string) string {
	if items == nil {
		return "[]"
	}
	array, err := json.Marshal(items)
	if err != nil {
		panic(err) // strings always have a JSON form
	}
	return string(array)
}
