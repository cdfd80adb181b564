package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

type accountBackupCommand struct {
	database
	changedAuditLog
	File  string `arg:"" help:"File to write, or a folder, in which the file is named by the time."`
	Force bool   `help:"Replace a file that is there; one that is no backup is kept under another name."`
	Keep  int    `placeholder:"N" help:"In a folder: keep the account's newest N, delete older ones; by default none."`
}

// changedAuditLog is the flag of commands that stop at an audit log that was changed.
type changedAuditLog struct {
	Allow bool `name:"allow-changed-audit-log" help:"Go on although the audit log was changed, which then is known."`
}

// Help implements kong.HelpProvider.
func (accountBackupCommand) Help() string {
	return `Copies the database while the account serves: what was acknowledged before the command began is in
the copy. The copy is checked (pages, indexes, references, counts, the audit log's chain) before it gets its name; a
backup that fails leaves nothing behind, and deletes no older one. It is one file, readable by its owner only.

A PostgreSQL database is backed up by pg_dump: the command then says how.

If the audit log was changed, the backup is written, and the command ends with exit code 4, says so on standard error
and deletes no older backup: one of them may have the log unchanged. scim-bridge account audit --verify says what was
changed. It cannot be undone: once you know who did it, add --allow-changed-audit-log.

All that the account has is in it: people, groups, rules, admin tokens (as digests), the sealed session, the audit log.
Keep beside it what it does not have: the flags or environment file of account serve, certificates, IP databases, and
the bearer token, without which nobody can use the sealed session.

  scim-bridge account backup --database sqlite:account.db account-backup.db
  scim-bridge account backup --database sqlite:account.db --keep 14 /var/backups/scim-bridge-account`
}

// Run writes a backup.
func (c *accountBackupCommand) Run(ctx context.Context, console *console) error {
	if c.isOnServer() {
		return &exit{exitUsage, fmt.Errorf("a PostgreSQL database is backed up by PostgreSQL's own tools: pg_dump "+
			"--format=custom --file=%s %s; to check it, scim-bridge account check and account audit --verify, also on "+
			"a restored copy", problem.QuoteShell(c.File), problem.QuoteShell(store.ForTools(c.Database)))}
	}
	path, folder, err := c.target(time.Now())
	if err != nil {
		return &exit{exitUsage, err}
	}
	if err := c.exists(); err != nil {
		return err
	}
	if file, ok := strings.CutPrefix(c.Database, "sqlite:"); ok {
		setTempFolder(file)
	}
	n, err := store.Backup(ctx, c.Database, path, c.Force, console.progress(progressInterval))
	if err != nil {
		return c.explain(path, err)
	}
	if _, err := fmt.Fprint(console.Out, describeBackup(path, n)); err != nil {
		return err
	}
	if len(n.Changed) > 0 && !c.Allow {
		return &exit{exitChanged, c.describeChanged(n.Changed)}
	}
	if folder == "" {
		return nil
	}
	return removeOldBackups(ctx, folder, path, n.Account.ID, strings.TrimPrefix(c.Database, "sqlite:"), c.Keep)
}

// exitChanged is the exit code of a backup that is complete, but for an audit log that was changed.
const exitChanged = 4

func (c *accountBackupCommand) describeChanged(events []store.Fault) error {
	text := "the backup is complete, but the audit log in it was changed: " + account.DescribeChanged(events)
	if c.Keep > 0 {
		text += "; no older backup was deleted, as one may have the log unchanged"
	}
	return fmt.Errorf("%s; what was changed: scim-bridge account audit --verify --database %s; once that is known: "+
		"--allow-changed-audit-log", text, c.Database)
}

