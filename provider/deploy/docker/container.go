package docker

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/mount"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

const (
	// dataDir is the default of --data-dir, so that commands in the container find the bridge.
	dataDir = volumeDir + "/" + dataName
	// volumeDir is where the volume is, above the data folder: an engine gives the root of a
	// volume to root unless the image has the folder, and writeFiles gives this one to the user.
	volumeDir, dataName = "/var/lib", "scim-bridge"
	// bridgePort is the port of the bridge in the container.
	bridgePort = 3002
	// defaultUser runs an image that names none, or root.
	defaultUser = "65532:65532"
	// drainDelay is how long a bridge without a published port serves on beside the new one:
	// its clients find the new one when they look its name up for their next connection.
	drainDelay = 5 * time.Second
	// stopTime is how long a bridge may take to stop before it is killed: its own delays and
	// timeouts are shorter.
	stopTime = 40 * time.Second
)

// softShare is the share of the memory limit that the bridge's own soft limit is.
const softShare = 0.8

// memoryOf returns the memory limit in MiB: what is configured, or else what lets the bridge
// use the size's soft limit.
func memoryOf(size deploy.Size, configured int64) int64 {
	if configured != 0 {
		return configured
	}
	return size.Limit() >> 20
}

// make creates a container that is not started, with its volume and the files in it. Named is
// whether it has the deployment's name in its network from its start.
func (t *Target) make(ctx context.Context, c *client.Client, name string, named bool, spec deploy.Spec, revision string,
	token session.Token) (g *generation, err error) {
	if t.isNamed() { // an engine looks for it only at the start, when the old bridge may be stopped
		if _, err := c.NetworkInspect(ctx, *t.Network, client.NetworkInspectOptions{}); err != nil {
			return nil, fmt.Errorf("looking for the network %s: %w", *t.Network, explain(err))
		}
	}
	image, program, err := t.image(ctx, c)
	if err != nil {
		return nil, err
	}
	r := newRecord(t, spec, revision, program.Digest, image.digest())
	user, err := userOf(image.user)
	if err != nil {
		return nil, err
	}
	volume := t.Name + "-" + newSuffix()
	labels := map[string]string{labelDeployment: t.Name, labelRevision: revision}
	deploy.Log(ctx, "creating the container "+name)
	if _, err := c.VolumeCreate(ctx, client.VolumeCreateOptions{Name: volume, Labels: labels}); err != nil {
		return nil, fmt.Errorf("creating the volume %s: %w", volume, explain(err))
	}
	defer func() {
		if err != nil {
			_ = removeVolumes(context.WithoutCancel(ctx), c, []string{volume})
		}
	}()
	logs, err := logConfig(ctx, c)
	if err != nil {
		return nil, err
	}
	options := client.ContainerCreateOptions{
		Name:             name,
		Config:           t.containerConfig(image, user, labels, spec, revision),
		HostConfig:       t.hostConfig(volume, logs, spec.Size, r.Memory),
		NetworkingConfig: t.networking(named),
	}
	created, err := c.ContainerCreate(ctx, options)
	if isNotFound(err) && t.Image == nil { // removeImages of another deployment: nothing used the image yet
		if _, _, err = t.builtImage(ctx, c); err == nil {
			created, err = c.ContainerCreate(ctx, options)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("creating the container %s: %w", name, explain(err))
	}
	defer func() {
		if err != nil {
			_, _ = c.ContainerRemove(context.WithoutCancel(ctx), created.ID, client.ContainerRemoveOptions{Force: true})
		}
	}()
	g, err = inspect(ctx, c, created.ID)
	if err != nil {
		return nil, err
	}
	if err := putInputs(ctx, c, g, spec, token); err != nil {
		return g, err
	}
	return g, putRecord(ctx, c, g, r)
}

func inspect(ctx context.Context, c *client.Client, id string) (*generation, error) {
	info, err := c.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return nil, fmt.Errorf("looking at the new container: %w", explain(err))
	}
	return &generation{info.Container}, nil
}

