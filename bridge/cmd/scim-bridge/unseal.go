package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

type unsealCommand struct {
	DataDir string `arg:"" optional:"" default:"/var/lib/scim-bridge" help:"Data folder of the local bridge (${default})."`
}

// Help says where the token comes from: never from an argument, which every
// process on the machine could read.
func (unsealCommand) Help() string {
	return `Reads the bearer token from standard input.

  scim-bridge unseal /var/lib/scim-bridge < bearer-token`
}

// Validate is called by kong.
func (u *unsealCommand) Validate() error { return checkDataDir(u.DataDir) }

// Run shows the token to the bridge.
func (u *unsealCommand) Run(ctx context.Context, c *console) error {
	text, err := io.ReadAll(io.LimitReader(c.In, 4<<10))
	if err != nil {
		return fmt.Errorf("reading the token from standard input: %w", err)
	}
	token := session.Pasted(string(text))
	if token == "" {
		return errors.New("no token on standard input: write scim-bridge unseal DATA_DIR <FILE")
	}
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	st, err := control.Dial(filepath.Join(u.DataDir, control.SocketName)).Unseal(ctx, token)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "the bridge is open (%s)\n", st.Health.State)
	return nil
}