func describeBackup(path string, n store.Snapshot) string {
	text := fmt.Sprintf("Wrote %s (%s) and checked it: account %q", path, bytesText(n.Bytes),
		inputtext.Line(n.Account.Name))
	if n.Older == 0 {
		text += ", " + describeSizes(n.Sizes) + ".\n"
	} else {
		text += fmt.Sprintf(".\nIts schema, version %d, is that of an older scim-bridge: only pages, indexes and "+
			"references were checked. To check the rest, use the scim-bridge that serves.\n", n.Older)
	}
	if len(n.Changed) > 0 {
		text += describeAllowed(n.Changed)
	}
	if n.Aside != "" {
		text += fmt.Sprintf("What was there is no file that account backup wrote, such as a database that was served, "+
			"and is kept as %s\n", n.Aside)
	}
	return text
}

func describeAllowed(events []store.Fault) string {
	return "The audit log in it was changed: " + account.DescribeChanged(events) + ".\n"
}

// target returns the file to write, and its folder if only that was given.
func (c *accountBackupCommand) target(now time.Time) (path, folder string, err error) {
	if err := isFileName(c.File); err != nil {
		return "", "", err
	}
	if path, err = filepath.Abs(c.File); err != nil {
		return "", "", err
	}
	info, err := os.Stat(path)
	switch isFolder := err == nil && info.IsDir(); {
	case isFolder && c.Force:
		return "", "", errors.New("--force replaces a file; in a folder each backup has a name of its own")
	case c.Keep < 0:
		return "", "", fmt.Errorf("--keep %d: choose a number of backups, at least 1", c.Keep)
	case isFolder:
		return filepath.Join(path, backupName(now)), path, nil
	case c.Keep > 0:
		return "", "", fmt.Errorf("--keep needs a folder that exists, and %q is none", c.File)
	case err == nil && !info.Mode().IsRegular():
		return "", "", fmt.Errorf("%q is not a file: choose another name", c.File)
	}
	return path, "", nil
}

// isFileName refuses what is no name of a backup's file, and would be taken for one.
func isFileName(file string) error {
	switch {
	case file == "-":
		return errors.New("the argument FILE is the name of a file: a backup is checked before it is complete, so it " +
			"is not written to standard output, nor read from standard input; ./- is a file of that name")
	case strings.HasPrefix(file, "sqlite:"):
		return fmt.Errorf("the argument FILE is the name of a file: leave out sqlite: and write %q",
			strings.TrimPrefix(file, "sqlite:"))
	case session.Misplaced(file):
		return session.FileError("FILE", file, fs.ErrNotExist)
	}
	return nil
}

// explain says what to do about a backup that failed.
func (c *accountBackupCommand) explain(path string, err error) error {
	var damaged *store.DamageError
	switch {
	case errors.Is(err, store.ErrItself):
		return fmt.Errorf("%s is the database itself, or a file that belongs to it: choose another name", path)
	case errors.Is(err, store.ErrLink):
		return fmt.Errorf("%s is a symbolic link: name the file that it leads to, or remove it", path)
	case errors.Is(err, store.ErrLogBeside):
		return fmt.Errorf("%s is a database that is in use, or was and left a log: %w: choose another name", path, err)
	case errors.Is(err, store.ErrLogName):
		return fmt.Errorf("%s: %w: choose a name that does not end in -wal, -shm or -journal", path, err)
	case errors.Is(err, store.ErrNoBackup):
		return fmt.Errorf("--database %s: %w", c.Database, err)
	case errors.Is(err, store.ErrExists):
		return fmt.Errorf("%s is there already: choose another name, or replace it with --force", path)
	case errors.As(err, &damaged):
		return fmt.Errorf("the copy was not kept: %w; so is the database: scim-bridge account check --database %s has "+
			"the whole list. Keep your older backups; to keep the database as it is, too, stop the account service "+
			"and copy its file, and the one that ends in -wal if there is one", damaged, c.Database)
	case errors.Is(err, store.ErrFull):
		return fmt.Errorf("the disk of %s has no room for the backup%s: free as much as the database takes, or choose "+
			"another folder", filepath.Dir(path), roomText(err))
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s: create it first", filepath.Dir(path))
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted: nothing was written")
	}
	return fmt.Errorf("backing up to %s: %w", path, durable.Reason(err))
}

