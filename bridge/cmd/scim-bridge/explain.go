package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/explain"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

type explainCommand struct {
	Group     string `placeholder:"NAME" help:"Explain a group instead: its name, SCIM id or externalId."`
	URL       string `name:"url" placeholder:"URL" help:"Ask the bridge at this address, not the one in DATA_DIR."`
	TokenFile string `placeholder:"FILE" help:"With --url: file with the bearer token."`
	JSON      bool   `help:"Print one JSON document."`

	Address string `arg:"" optional:"" help:"The person's userName, e-mail address, SCIM id or externalId."`
	DataDir string `arg:"" optional:"" help:"Data folder of the bridge (${data_dir})."`
}

// Help implements kong.HelpProvider.
func (explainCommand) Help() string {
	return `Says why a person can or cannot use the account: what the identity provider said, what the account has, what
is awaited and what to do; and the latest requests about it, with their ids in the log. Nothing is changed.

Case, and blanks around the name, do not count. If several people have it, they are listed: ask for one by its SCIM id.
The account is asked by the bridge. While that is sealed, or does not run, or cannot reach the account, only what the
journal in its data folder has is told.

The exit code is 0 whatever the answer is, also if only the journal could be asked (verdict undetermined); 1 if nothing
could be found out, and 2 for a mistake in the call.

  scim-bridge explain ann@example.com /var/lib/scim-bridge
  scim-bridge explain --group Engineering /var/lib/scim-bridge
  scim-bridge explain ann@example.com --url https://scim.example.com --token-file bearer-token --json`
}

// Validate is called by kong.
func (e *explainCommand) Validate() error {
	var faults []error
	if _, sealed := session.Sealed(e.Group); sealed || session.Scrub(e.Group) != e.Group {
		faults = append(faults, errors.New("--group is a secret instead of a name; secrets are read from files"))
	}
	if session.Misplaced(e.Address) {
		faults = append(faults, errors.New("ADDRESS is a secret instead of a name; secrets are read from files"))
	}
	q, dataDir := e.question()
	if err := checkDataDir(dataDir); err != nil {
		faults = append(faults, err)
	}
	switch {
	case e.Group != "" && e.Address != "" && e.DataDir != "":
		faults = append(faults, errors.New("ask for a person, or with --group for a group"))
	case q.Person == "" && q.Group == "":
		faults = append(faults, errors.New("name a person: its userName, e-mail address, SCIM id or externalId; or a "+
			"group by --group"))
	}
	switch {
	case e.URL != "" && e.TokenFile == "":
		faults = append(faults, errors.New("--url needs --token-file, with the bearer token: what is known of people "+
			"is not shown without it"))
	case e.URL == "" && e.TokenFile != "" && e.TokenFile != os.Getenv("SCIMBRIDGE_TOKEN_FILE"): // may be set for others
		faults = append(faults, errors.New("--token-file needs --url: a bridge on this machine is asked without a "+
			"token"))
	case e.URL != "" && e.dirGiven():
		faults = append(faults, errors.New("ask the bridge in DATA_DIR, or the one at --url"))
	}
	return errors.Join(faults...)
}

// question returns what is asked, and the data folder. With --group, the only argument is the folder.
func (e *explainCommand) question() (q explain.Question, dataDir string) {
	if dataDir = e.DataDir; e.Group != "" && dataDir == "" {
		dataDir = e.Address
	}
	if dataDir == "" {
		dataDir = defaultDataDir()
	}
	if e.Group != "" {
		return explain.Question{Group: e.Group}, dataDir
	}
	return explain.Question{Person: e.Address}, dataDir
}

func (e *explainCommand) dirGiven() bool { return e.DataDir != "" || e.Group != "" && e.Address != "" }

// Run prints the explanation.
func (e *explainCommand) Run(ctx context.Context, c *console) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	q, dataDir := e.question()
	ask := func(ctx context.Context, q explain.Question) (explain.Answer, error) {
		return explainLocally(ctx, dataDir, q)
	}
	if e.URL != "" {
		ask = e.remotely
	}
	answer, err := ask(ctx, q)
	if err != nil {
		return err
	}
	if e.JSON {
		return printJSON(c.Out, answer)
	}
	return printAnswer(c.Out, answer)
}

// explainLocally asks the bridge in the data folder. If none runs there, it tells what the folder's journal has.
func explainLocally(ctx context.Context, dataDir string, q explain.Question) (explain.Answer, error) {
	answer, err := control.Dial(filepath.Join(dataDir, control.SocketName)).Explain(ctx, q)
	refusal, refused := errors.AsType[*control.Error](err)
	switch {
	case refused && refusal.Status == http.StatusNotFound:
		return answer, errors.New("the bridge that runs there is older than explain: restart it with this version")
	case err == nil || !errors.Is(err, control.ErrNotRunning):
		return answer, err
	}
	if _, err := os.Stat(filepath.Join(dataDir, journal.Folder)); errors.Is(err, fs.ErrNotExist) {
		return answer, errors.New("no bridge is running there, and the folder has no journal: name the data folder " +
			"of a bridge, the value of its --data-dir, or a bridge by --url")
	} else if err != nil {
		return answer, err
	}
	offline := explain.Explainer{
		Away: "no bridge is running in " + dataDir + " that could ask the account",
		Journal: func(ctx context.Context, s journal.Search) (journal.Found, error) {
			return journal.SearchFolder(ctx, dataDir, s)
		},
		Now: time.Now, DataDir: dataDir,
	}
	return offline.Explain(ctx, q)
}

