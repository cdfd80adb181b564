package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// simulateCommand plays an identity provider's traffic against a bridge or any other SCIM server.
type simulateCommand struct {
	IdP         string        `name:"idp" required:"" enum:"${idps}" help:"Identity provider to play: ${enum}."`
	URL         string        `name:"url" required:"" help:"SCIM base URL; without a path, /scim/v2 is added."`
	TokenFile   string        `required:"" placeholder:"FILE" help:"File with the bearer token."`
	CAFile      string        `name:"ca-file" placeholder:"FILE" help:"Authorities of the server, in addition."`
	People      int           `default:"0" help:"People to generate, in addition to the recorded exchanges."`
	Groups      int           `default:"0" help:"Groups to put them in; google provisions no groups."`
	Domain      string        `default:"example.com" help:"Domain of all e-mail addresses that are sent."`
	Keep        bool          `help:"Leave the generated people and groups, or without --people the recorded ones."`
	SwitchOff   bool          `help:"In the end, switch off or delete all people, to see what the account holds."`
	ReportJUnit string        `name:"report-junit" placeholder:"FILE" help:"Write a JUnit report, for CI systems."`
	ReportJSON  string        `name:"report-json" placeholder:"FILE" help:"Write a JSON report."`
	JSON        bool          `help:"Print the JSON report instead of tables, or with --dry-run the plan."`
	DryRun      bool          `help:"Only look: print what a first synchronisation would do with people and groups."`
	PeopleFile  string        `placeholder:"FILE" help:"With --dry-run: people of a CSV file, not generated ones."`
	MaxWait     time.Duration `default:"2m" help:"How long a request waits for a busy server (${default})."`
	Concurrency int           `default:"8" help:"Concurrent requests, 1 to 256; real providers send a few."`
}

// Help implements kong.HelpProvider.
func (simulateCommand) Help() string {
	return `Plays what an identity provider sends to a SCIM server, any server's, and judges each answer: its recorded
exchanges and its connection test, with --idp all those of every provider in turn. A table shows by habit what the
providers ask for, in which section of the RFCs it is (RFC 7643, RFC 7644; * if the RFC does not ask for it), and how
many answers were right. Below it is the first wrong answer for each, with what was expected.

  scim-bridge simulate --idp all --url https://scim.example.com/scim/v2 --token-file token
  scim-bridge simulate --idp all --url ... --token-file token --report-junit simulate.xml --report-json simulate.json
  scim-bridge simulate --idp entra --people 40 --groups 3 --url http://127.0.0.1:3002 --token-file token

Exit 0 if every answer was right, 1 if not, if something that was made could not be removed, or if nothing could be
played; 2 if the command line is wrong. What the server itself declares unsupported (ServiceProviderConfig,
ResourceTypes) counts as "unsupported", which is not wrong.

Everything that was made is deleted in the end, also after an interruption, and what could not be deleted is listed.
All names have the name of the run, such as simulate-k3b7qa, and all e-mail addresses are in --domain: choose one whose
mail is yours if the server sends invitations. Nothing that the run did not make is changed. --keep leaves what was
made; the people that stay have "simulated" and the provider in their names, the same in every run, so that the next one
finds them.

With --people it also generates a company and provisions it the way the provider does:

  everyone joins         matched first (by userName, by address), or created and matched on 409
  teams are filled       by PATCH in batches, by an operation a member, or by PUT of the whole group
  one member changes     leaves, comes back, and the request is repeated as after a lost answer
  every tenth changes    title and manager, by PATCH of attributes or by PUT of the whole person
  every twentieth leaves switched off (entra, okta, onelogin, jumpcloud, ping, google),
                         or deleted (authentik, keycloak); one of them returns
  all is read back       page by page and group by group, and compared
  everybody leaves       with --switch-off alone; they are not deleted then

A bridge's account counts leavers and deletions against its suspension_limit as any others, and holds those beyond it:
the answers are the same, and the people stay members until somebody decides. The first group holds everyone, each
other one a department.

With --dry-run nothing is changed: people and groups are looked up the way this provider does, and the bridge is asked
what creating the others would do. A table shows whom a first synchronisation would adopt, invite, suspend or
reactivate, who would be stored without an invitation or refused, and what would become of the groups. --people-file is
a CSV file with the column userName, and if wanted email (the userName, if that is an address and email is empty),
givenName, familyName, active (true or false) and groups (separated by semicolons): so real people of a directory can be
looked up. It exits 0 whatever would be done.

  scim-bridge simulate --idp okta --dry-run --people-file people.csv --url https://scim.example.com --token-file token

After 429 and 503 all requests wait as Retry-After says. --url is the address below which /Users is; one with the path /
alone is the server's root. The proxy is that of HTTPS_PROXY; redirects are not followed.`
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
	client, err := s.client()
	if err != nil {
		return &exit{exitUsage, err}
	}
	simulation := &simulate.Simulation{
		Player: s.player(c, base, client, token),
		IdP:    s.IdP, People: s.People, Groups: s.Groups, Domain: s.Domain, SwitchOff: s.SwitchOff, Keep: s.Keep,
		Concurrency: s.Concurrency,
		Progress:    progress(c.Err, "steps"),
		Removing:    progress(c.Err, "removals"),
	}
	if s.Concurrency < 1 {
		return &exit{exitUsage, fmt.Errorf("--concurrency %d is out of range; choose 1 to 256", s.Concurrency)}
	}
	if err := errors.Join(s.checkDryRun(), s.checkReports(), simulation.Validate()); err != nil {
		return &exit{exitUsage, err}
	}
	if s.DryRun {
		return s.dryRun(ctx, c, simulation, client, token.Reveal())
	}
	return s.play(ctx, c, simulation)
}

