package engine

import (
	"cmp"
	"fmt"
	"os"
	"strings"

	"github.com/moby/moby/client"
)

// A host is the address of an engine.
type host struct {
	address string // such as unix:///var/run/docker.sock
	origin  string // the setting that it is from, for messages
}

func (h host) String() string { return fmt.Sprintf("%s (%s)", h.address, h.origin) }

// resolve returns where the engine is.
func (c Config) resolve() (host, error) {
	h := host{c.Host, "host"}
	if h.address == "" {
		h = host{os.Getenv("DOCKER_HOST"), "DOCKER_HOST"}
	}
	if h.address == "" {
		h = host{client.DefaultDockerHost, "the default"}
	}
	scheme, rest, _ := strings.Cut(h.address, "://")
	switch scheme {
	case "unix", "npipe", "tcp":
		if rest != "" {
			return h, nil
		}
	}
	return host{}, fmt.Errorf("%s %q must look like unix:///var/run/docker.sock or tcp://host:port",
		cmp.Or(h.origin, "host"), h.address)
}
