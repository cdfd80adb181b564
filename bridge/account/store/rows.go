package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"
)

// A Scanner is one row.
type Scanner interface{ Scan(dest ...any) error }

// All reads every row of a query with scan.
func All[T any](ctx context.Context, tx *Tx, scan func(Scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := tx.Query(ctx, query, args...)
	return collect(rows, err, scan)
}

// AllLong is All for a statement that ends when ctx does; see Tx.QueryLong.
func AllLong[T any](ctx context.Context, tx *Tx, scan func(Scanner) (T, error), query string, args ...any) ([]T, error) {
	rows, err := tx.QueryLong(ctx, query, args...)
	return collect(rows, err, scan)
}

func collect[T any](rows *sql.Rows, err error, scan func(Scanner) (T, error)) ([]T, error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []T
	for rows.Next() {
		one, err := scan(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	return all, rows.Err()
}

// One reads the only row of a query with scan; found is false if there is none.
func One[T any](ctx context.Context, tx *Tx, scan func(Scanner) (T, error), query string, args ...any) (one T, found bool, err error) {
	one, err = scan(tx.QueryRow(ctx, query, args...))
	if errors.Is(err, sql.ErrNoRows) {
		return one, false, nil
	}
	return one, err == nil, err
}

// Micros is how a time is kept: microseconds since 1970 UTC, 0 for none.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// Time scans what Micros wrote.
type Time time.Time

// Scan implements sql.Scanner.
func (t *Time) Scan(src any) error {
	us, ok := src.(int64)
	if !ok {
		return fmt.Errorf("scanning a time: want microseconds, got %T", src)
	}
	*t = Time{}
	if us != 0 {
		*t = Time(time.UnixMicro(us).UTC())
	}
	return nil
}

// List passes a set of texts as one parameter, for
// `IN (SELECT value FROM json_each(?))`, so that a statement is the same
// for one and for a hundred thousand.
func List(values []string) string {
	if values == nil {
		return "[]"
	}
	text, err := json.Marshal(values)
	if err != nil {
		panic(err) // texts always have a JSON form
	}
	return string(text)
}
