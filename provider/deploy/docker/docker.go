package docker

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker/engine"
)

// A Target is a container's name on an engine.
type Target struct {
	Config

	// Trace is the last deploy.State.Trace of the deployment; it may be empty.
	Trace string

	access engine.Config
	client *client.Client // nil before connect
	kept   string         // see Keep
}

var _ deploy.Target = (*Target)(nil)

// ID returns the deployment's id.
func (t *Target) ID() string { return kindName + ":" + t.Name }

// connect returns the engine's client. It fails with a *deploy.AwayError if the engine
// does not answer.
func (t *Target) connect(ctx context.Context) (*client.Client, error) {
	if t.client != nil {
		return t.client, nil
	}
	if !t.access.Known() {
		return nil, fmt.Errorf("the provider's block docker: %w", deploy.ErrUndetermined)
	}
	c, err := engine.Open(ctx, t.access)
	if err != nil {
		return nil, &deploy.AwayError{API: "engine " + cmp.Or(t.host(), t.access.Context), Err: err}
	}
	t.client = c
	return c, nil
}

// find connects to the engine and looks for the deployment there.
func (t *Target) find(ctx context.Context) (*client.Client, finding, error) {
	c, err := t.connect(ctx)
	if err != nil {
		return nil, finding{}, err
	}
	f, err := find(ctx, c, t.Name)
	return c, f, err
}

// A trace is the JSON in deploy.State.Trace.
type trace struct {
	// Host is the engine's address, if the deployment has its own.
	Host     string `json:"host,omitempty"`
	Instance string `json:"instance,omitempty"`
}

func traceFrom(text string) (known trace) {
	_ = json.Unmarshal([]byte(text), &known) // empty for a new deployment
	return known
}

func (t *Target) trace(instance string) string {
	if instance == "" {
		instance = traceFrom(t.Trace).Instance
	}
	b, err := json.Marshal(trace{Host: text(t.Host), Instance: instance})
	if err != nil {
		return "" // strings always marshal
	}
	return string(b)
}

// Observe looks for the deployment's container, reads its record and asks the bridge.
func (t *Target) Observe(ctx context.Context) (deploy.State, error) {
	c, f, err := t.find(ctx)
	if err != nil {
		return deploy.State{}, err
	}
	if f.current == nil && len(f.volumes) == 0 {
		return deploy.State{}, deploy.ErrAbsent
	}
	s := deploy.State{Trace: t.trace("")}
	if f.current == nil {
		s.Lost = fmt.Sprintf("the container %s was removed, and its volume %s is left", t.Name, f.volumes[0])
		return s, nil
	}
	return t.observe(ctx, c, f)
}

func (t *Target) observe(ctx context.Context, c *client.Client, f finding) (deploy.State, error) {
	g := f.current
	s := deploy.State{Trace: t.trace(""), Revision: g.label(labelRevision)}
	r, err := readRecord(ctx, c, g)
	switch {
	case err == nil:
		s.Spec, s.Program = r.spec(), r.Program
		config := r.config(t.Name, t.Host)
		if err := t.overlay(ctx, c, g, r, &config); err != nil {
			return deploy.State{}, err
		}
		s.Config, s.URL = config, newTarget(t.access, config, "").URL()
		s.Drift = drift(f, r)
		changed, err := monitoringDrift(ctx, c, g, r)
		if err != nil {
			return deploy.State{}, err
		}
		s.Drift = append(s.Drift, changed...)
	case errors.Is(err, errNoFile):
		s.Lost = fmt.Sprintf("the record of the deployment in the volume of the container %s is missing or "+
			"damaged", t.Name)
	default:
		return deploy.State{}, err
	}
	sealed, err := readFile(ctx, c, g, sessionName)
	if err != nil && !errors.Is(err, errNoFile) {
		return deploy.State{}, err
	}
	if file, err := session.Parse(strings.TrimSpace(string(sealed))); err == nil {
		s.Spec.Session = file.String()
	}
	observed, err := readFile(ctx, c, g, observedName)
	if err != nil && !errors.Is(err, errNoFile) {
		return deploy.State{}, err
	}
	s.ObservedRevision = strings.TrimSpace(string(observed))
	t.observeLife(ctx, c, g, &s)
	return s, nil
}

// observeLife sets what the engine and the bridge say of its life.
func (t *Target) observeLife(ctx context.Context, c *client.Client, g *generation, s *deploy.State) {
	s.Running, s.Ended = g.life()
	if s.Running && !g.info.State.Paused {
		if bridge, err := askBridge(ctx, c, g.info.ID); err == nil {
			s.Bridge = &bridge
			s.Revision, s.ObservedRevision = bridge.Revision, bridge.ObservedRevision
			s.Trace = t.trace(bridge.Instance)
		}
	}
	if s.Running && s.Bridge == nil && g.info.RestartCount > 0 {
		s.Running, s.Ended = false, g.crashes()
	}
	if !s.Running {
		s.Log = tail(ctx, c, g.info.ID)
	}
}

