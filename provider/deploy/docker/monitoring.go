package docker

import (
	"context"
	"errors"
	"fmt"

	"github.com/moby/moby/client"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// orStored returns a monitoring token, or the one that the old container has: see deploy.Monitoring.OrStored.
func orStored(ctx context.Context, c *client.Client, old *generation, m *deploy.Monitoring) (
	*deploy.Monitoring, error,
) {
	if m == nil {
		return nil, nil //nolint:nilnil // there is none
	}
	r, err := readRecord(ctx, c, old)
	if errors.Is(err, errNoFile) {
		return m, nil
	}
	if err != nil {
		return nil, err
	}
	stored, err := readFile(ctx, c, old, monitoringName)
	if err != nil && !errors.Is(err, errNoFile) {
		return nil, err
	}
	return m.OrStored(r.Monitoring, r.Mark, string(stored)), nil
}

// reloadMonitoring makes the running bridge use the monitoring token that was written.
func reloadMonitoring(ctx context.Context, c *client.Client, g *generation, m *deploy.Monitoring) error {
	if m == nil {
		return nil
	}
	out, code, err := run(ctx, c, g.info.ID, m.Token.Reveal()+"\n", "reload", "--check-monitoring-token", dataDir)
	if err == nil && code != 0 {
		err = fmt.Errorf("scim-bridge reload in the container ended with exit code %d: %s", code, trim(out))
	}
	if err != nil {
		return fmt.Errorf("giving the running bridge its monitoring token: %w", err)
	}
	return nil
}

// monitoringDrift returns what was changed by other means at the monitoring token in the volume.
func monitoringDrift(ctx context.Context, c *client.Client, g *generation, r record) ([]string, error) {
	if r.Monitoring == nil {
		return nil, nil
	}
	stored, err := readFile(ctx, c, g, monitoringName)
	switch {
	case errors.Is(err, errNoFile):
		return []string{"the monitoring token in the volume is missing"}, nil
	case err != nil:
		return nil, err
	case !deploy.IsMarked(r.Mark, string(stored)):
		return []string{"the monitoring token in the volume was changed"}, nil
	}
	return nil, nil
}