// client returns the client for the server.
func (s *simulateCommand) client() (*http.Client, error) {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, s.Concurrency
	if s.CAFile != "" {
		roots, err := readRoots("--ca-file", s.CAFile)
		if err != nil {
			return nil, err
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &http.Client{
		Transport: transport, Timeout: time.Minute,
		// A POST that is redirected becomes a GET, and the token would follow to somewhere else.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}, nil
}

func (s *simulateCommand) player(c *console, base string, client *http.Client, token secret.String) *simulate.Player {
	bearer := "Bearer " + token.Reveal()
	return &simulate.Player{
		URL: base,
		Authorize: func(r *http.Request) {
			r.Header.Set("Authorization", bearer)
			if s.DryRun {
				r.Header.Set(control.HeaderLook, "1")
			}
		},
		Client:      client,
		Run:         simulate.RunName(),
		RetryWindow: s.MaxWait,
		Redact: func(text string) string {
			return session.Scrub(strings.ReplaceAll(text, token.Reveal(), "[the token]"))
		},
		Waiting: func(status int, pause time.Duration) {
			fmt.Fprintf(c.Err, "scim-bridge: the server is busy (%d): waiting %s\n", status, pause.Round(time.Second))
		},
	}
}

// play plays, removes what was made, and reports.
func (s *simulateCommand) play(ctx context.Context, c *console, simulation *simulate.Simulation) error {
	document := s.newDocument(simulation)
	document.Result, document.Error = "interrupted", "the run did not end"
	if err := s.writeReports(document); err != nil { // an earlier run's report must not be taken for this one's
		return &exit{exitUsage, err}
	}
	report := new(simulate.Report)
	err := simulation.Player.Reach(ctx)
	reached := err == nil
	if reached {
		report, err = simulation.Run(ctx)
	}
	if ctx.Err() != nil {
		err = errors.New("interrupted")
		fmt.Fprintln(c.Err, "scim-bridge: interrupted; removing what was made (interrupt again to leave it)")
	}
	left := cleanUp(ctx, simulation)
	document = s.finish(document, report, simulation, left, err)
	if err := s.writeReports(document); err != nil {
		return err
	}
	if s.JSON {
		if err := printJSON(c.Out, document); err != nil {
			return err
		}
	} else if reached {
		if err := document.WriteTables(c.Out, s.People > 0); err != nil {
			return err
		}
	}
	switch {
	case err != nil:
		return err
	case !report.OK() || len(left) > 0:
		return &exit{Code: exitFailed} // the table shows the faults
	default:
		return nil
	}
}

// cleanUp removes what Run has not removed. It goes on after an interruption, and ends with the next one.
func cleanUp(ctx context.Context, simulation *simulate.Simulation) []simulate.Left {
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	again := make(chan os.Signal, 1)
	signal.Notify(again, os.Interrupt, syscall.SIGTERM)
	defer signal.Stop(again)
	go func() {
		select {
		case <-again:
			cancel()
		case <-ctx.Done():
		}
	}()
	return simulation.Player.CleanUp(ctx, simulation.Concurrency, simulation.Removing)
}

// scimURL returns the base URL of SCIM for the address of a server.
func scimURL(text string) (string, error) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil ||
		u.RawQuery != "" || u.Fragment != "" {
		return "", errors.New("--url must look like http://127.0.0.1:3002 or https://scim.example.com/scim/v2, " +
			"without a user or a query")
	}
	if u.Path == "" {
		u.Path = "/scim/v2"
	}
	return strings.TrimRight(u.String(), "/"), nil
}

// progress returns a function that prints the progress of a long run: ten times a
// second on a terminal, else every ten seconds. Short runs print none.
func progress(out io.Writer, unit string) func(done, total int) {
	const quiet = 2 * time.Second
	var start, last time.Time
	every, end := 10*time.Second, "\n"
	if isTerminal(out) {
		every, end = 100*time.Millisecond, "\x1b[K\r"
	}
	return func(done, total int) {
		if done == 1 {
			start = time.Now()
			last = start.Add(quiet - every)
		}
		if time.Since(last) < every {
			return
		}
		last = time.Now()
		fmt.Fprint(out, progressLine(done, total, unit, last.Sub(start))+end)
	}
}

// progressLine formats what is done, the rate and the time left.
func progressLine(done, total int, unit string, took time.Duration) string {
	rate := float64(done) / took.Seconds()
	line := fmt.Sprintf("%d of about %d %s, %.0f a second", done, total, unit, rate)
	if left := time.Duration(float64(total-done) / rate * float64(time.Second)); left >= time.Second {
		line += fmt.Sprintf(", about %s left", left.Round(time.Second))
	}
	return line
}
