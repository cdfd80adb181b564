package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
)

type holdsListCommand struct {
	database
	asLines
}

// Help implements kong.HelpProvider.
func (holdsListCommand) Help() string {
	return `Beyond the integration's suspension_limit, suspensions and removals from groups are held: the identity
provider sees them done, and the people keep their access and their groups until the holds are approved.

  scim-bridge account holds list --database sqlite:account.db`
}

// Run lists holds, the oldest first.
func (c *holdsListCommand) Run(ctx context.Context, console *console) error {
	return c.with(ctx, func(a *account.Account) error {
		list := c.list(console, "ID", "SINCE", "PERSON", "HELD", "CLIENT", "REQUEST")
		for cursor := ""; ; {
			page, err := directory.New(a).Holds(ctx, cursor, 1000)
			if err != nil {
				return err
			}
			for _, h := range page.Items {
				client := h.Client
				if h.IdP != "" {
					client = h.IdP + " by " + client
				}
				list.add(server.ToHold(h), h.ID, stamp(h.Since), h.UserName, describeHold(h), client, h.RequestID)
			}
			if cursor = page.Next; cursor == "" {
				return list.end()
			}
		}
	})
}

func describeHold(h directory.Hold) string {
	switch {
	case h.GroupID != "":
		return "removal from " + h.GroupName
	case !h.Managed:
		return "deletion"
	}
	return "suspension"
}

// chosenHolds are the arguments of the commands that decide holds.
type chosenHolds struct {
	database
	IDs []string `arg:"" optional:"" name:"id" help:"Ids of holds, as shown by holds list."`
	All bool     `help:"All that are held now."`
}

func countHolds(n int) string {
	switch n {
	case 0:
		return "no holds"
	case 1:
		return "one hold"
	}
	return fmt.Sprintf("%d holds", n)
}

type holdsApproveCommand struct{ chosenHolds }

// Help implements kong.HelpProvider.
func (holdsApproveCommand) Help() string {
	return `The people are suspended, or removed from the groups. Works beside a running server, and is audited.

  scim-bridge account holds approve --database sqlite:account.db --all`
}

// Run approves holds.
func (c *holdsApproveCommand) Run(ctx context.Context, console *console) error {
	return c.decide(ctx, console, directory.Approve, "Approved")
}

type holdsCancelCommand struct{ chosenHolds }

// Help implements kong.HelpProvider.
func (holdsCancelCommand) Help() string {
	return `The people keep their access and their groups, and the identity provider sees that again; it may send the
same once more. Works beside a running server, and is audited.

  scim-bridge account holds cancel --database sqlite:account.db --all`
}

// Run cancels holds.
func (c *holdsCancelCommand) Run(ctx context.Context, console *console) error {
	return c.decide(ctx, console, directory.Cancel, "Cancelled")
}

// decideAll decides all that is held now, and nothing that is held while it does so.
func decideAll(ctx context.Context, d *directory.Directory, decision directory.Decision) (int, error) {
	now, err := d.CountHolds(ctx)
	if err != nil {
		return 0, err
	}
	return d.DecideAllHolds(ctx, decision, now.AsOf)
}

func (c *chosenHolds) decide(ctx context.Context, console *console, decision directory.Decision, done string) error {
	if c.All == (len(c.IDs) > 0) {
		return errors.New("give the ids of holds, as shown by holds list, or --all")
	}
	return c.with(ctx, func(a *account.Account) error {
		var n int
		var gone []string
		var err error
		if c.All {
			n, err = decideAll(ctx, directory.New(a), decision)
		} else {
			n, gone, err = directory.New(a).DecideHolds(ctx, decision, c.IDs)
		}
		err = audited(ctx, a, "account holds", "", err)
		if n > 0 || err == nil {
			_, printed := fmt.Fprintf(console.Out, "%s %s.\n", done, countHolds(n))
			err = errors.Join(err, printed)
		}
		if err == nil && len(gone) > 0 {
			return fmt.Errorf("these are not held any more: %s", strings.Join(gone, ", "))
		}
		return err
	})
}