// overlay replaces what the record says by what the engine shows.
func (t *Target) overlay(ctx context.Context, c *client.Client, g *generation, r record, config *Config) error {
	if mebibytes := g.info.HostConfig.Memory >> 20; mebibytes != memoryOf(r.Size, r.Memory) {
		config.Memory = &mebibytes
	}
	networks := g.networks()
	switch {
	case r.Network == "host" || slices.Contains(networks, r.Network) || r.Network == "" && len(networks) > 0:
	case len(networks) == 0:
		config.Network = nil
		if r.Network == "" {
			none := "none"
			config.Network = &none
		}
	default:
		config.Network = &networks[0]
	}
	image, err := inspectImage(ctx, c, g.info.Image)
	if err != nil && !isNotFound(err) {
		return err
	}
	if err == nil && image.digest() != r.ImageID && r.Image != "" {
		id := g.info.Image
		config.Image = &id
	}
	return nil
}

// drift returns what was changed by hand or left by an interrupted run and is in no argument.
func drift(f finding, r record) (changes []string) {
	g := f.current
	if g.name() != r.Container {
		changes = append(changes, fmt.Sprintf("the container is named %s instead of %s", g.name(), r.Container))
	}
	if policy := g.info.HostConfig.RestartPolicy; !policy.IsUnlessStopped() {
		changes = append(changes, fmt.Sprintf("the restart policy is %q instead of %q", policy.Name,
			container.RestartPolicyUnlessStopped))
	}
	if g.info.State.Paused {
		changes = append(changes, "the container is paused")
	}
	if r.Network != "" && r.Network != "host" && slices.Contains(g.networks(), r.Network) && !g.hasAlias(r.Network,
		r.Container) {
		changes = append(changes, fmt.Sprintf("it does not have the name %s in the network %s", r.Container, r.Network))
	}
	for _, other := range f.others {
		changes = append(changes, fmt.Sprintf("the container %s of an interrupted run is left", other.name()))
	}
	for _, volume := range f.volumes {
		if volume != g.volume() && !slices.ContainsFunc(f.others,
			func(o *generation) bool { return o.volume() == volume }) {
			changes = append(changes, fmt.Sprintf("the volume %s of an interrupted run is left", volume))
		}
	}
	return changes
}

// Create deploys to a name that no container has.
func (t *Target) Create(ctx context.Context, spec deploy.Spec, revision string, token session.Token) error {
	c, f, err := t.find(ctx)
	if err != nil {
		return err
	}
	if f.current != nil {
		name := f.current.label(labelDeployment)
		if r, err := readRecord(ctx, c, f.current); err == nil {
			name = r.Name
		}
		return &deploy.ExistsError{Name: name}
	}
	if err := f.checkName(t.Name); err != nil {
		return err
	}
	if err := removeVolumes(ctx, c, f.volumes); err != nil { // of an earlier deployment
		return err
	}
	g, err := t.make(ctx, c, t.Name, true, spec, revision, token)
	if err == nil {
		if err = t.launch(ctx, c, g, token); err != nil {
			err = withLog(ctx, c, g.info.ID, err)
		}
	}
	if err == nil {
		return nil
	}
	ctx = context.WithoutCancel(ctx)
	if g != nil {
		err = errors.Join(err, remove(ctx, c, g))
	}
	removeImages(ctx, c)
	return err
}

// Update implements deploy.Target.
func (t *Target) Update(ctx context.Context, spec deploy.Spec, revision string, token session.Token) error {
	c, f, err := t.find(ctx)
	if err != nil {
		return err
	}
	if err := f.checkName(t.Name); err != nil {
		return err
	}
	if f.current == nil {
		if len(f.volumes) == 0 {
			return deploy.ErrAbsent
		}
		if spec.Unseal == deploy.UnsealStored && token.IsZero() {
			return errors.New(`the stored token is gone with the container: set unseal_token_wo`)
		}
		return t.Create(ctx, spec, revision, token)
	}
	if err := f.tidy(ctx, c); err != nil {
		return err
	}
	if err := t.rename(ctx, c, f.current); err != nil {
		return err
	}
	if spec.Monitoring, err = orStored(ctx, c, f.current, spec.Monitoring); err != nil {
		return err
	}
	kept, err := t.adopt(ctx, c, f.current, spec, revision, token)
	if err != nil || kept {
		return err
	}
	if err := t.replace(ctx, c, f.current, spec, revision, token); err != nil {
		return err
	}
	removeImages(ctx, c)
	return nil
}

