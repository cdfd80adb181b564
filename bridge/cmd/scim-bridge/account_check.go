package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// accountCheckCommand checks an account's database for damage.
type accountCheckCommand struct {
	database
	Quick bool `help:"SQLite's quick check of pages, and references: neither indexes nor values that are stored twice."`
}

// pageTool is the program of PostgreSQL that checks its files.
const pageTool = "pg_amcheck"

// Help implements kong.HelpProvider.
func (accountCheckCommand) Help() string {
	return `Reads the whole database and changes nothing. It checks pages and indexes (SQLite's integrity
check), references, and values that are stored twice, such as a group's number of members, and that
the audit log's events follow each other. It can run while the account serves. --quick takes a fraction
of the time, and finds pages that the disk has lost or damaged. Exit 0: no damage; 1: damage was found.
Then stop the account and restore a backup with scim-bridge account restore, which keeps the damaged file. If only
the audit log is broken, somebody has changed it: scim-bridge account audit --verify says where.

In PostgreSQL it checks the values that are stored twice and the audit log. The server itself keeps references;
its pages and indexes are for pg_amcheck, and backups for pg_dump and pg_restore.

  scim-bridge account check --database sqlite:account.db`
}

// Run checks and prints what it found.
func (c *accountCheckCommand) Run(ctx context.Context, console *console) error {
	if c.Quick && c.isOnServer() {
		return &exit{exitUsage, errors.New("--quick is SQLite's check of pages, which are for " + pageTool +
			" in PostgreSQL: leave it out, and the account's rules are checked")}
	}
	return c.with(ctx, func(a *account.Account) error {
		check, sound := a.Store.Check, "sound"
		if c.Quick {
			check, sound = a.Store.QuickCheck, "sound, as far as the quick check sees"
		}
		faults, err := check(ctx)
		if err != nil {
			return fmt.Errorf("checking %s: %w", c.name(), err)
		}
		for _, f := range faults {
			fmt.Fprintf(console.Out, "broken: %s: %s\n", f.What, f.Row)
		}
		if slices.ContainsFunc(faults, func(f store.Fault) bool { return f.What == store.ChainRule }) {
			fmt.Fprintf(console.Out, "The audit log was changed; to see what is missing or changed: scim-bridge "+
				"account audit --verify --database %s\n", c.name())
		}
		if len(faults) > 0 {
			return &exit{Code: exitFailed} // the faults are printed already
		}
		n, err := a.Store.Sizes(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(console.Out, "The database is %s: %s.\n", sound, describeSizes(n))
		if err == nil && c.isOnServer() {
			_, err = fmt.Fprintf(console.Out, "Pages and indexes were not looked at: that is for %s.\n", pageTool)
		}
		return err
	})
}
