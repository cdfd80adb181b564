package store

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
)

// A Copied is what Copy has copied.
type Copied struct {
	Account Account
	Sizes   Sizes
	Tables  int
	Rows    int64 // of all tables
	// Changed are the events at which the audit log is not as it was recorded, in both databases.
	Changed []Fault
}

// A CopyStep is what Copy is doing.
type CopyStep string

// The steps of Copy, in their order.
const (
	CheckingSource CopyStep = "checking the source"
	Copying        CopyStep = "copying"
	Comparing      CopyStep = "comparing"
	CheckingTarget CopyStep = "checking the copy"
)

// CopyProgress is told how many rows of a step are done. Both numbers are 0 if that is not known.
type CopyProgress func(step CopyStep, done, total int64)

// A CopyError says on which side of a copy an error was.
type CopyError struct {
	OfTarget bool
	Err      error
}

func (e *CopyError) Error() string { return e.Err.Error() }

func (e *CopyError) Unwrap() error { return e.Err }

func ofSource(err error) error { return &CopyError{false, err} }

func ofTarget(err error) error { return &CopyError{true, err} }

// The errors of Copy, beside those of Restore and of a server.
var (
	// ErrSameKind says that both databases are SQLite's or both PostgreSQL's, which have means of their own for that.
	ErrSameKind = errors.New("both databases are of one kind")
	// ErrNotEmpty says that there is something in the target.
	ErrNotEmpty = errors.New("it is not empty")
	// ErrOlderSchema says that the source is to be brought up to date first.
	ErrOlderSchema = errors.New("its schema is that of an older scim-bridge")
	// ErrDiffers says that the target did not have what was written to it.
	ErrDiffers = errors.New("the copy is not equal to the source")
	// ErrUnknownCommit says that the connection was lost while the target was committed.
	ErrUnknownCommit = errors.New("it is not known whether the copy is complete")
)

// A ChangedLogError says at which events an audit log is not as it was recorded.
type ChangedLogError struct{ Events []Fault }

func (e *ChangedLogError) Error() string { return "its audit log was changed" }

// Copy copies the account in the database at one address to that at another, from SQLite to PostgreSQL or back. The
// target has no account before, and afterwards all rows of the source, in one transaction. That is undone if the two
// differ in a table, by the number of rows or by a checksum, or if the target is damaged, as Check finds it.
//
// What the source has acknowledged is in the copy: nobody writes to the source meanwhile, and the error is ErrInUse if
// another process has it open. The error is a ChangedLogError if its audit log was changed, unless allowChanged is set.
// Errors of one side are in a CopyError. The source is not changed, nor, if there is an error, is the target, but that
// it has the tables of an account.
func Copy(ctx context.Context, from, to string, allowChanged bool, progress CopyProgress) (n Copied, err error) {
	if IsPostgres(from) == IsPostgres(to) {
		return n, ErrSameKind
	}
	source, err := openSource(ctx, from)
	if err != nil {
		return n, ofSource(err)
	}
	defer source.close()
	target, err := openTarget(ctx, to)
	if err != nil {
		return n, ofTarget(err)
	}
	defer target.close()
	c := &copier{source: source, target: target, progress: progress}
	if err := c.findTables(ctx, IsPostgres(from)); err != nil {
		return n, err
	}
	if err := source.examine(ctx, allowChanged, &n, progress); err != nil {
		return n, ofSource(err)
	}
	if err := c.copy(ctx); err != nil {
		return n, err
	}
	if err := c.verify(ctx); err != nil {
		return n, ofTarget(err)
	}
	if err := source.isHeld(ctx); err != nil {
		return n, ofSource(err)
	}
	if err := target.commit(); err != nil {
		return n, ofTarget(err)
	}
	n.Tables, n.Rows = len(c.tables), c.total
	return n, nil
}

// A copier copies rows.
type copier struct {
	source   *copySource
	target   *copyTarget
	progress CopyProgress
	tables   []table
	total    int64      // of rows
	sums     []checksum // of the tables, as they were read
}

