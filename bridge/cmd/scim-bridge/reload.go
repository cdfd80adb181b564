package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

type reloadCommand struct {
	CheckMonitoringToken bool `help:"Fail unless the monitoring token is then the one on standard input."`

	DataDir string `arg:"" optional:"" default:"${data_dir}" help:"Data folder of the bridge (${default})."`
}

// Help implements kong.HelpProvider.
func (reloadCommand) Help() string {
	return `Does what SIGHUP does, and returns when it is done: the bridge reads the token files and the session again
and closes idle connections to the account. In a container use this: Docker takes a signal for a stop by hand, and
does not start the container again when the machine was rebooted.

With --check-monitoring-token, nothing is reloaded unless the file of --monitoring-token-file has the token on
standard input: where files reach a container with a delay, as Secrets of Kubernetes do, repeat the command until it
succeeds. Then the bridge uses that token.

  scim-bridge reload /var/lib/scim-bridge
  docker exec bridge scim-bridge reload
  kubectl exec -i deployment/bridge -- scim-bridge reload --check-monitoring-token < monitoring-token`
}

// Validate is called by kong.
func (r *reloadCommand) Validate() error { return checkDataDir(r.DataDir) }

// Run asks the bridge.
func (r *reloadCommand) Run(ctx context.Context, c *console) error {
	bridge := control.Dial(filepath.Join(r.DataDir, control.SocketName))
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if !r.CheckMonitoringToken {
		return bridge.Reload(ctx)
	}
	if _, isTerminal := terminalOf(c.In); isTerminal {
		return errors.New("the monitoring token is read from standard input: write scim-bridge reload " +
			"--check-monitoring-token DATA_DIR <FILE")
	}
	text, err := io.ReadAll(io.LimitReader(c.In, 4<<10))
	if err != nil {
		return fmt.Errorf("reading the monitoring token from standard input: %w", err)
	}
	token := strings.TrimSpace(string(text))
	if token == "" {
		return errors.New("no token on standard input: write scim-bridge reload --check-monitoring-token DATA_DIR " +
			"<FILE")
	}
	return bridge.ReloadMonitoring(ctx, token)
}
