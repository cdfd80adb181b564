package docker

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// The labels of the deployment's containers, volumes and images. Label keys cannot be
// changed later, since deployments are found by them.
const (
	labelDeployment = "scimbridge.deployment" // Target.Name
	labelRevision   = "scimbridge.revision"
	labelProgram    = "scimbridge.program" // SHA-256 of the program in a built image
)

// The suffixes of a container's name while it is replaced.
const (
	suffixNext = "-next"
	suffixOld  = "-old"
)

// A generation is a container of the deployment, with its volume.
type generation struct {
	info container.InspectResponse
}

func (g *generation) name() string { return strings.TrimPrefix(g.info.Name, "/") }

func (g *generation) label(key string) string { return g.info.Config.Labels[key] }

func (g *generation) imageID() string { return strings.TrimPrefix(g.info.Image, "sha256:") }

// volume returns the name of the volume with the data folder; empty if there is none.
func (g *generation) volume() string {
	for _, m := range g.info.Mounts {
		if m.Destination == volumeDir {
			return m.Name
		}
	}
	return ""
}

// networks returns the names of the networks that the container is connected to.
func (g *generation) networks() (names []string) {
	if g.info.NetworkSettings == nil {
		return nil
	}
	for name := range g.info.NetworkSettings.Networks {
		if name != "none" {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// hasAlias reports whether the container has a name in a network.
func (g *generation) hasAlias(network, name string) bool {
	endpoint := g.info.NetworkSettings.Networks[network]
	return endpoint != nil && (slices.Contains(endpoint.Aliases, name) || slices.Contains(endpoint.DNSNames, name))
}

// life reports whether the container runs, and if not, why.
func (g *generation) life() (running bool, ended string) {
	s := g.info.State
	switch {
	case s.Restarting:
		return false, g.crashes()
	case s.Running:
		return true, ""
	case s.OOMKilled:
		return false, fmt.Sprintf("the container was killed because it used more than its memory, %d MiB: raise "+
			"size or memory",
			g.info.HostConfig.Memory>>20)
	case s.Status == container.StateCreated:
		return false, strings.TrimSpace("the container was never started. " + s.Error)
	default:
		return false, strings.TrimSpace(fmt.Sprintf("the container ended with exit code %d. %s", s.ExitCode, s.Error))
	}
}

// crashes describes a container that ends each time it is started.
func (g *generation) crashes() string {
	if g.info.State.OOMKilled {
		return fmt.Sprintf("the container is killed again and again because it uses more than its memory, %d MiB: "+
			"raise size or memory", g.info.HostConfig.Memory>>20)
	}
	return fmt.Sprintf("the bridge ends each time it is started (exit code %d, started %d times)",
		g.info.State.ExitCode,
		g.info.RestartCount+1)
}

// A finding is what an engine has of a deployment.
type finding struct {
	current *generation   // nil if there is no container
	others  []*generation // of interrupted runs
	volumes []string      // all of the deployment
	foreign string        // the id of a container that has the name and is not the deployment's
}

// find looks for containers and volumes by their label.
func find(ctx context.Context, c *client.Client, name string) (f finding, err error) {
	labelled := make(client.Filters).Add("label", labelDeployment+"="+name)
	list, err := c.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: labelled})
	if err != nil {
		return f, fmt.Errorf("looking for the container %s: %w", name, explain(err))
	}
	var all []*generation
	for _, summary := range list.Items {
		info, err := c.ContainerInspect(ctx, summary.ID, client.ContainerInspectOptions{})
		if isNotFound(err) {
			continue // it was removed meanwhile
		}
		if err != nil {
			return f, fmt.Errorf("looking at the container %s: %w", name, explain(err))
		}
		all = append(all, &generation{info.Container})
	}
	slices.SortFunc(all, func(a, b *generation) int { return rank(a, name) - rank(b, name) })
	if len(all) > 0 {
		f.current, f.others = all[0], all[1:]
	}
	if f.current == nil || f.current.name() != name {
		info, err := c.ContainerInspect(ctx, name, client.ContainerInspectOptions{})
		if err != nil && !isNotFound(err) {
			return f, fmt.Errorf("looking at the container %s: %w", name, explain(err))
		}
		// the engine finds containers by the beginning of their id as well
		if err == nil && strings.TrimPrefix(info.Container.Name, "/") == name {
			f.foreign = info.Container.ID
		}
	}
	volumes, err := c.VolumeList(ctx, client.VolumeListOptions{Filters: labelled})
	if err != nil {
		return f, fmt.Errorf("looking for the volumes of %s: %w", name, explain(err))
	}
	for _, v := range volumes.Items {
		f.volumes = append(f.volumes, v.Name)
	}
	slices.Sort(f.volumes)
	return f, nil
}

// rank orders the containers of a deployment: first the one that has its name. Without that
// one a run was interrupted while it changed names, or a person did: then the next one, if
// it runs, is the one that its clients reach.
func rank(g *generation, name string) int {
	running, _ := g.life()
	switch {
	case g.name() == name:
		return 0
	case g.name() == name+suffixNext && running:
		return 1
	case running:
		return 2
	case g.name() == name+suffixOld:
		return 3
	default:
		return 4
	}
}

// checkName refuses a name that a container of others has.
func (f finding) checkName(name string) error {
	if f.foreign == "" {
		return nil
	}
	return fmt.Errorf("the engine has another container with the name %s (id %.12s), which this deployment did not "+
		"make: rename or remove that one (`docker rename %s other`), or choose another name", name, f.foreign, name)
}

// tidy removes what an interrupted run has left. The current container gets what the others have kept: that run may
// have ended before it did so.
func (f finding) tidy(ctx context.Context, c *client.Client) error {
	for _, g := range f.others {
		if err := stop(ctx, c, g); err != nil {
			return err
		}
		carryKept(ctx, c, g, f.current)
		if err := remove(ctx, c, g); err != nil {
			return err
		}
	}
	var left []string
	for _, volume := range f.volumes {
		if f.current == nil || volume != f.current.volume() {
			left = append(left, volume)
		}
	}
	return removeVolumes(ctx, c, left)
}

// stop stops a container, which then answers the requests that it has.
func stop(ctx context.Context, c *client.Client, g *generation) error {
	_, err := c.ContainerStop(ctx, g.info.ID, client.ContainerStopOptions{})
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("stopping the container %s: %w", g.name(), explain(err))
	}
	return nil
}

// remove removes a container and its volume.
func remove(ctx context.Context, c *client.Client, g *generation) error {
	_, err := c.ContainerRemove(ctx, g.info.ID, client.ContainerRemoveOptions{Force: true, RemoveVolumes: true})
	if err != nil && !isNotFound(err) {
		return fmt.Errorf("removing the container %s: %w", g.name(), explain(err))
	}
	if volume := g.volume(); volume != "" {
		return removeVolumes(ctx, c, []string{volume})
	}
	return nil
}

func removeVolumes(ctx context.Context, c *client.Client, names []string) error {
	for _, name := range names {
		_, err := c.VolumeRemove(ctx, name, client.VolumeRemoveOptions{})
		if err != nil && !isNotFound(err) {
			return fmt.Errorf("removing the volume %s: %w", name, explain(err))
		}
	}
	return nil
}
