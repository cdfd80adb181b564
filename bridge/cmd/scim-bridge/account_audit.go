package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/audit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

type accountAuditCommand struct {
	// Not as the other commands have it: an export is verified without a database.
	Database string      `placeholder:"DATABASE" help:"sqlite:PATH, or postgres://USER@HOST/NAME."`
	Since    moment      `placeholder:"TIME" help:"Events since a time (RFC 3339), or for so long: 24h, 30d."`
	Until    moment      `placeholder:"TIME" help:"Events until a time, as for --since."`
	Actor    string      `help:"Events of one actor only, as the log has it, such as token:ID or machine."`
	Action   string      `help:"One action only (firewall.rule.create), or a group of them (firewall)."`
	Object   string      `help:"Events about one object only, by its id."`
	Verify   bool        `help:"Verify the chain instead of printing: of the database, or of FILE."`
	Known    []auditLink `placeholder:"NUMBER:HASH" help:"With --verify: an event noted before, which must be there."`
	File     string      `arg:"" optional:"" help:"With --verify: an export to verify; - is standard input."`
}

// Help implements kong.HelpProvider.
func (accountAuditCommand) Help() string {
	return `Prints the audit log as JSON lines, oldest first: changes, and changes of administrators and of commands on
this machine that were refused (change.refuse). Each line has the hash of the event before it and its own hash, which
covers that. The last line describes the export, so that a cut is found. Standard error has the number and the hash of
the newest event.

--verify finds events that were changed, removed, inserted or moved. Somebody who can write the database can compute
all hashes anew: note the newest number and hash elsewhere from time to time, as an export kept elsewhere does, and
verify with --known. Exit 0: as it was recorded; 1: it is not; 2: the command line is wrong; 3: the database or the
file could not be read, so that nothing is known. Requests with wrong admin tokens are not in the chain, since
strangers make them: /v1/audit-events has their number by day.

  scim-bridge account audit --database sqlite:account.db --since 30d > audit.jsonl
  scim-bridge account audit --verify audit.jsonl
  scim-bridge account audit --database sqlite:account.db --verify`
}

// exitUnread is the exit code of --verify if the log could not be read.
const exitUnread = 3

// Run prints or verifies the log.
func (c *accountAuditCommand) Run(ctx context.Context, console *console) error {
	if err := c.check(); err != nil {
		return &exit{exitUsage, err}
	}
	if c.Verify {
		err := c.verify(ctx, console)
		if _, told := errors.AsType[*exit](err); err != nil && !told {
			return &exit{exitUnread, err}
		}
		return err
	}
	return database{c.Database}.with(ctx, func(a *account.Account) error {
		out := bufio.NewWriterSize(console.Out, 64<<10)
		s, err := a.ExportAudit(ctx, account.AuditQuery{
			Since: time.Time(c.Since), Until: time.Time(c.Until),
			Filter: audit.Filter{Actor: c.Actor, Action: c.Action, Object: c.Object},
		}, out)
		if err := errors.Join(err, out.Flush()); err != nil {
			return fmt.Errorf("exporting the audit log: %w", err)
		}
		_, err = fmt.Fprintf(console.Err, "events: %d; the newest of this time is %s\n", s.Events, s.Last)
		return err
	})
}

// check refuses flags that contradict each other.
func (c *accountAuditCommand) check() error {
	chosen := c.Actor != "" || c.Action != "" || c.Object != "" || c.Since != (moment{}) || c.Until != (moment{})
	switch {
	case c.Verify && chosen:
		return errors.New("--verify reads the whole log: leave out --since, --until, --actor, --action and --object")
	case !c.Verify && (c.File != "" || len(c.Known) > 0):
		return errors.New("a file, and --known, are for --verify: add it, or write the export with > FILE")
	case c.File != "" && c.Database != "" && os.Getenv("SCIMBRIDGE_DATABASE") != c.Database:
		return errors.New("--verify reads the database or a file: give one of them")
	case c.File == "" && c.Database == "":
		return errors.New("missing flags: --database=DATABASE")
	case c.File != "-" && session.Misplaced(c.File):
		return errors.New("FILE is a secret or other text instead of the name of a file")
	}
	return nil
}

func (c *accountAuditCommand) links() []audit.Link {
	links := make([]audit.Link, len(c.Known))
	for i, l := range c.Known {
		links[i] = audit.Link(l)
	}
	return links
}

func (c *accountAuditCommand) verify(ctx context.Context, console *console) error {
	if c.File != "" {
		return c.verifyFile(console)
	}
	return c.verifyDatabase(ctx, console)
}

func (c *accountAuditCommand) verifyFile(console *console) error {
	in := console.In
	if c.File != "-" {
		f, err := os.Open(c.File)
		if err != nil {
			return session.FileError("FILE", c.File, err)
		}
		defer f.Close()
		in = f
	}
	v := &audit.Verifier{Known: c.links()}
	s, err := audit.VerifyExport(in, v)
	if err != nil {
		return fmt.Errorf("verifying %s: %w", c.File, durable.Reason(err))
	}
	what := "The export"
	if s != nil {
		what += fmt.Sprintf(" of account %s", inputtext.Line(s.Account))
		if s.Filter != nil {
			what += ", of which a filter leaves out events,"
		}
	}
	return printVerified(console, what, v)
}

func (c *accountAuditCommand) verifyDatabase(ctx context.Context, console *console) error {
	return database{c.Database}.with(ctx, func(a *account.Account) error {
		v := &audit.Verifier{Known: c.links()}
		if err := a.VerifyAudit(ctx, v); err != nil {
			return fmt.Errorf("verifying the audit log: %w", err)
		}
		return printVerified(console, "The audit log", v)
	})
}

func printVerified(console *console, what string, v *audit.Verifier) error {
	events, last, faults := v.Result()
	for _, fault := range faults {
		if _, err := fmt.Fprintf(console.Out, "broken: %s\n", fault); err != nil {
			return err
		}
	}
	for _, l := range v.Older() {
		_, err := fmt.Fprintf(console.Out, "not compared: event %d, since the log begins after it: older events were "+
			"removed because of their age, which is an event, audit.remove, or left out\n", l.Sequence)
		if err != nil {
			return err
		}
	}
	if len(faults) > 0 {
		return &exit{Code: exitFailed} // the faults are printed already
	}
	if events == 0 {
		_, err := fmt.Fprintf(console.Out, "%s is as it was recorded; events: none\n", what)
		return err
	}
	_, err := fmt.Fprintf(console.Out, "%s is as it was recorded; events: %d; the newest is %s\n", what, events, last)
	return err
}

// An auditLink is an event that was noted before.
type auditLink audit.Link

// UnmarshalText implements encoding.TextUnmarshaler.
func (l *auditLink) UnmarshalText(text []byte) error {
	link, err := audit.ParseLink(string(text))
	*l = auditLink(link)
	return err
}
