package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// simulateCommand plays an identity provider's traffic against a bridge.
type simulateCommand struct {
	IdP         string `name:"idp" required:"" enum:"${idps}" help:"Identity provider to play: ${enum}."`
	URL         string `name:"url" required:"" help:"Address of the bridge; /scim/v2 is added when it has no path."`
	TokenFile   string `required:"" placeholder:"FILE" help:"File with the bearer token."`
	People      int    `default:"0" help:"People to generate, in addition to the recorded exchanges."`
	Groups      int    `default:"0" help:"Groups to put them in; google provisions no groups."`
	Domain      string `default:"example.com" help:"Domain of the generated e-mail addresses."`
	SwitchOff   bool   `help:"In the end, switch off or delete all people, to see what the account holds."`
	DryRun      bool   `help:"Only look: print what a first synchronisation would do with the people and groups."`
	PeopleFile  string `placeholder:"FILE" help:"With --dry-run: people in a CSV file instead of generated ones."`
	JSON        bool   `help:"With --dry-run: print one JSON document."`
	Concurrency int    `default:"8" help:"Concurrent requests, 1 to 256; real providers send a few."`
}

// Help implements kong.HelpProvider.
func (simulateCommand) Help() string {
	return `Plays the provider's recorded exchanges and its connection test, and deletes what they created.
With --people it then generates a company and provisions it the way this provider does:

  everyone joins         matched first (by userName, by address), or created and matched on 409
  teams are filled       by PATCH in batches, by an operation a member, or by PUT of the whole group
  one member changes     leaves, comes back, and the request is repeated as after a lost answer
  every tenth changes    title and manager, by PATCH of attributes or by PUT of the whole person
  every twentieth leaves switched off (entra, okta, onelogin, jumpcloud, ping, google),
                         or deleted (authentik, keycloak); one of them returns
  all is read back       page by page and group by group, and compared
  everybody leaves       with --switch-off alone

An account counts these leavers against its suspension_limit as any others, and holds those beyond it: the answers
are the same.

The company is not deleted. The same numbers generate the same company, so that a second run finds the people
of the first; another --domain generates another. The first group holds everyone, each other one a department.

With --dry-run nothing is changed: people and groups are looked up the way this provider does, and the bridge is asked
what creating the others would do. A table shows whom a first synchronisation would adopt, invite, suspend or
reactivate, who would be stored without an invitation or refused, and what would become of the groups. --people-file is
a CSV file with the column userName, and if wanted email (the userName, if that is an address and email is empty),
givenName, familyName, active (true or false) and groups (separated by semicolons): so real people of a directory can be
looked up. It exits 0 whatever would be done.

After 429 and 503 the request is repeated as Retry-After says, for at most 30 seconds. Exit 0 if every answer
was right, 1 if not: the table shows the phase, and the first faults are listed below it.

  scim-bridge simulate --idp okta --url http://127.0.0.1:3002 --token-file bearer-token
  scim-bridge simulate --idp okta --dry-run --people-file people.csv --url https://scim.example.com --token-file token
  scim-bridge simulate --idp entra --people 100000 --groups 100 --concurrency 32 ...`
}

// Run plays, prints the table, and fails if an answer was wrong.
func (s *simulateCommand) Run(ctx context.Context, c *console) error {
	base, err := scimURL(s.URL)
	if err != nil {
		return &exit{exitUsage, err}
	}
	token, err := readSecret("--token-file", s.TokenFile, toStandardError)
	if err != nil {
		return &exit{exitUsage, err}
	}
	bearer := "Bearer " + token.Reveal()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, s.Concurrency
	simulation := &simulate.Simulation{
		Player: &simulate.Player{
			URL:         base,
			Authorize:   func(r *http.Request) { r.Header.Set("Authorization", bearer) },
			Client:      &http.Client{Transport: transport, Timeout: time.Minute},
			RetryWindow: simulate.DefaultRetryWindow,
		},
		IdP: s.IdP, People: s.People, Groups: s.Groups, Domain: s.Domain, SwitchOff: s.SwitchOff,
		Concurrency: s.Concurrency,
		Progress:    progress(c.Err),
	}
	if s.Concurrency < 1 {
		return &exit{exitUsage, fmt.Errorf("--concurrency %d is out of range; choose 1 to 256", s.Concurrency)}
	}
	if err := errors.Join(s.checkDryRun(), simulation.Validate()); err != nil {
		return &exit{exitUsage, err}
	}
	if s.DryRun {
		return s.dryRun(ctx, c, simulation, token.Reveal())
	}
	if err := simulation.Player.Reach(ctx); err != nil {
		return err
	}
	report, err := simulation.Run(ctx)
	if err != nil {
		return err
	}
	if _, err := report.WriteTo(c.Out); err != nil {
		return err
	}
	if !report.OK() {
		return &exit{Code: exitFailed} // the table shows the faults
	}
	return nil
}

// scimURL returns the base URL of SCIM for the address of a bridge.
func scimURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return "", errors.New("--url must look like http://127.0.0.1:3002")
	}
	if strings.Trim(u.Path, "/") == "" {
		u.Path = "/scim/v2"
	}
	return u.String(), nil
}

// progress returns a function that prints the progress of a long run: ten times a
// second on a terminal, else every ten seconds. Short runs print none.
func progress(out io.Writer) func(done, total int) {
	const quiet = 2 * time.Second
	start, every, end := time.Now(), 10*time.Second, "\n"
	if isTerminal(out) {
		every, end = 100*time.Millisecond, "\x1b[K\r"
	}
	last := start.Add(quiet - every)
	return func(done, total int) {
		if time.Since(last) < every {
			return
		}
		last = time.Now()
		fmt.Fprint(out, progressLine(done, total, last.Sub(start))+end)
	}
}

// progressLine formats the steps done, the rate and the time left.
func progressLine(done, total int, took time.Duration) string {
	rate := float64(done) / took.Seconds()
	line := fmt.Sprintf("%d of about %d steps, %.0f a second", done, total, rate)
	if left := time.Duration(float64(total-done) / rate * float64(time.Second)); left >= time.Second {
		line += fmt.Sprintf(", about %s left", left.Round(time.Second))
	}
	return line
}
