package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/alecthomas/kong"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// checkDryRun reports flags that contradict each other.
func (s *simulateCommand) checkDryRun() error {
	switch {
	case !s.DryRun && s.PeopleFile != "":
		return errors.New("--people-file needs --dry-run: the people of a list are only looked up")
	case !s.DryRun:
		return nil
	case s.IdP == simulate.All:
		return errors.New("--dry-run shows what one identity provider would do: name it with --idp")
	case s.Keep:
		return errors.New("--dry-run makes nothing: leave --keep out")
	case s.SwitchOff:
		return errors.New("--dry-run shows a first synchronisation, which switches nobody off: leave --switch-off out")
	case (s.People > 0) == (s.PeopleFile != ""):
		return errors.New("--dry-run needs --people or --people-file")
	case s.PeopleFile != "" && s.Groups > 0:
		return errors.New("with --people-file, the groups are those of the file: leave --groups out")
	}
	return nil
}

// dryRun prints what a first synchronisation would do.
func (s *simulateCommand) dryRun(ctx context.Context, c *console, simulation *simulate.Simulation,
	client *http.Client, token string,
) error {
	sync := &simulate.FirstSync{
		Simulation: simulation, MaxPreviewed: explain.MaxPreviewed, Fold: inputtext.Fold,
		Preview: func(ctx context.Context, resources []json.RawMessage) ([]simulate.Foreseen, error) {
			return s.preview(ctx, client, token, resources)
		},
	}
	if s.PeopleFile != "" {
		text, err := durable.ReadFile(kong.ExpandPath(s.PeopleFile), maxPeopleFile)
		if err != nil {
			return &exit{exitUsage, errors.New("--people-file cannot be read: name a CSV file of at most 64 MiB")}
		}
		if sync.Listed, err = readPeople(bytes.NewReader(text)); err != nil {
			return &exit{exitUsage, fmt.Errorf("--people-file: %w", err)}
		}
	}
	if err := simulation.Player.Reach(ctx); err != nil {
		return err
	}
	plan, err := sync.Plan(ctx)
	if err != nil {
		return err
	}
	if s.JSON {
		return printJSON(c.Out, plan)
	}
	return printPlan(c.Out, plan)
}

