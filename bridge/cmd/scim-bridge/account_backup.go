package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
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
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

type accountBackupCommand struct {
	database
	File  string `arg:"" help:"File to write, or a folder, in which the file is named by the time."`
	Force bool   `help:"Replace a file that is there."`
	Keep  int    `placeholder:"N" help:"In a folder: keep the newest N backups and delete older ones; all by default."`
}

// Help implements kong.HelpProvider.
func (accountBackupCommand) Help() string {
	return `Copies the database while the account serves: everything that was acknowledged before the command began is in
the copy. The copy is checked (pages, indexes, references, counts, the audit log's chain) before it gets its name; a
backup that fails leaves nothing behind, and deletes no older one. It is one file, readable by its owner only.

All that the account has is in it: people, groups, rules, admin tokens (as digests), the sealed session, the audit log.
Keep beside it what it does not have: the flags or environment file of account serve, certificates, IP databases, and
the bearer token, without which nobody can use the sealed session.

  scim-bridge account backup --database sqlite:account.db account-backup.db
  scim-bridge account backup --database sqlite:account.db --keep 14 /var/backups/scim-bridge-account`
}

// Run writes a backup.
func (c *accountBackupCommand) Run(ctx context.Context, console *console) error {
	path, folder, err := c.target(time.Now())
	if err != nil {
		return err
	}
	return c.with(ctx, func(a *account.Account) error {
		n, err := a.Store.Backup(ctx, path, c.Force, console.progress("copied"))
		if err != nil {
			return c.explain(path, err)
		}
		if _, err := fmt.Fprintf(console.Out, "Wrote %s (%s) and checked it: account %q, %s.\n", path,
			bytesText(n.Bytes), inputtext.Line(n.Account.Name), describeSizes(n.Sizes)); err != nil {
			return err
		}
		if folder == "" {
			return nil
		}
		return removeOldBackups(folder, path, c.Keep)
	})
}

