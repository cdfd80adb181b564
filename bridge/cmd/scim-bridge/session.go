package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

type sessionCommand struct {
	Inspect sessionInspectCommand `cmd:"" help:"Show the header of a session file. It contains no secret."`
}

type sessionInspectCommand struct {
	File string `arg:"" help:"The session file."`
}

// Help implements kong.HelpProvider.
func (sessionInspectCommand) Help() string {
	return `For instance:

  scim-bridge session inspect /var/lib/scim-bridge/session`
}

func (s sessionInspectCommand) Run(c *console) error {
	file, err := readSessionFile("the argument FILE", s.File)()
	if err != nil {
		return err
	}
	return describeSession(c.Out, file)
}

func describeSession(w io.Writer, file session.File) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(t, "session\t%s\n", file.Fingerprint())
	fmt.Fprintf(t, "account\t%s\n", file.Entries[0].Header.AccountID)
	names := []string{"token's fingerprint", "previous token's"}
	for i, e := range file.Entries {
		fmt.Fprintf(t, "%s\t%s\tepoch %d, version %d\n", names[i], e.Header.TokenFingerprint, e.Header.Epoch,
			e.Header.Version)
	}
	if ends := file.Entries[0].Header.PreviousExpires; !ends.IsZero() {
		fmt.Fprintf(t, "end of the overlap\t%s\n", stamp(ends))
	}
	return t.Flush()
}
