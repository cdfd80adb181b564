package main

import (
	"fmt"
	"runtime"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/build"
)

type versionCommand struct{}

// Help shows how it is called.
func (versionCommand) Help() string {
	return `The same as scim-bridge --version.

  scim-bridge version`
}

func (versionCommand) Run(c *console) error {
	b := build.Read()
	_, err := fmt.Fprintf(c.Out, "scim-bridge %s\ncommit %s\n%s %s/%s\n", b.Version, b.Commit, b.Go, runtime.GOOS, runtime.GOARCH)
	return err
}
