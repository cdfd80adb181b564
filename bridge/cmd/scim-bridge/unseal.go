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
	DataDir string `arg:"" optional:"" default:"${data_dir}" help:"Data folder of the bridge (${default})."`
}

// Help implements kong.HelpProvider. The token is never an argument, which every
// process on the machine could read.
func (unsealCommand) Help() string {
	return `Prompts for the bearer token on a terminal, without echo. Otherwise reads it from standard input.

  scim-bridge unseal /var/lib/scim-bridge
  scim-bridge unseal /var/lib/scim-bridge < bearer-token`
}

// Validate is called by kong.
func (u *unsealCommand) Validate() error { return checkDataDir(u.DataDir) }

// Run sends the token to the bridge.
func (u *unsealCommand) Run(ctx context.Context, c *console) error {
	bridge := control.Dial(filepath.Join(u.DataDir, control.SocketName))
	token, err := u.token(ctx, c, bridge)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, unsealTimeout)
	defer cancel()
	st, err := bridge.Unseal(ctx, token)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.Out, "the bridge is unsealed (%s)\n", st.Health.State)
	return nil
}

// unsealTimeout bounds a request to the bridge, with a person waiting at the prompt.
const unsealTimeout = 15 * time.Second

// token reads the bearer token. On a terminal it prompts only after a bridge has
// answered, so that the secret is not pasted in vain.
func (u *unsealCommand) token(ctx context.Context, c *console, bridge *control.Client) (string, error) {
	terminal, isTerminal := terminalOf(c.In)
	if !isTerminal {
		text, err := io.ReadAll(io.LimitReader(c.In, 4<<10))
		if err != nil {
			return "", fmt.Errorf("reading the token from standard input: %w", err)
		}
		if token := session.Pasted(string(text)); token != "" {
			return token, nil
		}
		return "", errors.New("no token on standard input: write scim-bridge unseal DATA_DIR <FILE")
	}
	asking, cancel := context.WithTimeout(ctx, unsealTimeout)
	defer cancel()
	if _, err := bridge.Status(asking); err != nil {
		return "", err
	}
	token, err := readPassword(ctx, c.Err, terminal, fmt.Sprintf("bearer token of the bridge in %s: ", u.DataDir))
	if err != nil {
		return "", fmt.Errorf("reading the token from the terminal: %w", err)
	}
	if token = session.Pasted(token); token == "" {
		return "", errors.New("no token was entered; the bridge is unchanged")
	}
	return token, nil
}
