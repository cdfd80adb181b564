package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

type journalCommand struct {
	Person  string   `placeholder:"ID|USERNAME" help:"Only what concerns this person."`
	Group   string   `placeholder:"ID|NAME" help:"Only what concerns this group."`
	Request string   `placeholder:"ID" help:"Only this request, by its id in the log."`
	Kind    []string `placeholder:"KIND" complete:"kinds" help:"Only events of this kind; repeatable."`
	Since   moment   `placeholder:"TIME" help:"Only from this time on, such as 2h, 7d or 2026-11-29T03:00:00Z."`
	Until   moment   `placeholder:"TIME" help:"Only up to this time."`
	Limit   *int     `placeholder:"N" help:"Only the latest so many events (100; all of them with --json)."`
	JSON    bool     `help:"Print each event as one line of JSON."`

	DataDir string `arg:"" optional:"" default:"${data_dir}" help:"Data folder of the bridge (${default})."`
}

// Help implements kong.HelpProvider.
func (journalCommand) Help() string {
	kinds := make([]string, 0, len(journal.Kinds()))
	for _, k := range journal.Kinds() {
		kinds = append(kinds, string(k))
	}
	return `The journal has what the identity provider asked to be changed and what came of it, problems that began and
ended, sign-ins and hand-overs, of up to 30 days, also from before a restart. The latest event is printed last. It is
read from a running bridge, or from the data folder of one that does not run.

People and groups are in it by their ids alone. A userName or a group's name also finds what was refused before there
was an id, and what happened under an id since. Reads are counted by the minute: --kind person_read and --kind traffic
show these counts. The log has more about a request, under the same id.

Why is this person not in?

  scim-bridge journal --person ann@example.com /var/lib/scim-bridge

What was refused last night, for a program?

  scim-bridge journal --since 12h --kind person_refused --kind group_refused --json /var/lib/scim-bridge

Kinds: ` + strings.Join(kinds, ", ") + `.`
}

// Validate is called by kong.
func (j *journalCommand) Validate() error {
	err := checkDataDir(j.DataDir)
	if j.Limit != nil && *j.Limit < 1 {
		err = errors.Join(err, errors.New("--limit must be at least 1"))
	}
	return err
}

// Run prints the events.
func (j *journalCommand) Run(ctx context.Context, c *console) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	events, page, err := j.read(ctx)
	if err != nil {
		return err
	}
	slices.Reverse(events)
	show := printEvents
	if j.JSON {
		show = encodeEvents
	}
	if err := show(c, events); err != nil {
		return err
	}
	j.printSummary(c, events, page)
	return nil
}

// most is how many events are printed.
func (j *journalCommand) most() int {
	switch {
	case j.Limit != nil:
		return *j.Limit
	case j.JSON: // a program that counts them would not know that some are missing
		return math.MaxInt
	default:
		return 100
	}
}

// read reads as many pages as the limit takes. It returns the first page beside the events, newest first.
func (j *journalCommand) read(ctx context.Context) (events []journal.Event, first journal.Page, err error) {
	f := journal.Filter{
		Person: j.Person, Group: j.Group, Request: j.Request, Since: time.Time(j.Since), Until: time.Time(j.Until),
	}
	for _, k := range j.Kind {
		f.Kinds = append(f.Kinds, journal.Kind(k))
	}
	for {
		f.Limit = min(j.most()-len(events), journal.MaxLimit)
		page, err := readJournal(ctx, j.DataDir, f)
		if err != nil {
			return nil, first, err
		}
		if f.Cursor == "" {
			first = page
		}
		events = append(events, page.Events...)
		if f.Cursor = page.Next; f.Cursor == "" || len(events) >= j.most() {
			return events, first, nil
		}
	}
}

// readJournal asks the bridge in the data folder, which knows what is not written yet, or reads the folder.
func readJournal(ctx context.Context, dataDir string, f journal.Filter) (journal.Page, error) {
	page, err := control.Dial(filepath.Join(dataDir, control.SocketName)).Journal(ctx, f)
	refusal, refused := errors.AsType[*control.Error](err)
	isOlder := refused && refusal.Status == http.StatusNotFound // than the journal
	if err == nil || !isOlder && !errors.Is(err, control.ErrNotRunning) {
		return page, err
	}
	switch _, err := os.Stat(filepath.Join(dataDir, journal.Folder)); {
	case errors.Is(err, fs.ErrNotExist) && isOlder:
		return page, errors.New("the bridge that runs there is older than the journal: restart it with this version")
	case errors.Is(err, fs.ErrNotExist):
		return page, errors.New("no bridge is running there, and the folder has no journal: name the data folder " +
			"of a bridge, the value of its --data-dir")
	case err != nil:
		return page, err
	}
	return journal.ReadFolder(dataDir, f)
}

