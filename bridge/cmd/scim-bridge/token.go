package main

import (
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// tokenCommand prints the token alone, so that a script can take it as it is.
type tokenCommand struct{}

// Help shows how it is called.
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
