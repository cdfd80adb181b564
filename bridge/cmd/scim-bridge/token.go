package main

import (
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// tokenCommand prints a new token and nothing else, for scripts.
type tokenCommand struct{}

// Help implements kong.HelpProvider.
func (tokenCommand) Help() string {
	return `For instance:

  scim-bridge token > bearer-token`
}

func (tokenCommand) Run(c *console) error {
	token, err := session.NewToken()
	if err != nil {
		return err
	}
	_, err = fmt.Fprintln(c.Out, token.Reveal())
	return err
}
