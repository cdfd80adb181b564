package main

import (
	"context"
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
)

// accountCheckCommand checks an account's database for damage.
type accountCheckCommand struct{ database }

// Help implements kong.HelpProvider.
func (accountCheckCommand) Help() string {
	return `Reads the whole database and changes nothing. It checks pages and indexes (SQLite's integrity
check), references, and values that are stored twice, such as a group's number of members. It can run
while the account serves. Exit 0: no damage; 1: damage was found. Then keep a copy of the file, stop
the account, and restore a backup.

  scim-bridge account check --database sqlite:account.db`
}

// Run checks and prints what it found.
func (c *accountCheckCommand) Run(ctx context.Context, console *console) error {
	return c.with(ctx, func(a *account.Account) error {
		faults, err := a.Store.Check(ctx)
		if err != nil {
			return fmt.Errorf("checking %s: %w", c.Database, err)
		}
		for _, f := range faults {
			fmt.Fprintf(console.Out, "broken: %s: %s\n", f.What, f.Row)
		}
		if len(faults) > 0 {
			return &exit{Code: exitFailed} // the faults are printed already
		}
		n, err := a.Store.Sizes(ctx)
		if err != nil {
			return err
		}
		_, err = fmt.Fprintf(console.Out, "The database is sound: %d members, %d of them provisioned; "+
			"%d groups with %d members and %d groups in them.\n",
			n.Members, n.People, n.Groups, n.Memberships, n.Nestings)
		return err
	})
}
