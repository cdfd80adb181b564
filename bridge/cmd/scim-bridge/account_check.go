package main

import (
	"context"
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
)

// accountCheckCommand looks for damage in an account's database.
type accountCheckCommand struct{ database }

// Help says what the name does not.
func (accountCheckCommand) Help() string {
	return `Reads the whole database and changes nothing: pages and indexes (SQLite's integrity check),
references, and whatever is kept in two places, such as a group's count of its members. It may run
beside a serving account, which goes on. Exit 0 if all is well, 1 if something is damaged; then keep
the file, stop the account, and restore a backup.

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
			return &exit{Code: exitFailed} // what is broken has been said
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
