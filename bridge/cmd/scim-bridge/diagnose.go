package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

type diagnoseCommand struct {
	File string `arg:"" optional:"" help:"Log to read, plain or compressed with gzip; standard input by default."`
	JSON bool   `help:"Print the problems as one JSON document."`
}

// Help implements kong.HelpProvider.
func (diagnoseCommand) Help() string {
	return `Reads logs of this bridge and of 1Password SCIM Bridge, as text or JSON, with or without the prefixes of
Docker, Kubernetes, journald and cloud providers. For the vendor's lines it prints the vendor's remedy and the
address where that is published.

Exit 0 whether or not problems are found: a log shows past problems, which may be solved. Exit 1 if the log
cannot be read.

  scim-bridge diagnose bridge.log
  scim-bridge diagnose --json bridge.log.2.gz
  journalctl -u scim-bridge | scim-bridge diagnose
  kubectl logs deploy/op-scim-bridge | scim-bridge diagnose`
}

// Run exits with 0 whether or not there are problems, since those in a log may
// be solved.
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
	found, failure := problem.Diagnose(log) // found is valid even if the log is truncated
	if len(found.Problems)+len(found.Harmless) == 0 && failure != nil {
		return failure
	}
	if d.JSON {
		return errors.Join(printJSON(c.Out, found), failure)
	}
	return errors.Join(describeDiagnosis(c.Out, found), failure)
}

func describeDiagnosis(w io.Writer, d problem.Diagnosis) error {
	if len(d.Problems) == 0 {
		if _, err := fmt.Fprintln(w, "no known problem in this log"); err != nil {
			return err
		}
	}
	for i, p := range d.Problems {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if err := describeProblem(w, p); err != nil {
			return err
		}
	}
	for _, p := range d.Harmless {
		fmt.Fprintf(w, "\nHarmless: ")
		if err := describeProblem(w, p); err != nil {
			return err
		}
	}
	return nil
}

// describeProblem writes a problem for a terminal.
func describeProblem(w io.Writer, p problem.Problem) error {
	var b strings.Builder
	fmt.Fprintf(&b, " (%s)\n", p.Code)
	n := p.Details["count"]
	switch {
	case !p.Since.IsZero() && n != "1":
		fmt.Fprintf(&b, "  seen    %s, %s times until %s\n", p.Since.Format(time.RFC3339), n, p.Details["last_seen"])
	case !p.Since.IsZero():
		fmt.Fprintf(&b, "  seen    %s\n", p.Since.Format(time.RFC3339))
	case n != "1":
		fmt.Fprintf(&b, "  seen    %s times\n", n)
	}
	fmt.Fprintf(&b, "  cause   %s\n", p.Cause)
	fmt.Fprintf(&b, "  remedy  %s\n", p.Remedy)
	if source := p.Details[problem.DetailSource]; source != "" {
		fmt.Fprintf(&b, "  source  %s\n", source)
	}
	if p.Terraform != "" {
		b.WriteByte('\n')
		for l := range strings.Lines(p.Terraform) {
			b.WriteString("    " + l)
		}
		b.WriteByte('\n')
	}
	_, err := io.WriteString(w, paint(w, bold, inputtext.Lines(p.Title))+inputtext.Lines(b.String()))
	return err
}
