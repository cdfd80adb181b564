package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// simulateCommand plays an identity provider against a bridge.
type simulateCommand struct {
	IdP       string `name:"idp" required:"" enum:"entra,okta,onelogin,ping,authentik,google" help:"Identity provider to play: ${enum}."`
	URL       string `name:"url" required:"" help:"Address of the bridge; /scim/v2 is added when it has no path."`
	TokenFile string `required:"" type:"path" help:"File that holds the bearer token."`
	People    int    `default:"0" help:"People to invent beside the recorded exchanges (entra and okta)."`
	Groups    int    `default:"0" help:"Groups to put them in."`
	Domain    string `default:"example.com" help:"Domain of the invented people's addresses."`
}

// Help says what the flags do not.
func (simulateCommand) Help() string {
	return "Plays the provider's recorded exchanges and deletes what they made, then invents a company " +
		"that joins, changes and leaves in the provider's own way, and stays. The same numbers invent the same " +
		"company, so that a second run meets the people of the first. Exit 0 if every answer was right, 1 if not."
}

// Run plays, prints the table, and fails if an answer was wrong.
func (s *simulateCommand) Run(ctx context.Context, c *console) error {
	base, err := scimURL(s.URL)
	if err != nil {
		return &exit{exitUsage, err}
	}
	token, err := os.ReadFile(s.TokenFile)
	if err != nil {
		return fmt.Errorf("reading the bearer token: %w", err)
	}
	bearer := "Bearer " + strings.TrimSpace(string(token))
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	simulation := &simulate.Simulation{
		Player: &simulate.Player{
			URL:       base,
			Authorize: func(r *http.Request) { r.Header.Set("Authorization", bearer) },
			Client:    &http.Client{Transport: transport, Timeout: time.Minute},
			Patience:  simulate.DefaultPatience,
		},
		IdP: s.IdP, People: s.People, Groups: s.Groups, Domain: s.Domain,
		Progress: progress(c.Err),
	}
	if err := simulation.Validate(); err != nil {
		return &exit{exitUsage, err}
	}
	report, err := simulation.Run(ctx)
	if err != nil {
		return err
	}
	if _, err := report.WriteTo(c.Out); err != nil {
		return err
	}
	if !report.OK() {
		return &exit{Code: exitFailed} // the table has said what
	}
	return nil
}

// scimURL is where SCIM is served at the address of a bridge.
func scimURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", fmt.Errorf("--url %q must look like http://127.0.0.1:3002", text)
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/scim/v2"
	}
	return u.String(), nil
}

// progress tells how far a long run is: ten times a second where a person
// looks on, else every ten seconds; short runs say nothing.
func progress(out io.Writer) func(done, total int) {
	const quiet = 2 * time.Second
	start, every, end := time.Now(), 10*time.Second, "\n"
	if f, ok := out.(*os.File); ok {
		if info, err := f.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 { // a terminal
			every, end = 100*time.Millisecond, "\r"
		}
	}
	last := start.Add(quiet - every)
	return func(done, total int) {
		if time.Since(last) < every {
			return
		}
		last = time.Now()
		fmt.Fprintf(out, "%d of about %d steps%s", done, total, end)
	}
}
