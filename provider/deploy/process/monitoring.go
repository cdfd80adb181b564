package process

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// storedMonitoring returns the stored monitoring token; empty if there is none.
func (t *Target) storedMonitoring() string {
	content, err := os.ReadFile(t.path(monitoringName))
	if err != nil {
		return ""
	}
	return string(content)
}

// writeMonitoring writes the monitoring token, or removes it.
func (t *Target) writeMonitoring(m *deploy.Monitoring) error {
	if m == nil {
		if err := os.Remove(t.path(monitoringName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("removing the monitoring token: %w", err)
		}
		return nil
	}
	if err := replaceFile(t.path(monitoringName), []byte(m.Token.Reveal()+"\n")); err != nil {
		return fmt.Errorf("writing the monitoring token: %w", err)
	}
	return nil
}

// reloadMonitoring makes the running bridge use the monitoring token that was written.
func (t *Target) reloadMonitoring(ctx context.Context, m *deploy.Monitoring) error {
	if m == nil {
		return nil
	}
	ctx, cancel := context.WithTimeoutCause(ctx, startTime,
		fmt.Errorf("the bridge did not answer within %s", startTime))
	defer cancel()
	err := control.Dial(t.path(control.SocketName)).ReloadMonitoring(ctx, m.Token.Reveal())
	if ctx.Err() != nil {
		err = deploy.Ended(ctx)
	}
	if err != nil {
		return fmt.Errorf("giving the running bridge its monitoring token: %w", err)
	}
	return nil
}

// monitoringDrift returns what was changed by other means at the file with the monitoring token.
func (t *Target) monitoringDrift(r record) (drift []string, err error) {
	if r.Monitoring == nil {
		return nil, nil
	}
	path := t.path(monitoringName)
	content, err := os.ReadFile(path)
	switch {
	case isMissing(err):
		return []string{fmt.Sprintf("the monitoring token %s is missing", path)}, nil
	case err != nil:
		return nil, err
	case !deploy.IsMarked(r.Mark, string(content)):
		drift = append(drift, fmt.Sprintf("the monitoring token %s was changed", path))
	}
	if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
		drift = append(drift, fmt.Sprintf("the monitoring token %s has the mode %04o instead of 0600", path,
			info.Mode().Perm()))
	}
	return drift, nil
}