// roomText tells how much room there is, if that is known.
func roomText(err error) string {
	room, ok := errors.AsType[*store.RoomError](err)
	if !ok {
		return ""
	}
	return fmt.Sprintf(" (%s free, %s needed)", bytesText(room.Free), bytesText(room.Need))
}

// backupName is the name of a backup in a folder. Names sort by time.
func backupName(now time.Time) string {
	return "account-" + now.UTC().Format("20060102T150405.000Z") + ".db"
}

var backupNames = regexp.MustCompile(`^account-\d{8}T\d{6}\.\d{3}Z\.db$`)

// removeOldBackups deletes all but the newest keep backups of an account in a folder. The one that was just written
// stays, whatever the clock said before. Those of other accounts, and what is no backup, are neither deleted nor
// counted.
func removeOldBackups(ctx context.Context, folder, written, account, database string, keep int) error {
	if keep == 0 {
		return nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("the backup is written, but older ones could not be listed: %w", err)
	}
	var older []string
	for _, e := range entries {
		name := e.Name()
		if !backupNames.MatchString(name) || !e.Type().IsRegular() || name == filepath.Base(written) {
			continue
		}
		path := filepath.Join(folder, name)
		if isFile(path, database) { // one may be served where it lies
			continue
		}
		if of, err := store.AccountIn(ctx, path); err == nil && of.ID == account {
			older = append(older, path)
		}
	}
	slices.Sort(older)
	for len(older) >= keep {
		if err := os.Remove(older[0]); err != nil {
			return fmt.Errorf("the backup is written, but an older one could not be deleted: %w", err)
		}
		older = older[1:]
	}
	return nil
}

// isFile reports whether two paths lead to one file.
func isFile(a, b string) bool {
	infoA, errA := os.Stat(a)
	infoB, errB := os.Stat(b)
	return errA == nil && errB == nil && os.SameFile(infoA, infoB)
}

type accountRestoreCommand struct {
	database
	changedAuditLog
	File string `arg:"" help:"Backup, as written by account backup."`
}

// Help implements kong.HelpProvider.
func (accountRestoreCommand) Help() string {
	return `Puts a backup in the place of the database, or where there is none yet. Stop the account service first:
while any process has the database open, the command refuses. The backup is copied, brought up to this version's schema
and checked before anything is replaced; the backup itself is not changed. The database that was there is kept, under
a name that is printed.

What happened after the backup is lost in the account: let the identity provider send people and groups once more, and
let terraform plan show the rules, domains and credentials that differ. Sessions end, and bridges sign in again by
themselves; but if the credentials were rotated after the backup, rotate them once more, as the command then says.
Admin tokens and credentials that were revoked or rotated out after the backup stay useless; to have them as in the
backup, move the database that is there away first, with its -wal. If it is damaged, so that what was revoked cannot
be read, the command says so. It lists the admin tokens that work: revoke those that should not.

A backup whose audit log was changed is refused. Choose one from before, or restore it with --allow-changed-audit-log:
the log stays as it is, and the event of the restore says where it was changed.

A PostgreSQL database is restored by pg_restore: the command then says how.

  scim-bridge account restore --database sqlite:account.db account-backup.db`
}

// Run restores a backup.
func (c *accountRestoreCommand) Run(ctx context.Context, console *console) error {
	if c.isOnServer() {
		return &exit{exitUsage, fmt.Errorf("a PostgreSQL database is restored by PostgreSQL's own tools: stop the "+
			"account services, and restore a file of pg_dump: pg_restore --clean --if-exists --no-owner "+
			"--exit-on-error --single-transaction --dbname=%s %s; then check it by scim-bridge account check and "+
			"account audit --verify; the guide \"PostgreSQL\" has what else a restored account needs",
			problem.QuoteShell(store.ForTools(c.Database)), problem.QuoteShell(c.File))}
	}
	path, isSQLite := strings.CutPrefix(c.Database, "sqlite:")
	if !isSQLite || path == "" {
		return &exit{exitUsage, errors.New("--database: a backup is restored to a file: write sqlite:PATH")}
	}
	if session.Misplaced(path) {
		return session.FileError("--database", path, fs.ErrNotExist)
	}
	if err := isFileName(c.File); err != nil {
		return &exit{exitUsage, err}
	}
	if _, err := os.Stat(c.File); err != nil {
		return session.FileError("FILE", c.File, err)
	}
	setTempFolder(path)
	r, err := account.Restore(ctx, c.File, path, c.Allow, console.progress(progressInterval))
	if err != nil {
		return c.explain(path, err)
	}
	return c.report(console, r)
}