// remotely asks the bridge at --url.
func (e *explainCommand) remotely(ctx context.Context, q explain.Question) (answer explain.Answer, err error) {
	token, err := readSecret("--token-file", e.TokenFile, toStandardError)
	if err != nil {
		return answer, &exit{exitUsage, err}
	}
	err = askBridge(ctx, http.DefaultClient, e.URL, control.PathExplain, token.Reveal(), q, &answer)
	if err == nil && len(answer.Found) == 0 { // a bridge has an explanation also if there is nobody
		err = fmt.Errorf("what answers at %s is not a bridge: it explains nothing", e.URL)
	}
	return answer, err
}

// maxDetail bounds what is printed of an error of whatever answers at an address.
const maxDetail = 500

// askBridge sends a question to one of a bridge's own paths, and reads the answer.
func askBridge(ctx context.Context, httpClient *http.Client, base, path, token string, question, answer any) error {
	address, err := url.JoinPath(base, path)
	if err != nil || !strings.HasPrefix(address, "http") {
		return &exit{exitUsage, errors.New("--url is not an address; it must look like https://scim.example.com")}
	}
	body, err := json.Marshal(question)
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return &exit{exitUsage, errors.New("--url is not an address; it must look like https://scim.example.com")}
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", "application/json")
	resp, err := httpClient.Do(req)
	if err != nil {
		return fmt.Errorf("asking the bridge: %w", err)
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 16<<20))
	if err != nil {
		return fmt.Errorf("reading the bridge's answer: %w", err)
	}
	var refusal struct{ Detail string }
	switch {
	case resp.StatusCode == http.StatusOK && json.Unmarshal(text, answer) == nil:
		return nil
	case resp.StatusCode == http.StatusNotFound || resp.StatusCode == http.StatusMethodNotAllowed:
		return &noSuchPathError{base}
	case json.Unmarshal(text, &refusal) == nil && refusal.Detail != "":
		err = fmt.Errorf("the bridge answered %d: %s", resp.StatusCode, inputtext.ShortLine(refusal.Detail, maxDetail))
	default:
		err = fmt.Errorf("what answers at %s is not a bridge: it answered %d", base, resp.StatusCode)
	}
	if resp.StatusCode == http.StatusTooManyRequests || resp.StatusCode == http.StatusServiceUnavailable {
		return &busyError{err, cmp.Or(client.RetryAfter(resp), time.Second)}
	}
	return err
}

// A busyError is the error of a question that may be answered later.
type busyError struct {
	error
	after time.Duration
}

// A noSuchPathError is the error if a server does not have one of the bridge's own paths.
type noSuchPathError struct{ base string }

func (e *noSuchPathError) Error() string {
	return fmt.Sprintf("what answers at %s is no bridge of this version: name the bridge's address without a path, or "+
		"update it", e.base)
}

func printAnswer(out io.Writer, a explain.Answer) error {
	if len(a.Found) == 1 {
		err := printExplanation(out, a.Found[0])
		for _, line := range a.Unknown {
			fmt.Fprintln(out, "\n"+inputtext.Line(line))
		}
		return err
	}
	fmt.Fprintf(out, "%d have %s:\n\n", len(a.Found), inputtext.Line(a.Asked))
	for _, e := range a.Found {
		id := ""
		if e.ID != "" {
			id = " SCIM id " + e.ID
		}
		fmt.Fprintln(out, inputtext.Line("  "+e.Conclusion+id))
	}
	if a.More {
		fmt.Fprintln(out, "  There are others.")
	}
	for _, line := range a.Unknown {
		fmt.Fprintln(out, "\n"+inputtext.Line(line))
	}
	_, err := fmt.Fprintln(out, "\nAsk for one of them by its SCIM id or its address.")
	return err
}

// printExplanation prints the conclusion first. All texts may have names from outside.
func printExplanation(out io.Writer, e explain.Explanation) error {
	fmt.Fprintln(out, inputtext.Line(e.Conclusion))
	for _, part := range []struct {
		title string
		lines []string
	}{
		{"The identity provider", e.Said}, {"The account", e.Has}, {"Awaited", e.Awaited}, {"What to do", e.ToDo},
	} {
		if len(part.lines) == 0 {
			continue
		}
		fmt.Fprintf(out, "\n%s\n", part.title)
		for _, line := range part.lines {
			fmt.Fprintf(out, "  %s\n", inputtext.Line(line))
		}
	}
	if e.Terraform != "" {
		fmt.Fprintf(out, "\n    %s\n", strings.ReplaceAll(inputtext.Lines(e.Terraform), "\n", "\n    "))
	}
	if len(e.Requests) == 0 {
		return nil
	}
	fmt.Fprintln(out, "\nLatest requests")
	table := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "  TIME\tMETHOD\tSTATUS\tWHAT\tCLIENT\tREQUEST")
	for _, r := range e.Requests {
		what := r.What
		if r.Code != "" {
			what += ", " + r.Code
		}
		if r.Token == "previous" {
			what += ", by the previous token"
		}
		status := "-"
		if r.Status != 0 {
			status = fmt.Sprint(r.Status)
		}
		fmt.Fprintf(table, "  %s\t%s\t%s\t%s\t%s\t%s\n", r.Time.UTC().Format("2006-01-02 15:04:05Z"),
			orDash(inputtext.Line(r.Method)), status, inputtext.Line(what), orDash(inputtext.Line(r.Client)),
			inputtext.Line(r.ID))
	}
	return table.Flush()
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}