// target returns the file to write, and its folder if only that was given.
func (c *accountBackupCommand) target(now time.Time) (path, folder string, err error) {
	if session.Misplaced(c.File) {
		return "", "", session.FileError("FILE", c.File, fs.ErrNotExist)
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

// explain says what to do about a backup that failed.
func (c *accountBackupCommand) explain(path string, err error) error {
	var damaged *store.DamageError
	switch {
	case errors.Is(err, store.ErrExists):
		return fmt.Errorf("%s is there already: choose another name, or replace it with --force", path)
	case errors.As(err, &damaged):
		return fmt.Errorf("the copy was not kept: %w; so is the database: scim-bridge account check --database %s has "+
			"the whole list. Keep your older backups", damaged, c.Database)
	case errors.Is(err, store.ErrFull):
		return fmt.Errorf("the disk of %s has no room for the backup: free as much as the database takes, or choose "+
			"another folder", filepath.Dir(path))
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s: create it first", filepath.Dir(path))
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted: nothing was written")
	}
	return fmt.Errorf("backing up to %s: %w", path, durable.Reason(err))
}

// backupName is the name of a backup in a folder. Names sort by time.
func backupName(now time.Time) string {
	return "account-" + now.UTC().Format("20060102T150405.000Z") + ".db"
}

var backupNames = regexp.MustCompile(`^account-\d{8}T\d{6}\.\d{3}Z\.db$`)

// removeOldBackups deletes all but the newest keep backups in a folder. The one that was just written stays, whatever
// the clock said before.
func removeOldBackups(folder, written string, keep int) error {
	if keep == 0 {
		return nil
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return fmt.Errorf("the backup is written, but older ones could not be listed: %w", err)
	}
	var older []string
	for _, e := range entries {
		if name := e.Name(); backupNames.MatchString(name) && e.Type().IsRegular() && name != filepath.Base(written) {
			older = append(older, name)
		}
	}
	slices.Sort(older)
	for len(older) >= keep {
		if err := os.Remove(filepath.Join(folder, older[0])); err != nil {
			return fmt.Errorf("the backup is written, but an older one could not be deleted: %w", err)
		}
		older = older[1:]
	}
	return nil
}

type accountRestoreCommand struct {
	database
	File string `arg:"" help:"Backup, as written by account backup."`
}

// Help implements kong.HelpProvider.
func (accountRestoreCommand) Help() string {
	return `Puts a backup in the place of the database, or where there is none yet. Stop the account service first: while
any process has the database open, the command refuses. The backup is copied, brought up to this version's schema and
checked before anything is replaced; the backup itself is not changed. The database that was there is kept, under a
name that is printed.

What happened after the backup is lost in the account: let the identity provider send people and groups once more, and
let terraform plan show the rules, domains and credentials that differ. Sessions end, and bridges sign in again by
themselves. Admin tokens and credentials that were revoked or rotated out after the backup stay useless if the
database that was there can be read; to have them as in the backup, move that database away first. If it cannot be
read, the command says so and lists the admin tokens that work: revoke those that should not.

  scim-bridge account restore --database sqlite:account.db account-backup.db`
}

// Run restores a backup.
func (c *accountRestoreCommand) Run(ctx context.Context, console *console) error {
	path, isSQLite := strings.CutPrefix(c.Database, "sqlite:")
	if !isSQLite || path == "" {
		return errors.New("--database: a backup is restored to a file: write sqlite:PATH")
	}
	for setting, value := range map[string]string{"--database": path, "FILE": c.File} {
		if session.Misplaced(value) {
			return session.FileError(setting, value, fs.ErrNotExist)
		}
	}
	if _, err := os.Stat(c.File); err != nil {
		return session.FileError("FILE", c.File, err)
	}
	setTempFolder(path)
	r, err := account.Restore(ctx, c.File, path, console.progress("copied"))
	if err != nil {
		return c.explain(path, err)
	}
	return c.report(console, r)
}

// explain says what to do about a backup that was not restored.
func (c *accountRestoreCommand) explain(path string, err error) error {
	var damaged *store.DamageError
	var other *account.OtherAccountError
	const untouched = "; nothing was changed"
	switch {
	case errors.Is(err, store.ErrInUse):
		return fmt.Errorf("a process has %s open: stop the account service, and any other command on this database, "+
			"and repeat the command"+untouched, path)
	case errors.Is(err, store.ErrLink):
		return fmt.Errorf("%s is a symbolic link: set --database to the file that it leads to"+untouched, path)
	case errors.As(err, &other):
		return fmt.Errorf("%w: choose another --database, or move that one away"+untouched, other)
	case errors.Is(err, store.ErrLogBeside):
		return fmt.Errorf("%s has changes in %s-wal that are not in it, as a database has that is in use or was copied "+
			"by hand: make a backup of it with scim-bridge account backup --database sqlite:%s FILE, and restore that"+
			untouched, c.File, c.File, c.File)
	case errors.As(err, &damaged):
		return fmt.Errorf("%s is damaged or was cut: %w: choose another backup"+untouched, c.File, damaged)
	case errors.Is(err, store.ErrNoBackup):
		return fmt.Errorf("%s is not a backup: %w; make one with scim-bridge account backup"+untouched, c.File, err)
	case errors.Is(err, store.ErrFull):
		return fmt.Errorf("the disk of %s has no room for a copy of the backup: free as much as it takes"+untouched,
			path)
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no folder %s: create it first", filepath.Dir(path))
	case errors.Is(err, context.Canceled):
		return errors.New("interrupted" + untouched)
	}
	return fmt.Errorf("restoring %s to %s: %w", c.File, path, err)
}

func (c *accountRestoreCommand) report(console *console, r account.Restored) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Restored the account %q (%s) to %s: %s.\n", inputtext.Line(r.Account.Name), r.Account.ID,
		c.Database, describeSizes(r.Sizes))
	fmt.Fprintf(&b, "The backup's newest audit event: %s. What happened after it is lost in the account.\n",
		cmp.Or(stamp(r.Newest), "none"))
	for _, name := range r.Aside {
		fmt.Fprintf(&b, "What was there is kept as %s\n", name)
	}
	if len(r.Revoked) > 0 || r.Ended > 0 {
		fmt.Fprintf(&b, "\nWhat was revoked after the backup stays so: admin tokens: %d; credentials of the Provision "+
			"Manager: %d.\n", len(r.Revoked), r.Ended)
	}
	if r.Unread != nil {
		fmt.Fprintf(&b, "\nThe database that was there could not be read: admin tokens and credentials that were "+
			"revoked or rotated out after the backup work again.\nRotate the credentials if they were, by a new "+
			"bearer_token_wo_version and terraform apply.\n")
	}
	if r.Unread != nil || len(r.Aside) == 0 {
		fmt.Fprintf(&b, "\nAdmin tokens that work. Revoke those that should not: scim-bridge account token revoke "+
			"--database %s ID\n", c.Database)
		for _, t := range r.Tokens {
			fmt.Fprintf(&b, "  %s  %s  scope %s, created %s\n", t.ID, inputtext.Line(t.Name), t.Scope, stamp(t.CreatedAt))
		}
	}
	fmt.Fprint(&b, "\nNow start the account service. Bridges sign in again by themselves. Let the identity provider "+
		"send people and groups once more, and run terraform plan.\n")
	_, err := fmt.Fprint(console.Out, b.String())
	return err
}

// progressInterval is how often a long task says how far it is.
const progressInterval = 5 * time.Second

// progress returns a function that says on standard error how far a task is, unless it is quick.
func (c *console) progress(verb string) store.Progress {
	last := time.Now()
	return func(done, total int64) {
		if now := time.Now(); now.Sub(last) >= progressInterval && total > 0 {
			last = now
			fmt.Fprintf(c.Err, "%s %d%% of %s\n", verb, 100*done/total, bytesText(total))
			if done == total {
				fmt.Fprintln(c.Err, "checking the copy")
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