// explain says what to do about a backup that was not restored.
func (c *accountRestoreCommand) explain(path string, err error) error {
	var damaged *store.DamageError
	var changed *account.ChangedAuditLogError
	var other *account.OtherAccountError
	var unread *account.UnreadError
	const untouched = "; nothing was changed"
	switch {
	case errors.Is(err, store.ErrInUse):
		return fmt.Errorf("a process has %s open, or changed it while the backup was copied: stop the account service "+
			"and any other command on this database, and repeat the command"+untouched, path)
	case errors.Is(err, store.ErrLink):
		return fmt.Errorf("--database %s: %w: set --database to the file that it leads to, or remove it"+untouched,
			path, err)
	case errors.Is(err, store.ErrAlone):
		return fmt.Errorf("%w: there is no %s, and a process may have that open still. Stop the account service, "+
			"and move the -wal, -shm and -journal to where you moved the database, whose newest changes they have"+
			untouched, err, path)
	case errors.As(err, &changed):
		return fmt.Errorf("%s: %w: choose a backup from before, or restore this one with --allow-changed-audit-log: "+
			"the log stays as it is, and the event of the restore says where it was changed"+untouched, c.File, changed)
	case errors.As(err, &other):
		return fmt.Errorf("%w: choose another --database, or move that one away"+untouched, other)
	case errors.Is(err, store.ErrLogBeside):
		return fmt.Errorf("beside %s is its log, %s-wal or -journal, as of a database that is in use or was copied by "+
			"hand, which may have changes that are not in it: make a backup of it with scim-bridge account backup "+
			"--database sqlite:%s FILE, and restore that"+untouched, c.File, c.File, c.File)
	case errors.As(err, &damaged):
		return fmt.Errorf("%s is damaged or was cut: %w: choose another backup"+untouched, c.File, damaged)
	case errors.Is(err, store.ErrNoBackup):
		return fmt.Errorf("%s is not a backup: %w; make one with scim-bridge account backup"+untouched, c.File, err)
	case errors.Is(err, store.ErrFull):
		return fmt.Errorf("the disk of %s has no room for a copy of the backup%s: free as much as it takes"+untouched,
			path, roomText(err))
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s: create it first", filepath.Dir(path))
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted" + untouched)
	case errors.As(err, &unread):
		return fmt.Errorf("what was revoked after the backup stays revoked, but the database that is there could not "+
			"be asked: %w: remove the cause, or move the database away with its -wal"+untouched, unread.Err)
	}
	return fmt.Errorf("restoring %s to %s: %w", c.File, path, err)
}

