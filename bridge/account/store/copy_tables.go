package store

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"slices"
	"strings"

	"github.com/ncruces/go-sqlite3"
)

// A table is one of an account.
type table struct {
	name    string
	columns []tableColumn
	key     []string // the columns of the primary key, in its order
	refers  []string // to other tables
}

type tableColumn struct {
	name string
	kind columnKind
}

// A columnKind is what a column has, beside NULL.
type columnKind string

// The kinds of columns, by the types that the migrations of SQLite declare.
const (
	textColumn    columnKind = "TEXT"
	numberColumn  columnKind = "BIGINT"
	booleanColumn columnKind = "BOOLEAN"
)

// isSeeded reports whether the table has one row in every database, which the migrations insert.
func (t table) isSeeded() bool { return slices.Equal(t.key, []string{"one"}) }

func (t table) names() (names []string) {
	for _, c := range t.columns {
		names = append(names, c.name)
	}
	return names
}

// readTables returns the tables of a SQLite database, each after those that it refers to. They are those of PostgreSQL,
// too; admission_version and schema_compatibility, which that has beside them, are of servers and not of an account.
func readTables(ctx context.Context, tx *Tx) (all []table, err error) {
	names, err := All(ctx, tx, scanText, `SELECT name FROM sqlite_schema WHERE type = 'table'
		AND name NOT LIKE 'sqlite%' AND name <> 'goose_db_version' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		t, err := readTable(ctx, tx, name)
		if err != nil {
			return nil, err
		}
		all = append(all, t)
	}
	return inOrder(all), nil
}

func readTable(ctx context.Context, tx *Tx, name string) (t table, err error) {
	t.name = name
	t.columns, err = All(ctx, tx, func(row Scanner) (c tableColumn, err error) {
		var declared string
		err = row.Scan(&c.name, &declared)
		if c.kind = columnKind(declared); declared == "INTEGER" {
			c.kind = numberColumn
		}
		return c, err
	}, `SELECT name, type FROM pragma_table_info(?) ORDER BY cid`, name)
	if err != nil {
		return t, err
	}
	t.key, err = All(ctx, tx, scanText, `SELECT name FROM pragma_table_info(?) WHERE pk > 0 ORDER BY pk`, name)
	if err != nil {
		return t, err
	}
	t.refers, err = All(ctx, tx, scanText, `SELECT DISTINCT "table" FROM pragma_foreign_key_list(?)`, name)
	return t, err
}

// inOrder sorts tables so that each comes after those that it refers to.
func inOrder(tables []table) (sorted []table) {
	done := make(map[string]bool)
	for len(sorted) < len(tables) {
		before := len(sorted)
		for _, t := range tables {
			isReady := !slices.ContainsFunc(t.refers, func(name string) bool { return !done[name] })
			if !done[t.name] && isReady {
				sorted, done[t.name] = append(sorted, t), true
			}
		}
		if len(sorted) == before {
			panic("tables that refer to each other")
		}
	}
	return sorted
}

// count returns the number of rows.
func (t table) count(ctx context.Context, tx *Tx) (n int64, err error) {
	return n, tx.QueryRow(ctx, `SELECT count(*) FROM `+t.name).Scan(&n)
}

// A checksum is what tells the rows of one table from others: how many there are, and a SHA-256 of them in the order of
// the primary key, the same for both kinds of database.
type checksum struct {
	rows   int64
	digest [sha256.Size]byte
}

// A rowReader reads the rows of a table in the order of its primary key. It is a pgx.CopyFromSource.
type rowReader struct {
	rows   *Rows
	table  table
	values []any // of the row: nil, a string, an int64 or a bool
	count  int64
	sum    hash.Hash
	coded  []byte
	each   func() // called after each row
	err    error
}

func (t table) read(ctx context.Context, tx *Tx, each func()) (*rowReader, error) {
	rows, err := tx.Query(ctx, fmt.Sprintf(`SELECT %s FROM %s ORDER BY %s`, strings.Join(t.names(), ", "), t.name,
		strings.Join(t.key, ", ")))
	return &rowReader{rows: rows, table: t, values: make([]any, len(t.columns)), sum: sha256.New(), each: each}, err
}

// Next implements pgx.CopyFromSource.
func (r *rowReader) Next() bool {
	if r.err != nil || !r.rows.Next() {
		return false
	}
	r.coded = r.coded[:0]
	for i, c := range r.table.columns {
		if r.values[i], r.err = r.rows.value(i, c.kind); r.err != nil {
			r.err = fmt.Errorf("row %d of %s, column %s: %w", r.count+1, r.table.name, c.name, r.err)
			return false
		}
		r.coded = appendValue(r.coded, r.values[i])
	}
	r.sum.Write(r.coded)
	r.count++
	r.each()
	return true
}

// appendValue appends what no other value begins with.
func appendValue(coded []byte, value any) []byte {
	switch v := value.(type) {
	case string:
		coded = binary.AppendUvarint(append(coded, 't'), uint64(len(v)))
		return append(coded, v...)
	case int64:
		return binary.AppendVarint(append(coded, 'n'), v)
	case bool:
		if v {
			return append(coded, '1')
		}
		return append(coded, '0')
	}
	return append(coded, '-')
}

// Values implements pgx.CopyFromSource.
func (r *rowReader) Values() ([]any, error) { return r.values, r.err }

// Err implements pgx.CopyFromSource.
func (r *rowReader) Err() error { return r.err }

// close ends the reading, and returns the checksum of the rows that were read.
func (r *rowReader) close() (c checksum, err error) {
	c.rows = r.count
	r.sum.Sum(c.digest[:0])
	if err = r.rows.Close(); r.err != nil {
		err = r.err
	}
	return c, err
}

// checksum reads the table.
func (t table) checksum(ctx context.Context, tx *Tx, each func()) (checksum, error) {
	r, err := t.read(ctx, tx, each)
	if err != nil {
		return checksum{}, err
	}
	for r.Next() { // which adds the row
	}
	return r.close()
}

// value returns the value in a column of a kind: nil, a string, an int64 or a bool. SQLite would take any value in any
// column.
func (r *Rows) value(i int, kind columnKind) (any, error) {
	if r.isNull(i) {
		return nil, nil
	}
	if isText := r.stmt == nil || r.stmt.ColumnType(i) == sqlite3.TEXT; kind == textColumn && isText {
		text, err := r.rawText(i)
		return r.copied(text), err
	}
	if isNumber := r.stmt == nil || r.stmt.ColumnType(i) == sqlite3.INTEGER; kind == textColumn || !isNumber {
		return nil, fmt.Errorf("the value is not of the column's type %s", kind)
	}
	n, err := r.number(i)
	if kind == booleanColumn {
		return n != 0, err
	}
	return n, err
}

func (r *Rows) isNull(i int) bool {
	if r.postgres != nil {
		return r.postgres.rows.RawValues()[i] == nil
	}
	return r.stmt.ColumnType(i) == sqlite3.NULL
}
