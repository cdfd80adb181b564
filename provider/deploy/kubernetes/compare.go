package kubernetes

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes/cluster"
)

// compare sets what arguments show of the objects as they are: image, replicas, service, settings,
// size. It returns what else differs from what was deployed.
func (t *Target) compare(ctx context.Context, c *cluster.Client, found snapshot, state *deploy.State) (
	drift []string, err error,
) {
	recorded := found.design()
	config := recorded.Config
	if found.deployment == nil {
		drift = append(drift, fmt.Sprintf("the Deployment %s/%s does not exist", config.Namespace, config.Name))
	} else {
		drift = append(drift, found.readDeployment(&config, state)...)
	}
	if recorded.Unseal == deploy.UnsealStored && !opens(found.token, found.session) && found.session != "" {
		drift = append(drift, fmt.Sprintf("the Secret %s/%s does not have the token that opens the session",
			config.Namespace, recorded.tokenName()))
	}
	switch {
	case recorded.Monitoring == nil:
	case !deploy.IsMarked(found.mark, found.monitoring):
		drift = append(drift, fmt.Sprintf("the Secret %s/%s with the monitoring token is missing or was changed",
			config.Namespace, recorded.monitoringName()))
	case found.loaded != found.mark:
		drift = append(drift, fmt.Sprintf("bridges may use another monitoring token than that of the Secret %s/%s, "+
			"since an apply was interrupted or failed", config.Namespace, recorded.monitoringName()))
	}
	// What the arguments show is compared by them.
	expected := recorded
	expected.Config, expected.Size, expected.Settings = config, state.Spec.Size, state.Spec.Settings
	expected.Config.NetworkPolicy = recorded.Config.NetworkPolicy
	parts, err := expected.parts()
	if err != nil {
		return nil, err
	}
	for _, p := range parts {
		if p.kind == cluster.Secrets {
			continue
		}
		have, err := c.Get(ctx, p.kind, config.Namespace, p.name())
		switch {
		case errors.Is(err, cluster.ErrNotFound) && p.kind == cluster.Deployments: // is told already
		case errors.Is(err, cluster.ErrNotFound) && p.kind == cluster.Policies:
			config.NetworkPolicy = false
		case errors.Is(err, cluster.ErrNotFound):
			drift = append(drift, fmt.Sprintf("the %s %s/%s does not exist", p.kind.Name, config.Namespace, p.name()))
		case err != nil:
			return nil, err
		case p.kind == cluster.Services:
			drift = append(drift, readService(&config, p, have)...)
		default:
			drift = append(drift, differencesOf(p, have)...)
		}
	}
	state.Config, state.URL, state.Program = config, config.url(), config.Image
	return drift, nil
}

// readDeployment sets what the Deployment says of the arguments. It returns arguments of the bridge that none of them
// shows.
func (s snapshot) readDeployment(config *Config, state *deploy.State) (drift []string) {
	container := s.container()
	config.Image = textAt(container, "image")
	if replicas, ok := at(s.deployment, "spec", "replicas").(int64); ok && s.scaled == 0 {
		config.Replicas = replicas
	}
	limit := textAt(container, "resources", "limits", "memory")
	for _, size := range []deploy.Size{deploy.SizeBase, deploy.SizeHigh, deploy.SizeVeryHigh} {
		if megabytes(size.Limit()) == limit {
			state.Spec.Size = size
		}
	}
	settings, _, unknown := readArguments(container)
	state.Spec.Settings = settings
	for _, argument := range unknown {
		drift = append(drift, fmt.Sprintf("the Deployment's bridge has the argument %s", argument))
	}
	return drift
}

// readArguments reads the arguments of a bridge's container. Unknown are those that no setting makes.
func readArguments(container object) (settings deploy.Settings, revision string, unknown []string) {
	args, _ := at(container, "args").([]any)
	fixed := design{record: record{Unseal: deploy.UnsealStored, Monitoring: &deploy.Monitoring{}}}.arguments()
	for _, arg := range args {
		text, _ := arg.(string)
		if value, ok := strings.CutPrefix(text, "--revision="); ok {
			revision = value
			continue
		}
		if slices.Contains(fixed, text) || settings.SetFlag(text) {
			continue
		}
		name, _, _ := strings.Cut(text, "=") // its value may be a secret
		unknown = append(unknown, name)
	}
	return settings, revision, unknown
}

// readService sets what the Service says of its argument, and returns what else differs.
func readService(config *Config, p part, have object) []string {
	want := config.service()
	live := want
	if kind := textAt(have, "spec", "type"); kind != "" {
		live.Type = kind
	}
	if ports, _ := at(have, "spec", "ports").([]any); len(ports) > 0 {
		if number, ok := at(ports[0], "port").(int64); ok {
			live.Port = number
		}
	}
	if live.Type != want.Type || live.Port != want.Port {
		config.Service = &live
		return nil
	}
	return differencesOf(p, have)
}

func differencesOf(p part, have object) (drift []string) {
	if p.kind == cluster.Deployments { // the record was found, here or elsewhere
		if annotation(have, recordKey) == "" {
			drift = append(drift, fmt.Sprintf("the Deployment %s has lost its annotation %s", p.name(), recordKey))
		}
	}
	want := maps.Clone(p.object)
	delete(want, "apiVersion")
	delete(want, "kind")
	for _, path := range differences("", want, have) {
		if !strings.HasPrefix(path, ".metadata.annotations."+recordKey) {
			drift = append(drift, fmt.Sprintf("the %s %s differs in %s", p.kind.Name, p.name(), path[1:]))
		}
	}
	return drift
}

// differences returns the paths of wanted values that an object does not have. What it has besides
// is of others: the API server's defaults, what a webhook adds.
func differences(path string, want, have any) (paths []string) {
	switch want := want.(type) {
	case map[string]any:
		inner, ok := have.(map[string]any)
		if !ok && len(want) > 0 {
			return []string{path}
		}
		for _, name := range slices.Sorted(maps.Keys(want)) {
			paths = append(paths, differences(path+"."+name, want[name], inner[name])...)
		}
		return paths
	case []any:
		inner, ok := have.([]any)
		if !ok && len(want) > 0 {
			return []string{path}
		}
		for i, item := range want {
			name, other := counterpart(item, i, inner)
			paths = append(paths, differences(fmt.Sprintf("%s[%s]", path, name), item, other)...)
		}
		return paths
	}
	if fmt.Sprint(want) != fmt.Sprint(have) {
		return []string{path}
	}
	return nil
}

// counterpart returns the item of a list that is to be compared: the one with the same key, or else the one at the same
// place.
func counterpart(item any, i int, in []any) (name string, other any) {
	for _, key := range []string{"name", "mountPath", "topologyKey"} {
		value := textAt(item, key)
		if value == "" {
			continue
		}
		for _, candidate := range in {
			if textAt(candidate, key) == value {
				return value, candidate
			}
		}
		return value, nil
	}
	if i < len(in) {
		return fmt.Sprint(i), in[i]
	}
	return fmt.Sprint(i), nil
}
