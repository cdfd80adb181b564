package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// accountCopyCommand copies an account from SQLite to PostgreSQL or back.
type accountCopyCommand struct {
	changedAuditLog
	From string `required:"" placeholder:"DATABASE" help:"The account: sqlite:PATH, or postgres://USER@HOST/NAME."`
	To   string `required:"" placeholder:"DATABASE" help:"A new, empty database of the other kind."`
}

// Help implements kong.HelpProvider.
func (accountCopyCommand) Help() string {
	return `Copies an account from SQLite to PostgreSQL, or back: people, groups, rules, admin tokens (as digests), the
sealed session, sign-ins, mails and the audit log, all or nothing. Bridges stay signed in, and no credential changes.

First stop every account service, and any other command, on --from: while one is connected the command refuses, and
while it copies nobody can write there, so that nothing which was acknowledged is left behind. --to is a database
without an account: in PostgreSQL, create an empty one, which its user owns; for SQLite, name a new file.

The command checks --from as scim-bridge account check does, copies all rows in one transaction, compares both by the
number of rows and a checksum of each table, checks the copy, and only then commits. Whatever stops it before, be it
kill -9 or a loss of power, leaves --from as it was and --to without an account: run the command again.

Then start the account service with the new --database, and not on the old one any more: the two know nothing of each
other. Keep the old one until there is a backup of the new one.

The password of PostgreSQL is read from the password file (PGPASSFILE, ~/.pgpass), or from PGPASSWORD, or is in the
address in the variable SCIMBRIDGE_FROM or SCIMBRIDGE_TO: other users of the machine can read a command line.

  scim-bridge account copy --from sqlite:account.db --to postgres://scimbridge@db.example.com/account
  scim-bridge account copy --from postgres://scimbridge@db.example.com/account --to sqlite:account.db`
}

// Run copies the account.
func (c *accountCopyCommand) Run(ctx context.Context, console *console) error {
	for _, side := range []string{c.From, c.To} {
		if path, isFile := strings.CutPrefix(side, "sqlite:"); isFile {
			if session.Misplaced(path) {
				return session.FileError("--from or --to", path, fs.ErrNotExist)
			}
			setTempFolder(path)
		}
	}
	began := time.Now()
	n, err := store.Copy(ctx, c.From, c.To, c.Allow, console.copyProgress(progressInterval))
	if err != nil {
		return c.explain(err)
	}
	return c.report(console, n, time.Since(began))
}

// explain says what to do about an account that was not copied.
func (c *accountCopyCommand) explain(err error) error {
	const untouched = "; nothing was copied"
	side, isOfSide := errors.AsType[*store.CopyError](err)
	switch {
	case errors.Is(err, store.ErrSameKind):
		return &exit{exitUsage, errors.New("--from and --to are of one kind: a SQLite database is copied by " +
			"scim-bridge account backup and restore, and one of PostgreSQL by pg_dump and pg_restore")}
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted" + untouched)
	case !isOfSide:
		return err
	case errors.Is(err, store.ErrAddress):
		flag := map[bool]string{false: "--from", true: "--to"}[side.OfTarget]
		return &exit{exitUsage, fmt.Errorf("%s: %w", flag, err)}
	case side.OfTarget:
		return c.explainTarget(side.Err, untouched)
	default:
		return c.explainSource(side.Err, untouched)
	}
}

func (c *accountCopyCommand) explainSource(err error, untouched string) error {
	var damaged *store.DamageError
	var changed *store.ChangedLogError
	from := store.WithoutPassword(c.From)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !store.IsPostgres(c.From):
		return fmt.Errorf("--from: there is no database %s", strings.TrimPrefix(from, "sqlite:"))
	case errors.Is(err, store.ErrInUse):
		text := "--from %s: %w: stop every account service and other command on it, and repeat the command"
		if store.IsPostgres(c.From) {
			text += "; a pooler keeps connections of a service that has ended for some minutes: name the server " +
				"itself instead, and have the pooler close them"
		}
		return fmt.Errorf(text+untouched, from, err)
	case errors.Is(err, store.ErrNoBackup):
		return fmt.Errorf("--from %s: %w"+untouched, from, err)
	case errors.Is(err, store.ErrOlderSchema):
		return fmt.Errorf("--from %s: %w: make a backup of it, bring it up to date with scim-bridge account check "+
			"--database %s, and repeat the command"+untouched, from, err, from)
	case errors.As(err, &damaged):
		return fmt.Errorf("--from %s: %w: scim-bridge account check --database %s has the whole list; restore a "+
			"backup from before"+untouched, from, damaged, from)
	case errors.As(err, &changed):
		return fmt.Errorf("--from %s: its audit log was changed: %s: what was changed is said by scim-bridge account "+
			"audit --verify --database %s; once that is known, add --allow-changed-audit-log, and the log is copied "+
			"as it is"+
			untouched, from, account.DescribeChanged(changed.Events), from)
	}
	return fmt.Errorf("--from: %w"+untouched, err)
}