// preview asks the bridge what creating people would do. Its own paths are at the root of its address.
func (s *simulateCommand) preview(ctx context.Context, client *http.Client, token string,
	resources []json.RawMessage,
) ([]simulate.Foreseen, error) {
	base, err := url.Parse(s.URL)
	if err != nil {
		return nil, err
	}
	base.Path = strings.TrimSuffix(strings.TrimRight(base.Path, "/"), "/v2")
	base.Path = strings.TrimSuffix(base.Path, "/scim")
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	var answer struct{ People []simulate.Foreseen }
	question := explain.Preview{People: resources}
	giveUp := time.Now().Add(s.MaxWait)
	for {
		err = askBridge(ctx, client, base.String(), control.PathPreview, token, question, &answer)
		busy, isBusy := errors.AsType[*busyError](err)
		if !isBusy || time.Now().Add(busy.after).After(giveUp) {
			break
		}
		select {
		case <-time.After(busy.after):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
	if _, missing := errors.AsType[*noSuchPathError](err); missing {
		return nil, fmt.Errorf("%w: %w", errors.ErrUnsupported, err)
	}
	return answer.People, err
}

// maxPeopleFile bounds a list of people, in bytes.
const maxPeopleFile = 64 << 20

// readPeople reads a CSV file whose first line names the columns.
func readPeople(in io.Reader) (people []simulate.Listed, err error) {
	buffered := bufio.NewReader(in)
	if mark, _ := buffered.Peek(len(byteOrderMark)); string(mark) == byteOrderMark {
		_, _ = buffered.Discard(len(byteOrderMark))
	}
	reader := csv.NewReader(buffered)
	reader.Comma = separator(buffered)
	reader.TrimLeadingSpace = true
	header, err := reader.Read()
	if err != nil {
		return nil, errors.New("it has no first line with the names of its columns, userName among them")
	}
	columns := map[string]int{}
	for i, name := range header {
		name = strings.ToLower(inputtext.TrimBlanks(name))
		if !slices.Contains([]string{"username", "email", "givenname", "familyname", "active", "groups"}, name) {
			return nil, fmt.Errorf("there is no column %q: use userName, email, givenName, familyName, active and "+
				"groups", inputtext.ShortLine(header[i], 40))
		}
		columns[name] = i
	}
	if _, there := columns["username"]; !there {
		return nil, errors.New("it has no column userName")
	}
	for {
		row, err := reader.Read()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, err
		}
		one, err := toListed(row, columns)
		if err != nil {
			line, _ := reader.FieldPos(0)
			return nil, fmt.Errorf("line %d: %w", line, err)
		}
		people = append(people, one)
	}
	if len(people) == 0 {
		return nil, errors.New("it has no people")
	}
	return people, nil
}

// byteOrderMark is what spreadsheets begin a file with.
const byteOrderMark = "\ufeff"

// separator returns what separates the columns: spreadsheets of half of Europe write semicolons.
func separator(in *bufio.Reader) rune {
	header, _ := in.Peek(in.Size())
	header, _, _ = bytes.Cut(header, []byte("\n"))
	if bytes.Contains(header, []byte(";")) && !bytes.Contains(header, []byte(",")) {
		return ';'
	}
	return ','
}

func toListed(row []string, columns map[string]int) (p simulate.Listed, err error) {
	cell := func(column string) string {
		if i, there := columns[column]; there {
			return inputtext.TrimBlanks(row[i])
		}
		return ""
	}
	p = simulate.Listed{UserName: cell("username"), Given: cell("givenname"), Family: cell("familyname"), Active: true}
	if p.UserName == "" || strings.ContainsAny(p.UserName, `"\`) {
		return p, errors.New("userName is empty, or has quotes or backslashes")
	}
	_, hasEmails := columns["email"]
	switch p.Email = cell("email"); {
	case p.Email == "" && strings.Contains(p.UserName, "@"):
		p.Email = p.UserName
	case p.Email == "":
		p.NoEmail = !hasEmails
	case !strings.Contains(p.Email, "@") || strings.ContainsAny(p.Email, `"\\`):
		return p, errors.New("email is not an e-mail address")
	}
	if text := cell("active"); text != "" {
		if p.Active, err = strconv.ParseBool(strings.ToLower(text)); err != nil {
			return p, errors.New("active is neither true nor false")
		}
	}
	for _, group := range strings.Split(cell("groups"), ";") {
		if group = inputtext.TrimBlanks(group); group == "" {
			continue
		}
		if strings.ContainsAny(group, `"\`) {
			return p, errors.New("the name of a group has quotes or backslashes")
		}
		p.Groups = append(p.Groups, group)
	}
	return p, nil
}

// maxPlanned is how many people the table has.
const maxPlanned = 100

// printPlan prints the summary first, and the people with whom something else would be done than to invite them.
func printPlan(out io.Writer, p *simulate.Plan) error {
	fmt.Fprintf(out, "A first synchronisation by %s, of %d people and %d groups: %s. Nothing was changed.\n", p.IdP,
		len(p.People), len(p.Groups), p.Summary())
	if p.Untouched > 0 {
		fmt.Fprintf(out, "Provisioned besides: %d. It would not touch them.\n", p.Untouched)
	}
	attention := p.Attention()
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	if len(attention) > 0 {
		fmt.Fprintln(table, "\nACTION\tPERSON\tWHY")
	}
	for _, one := range attention[:min(len(attention), maxPlanned)] {
		fmt.Fprintf(table, "%s\t%s\t%s\n", inputtext.Line(string(one.Action)), inputtext.Line(one.UserName),
			inputtext.Line(one.Why))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if more := len(attention) - maxPlanned; more > 0 {
		fmt.Fprintf(out, "and %d more; --json has all\n", more)
	}
	if len(p.Groups) > 0 {
		fmt.Fprintln(table, "\nACTION\tGROUP\tADDED\tREMOVED\tWHY")
	}
	for _, g := range p.Groups {
		fmt.Fprintf(table, "%s\t%s\t%d\t%d\t%s\n", g.Action, inputtext.Line(g.Name), g.Joining, g.Leaving,
			inputtext.Line(g.Why))
	}
	if err := table.Flush(); err != nil {
		return err
	}
	if len(p.Unknown) > 0 {
		fmt.Fprintln(out, "\nNot known:")
	}
	for _, line := range p.Unknown {
		fmt.Fprintf(out, "  %s\n", inputtext.Line(line))
	}
	return nil
}