// adopt keeps the container if it runs, or can run, the revision, and makes everything else
// as the spec says. Kept is false if the container must be replaced.
func (t *Target) adopt(ctx context.Context, c *client.Client, g *generation, spec deploy.Spec, revision string,
	token session.Token) (kept bool, err error) {
	r, err := readRecord(ctx, c, g)
	if errors.Is(err, errNoFile) || err == nil && (g.label(labelRevision) != revision || r.ImageID != g.imageID()) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if running, _ := g.life(); running && g.info.State.Paused {
		if _, err := c.ContainerUnpause(ctx, g.info.ID, client.ContainerUnpauseOptions{}); err != nil {
			return false, explain(err)
		}
	}
	bridge, askErr := askBridge(ctx, c, g.info.ID)
	running := askErr == nil
	if running && (bridge.Revision != revision || bridge.State == control.SessionUnreadable) ||
		!running && g.info.State.Running {
		return false, nil // it hangs, or cannot read its session
	}
	next := newRecord(t, spec, revision, r.Program, r.ImageID)
	if err := putInputs(ctx, c, g, spec, token); err != nil {
		return false, err
	}
	if err := t.heal(ctx, c, g, next); err != nil {
		return false, err
	}
	if running {
		if err := reloadMonitoring(ctx, c, g, spec.Monitoring); err != nil {
			return false, err
		}
	}
	if err := putRecord(ctx, c, g, next); err != nil {
		return false, err
	}
	if running {
		if !token.IsZero() && bridge.State == control.Sealed {
			err = unseal(ctx, c, g.info.ID, token)
		}
		return true, err
	}
	if err := t.launch(ctx, c, g, token); err != nil {
		return false, withLog(ctx, c, g.info.ID, err)
	}
	return true, nil
}

// heal undoes what was changed at the container and can be changed while it runs.
func (t *Target) heal(ctx context.Context, c *client.Client, g *generation, r record) error {
	memory := memoryOf(r.Size, r.Memory) << 20
	if g.info.HostConfig.Memory != memory || !g.info.HostConfig.RestartPolicy.IsUnlessStopped() {
		_, err := c.ContainerUpdate(ctx, g.info.ID, client.ContainerUpdateOptions{
			Resources:     &container.Resources{Memory: memory, MemorySwap: memory},
			RestartPolicy: &container.RestartPolicy{Name: container.RestartPolicyUnlessStopped},
		})
		if err != nil {
			return fmt.Errorf("restoring memory and restart policy of the container: %w", explain(err))
		}
	}
	if r.Network == "host" || slices.Contains(g.networks(), orBridge(r.Network)) &&
		(r.Network == "" || g.hasAlias(r.Network, r.Container)) {
		return nil
	}
	return t.attach(ctx, c, g, orBridge(r.Network))
}

// orBridge returns the network of containers for which none is configured.
func orBridge(network string) string {
	if network == "" {
		return "bridge"
	}
	return network
}

// Redeploy replaces the container by one of the same revision.
func (t *Target) Redeploy(ctx context.Context, token session.Token) error {
	c, f, err := t.find(ctx)
	if err != nil {
		return err
	}
	if f.current == nil {
		return deploy.ErrAbsent
	}
	if err := f.tidy(ctx, c); err != nil {
		return err
	}
	if err := t.rename(ctx, c, f.current); err != nil {
		return err
	}
	state, err := t.observe(ctx, c, f)
	if err != nil {
		return err
	}
	r, err := readRecord(ctx, c, f.current)
	if err != nil {
		return err
	}
	switch {
	case state.Spec.Session == "":
		return errors.New("the bridge's session is missing or damaged: run terraform apply to write it again")
	case state.Spec.Unseal != deploy.UnsealStored && token.IsZero():
		return errors.New("the new bridge would stay sealed, since its token is not stored: set unseal_token_file")
	}
	if state.Spec.Monitoring, err = orStored(ctx, c, f.current, state.Spec.Monitoring); err != nil {
		return err
	}
	t.Config = r.config(t.Name, t.Host)
	t.Keep(r.Program)
	return t.replace(ctx, c, f.current, state.Spec, r.Revision, token)
}

// Destroy removes the deployment's containers, volumes and built image.
func (t *Target) Destroy(ctx context.Context) error {
	c, f, err := t.find(ctx)
	if err != nil {
		return err
	}
	all := f.others
	if f.current != nil {
		all = append(all, f.current)
	}
	for _, g := range all {
		deploy.Log(ctx, "stopping the container "+g.name())
		if err := stop(ctx, c, g); err != nil {
			return err
		}
		if err := remove(ctx, c, g); err != nil {
			return err
		}
	}
	if err := removeVolumes(ctx, c, f.volumes); err != nil {
		return err
	}
	removeImages(ctx, c)
	return nil
}