func (c *accountRestoreCommand) report(console *console, r account.Restored) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Restored the account %q (%s) to %s: %s.\n", inputtext.Line(r.Account.Name), r.Account.ID,
		c.Database, describeSizes(r.Sizes))
	fmt.Fprintf(&b, "The backup's newest audit event: %s. What happened after it is lost in the account.\n",
		cmp.Or(stamp(r.Newest), "none"))
	if len(r.Changed) > 0 {
		b.WriteString(describeAllowed(r.Changed))
	}
	for _, name := range r.Aside {
		fmt.Fprintf(&b, "What was there is kept as %s\n", name)
	}
	if len(r.Revoked) > 0 || r.Ended > 0 {
		fmt.Fprintf(&b, "\nWhat was revoked after the backup stays so: admin tokens: %d; credentials of the Provision "+
			"Manager: %d.\n", len(r.Revoked), r.Ended)
	}
	if r.MailsSent > 0 {
		fmt.Fprintf(&b, "\nMails that waited in the backup and were sent after it are not sent again: %d.\n",
			r.MailsSent)
	}
	if r.MailsUnknown > 0 {
		fmt.Fprintf(&b, "\nMails that waited in the backup, and may have been sent after it: %d. They are not sent, "+
			"unless you want it (not those of sign-ups and suspended people): scim-bridge account mail resend "+
			"--database %s --failed\n", r.MailsUnknown, c.Database)
	}
	if r.Unread != nil {
		fmt.Fprintf(&b, "\nThe database that was there could not be read (%s): admin tokens and credentials that were "+
			"revoked or rotated out after the backup work again.\n", inputtext.Line(r.Unread.Error()))
	}
	c.reportTokens(&b, r)
	fmt.Fprintf(&b, "\nNow start the account service. %s Let the identity provider send people and groups once more, "+
		"and run terraform plan.\n", bridgesAfter(r))
	_, err := fmt.Fprint(console.Out, b.String())
	return err
}

func (c *accountRestoreCommand) reportTokens(b *strings.Builder, r account.Restored) {
	if len(r.Tokens) > 0 {
		fmt.Fprintf(b, "\nAdmin tokens that work. Revoke those that should not: scim-bridge account token revoke "+
			"--database %s ID\n", c.Database)
	}
	for _, t := range r.Tokens {
		fmt.Fprintf(b, "  %s  %s  scope %s, created %s\n", t.ID, inputtext.Line(t.Name), t.Scope, stamp(t.CreatedAt))
	}
	if !r.HasAdmin() {
		fmt.Fprintf(b, "\nNo admin token works that can make changes. Create one: scim-bridge account token create "+
			"--database %s --name NAME\n", c.Database)
	}
}

// bridgesAfter tells what becomes of the bridges.
func bridgesAfter(r account.Restored) string {
	const rotate = "set a new bearer_token_wo_version and run terraform apply"
	switch {
	case r.MustRotate:
		return "Bridges cannot sign in: their credentials were rotated or ended after the backup. Rotate them once " +
			"more: " + rotate + "."
	case !r.Active:
		return "Provisioning is not active in the backup: if it should be, terraform apply activates it."
	case r.Unread != nil || len(r.Aside) == 0:
		return "Bridges sign in again by themselves, unless their credentials were rotated after the backup; then " +
			"rotate them once more: " + rotate + "."
	}
	return "Bridges sign in again by themselves."
}

// progressInterval is how often a long task says how far it is.
const progressInterval = 5 * time.Second

// progress returns a function that says on a terminal how far a copy is, unless it is quick. Elsewhere it says nothing:
// cron would mail it.
func (c *console) progress(every time.Duration) store.Progress {
	if !isTerminal(c.Err) {
		return func(int64, int64) {}
	}
	return progressOn(c.Err, every)
}

func progressOn(out io.Writer, every time.Duration) store.Progress {
	last := time.Now()
	return func(done, total int64) {
		if now := time.Now(); now.Sub(last) >= every && total > 0 {
			last = now
			fmt.Fprintf(out, "copied %d%% of %s\n", 100*done/total, bytesText(total))
			if done == total {
				fmt.Fprintln(out, "checking the copy")
			}
		}
	}
}

func describeSizes(n store.Sizes) string {
	return fmt.Sprintf("%d members, %d of them provisioned; %d groups with %d members and %d groups in them", n.Members,
		n.People, n.Groups, n.Memberships, n.Nestings)
}

// bytesText formats a number of bytes.
func bytesText(bytes int64) string {
	for _, unit := range []struct {
		name  string
		bytes int64
	}{{"GiB", 1 << 30}, {"MiB", 1 << 20}} {
		if bytes >= unit.bytes {
			return fmt.Sprintf("%.1f %s", float64(bytes)/float64(unit.bytes), unit.name)
		}
	}
	return fmt.Sprintf("%d KiB", (bytes+1023)/1024)
}
