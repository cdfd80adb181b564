package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

type sessionCommand struct {
	Inspect sessionInspectCommand `cmd:"" help:"Show the header of a session file. It contains no secret."`
	Seal    sessionSealCommand    `cmd:"" help:"Make a session for a SCIM server as the far side."`
}

type sessionInspectCommand struct {
	File string `arg:"" help:"The session file."`
	JSON bool   `help:"Print a JSON document."`
}

// Help implements kong.HelpProvider.
func (sessionInspectCommand) Help() string {
	return `For instance:

  scim-bridge session inspect /var/lib/scim-bridge/session
  scim-bridge session inspect --json /var/lib/scim-bridge/session`
}

func (s sessionInspectCommand) Run(c *console) error {
	file, err := readSessionFile("the argument FILE", s.File)()
	if err != nil {
		return err
	}
	if s.JSON {
		return printJSON(c.Out, toSessionDocument(file))
	}
	return describeSession(c.Out, file)
}

// A sessionDocument is the header of a session file in JSON.
type sessionDocument struct {
	SessionFingerprint string         `json:"session_fingerprint"`
	Kind               session.Kind   `json:"kind"`
	AccountID          string         `json:"account_id,omitempty"`    // of an integration
	DirectoryURL       string         `json:"directory_url,omitempty"` // of a directory
	Entries            []sessionEntry `json:"entries"`                 // the newest first
	OverlapEnds        time.Time      `json:"overlap_ends,omitzero"`
}

type sessionEntry struct {
	TokenFingerprint string `json:"token_fingerprint"`
	Epoch            int64  `json:"epoch"`
	Version          int    `json:"version"`
}

func toSessionDocument(file session.File) sessionDocument {
	newest := file.Entries[0].Header
	d := sessionDocument{
		SessionFingerprint: file.Fingerprint(), Kind: newest.Kind(), AccountID: newest.AccountID,
		DirectoryURL: newest.DirectoryURL, OverlapEnds: newest.PreviousExpires,
	}
	for _, e := range file.Entries {
		d.Entries = append(d.Entries, sessionEntry{e.Header.TokenFingerprint, e.Header.Epoch, e.Header.Version})
	}
	return d
}

func describeSession(w io.Writer, file session.File) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "session\t%s\n", file.Fingerprint())
	newest := file.Entries[0].Header
	fmt.Fprintf(t, "kind\t%s\n", newest.Kind())
	if newest.Kind() == session.KindDirectory {
		fmt.Fprintf(t, "directory\t%s\n", newest.DirectoryURL)
	} else {
		fmt.Fprintf(t, "account\t%s\n", newest.AccountID)
	}
	names := []string{"token's fingerprint", "previous token's"}
	for i, e := range file.Entries {
		fmt.Fprintf(t, "%s\t%s\tepoch %d, version %d\n", names[i], e.Header.TokenFingerprint, e.Header.Epoch,
			e.Header.Version)
	}
	if ends := newest.PreviousExpires; !ends.IsZero() {
		fmt.Fprintf(t, "end of the overlap\t%s\n", stamp(ends))
	}
	return t.Flush()
}
