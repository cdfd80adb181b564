package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

type sealCommand struct {
	DataDir string `arg:"" optional:"" default:"${data_dir}" help:"Data folder of the bridge (${default})."`
}

// Help implements kong.HelpProvider.
func (sealCommand) Help() string {
	return `The bridge forgets the credentials in its session, signs out of the account, and signs everybody out of its
status page. The session file stays. The next request with the bearer token unseals it again, so stop the identity
provider first, or rotate the token if it may be known to somebody.

  scim-bridge seal /var/lib/scim-bridge`
}

// Validate is called by kong.
func (s *sealCommand) Validate() error { return checkDataDir(s.DataDir) }

// Run seals the bridge.
func (s *sealCommand) Run(ctx context.Context, c *console) error {
	ctx, cancel := context.WithTimeout(ctx, unsealTimeout)
	defer cancel()
	st, err := control.Dial(filepath.Join(s.DataDir, control.SocketName)).Seal(ctx)
	if refusal, ok := errors.AsType[*control.Error](err); ok && refusal.Status == http.StatusNotFound {
		return errors.New("the running bridge is older than this program and cannot be sealed: update or restart it")
	}
	if err != nil {
		return err
	}
	if st.State != control.Sealed {
		_, err = fmt.Fprintf(c.Out, "the bridge was sealed, and is %s again: a request with the bearer token came\n",
			st.State)
		return err
	}
	_, err = fmt.Fprintln(c.Out, "the bridge is sealed: the next request with the bearer token unseals it")
	return err
}
