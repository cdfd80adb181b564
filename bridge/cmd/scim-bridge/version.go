package main

import (
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/build"
)

type versionCommand struct{}

// Help implements kong.HelpProvider.
func (versionCommand) Help() string {
	return `The same as scim-bridge --version.

  scim-bridge version`
}

func (versionCommand) Run(c *console) error {
	_, err := fmt.Fprint(c.Out, build.Read().Text("scim-bridge"))
	return err
}
