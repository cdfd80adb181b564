package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

type reloadCommand struct {
	DataDir string `arg:"" optional:"" default:"/var/lib/scim-bridge" help:"Data folder of the bridge (${default})."`
}

// Help implements kong.HelpProvider.
func (reloadCommand) Help() string {
	return `Does what SIGHUP does, and returns when it is done: the bridge reads the token files and the session again
and closes idle connections to the account. In a container use this: Docker takes a signal for a stop by hand, and
does not start the container again when the machine was rebooted.

  scim-bridge reload /var/lib/scim-bridge
  docker exec bridge scim-bridge reload`
}

// Validate is called by kong.
func (r *reloadCommand) Validate() error { return checkDataDir(r.DataDir) }

// Run asks the bridge.
func (r *reloadCommand) Run(ctx context.Context, _ *console) error {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	return control.Dial(filepath.Join(r.DataDir, control.SocketName)).Reload(ctx)
}
