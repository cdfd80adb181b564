package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// database is the flag that all account commands share.
type database struct {
	Database string `required:"" placeholder:"DATABASE" help:"sqlite:PATH, or postgres://USER@HOST/NAME."`
}

// isOnServer reports whether the database is one of PostgreSQL.
func (d database) isOnServer() bool { return store.IsPostgres(d.Database) }

// name is the database for texts, commands to paste among them: without its password.
func (d database) name() string { return store.WithoutPassword(d.Database) }

// exists refuses a file that does not exist: opening would create it, and a
// typing error would leave an empty database behind.
func (d database) exists() error {
	if path, ok := strings.CutPrefix(d.Database, "sqlite:"); ok {
		switch _, err := os.Stat(path); {
		case err != nil && (!session.IsPath(path) || !errors.Is(err, fs.ErrNotExist)):
			return session.FileError("--database", path, err)
		case err != nil:
			return fmt.Errorf("there is no database %s; %s", path, d.remedy(path))
		}
		if !isDatabase(path) { // another file was named by mistake: store.Open says so
			return nil
		}
		for _, file := range []string{path, path + "-wal", path + "-shm"} { // the WAL holds the newest rows
			// Root runs this in a folder of the service's user, who could name any file by a link.
			if info, err := os.Lstat(file); err == nil && file != path && info.Mode()&fs.ModeSymlink != 0 {
				return fmt.Errorf("--database: %s is a symbolic link, which SQLite does not create: remove it", file)
			}
			if err := closeToOthers("--database", file, toStandardError); err != nil {
				return err
			}
		}
	}
	return nil
}

// remedy tells what to do about a database that is not there.
func (d database) remedy(path string) string {
	entries, _ := os.ReadDir(filepath.Dir(path))
	kept := ""
	for _, e := range entries { // sorted, and so by time
		if name := e.Name(); strings.HasPrefix(name, filepath.Base(path)+".before-restore-") &&
			strings.HasSuffix(name, "Z") {
			kept = filepath.Join(filepath.Dir(path), name)
		}
	}
	if kept != "" {
		return fmt.Sprintf("a restore that was interrupted may have left it as %s: repeat the restore, or move that "+
			"back, and what belongs to it", kept)
	}
	return d.create()
}

// create is the remedy for a database without an account.
func (d database) create() string {
	return "create it with scim-bridge account init --database " + d.name()
}

// explainOpening says what to do about a database that could not be opened.
func (d database) explainOpening(err error) error {
	switch {
	case errors.Is(err, store.ErrAddress):
		return &exit{exitUsage, fmt.Errorf("--database: %w", err)}
	case errors.Is(err, store.ErrNoSchema):
		return fmt.Errorf("%w; if the address is right, %s", err, d.create())
	default:
		return err
	}
}

// with calls fn with the account, and closes its database afterwards.
func (d database) with(ctx context.Context, fn func(*account.Account) error) error {
	if err := d.exists(); err != nil {
		return err
	}
	s, err := openExisting(ctx, d.Database)
	if err != nil {
		return d.explainOpening(err)
	}
	a, err := account.Load(ctx, s)
	if err != nil {
		err = fmt.Errorf("%s: %w", d.name(), err)
	} else {
		err = fn(a)
	}
	return errors.Join(err, s.Close())
}

// warnOfPassword says that a password is on the command line, where every user of the machine can read it.
func warnOfPassword(command *kong.Context, say func(string)) {
	for _, flag := range command.Selected().Flags {
		isDatabase := slices.Contains([]string{"database", "from", "to"}, flag.Name)
		if isDatabase && sourceOf(command, flag) == "flag" && store.HasPassword(flag.Target.String()) {
			say("--" + flag.Name + " has a password, which every user of this machine can read in the list of " +
				"processes: put the address into the variable " + variableOf("--"+flag.Name) + ", or leave the " +
				"password out of it and write a password file (~/.pgpass, or the one that PGPASSFILE names)")
		}
	}
}
