package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// Exit codes of status other than 0.
const (
	exitProblems    = 1
	exitUnreachable = 2
)

type statusCommand struct {
	URL       string `xor:"where" placeholder:"URL" help:"Address of the bridge."`
	TokenFile string `placeholder:"FILE" help:"File with the bearer token or the monitoring token."`
	Local     bool   `xor:"where" help:"Ask the bridge in DATA_DIR over its control socket, without a token."`
	JSON      bool   `xor:"form" help:"Print the JSON document of /health."`
	Control   bool   `xor:"form" help:"With --local: print the control socket's JSON document."`
	DataDir   string `arg:"" optional:"" default:"${data_dir}" help:"Its data folder (${default})."`
}

// Help implements kong.HelpProvider.
func (statusCommand) Help() string {
	return `Exit 0 if the bridge is healthy, 1 if it has problems, 2 if it cannot be reached.

  scim-bridge status --local /var/lib/scim-bridge
  scim-bridge status --url https://scim.example.com --token-file monitoring-token --json`
}

// Validate is called by kong.
func (s *statusCommand) Validate() error {
	if err := checkDataDir(s.DataDir); err != nil {
		return err
	}
	switch {
	case s.URL == "" && !s.Local:
		return errors.New("name the bridge to ask: --url with --token-file, or --local")
	case s.Control && !s.Local:
		return errors.New("--control needs --local: only the control socket has that document")
	case s.URL != "" && s.TokenFile == "":
		return errors.New("--url needs --token-file: reading the health of a bridge needs its bearer token " +
			"or its monitoring token")
	}
	return nil
}

// Run prints the bridge's health.
func (s *statusCommand) Run(ctx context.Context, c *console) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if s.Local {
		return s.local(ctx, c)
	}
	return s.remote(ctx, c)
}

func (s *statusCommand) local(ctx context.Context, c *console) error {
	st, err := control.Dial(filepath.Join(s.DataDir, control.SocketName)).Status(ctx)
	if err != nil {
		return &exit{exitUnreachable, err}
	}
	if s.Control {
		return outcome(printJSON(c.Out, st), st.Health.State == health.Healthy)
	}
	far := []string{"account", st.AccountID, "address seen by it", st.EgressAddress}
	if st.DirectoryURL != "" {
		far = []string{"SCIM server", st.DirectoryURL}
	}
	return s.show(c, st.Health, append(far, "listening on", st.Listen,
		"signed in with", st.ObservedRevision, "process", fmt.Sprint(st.PID), "instance", st.Instance)...)
}

// show prints health. A local bridge adds facts that /health does not have.
func (s *statusCommand) show(c *console, h health.Health, facts ...string) error {
	var err error
	if s.JSON {
		err = printJSON(c.Out, h)
	} else {
		state := paintState(c.Out, h.State)
		pairs := append([]string{"state", state, "version", h.Version, "revision", h.Revision}, facts...)
		for _, r := range h.Reports {
			pairs = append(pairs, r.Source, paintState(c.Out, r.State))
		}
		if h.Overlap != nil {
			pairs = append(pairs, "overlap", h.Overlap.String())
		}
		table(c.Out, pairs...)
		printProblems(c.Out, h.Problems)
	}
	return outcome(err, h.State == health.Healthy)
}

func (s *statusCommand) remote(ctx context.Context, c *console) error {
	h, err := s.fetchHealth(ctx)
	if err != nil {
		return &exit{exitUnreachable, err}
	}
	return s.show(c, h)
}

func (s *statusCommand) fetchHealth(ctx context.Context) (h health.Health, err error) {
	token, err := readSecret("--token-file", s.TokenFile, toStandardError)
	if err != nil {
		return h, err
	}
	address, err := url.JoinPath(s.URL, "health")
	if err != nil {
		return h, errors.New("--url is not an address; it must look like https://scim.example.com")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, http.NoBody)
	if err != nil {
		return h, errors.New("--url is not an address; it must look like https://scim.example.com")
	}
	req.Header.Set("Authorization", "Bearer "+token.Reveal())
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return h, fmt.Errorf("asking the bridge: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<20))
	if err != nil {
		return h, fmt.Errorf("reading the bridge's answer: %w", err)
	}
	// 503 carries a health document too.
	if err := json.Unmarshal(body, &h); err != nil || h.RetrievedAt.IsZero() {
		var scim struct{ Detail string }
		if json.Unmarshal(body, &scim) == nil && scim.Detail != "" {
			return h, fmt.Errorf("the bridge answered %s: %s", resp.Status, scim.Detail)
		}
		return h, fmt.Errorf("what answers at %s is not a bridge: %s", s.URL, resp.Status)
	}
	return h, nil
}

func outcome(err error, well bool) error {
	switch {
	case err != nil:
		return err
	case well:
		return nil
	default:
		return &exit{Code: exitProblems}
	}
}

// table prints the pairs that have a value.
func table(w io.Writer, pairs ...string) {
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			fmt.Fprintf(w, "%-20s %s\n", pairs[i], pairs[i+1])
		}
	}
}

func printProblems(w io.Writer, problems []problem.Problem) {
	for _, p := range problems {
		fmt.Fprintf(w, "\n%s (%s, since %s)\n", paint(w, red, inputtext.Lines(p.Title)), p.Code,
			p.Since.Local().Format(time.DateTime))
		fmt.Fprint(w, inputtext.Lines(fmt.Sprintf("  Cause:  %s\n  Remedy: %s\n", p.Cause, p.Remedy)))
		if p.Terraform != "" {
			fmt.Fprintf(w, "\n    %s\n", strings.ReplaceAll(inputtext.Lines(p.Terraform), "\n", "\n    "))
		}
	}
}

func printJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
