package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/build"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// checkReports reports what is wrong with the flags of the reports.
func (s *simulateCommand) checkReports() error {
	var faults []error
	if s.MaxWait < 0 {
		faults = append(faults, fmt.Errorf("--max-wait=%s must not be negative", s.MaxWait))
	}
	for _, flag := range []flagValue{{"--report-junit", s.ReportJUnit}, {"--report-json", s.ReportJSON}} {
		switch {
		case flag.value == "":
		case session.Misplaced(flag.value):
			faults = append(faults, fmt.Errorf("%s is a secret instead of the name of a file", flag.name))
		case s.DryRun:
			faults = append(faults, fmt.Errorf("%s needs a run: --dry-run judges no answers; it has --json", flag.name))
		}
	}
	return errors.Join(faults...)
}

// newDocument returns what is known of a run before it begins.
func (s *simulateCommand) newDocument(simulation *simulate.Simulation) *simulate.Document {
	d := new(simulate.Report).Document()
	d.Tool = "scim-bridge " + build.Read().Version
	d.URL, d.Run = simulation.Player.URL, simulation.Player.Run
	d.Started, d.Kept = time.Now().UTC().Truncate(time.Millisecond), s.Keep || s.SwitchOff
	return d
}

// finish returns the document of a run that has ended, with an error or without.
func (s *simulateCommand) finish(begun *simulate.Document, report *simulate.Report, simulation *simulate.Simulation,
	left []simulate.Left, err error,
) *simulate.Document {
	d := report.Document()
	d.Tool, d.URL, d.Run, d.Started, d.Kept = begun.Tool, begun.URL, begun.Run, begun.Started, begun.Kept
	d.Seconds, d.Waited = time.Since(d.Started).Seconds(), simulation.Player.Waited().Seconds()
	d.Declared = append(d.Declared, simulation.Player.Declared()...)
	d.Removed, d.Left = simulation.Player.Removed(), left
	if err != nil {
		d.Error = session.Scrub(inputtext.Line(err.Error()))
		d.Result = "failed"
		if d.Counts.Steps > 0 {
			d.Result = "interrupted"
		}
	} else if len(left) > 0 {
		d.Result = "wrong"
	}
	return d
}

// writeReports writes the files that are wanted.
func (s *simulateCommand) writeReports(d *simulate.Document) error {
	if s.ReportJUnit != "" {
		var text strings.Builder
		if err := d.WriteJUnit(&text); err != nil {
			return err
		}
		if err := writeReport("--report-junit", s.ReportJUnit, text.String()); err != nil {
			return err
		}
	}
	if s.ReportJSON != "" {
		text, err := json.MarshalIndent(d, "", "  ")
		if err != nil {
			return err
		}
		return writeReport("--report-json", s.ReportJSON, string(text)+"\n")
	}
	return nil
}

// writeReport writes a file that programs of other users may read: it has no secret.
func writeReport(setting, path, text string) error {
	if err := os.WriteFile(kong.ExpandPath(path), []byte(text), 0o644); err != nil {
		return fmt.Errorf("%s names a file that cannot be written: %w", setting, durable.Reason(err))
	}
	return nil
}
