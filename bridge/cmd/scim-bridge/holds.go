package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

// holdsCommand asks a running bridge. An account's own command works on its database.
type holdsCommand struct {
	List    heldListCommand    `cmd:"" help:"List held suspensions and removals from groups."`
	Approve heldApproveCommand `cmd:"" help:"Carry out what is held."`
	Cancel  heldCancelCommand  `cmd:"" help:"Let the people keep what they have."`
}

// heldBy is the bridge that holds something.
type heldBy struct {
	DataDir string `default:"${data_dir}" placeholder:"DIR" help:"Data folder of the bridge (${default})."`
}

// Validate is called by kong.
func (h *heldBy) Validate() error { return checkDataDir(h.DataDir) }

func (h *heldBy) dial() *control.Client {
	return control.Dial(filepath.Join(h.DataDir, control.SocketName))
}

// tooOld explains the answer of a bridge from before the command.
func tooOld(err error) error {
	if refusal, ok := errors.AsType[*control.Error](err); ok && refusal.Status == http.StatusNotFound {
		return errors.New("the running bridge is older than this program and knows no holds: update or restart it")
	}
	return err
}

type heldListCommand struct {
	heldBy
	asLines
}

// Help implements kong.HelpProvider.
func (heldListCommand) Help() string {
	return `Before a SCIM server, suspensions and removals from groups beyond --suspension-limit are held by the bridge:
the identity provider sees them done, and the people keep their access and their groups until the holds are approved.
A bridge of an account shows what that holds.

  scim-bridge holds list --data-dir /var/lib/scim-bridge`
}

// Run lists holds, the oldest first.
func (c *heldListCommand) Run(ctx context.Context, console *console) error {
	list := c.list(console, "ID", "SINCE", "PERSON", "HELD", "CLIENT", "REQUEST", "REFUSED")
	for cursor := ""; ; {
		page, err := c.dial().Holds(ctx, control.HoldsQuery{Cursor: cursor, Limit: 1000})
		if err != nil {
			return tooOld(err)
		}
		for _, h := range page.Items {
			list.add(h, h.ID, stamp(h.Since), h.UserName, describeHeld(h), h.Client, h.RequestID, h.Refused)
		}
		if cursor = page.Next; cursor == "" {
			return list.end()
		}
	}
}

func describeHeld(h bridge.Hold) string {
	switch {
	case h.Removal:
		return "removal from " + h.GroupName
	case h.Deleted:
		return "deletion"
	}
	return "suspension"
}

// decidedHeld are the arguments of the commands that decide holds.
type decidedHeld struct {
	heldBy
	IDs []string `arg:"" optional:"" name:"id" help:"Ids of holds, as shown by holds list."`
	All bool     `help:"All that are held now."`
}

type heldApproveCommand struct{ decidedHeld }

// Help implements kong.HelpProvider.
func (heldApproveCommand) Help() string {
	return `The people are suspended or deleted at the server, or removed from the groups. What the server refuses stays
held, and the list says why.

  scim-bridge holds approve --data-dir /var/lib/scim-bridge --all`
}

// Run approves holds.
func (c *heldApproveCommand) Run(ctx context.Context, console *console) error {
	return c.decide(ctx, console, true, "Approved")
}

type heldCancelCommand struct{ decidedHeld }

// Help implements kong.HelpProvider.
func (heldCancelCommand) Help() string {
	return `The people keep their access and their groups, and the identity provider sees that again; it may send the
same once more.

  scim-bridge holds cancel --data-dir /var/lib/scim-bridge --all`
}

// Run cancels holds.
func (c *heldCancelCommand) Run(ctx context.Context, console *console) error {
	return c.decide(ctx, console, false, "Cancelled")
}

func (c *decidedHeld) decide(ctx context.Context, console *console, approve bool, done string) error {
	if c.All == (len(c.IDs) > 0) {
		return errors.New("give the ids of holds, as shown by holds list, or --all")
	}
	d := bridge.HoldDecision{Approve: approve, IDs: c.IDs}
	if c.All {
		page, err := c.dial().Holds(ctx, control.HoldsQuery{Limit: 1})
		if err != nil {
			return tooOld(err)
		}
		if len(page.Items) == 0 {
			_, err := fmt.Fprintf(console.Out, "%s %s.\n", done, countHolds(0))
			return err
		}
		d.Until = page.AsOf
	}
	decided, err := c.dial().DecideHolds(ctx, d)
	if err != nil {
		return tooOld(err)
	}
	if _, err := fmt.Fprintf(console.Out, "%s %s.\n", done, countHolds(int(decided.Decided))); err != nil {
		return err
	}
	switch {
	case decided.Refused != "":
		return errors.New(decided.Refused)
	case len(c.IDs) > int(decided.Decided):
		return fmt.Errorf("%d of the ids are not held any more", len(c.IDs)-int(decided.Decided))
	}
	return nil
}