func (c *accountCopyCommand) explainTarget(err error, untouched string) error {
	var damaged *store.DamageError
	to := store.WithoutPassword(c.To)
	path := strings.TrimPrefix(to, "sqlite:")
	const report = ": please report this, with the versions of both programs"
	switch {
	case errors.Is(err, store.ErrNotEmpty):
		return fmt.Errorf("--to %s: %w: create a new database, or name a new file"+untouched, to, err)
	case errors.Is(err, store.ErrInUse), errors.Is(err, store.ErrLink), errors.Is(err, store.ErrAlone),
		errors.Is(err, store.ErrNoBackup):
		return fmt.Errorf("--to %s: %w: name a new file"+untouched, to, err)
	case errors.Is(err, store.ErrText):
		return fmt.Errorf("--to %s: %w: PostgreSQL has no such texts; have it corrected, by the identity provider or "+
			"an administrator, and repeat the command"+untouched, to, err)
	case errors.Is(err, store.ErrDiffers):
		return fmt.Errorf("--to %s: %w"+report+untouched, to, err)
	case errors.As(err, &damaged):
		return fmt.Errorf("--to %s: the copy was not kept: %w"+report+untouched, to, damaged)
	case errors.Is(err, store.ErrUnknownCommit):
		return fmt.Errorf("--to %s: %w: repeat the command; if it says then that there is an account, the copy is "+
			"complete, and so says scim-bridge account check --database %s", to, err, to)
	case errors.Is(err, store.ErrFull):
		return fmt.Errorf("--to %s: %w: free as much as the account takes"+untouched, to, err)
	case errors.Is(err, fs.ErrNotExist) && !store.IsPostgres(c.To):
		return fmt.Errorf("--to: there is no folder %s: create it first", filepath.Dir(path))
	}
	return fmt.Errorf("--to: %w"+untouched, err)
}

func (c *accountCopyCommand) report(console *console, n store.Copied, took time.Duration) error {
	from, to := store.WithoutPassword(c.From), store.WithoutPassword(c.To)
	var b strings.Builder
	fmt.Fprintf(&b, "Copied the account %q (%s) from %s to %s: %s.\n", inputtext.Line(n.Account.Name),
		n.Account.ID, from, to, describeSizes(n.Sizes))
	fmt.Fprintf(&b, "Both have the same %d rows in %d tables, by number and checksum, and the copy is sound. "+
		"It took %s.\n", n.Rows, n.Tables, took.Round(100*time.Millisecond))
	if len(n.Changed) > 0 {
		b.WriteString(describeAllowed(n.Changed))
	}
	fmt.Fprintf(&b, "\nNow start the account service with --database %s, and none with --database %s any more: what "+
		"is written to one is not in the other. Keep the old one until there is a backup of the new one.\n", to, from)
	_, err := io.WriteString(console.Out, b.String())
	return err
}

// copyProgress returns a function that says on a terminal how far a copy is.
func (c *console) copyProgress(every time.Duration) store.CopyProgress {
	if !isTerminal(c.Err) {
		return func(store.CopyStep, int64, int64) {}
	}
	return copyProgressOn(c.Err, every)
}

func copyProgressOn(out io.Writer, every time.Duration) store.CopyProgress {
	var current store.CopyStep
	var last time.Time
	return func(step store.CopyStep, done, total int64) {
		now := time.Now()
		switch {
		case step != current && total > 0:
			fmt.Fprintf(out, "%s %d rows\n", step, total)
		case step != current:
			fmt.Fprintln(out, step)
		case now.Sub(last) >= every:
			fmt.Fprintf(out, "%s: %d of %d rows\n", step, done, total)
		default:
			return
		}
		current, last = step, now
	}
}