// findTables finds the tables, which are asked of SQLite, and refuses a target that has rows in them.
func (c *copier) findTables(ctx context.Context, toSQLite bool) (err error) {
	of, asked := ofSource, c.source.tx
	if toSQLite {
		of, asked = ofTarget, c.target.tx
	}
	if c.tables, err = readTables(ctx, asked); err != nil {
		return of(err)
	}
	if err := c.target.tx.refuseAccount(ctx); err != nil {
		return ofTarget(err)
	}
	for _, t := range c.tables {
		rows, err := t.count(ctx, c.target.tx)
		if err != nil {
			return ofTarget(err)
		}
		if rows > 0 && !t.isSeeded() {
			return ofTarget(fmt.Errorf("%w: it has rows in %s", ErrNotEmpty, t.name))
		}
		if rows, err = t.count(ctx, c.source.tx); err != nil {
			return ofSource(err)
		}
		c.total += rows
	}
	return nil
}

// copy copies all rows.
func (c *copier) copy(ctx context.Context) error {
	for _, t := range c.tables {
		if !t.isSeeded() {
			continue
		}
		if _, err := c.target.tx.Exec(ctx, `DELETE FROM `+t.name); err != nil {
			return ofTarget(err)
		}
	}
	if err := c.target.prepare(ctx, c.tables); err != nil {
		return ofTarget(err)
	}
	each := c.count(Copying)
	for _, t := range c.tables {
		sum, err := c.copyTable(ctx, t, each)
		if err != nil {
			return err
		}
		c.sums = append(c.sums, sum)
	}
	if err := c.target.finish(ctx, c.tables); err != nil {
		return ofTarget(err)
	}
	return nil
}

func (c *copier) copyTable(ctx context.Context, t table, each func()) (sum checksum, err error) {
	rows, err := t.read(ctx, c.source.tx, each)
	if err != nil {
		return sum, ofSource(err)
	}
	written := c.target.insert(ctx, t, rows)
	sum, err = rows.close()
	switch {
	case ctx.Err() != nil:
		return sum, ctx.Err()
	case err != nil:
		return sum, ofSource(err)
	case written != nil:
		return sum, ofTarget(fmt.Errorf("writing to %s%s: %w", t.name, c.rowOf(ctx, t, written), written))
	}
	return sum, nil
}

// copyLine is what PostgreSQL says of a row that it does not take, among others.
var copyLine = regexp.MustCompile(`\bCOPY \w+, line (\d+)`)

// rowOf names the row of the source that a PostgreSQL server does not take, if its key is an id.
func (c *copier) rowOf(ctx context.Context, t table, err error) string {
	answer, isAnswer := errors.AsType[*pgconn.PgError](err)
	if !isAnswer || !strings.HasSuffix(t.key[0], "id") {
		return ""
	}
	line := copyLine.FindStringSubmatch(answer.Where)
	if line == nil {
		return ""
	}
	var id string
	if err := c.source.tx.QueryRow(ctx, fmt.Sprintf(`SELECT %s FROM %s ORDER BY %s LIMIT 1 OFFSET %s - 1`, t.key[0],
		t.name, strings.Join(t.key, ", "), line[1])).Scan(&id); err != nil {
		return ""
	}
	return fmt.Sprintf(", the row with the %s %q", t.key[0], id)
}

// verify compares the rows of the target with those that were read, and checks it.
func (c *copier) verify(ctx context.Context) error {
	each := c.count(Comparing)
	for i, t := range c.tables {
		sum, err := t.checksum(ctx, c.target.tx, each)
		if err != nil {
			return err
		}
		if sum != c.sums[i] {
			return fmt.Errorf("%w: %s has %d rows with the checksum %x, instead of %d with %x", ErrDiffers, t.name,
				sum.rows, sum.digest[:4], c.sums[i].rows, c.sums[i].digest[:4])
		}
	}
	c.progress(CheckingTarget, 0, 0)
	faults, err := c.target.tx.check(ctx, c.target.engine)
	if err != nil {
		return err
	}
	if _, faults = splitChain(faults); len(faults) > 0 {
		return &DamageError{faults}
	}
	return nil
}

// count returns a function that is called for each row of a step.
func (c *copier) count(step CopyStep) func() {
	c.progress(step, 0, c.total)
	done := int64(0)
	return func() {
		if done++; done%rowsAProgress == 0 || done == c.total {
			c.progress(step, done, c.total)
		}
	}
}

// rowsAProgress is how many rows are copied before the caller is told.
const rowsAProgress = 500
