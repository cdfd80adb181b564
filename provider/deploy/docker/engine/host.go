package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"github.com/moby/moby/client"
)

// An endpoint is where an engine's API is.
type endpoint struct {
	address string // as configured, such as unix:///var/run/docker.sock
	origin  string // the setting that it is from, for messages

	scheme string // unix, npipe, tcp or ssh
	host   string // host:port of tcp, host:port or host of ssh
	user   string // of ssh; may be empty
	path   string // of the socket or pipe

	context *dockerContext // that the address is from, if any
}

func (e endpoint) String() string { return fmt.Sprintf("%s (%s)", e.address, e.origin) }

// resolve returns where the engine is. The first of these decides, as for the docker
// command: host, context, DOCKER_HOST, DOCKER_CONTEXT, the current context in config.json,
// the default socket.
func (c Config) resolve() (endpoint, error) {
	at, err := c.find()
	if err != nil {
		return endpoint{}, err
	}
	return at.parse()
}

// Address returns the address of the engine; empty if it is not known or not valid.
func (c Config) Address() string {
	at, err := c.resolve()
	if err != nil || !c.Known() {
		return ""
	}
	return at.address
}

// UsesContext reports whether Context decides where the engine is if Host is empty.
func (c Config) UsesContext() bool { return c.Context != "" && c.Context != defaultContext }

func (c Config) find() (endpoint, error) {
	environment := os.Getenv("DOCKER_HOST")
	switch {
	case c.Host != "":
		return endpoint{address: c.Host, origin: "host"}, nil
	case c.UsesContext():
		return inContext(c.Context, "context")
	case environment != "":
		return endpoint{address: environment, origin: "DOCKER_HOST"}, nil
	case c.Context == defaultContext:
		return defaultEndpoint, nil
	}
	name, origin := os.Getenv("DOCKER_CONTEXT"), "DOCKER_CONTEXT"
	if name == "" {
		file, err := readConfigFile()
		if err != nil {
			return endpoint{}, err
		}
		name, origin = file.CurrentContext, "currentContext in "+configFile()
	}
	if name == "" || name == defaultContext {
		return defaultEndpoint, nil
	}
	return inContext(name, origin)
}

var defaultEndpoint = endpoint{address: client.DefaultDockerHost, origin: "the default"}

// parse checks the address. An error does not quote one with a password.
func (e endpoint) parse() (endpoint, error) {
	if !strings.Contains(e.address, "://") {
		e.address = "tcp://" + e.address // as the docker command does
	}
	scheme, rest, _ := strings.Cut(e.address, "://")
	e.scheme = scheme
	if scheme == "unix" || scheme == "npipe" {
		e.path = rest
		if rest == "" {
			return endpoint{}, fmt.Errorf("%s %q has no path; write unix:///var/run/docker.sock", e.origin, e.address)
		}
		return e, nil
	}
	u, err := url.Parse(e.address)
	switch {
	case err != nil:
		return endpoint{}, fmt.Errorf("%s is not an address of a container engine; it must look like %s", e.origin,
			forms)
	case u.User != nil && hasPassword(u):
		return endpoint{}, fmt.Errorf("%s has a password, which is not used: SSH takes a key, TCP a client "+
			"certificate. Remove it from the address", e.origin)
	case scheme != "tcp" && scheme != "ssh":
		return endpoint{}, fmt.Errorf("%s %q must look like %s", e.origin, e.address, forms)
	case u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" || scheme == "tcp" && (u.User != nil ||
		strings.Trim(u.Path, "/") != ""):
		return endpoint{}, fmt.Errorf("%s %q must have a host, and else only what these have: %s", e.origin, e.address,
			forms)
	}
	e.host, e.user = u.Host, u.User.Username()
	if scheme == "ssh" {
		e.path = u.Path
	}
	return e, nil
}

const forms = "unix:///var/run/docker.sock, tcp://host:2376 or ssh://user@host"

func hasPassword(u *url.URL) bool {
	_, has := u.User.Password()
	return has
}

func (e endpoint) dialSocket(ctx context.Context) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "unix", e.path)
	switch {
	case err == nil:
		return conn, nil
	case errors.Is(err, os.ErrNotExist):
		return nil, unreachable(e, errors.New("there is no such socket"), remedyNoSocket(e))
	case errors.Is(err, os.ErrPermission):
		return nil, unreachable(e, fmt.Errorf("the user %s must not use the socket", currentUser()),
			"Add it to the socket's group, for Docker `sudo usermod -aG docker "+currentUser()+"`, and sign in again")
	case ctx.Err() != nil:
		return nil, ctx.Err()
	default:
		return nil, unreachable(e, errors.New("nothing listens at the socket"), "Start the engine: `systemctl start "+
			"docker`, or `podman system service`")
	}
}

// remedyNoSocket names Podman's socket where there is one: the docker command does not
// look for it, and neither does this package.
func remedyNoSocket(at endpoint) string {
	for _, path := range podmanSockets() {
		if info, err := os.Stat(path); err == nil && info.Mode()&os.ModeSocket != 0 && path != at.path {
			return "Podman listens at unix://" + path + ": to use it, set docker.host in the provider block or " +
				"DOCKER_HOST"
		}
	}
	return "Start the engine, or set docker.host in the provider block or DOCKER_HOST to where it is"
}

// podmanSockets are where `systemctl [--user] enable --now podman.socket` makes them.
func podmanSockets() []string {
	var paths []string
	if folder := os.Getenv("XDG_RUNTIME_DIR"); folder != "" {
		paths = append(paths, filepath.Join(folder, "podman", "podman.sock"))
	}
	return append(paths, "/run/podman/podman.sock")
}