func newSuffix() string {
	b := make([]byte, 4)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// userOf returns the user of a container of an image. It is never root.
func userOf(image string) (string, error) {
	if uid, _, _ := strings.Cut(image, ":"); uid == "" || uid == "0" || uid == "root" {
		return defaultUser, nil
	}
	_, _, err := parseUser(image)
	return image, err
}

func (t *Target) containerConfig(image localImage, user string, labels map[string]string, spec deploy.Spec,
	revision string,
) *container.Config {
	seconds := int(stopTime.Seconds())
	env := []string{"GOMEMLIMIT=" + strconv.FormatInt(t.softLimit(spec.Size), 10)}
	for _, name := range slices.Sorted(maps.Keys(t.Environment)) {
		env = append(env, name+"="+t.Environment[name])
	}
	config := &container.Config{
		Image: image.name, User: user, Env: env, Cmd: t.arguments(spec, revision), Labels: labels, WorkingDir: dataDir,
		StopTimeout: &seconds, ExposedPorts: network.PortSet{},
	}
	ports, _ := parsePorts(t.Ports) // were checked by fromConfig
	for _, p := range ports {       // an engine publishes only what is exposed
		port, _ := network.PortFrom(p.container, network.TCP)
		config.ExposedPorts[port] = struct{}{}
	}
	if len(image.entrypoint) == 0 {
		config.Entrypoint = []string{"scim-bridge"}
	}
	if !image.healthcheck {
		config.Healthcheck = &container.HealthConfig{
			Test: []string{"CMD", "scim-bridge", "ping"}, Interval: 10 * time.Second, Timeout: 5 * time.Second,
			StartPeriod: 30 * time.Second, Retries: 3,
		}
	}
	return config
}

// softLimit returns the bridge's soft memory limit in bytes.
func (t *Target) softLimit(size deploy.Size) int64 {
	if t.Memory == nil {
		return size.Memory()
	}
	return int64(float64(*t.Memory<<20) * softShare)
}

func (t *Target) arguments(spec deploy.Spec, revision string) []string {
	settings := spec.Settings
	settings.InsecureHTTP = settings.InsecureHTTP || t.isLocal()
	args := append([]string{"serve", fmt.Sprintf("--listen=:%d", bridgePort), "--data-dir=" + dataDir, "--session=" +
		dataDir + "/" + sessionName, "--revision=" + revision}, settings.Flags()...)
	if spec.Unseal == deploy.UnsealStored {
		args = append(args, "--unseal-token-file="+dataDir+"/"+tokenName)
	}
	if spec.Monitoring != nil {
		args = append(args, "--monitoring-token-file="+dataDir+"/"+monitoringName)
	}
	if len(t.hostPorts()) == 0 {
		args = append(args, "--drain-delay="+drainDelay.String())
	}
	return args
}

// isLocal reports whether the published ports can be reached from the engine's machine only.
func (t *Target) isLocal() bool {
	return len(t.Ports) > 0 && !t.onHostNetwork() && !slices.ContainsFunc(t.Ports, IsPublic)
}

func (t *Target) hostConfig(volume string, logs container.LogConfig, size deploy.Size, memory int64,
) *container.HostConfig {
	limit := memoryOf(size, memory) << 20
	host := &container.HostConfig{
		RestartPolicy:  container.RestartPolicy{Name: container.RestartPolicyUnlessStopped},
		ReadonlyRootfs: true,
		CapDrop:        []string{"ALL"},
		SecurityOpt:    []string{"no-new-privileges"},
		Resources:      container.Resources{Memory: limit, MemorySwap: limit},
		Mounts: []mount.Mount{{Type: mount.TypeVolume, Source: volume, Target: volumeDir,
			VolumeOptions: &mount.VolumeOptions{NoCopy: true}}},
		LogConfig:    logs,
		PortBindings: network.PortMap{},
	}
	if t.Network != nil {
		host.NetworkMode = container.NetworkMode(*t.Network)
	}
	ports, _ := parsePorts(t.Ports) // were checked by fromConfig
	for _, p := range ports {
		port, _ := network.PortFrom(p.container, network.TCP)
		binding := network.PortBinding{HostIP: p.ip, HostPort: strconv.Itoa(int(p.host))}
		if !p.ip.IsValid() {
			binding.HostIP = netip.IPv4Unspecified()
		}
		host.PortBindings[port] = append(host.PortBindings[port], binding)
	}
	return host
}

// networking connects the container to the network.
func (t *Target) networking(named bool) *network.NetworkingConfig {
	if !t.isNamed() {
		return nil
	}
	endpoint := &network.EndpointSettings{}
	if named {
		endpoint.Aliases = []string{t.Name}
	}
	return &network.NetworkingConfig{EndpointsConfig: map[string]*network.EndpointSettings{*t.Network: endpoint}}
}

// isNamed reports whether containers have names in the configured network.
func (t *Target) isNamed() bool {
	name := text(t.Network)
	return name != "" && name != "host" && name != "bridge" && name != "default"
}

// logConfig bounds the log, if the engine's default is a driver that can do that.
func logConfig(ctx context.Context, c *client.Client) (container.LogConfig, error) {
	info, err := c.Info(ctx, client.InfoOptions{})
	if err != nil {
		return container.LogConfig{}, fmt.Errorf("asking the engine for its log driver: %w", explain(err))
	}
	switch driver := info.Info.LoggingDriver; driver {
	case "json-file", "local":
		return container.LogConfig{Type: driver, Config: map[string]string{"max-size": "16m", "max-file": "4"}}, nil
	}
	return container.LogConfig{}, nil
}

// rename gives the container the deployment's name again, which a person or an interrupted
// run has changed.
func (t *Target) rename(ctx context.Context, c *client.Client, g *generation) error {
	return renameTo(ctx, c, g, t.Name)
}

func renameTo(ctx context.Context, c *client.Client, g *generation, name string) error {
	if g.name() == name {
		return nil
	}
	if _, err := c.ContainerRename(ctx, g.info.ID, client.ContainerRenameOptions{NewName: name}); err != nil {
		return fmt.Errorf("renaming the container %s to %s: %w", g.name(), name, explain(err))
	}
	g.info.Name = "/" + name
	return nil
}

// attach connects the container to a network anew, there with the deployment's name. In
// between the bridge closes its connections to the account, which would never end.
func (t *Target) attach(ctx context.Context, c *client.Client, g *generation, name string) error {
	for _, connected := range g.networks() {
		_, err := c.NetworkDisconnect(ctx, connected, client.NetworkDisconnectOptions{Container: g.info.ID,
			Force: true})
		if err != nil && !isNotFound(err) {
			return fmt.Errorf("disconnecting %s from the network %s: %w", g.name(), connected, explain(err))
		}
	}
	if running, _ := g.life(); running {
		_, _, _ = run(ctx, c, g.info.ID, "", "reload", dataDir) // a bridge that hangs does not matter here
	}
	endpoint := &network.EndpointSettings{}
	if t.isNamed() {
		endpoint.Aliases = []string{t.Name}
	}
	_, err := c.NetworkConnect(ctx, name, client.NetworkConnectOptions{Container: g.info.ID, EndpointConfig: endpoint})
	if err != nil {
		return fmt.Errorf("connecting %s to the network %s: %w", g.name(), name, explain(err))
	}
	return nil
}

// launch starts a container and shows the token to its bridge.
func (t *Target) launch(ctx context.Context, c *client.Client, g *generation, token session.Token) error {
	deploy.Log(ctx, "starting the container "+g.name())
	if _, err := c.ContainerStart(ctx, g.info.ID, client.ContainerStartOptions{}); err != nil {
		return fmt.Errorf("starting the container %s: %w", g.name(), explain(err))
	}
	if err := awaitAnswer(ctx, c, g.info.ID); err != nil {
		return err
	}
	if token.IsZero() {
		return nil
	}
	return unseal(ctx, c, g.info.ID, token)
}

const (
	tick = 100 * time.Millisecond
	// answerTime is how long a bridge may take to answer at its control socket.
	answerTime = 30 * time.Second
)

// awaitAnswer waits until the bridge answers. It fails at once if the container has ended.
func awaitAnswer(ctx context.Context, c *client.Client, id string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, answerTime, fmt.Errorf("the bridge did not start within %s",
		answerTime))
	defer cancel()
	for {
		g, err := inspect(ctx, c, id)
		if err != nil {
			if ctx.Err() != nil {
				err = deploy.Ended(ctx)
			}
			return err
		}
		if running, ended := g.life(); !running || g.info.RestartCount > 0 {
			return &deploy.NotReadyError{Reason: cmp.Or(ended, g.crashes()) + ".", Log: tail(ctx, c, id)}
		}
		if _, err := askBridge(ctx, c, id); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return deploy.Ended(ctx)
		case <-time.After(tick):
		}
	}
}
