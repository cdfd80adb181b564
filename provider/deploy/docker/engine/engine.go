// Package engine connects to the API of a Docker Engine, or of Podman, which offers the
// same one.
//
// It owns where the engine is, which it finds as the docker command does, and how it is
// reached. It leaves what is done there to package docker.
package engine

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/client"
)

// A Config says where the engine is and how it is reached. The zero value is the engine
// that the docker command would use.
type Config struct {
	// Host is the address of the engine's API, such as unix:///var/run/docker.sock. Empty
	// means the environment's.
	Host string
	// Unknown are the arguments of the provider's block docker that are not known yet.
	// Open fails with their names.
	Unknown []string
}

// WithHost returns the configuration for a deployment's own host; empty means c.
func (c Config) WithHost(host string) Config {
	if host != "" {
		c.Host = host
		c.Unknown = slices.DeleteFunc(slices.Clone(c.Unknown), func(name string) bool { return name == "docker.host" })
	}
	return c
}

// Known reports whether Open can be called. If not, checks in the plan are skipped.
func (c Config) Known() bool { return len(c.Unknown) == 0 }

// openTimeout bounds Open: an engine that is away must not use up the time of an apply.
const openTimeout = 20 * time.Second

// Open connects to the engine and agrees on a version of its API. The caller closes the
// client.
func Open(ctx context.Context, config Config) (*client.Client, error) {
	if !config.Known() {
		return nil, fmt.Errorf("not known yet in the provider block: %s. The plan does without the engine; "+
			"an apply needs them", strings.Join(config.Unknown, ", "))
	}
	host, err := config.resolve()
	if err != nil {
		return nil, err
	}
	c, err := client.New(client.WithHost(host.address), client.WithAPIVersionFromEnv())
	if err != nil {
		return nil, fmt.Errorf("%s is not the address of a container engine: %w", host, err)
	}
	limited, cancel := context.WithTimeoutCause(ctx, openTimeout, errTimedOut)
	defer cancel()
	if _, err := c.Ping(limited, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		_ = c.Close()
		if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
			err = context.Cause(limited)
		}
		return nil, fmt.Errorf("the container engine at %s does not answer: %w", host, err)
	}
	return c, nil
}

var errTimedOut = fmt.Errorf("timed out after %s", openTimeout)
