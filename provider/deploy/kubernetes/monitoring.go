package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes/cluster"
)

// setMonitoring sets the monitoring token: the given one or the found one, see deploy.Monitoring.OrStored.
func (d *design) setMonitoring(m *deploy.Monitoring, found snapshot) error {
	m = m.OrStored(found.record.Monitoring, found.mark, found.monitoring)
	if m == nil {
		return nil
	}
	if m.Token.IsZero() {
		return deploy.ErrNoMonitoringToken
	}
	d.monitoring, d.mark = m.Token.Reveal(), m.Token.Mark()
	return nil
}

func (d design) monitoringSecret() object {
	data := object{monitoringKey: encode(d.monitoring), markKey: encode(d.mark)}
	if d.loaded != "" {
		data[loadedKey] = encode(d.loaded)
	}
	return d.object(cluster.Secrets, d.monitoringName(), object{"type": "Opaque", "data": data})
}

// loadMonitoring makes the running bridges use the monitoring token that was written, and records that they do: what
// ends before is drift.
func (t *Target) loadMonitoring(ctx context.Context, c *cluster.Client, d design) error {
	if err := t.reloadMonitoring(ctx, c, d.monitoring); err != nil {
		return err
	}
	d.loaded = d.mark
	_, err := c.Apply(ctx, cluster.Secrets, d.monitoringSecret())
	return err
}

// reloadMonitoring makes the running bridges use the monitoring token that was written. The kubelets
// give a pod the files of a changed Secret within one or two minutes.
func (t *Target) reloadMonitoring(ctx context.Context, c *cluster.Client, token string) error {
	done := map[string]bool{} // the pods, by UID
	for logged := ""; ; {
		waiting, err := t.reloadPods(ctx, c, token, done)
		switch {
		case err != nil:
			return err
		case waiting == nil:
			return nil
		case ctx.Err() != nil:
			return fmt.Errorf("%w, and %w", deploy.Ended(ctx), waiting)
		case waiting.Error() != logged:
			logged = waiting.Error()
			deploy.Log(ctx, "waiting until the kubelets have given the pods the new Secret: "+logged)
		}
		select {
		case <-ctx.Done():
		case <-time.After(reloadEvery):
		}
	}
}

// reloadPods reloads the bridges that are not done. Waiting is why it must be repeated; nil if all are done.
func (t *Target) reloadPods(ctx context.Context, c *cluster.Client, token string, done map[string]bool) (
	waiting, err error,
) {
	pods, err := t.pods(ctx, c)
	if away, ok := errors.AsType[*cluster.AwayError](err); ok {
		return away, nil
	}
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	for _, p := range pods {
		if !p.current || p.leaving() || !p.running() || done[p.Metadata.UID] {
			continue
		}
		_, err := c.Exec(ctx, t.Config.Namespace, p.Metadata.Name, containerName, strings.NewReader(token+"\n"),
			"/usr/bin/scim-bridge", "reload", "--check-monitoring-token", dataFolder)
		exit, refused := errors.AsType[*cluster.ExitError](err)
		switch {
		case err == nil:
			done[p.Metadata.UID] = true
			continue
		case refused && strings.Contains(exit.Output, "unknown flag"):
			return nil, errors.New("the image is older than this provider, and its bridges cannot be given a new " +
				"monitoring token while they run: update kubernetes.image")
		case refused:
			err = errors.New(strings.TrimPrefix(strings.TrimSpace(exit.Output), "scim-bridge: "))
		}
		waiting = fmt.Errorf("the bridge in the pod %s does not use the monitoring token yet: %w", p.Metadata.Name, err)
	}
	return waiting, nil
}

// reloadEvery is the interval at which pods are asked for the monitoring token.
const reloadEvery = 2 * time.Second
