package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

type diagnoseCommand struct {
	File string `arg:"" optional:"" help:"The log of a bridge, this one or the vendor's; standard input if left out."`
}

// Help shows how it is called.
func (diagnoseCommand) Help() string {
	return `Exit 0 whether or not problems are found: a log tells what was, not what is.

  scim-bridge diagnose bridge.log
  journalctl -u scim-bridge | scim-bridge diagnose`
}

// Run exits with 0 whether or not there are problems: a log tells what was,
// not what is.
func (d diagnoseCommand) Run(c *console) error {
	log := c.In
	if d.File != "" {
		f, err := os.Open(d.File)
		if err != nil {
			return session.FileError("the argument FILE", d.File, err)
		}
		defer f.Close()
		log = f
	}
	problems, err := problem.Diagnose(log)
	if err != nil {
		return err
	}
	if len(problems) == 0 {
		_, err := fmt.Fprintln(c.Out, "no known problem in this log")
		return err
	}
	for i, p := range problems {
		if i > 0 {
			fmt.Fprintln(c.Out)
		}
		if err := describeProblem(c.Out, p); err != nil {
			return err
		}
	}
	return nil
}

// describeProblem writes a problem as an operator reads it in a terminal.
func describeProblem(w io.Writer, p problem.Problem) error {
	var b strings.Builder
	fmt.Fprintf(&b, "%s (%s)\n", p.Title, p.Code)
	if !p.Since.IsZero() {
		fmt.Fprintf(&b, "  seen    %s", p.Since.Format(time.RFC3339))
		if n := p.Details["count"]; n != "" && n != "1" {
			fmt.Fprintf(&b, ", %s times until %s", n, p.Details["last_seen"])
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "  cause   %s\n", p.Cause)
	fmt.Fprintf(&b, "  remedy  %s\n", p.Remedy)
	if p.Terraform != "" {
		b.WriteByte('\n')
		for l := range strings.Lines(p.Terraform) {
			b.WriteString("    " + l)
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, b.String())
	return err
}