func encodeEvents(c *console, events []journal.Event) error {
	out := json.NewEncoder(c.Out)
	for _, e := range events {
		if err := out.Encode(e); err != nil {
			return err
		}
	}
	return nil
}

func printEvents(c *console, events []journal.Event) error {
	table := tabwriter.NewWriter(c.Out, 0, 0, 2, ' ', 0)
	if len(events) > 0 {
		fmt.Fprintln(table, "TIME\tEVENT\tPERSON OR GROUP\tDETAILS\tREQUEST")
	}
	for _, e := range events {
		about := e.Person
		if about == "" {
			about = e.Group
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\t%s\n", e.Time.UTC().Format("2006-01-02T15:04:05.000Z"), e.Kind, about,
			describeEvent(e), e.Request)
	}
	return table.Flush()
}

// printSummary prints what the events do not say: to standard error, beside what a program may read.
func (j *journalCommand) printSummary(c *console, events []journal.Event, p journal.Page) {
	if l := p.Lookups; l != nil && l.Count > 0 {
		fmt.Fprintf(c.Err, "The identity provider read this person %d times, last at %s.\n", l.Count,
			l.Last.UTC().Format("2006-01-02 15:04 UTC"))
	}
	switch {
	case p.Oldest.IsZero():
		fmt.Fprintln(c.Err, "The journal is empty.")
	case len(events) == 0:
		fmt.Fprintf(c.Err, "Nothing that was asked for is in the journal, which goes back to %s.\n",
			p.Oldest.UTC().Format("2006-01-02 15:04 UTC"))
		if j.Person != "" && !inputtext.IsOpaqueID(j.Person) || j.Group != "" && !inputtext.IsOpaqueID(j.Group) {
			fmt.Fprintln(c.Err, "A name finds only what was asked under it: ask by the id, too.")
		}
	case p.Next != "" && len(events) == j.most():
		fmt.Fprintf(c.Err, "There are older events; --limit %d shows more.\n", 10*j.most())
	}
}

// describeEvent says in a few words what an event has beside its kind.
func describeEvent(e journal.Event) string {
	var facts []string
	add := func(when bool, format string, args ...any) {
		if when {
			facts = append(facts, fmt.Sprintf(format, args...))
		}
	}
	add(e.Method != "", "%s", e.Method)
	add(e.Status != 0, "%d", e.Status)
	add(e.Code != "", "%s", e.Code)
	add(e.Active != nil && *e.Active, "active")
	add(e.Active != nil && !*e.Active, "suspended")
	add(e.State != "", "%s", strings.ReplaceAll(e.State, "_", " "))
	add(e.Unchanged, "nothing changed")
	for _, m := range []struct {
		what    string
		members *journal.Members
	}{{"adds", e.Added}, {"removes", e.Removed}, {"sets", e.Set}} {
		add(m.members != nil, "%s %s", m.what, describeMembers(m.members))
	}
	add(e.Unknown > 0, "%d unknown", e.Unknown)
	if r := e.Requests; r != nil {
		add(true, "%d reads, %d writes, %d refused, %d failed, slowest %d ms", r.Reads, r.Writes, r.Refused, r.Failed,
			r.Slowest)
	}
	add(e.Count > 0, "%d times", e.Count)
	add(!e.Since.IsZero(), "since %s", e.Since.UTC().Format("2006-01-02T15:04:05Z"))
	add(e.Epoch != 0, "generation %d", e.Epoch)
	add(e.Version != "", "version %s", e.Version)
	add(e.PID != 0, "process %d", e.PID)
	add(e.Token == "previous", "by the previous token")
	add(e.Milliseconds > 0, "%d ms", e.Milliseconds)
	return strings.Join(facts, ", ")
}

// mostNamed is how many members a line names.
const mostNamed = 3

func describeMembers(m *journal.Members) string {
	if m == nil || m.Count == 0 {
		return "nobody"
	}
	named := m.IDs[:min(len(m.IDs), mostNamed)]
	if rest := m.Count - len(named); rest > 0 {
		return strings.Join(append(slices.Clone(named), strconv.Itoa(rest)+" more"), " ")
	}
	return strings.Join(named, " ")
}
