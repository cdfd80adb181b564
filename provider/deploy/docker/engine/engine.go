// Package engine connects to the API of a Docker Engine, or of Podman, which offers the
// same one.
//
// It owns where the engine is, which it finds as the docker command does, how it is
// reached (a socket, TCP, TLS, SSH), and the credentials of registries. It leaves what is
// done with the engine to package docker.
package engine

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/moby/moby/client"
)

// A Config says where the engine is and how it is reached. The zero value is the engine
// that the docker command would use.
type Config struct {
	// Host is the address of the engine's API, such as unix:///var/run/docker.sock or
	// ssh://user@host. Empty means Context's or the environment's.
	Host string
	// Context is the name of a context of the docker command. Empty means the
	// environment's.
	Context string
	TLS     TLS
	SSH     SSH
	// Registries are the credentials by the name of the registry, such as "ghcr.io". They
	// come before those of the docker command.
	Registries map[string]Registry

	// Unknown are the arguments of the provider's block docker that are not known yet.
	// Open fails with their names.
	Unknown []string
	// Outages is shared by the connections of a run; may be nil.
	Outages *Outages
}

// WithHost returns the configuration for a deployment's own host; empty means c.
func (c Config) WithHost(host string) Config {
	if host != "" {
		c.Host, c.Context = host, ""
		c.Unknown = slices.DeleteFunc(slices.Clone(c.Unknown), func(name string) bool {
			return name == "docker.host" || name == "docker.context"
		})
	}
	return c
}

// Known reports whether Open can be called. If not, checks in the plan are skipped.
func (c Config) Known() bool { return len(c.Unknown) == 0 }

// openTimeout bounds Open: an engine that is away must not use up the time of an apply.
const openTimeout = 20 * time.Second

// dialTimeout bounds one connection, TLS and SSH included.
const dialTimeout = 10 * time.Second

// Open connects to the engine and agrees on a version of its API. The caller closes the
// client, which ends its connections.
//
// If the engine does not answer, the error is an *Error. Later calls of the client have
// one in their errors' chains, too.
func Open(ctx context.Context, config Config) (*client.Client, error) {
	if !config.Known() {
		return nil, fmt.Errorf("not known yet in the provider block: %s. A plan does without the container engine; "+
			"an apply needs them", strings.Join(config.Unknown, ", "))
	}
	at, err := config.resolve()
	if err != nil {
		return nil, err
	}
	dial, err := config.dialer(at)
	if err != nil {
		return nil, fmt.Errorf("cannot connect to the container engine at %s: %w", at, err)
	}
	return config.Outages.attempt(ctx, at.String(), func() (*client.Client, error) { return open(ctx, at, dial) })
}

func open(ctx context.Context, at endpoint, dial dialFunc) (*client.Client, error) {
	limited, cancel := context.WithTimeout(ctx, openTimeout)
	defer cancel()
	limited, fail := context.WithCancelCause(limited) // the library tries twice
	defer fail(nil)
	c, err := client.New(
		// Requests need a valid name of a host, which sockets and users@hosts are not.
		client.WithHost("unix://"+socketName),
		client.WithHTTPClient(&http.Client{CheckRedirect: client.CheckRedirect, Transport: &http.Transport{
			// One dialer for every way, so that streams of exec and logs take it, too.
			DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
				conn, err := dial.within(ctx, at)
				if err != nil {
					fail(err)
				}
				return conn, err
			},
			MaxIdleConns:       6,
			IdleConnTimeout:    30 * time.Second,
			DisableCompression: true,
		}}),
		client.WithAPIVersionFromEnv(),
	)
	if err != nil {
		return nil, fmt.Errorf("cannot use the API of the container engine: %w", err)
	}
	if _, err := c.Ping(limited, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		_ = c.Close()
		if away, ok := errors.AsType[*Error](context.Cause(limited)); ok {
			return nil, away
		}
		return nil, explainPing(ctx, at, err)
	}
	return c, nil
}

// socketName stands for the engine in the library's own messages.
const socketName = "container-engine"

type dialFunc func(context.Context) (net.Conn, error)

// within dials within dialTimeout. The error is an *Error or ctx's.
func (dial dialFunc) within(ctx context.Context, at endpoint) (net.Conn, error) {
	limited, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	conn, err := dial(limited)
	switch {
	case err == nil:
		return conn, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case limited.Err() != nil:
		return nil, unreachable(at, fmt.Errorf("no answer within %s", dialTimeout), remedyAway(at))
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return nil, e
	}
	return nil, unreachable(at, err, "")
}

// dialer returns how an engine is reached.
func (c Config) dialer(at endpoint) (dialFunc, error) {
	switch at.scheme {
	case "unix":
		return at.dialSocket, nil
	case "npipe":
		return at.dialPipe()
	case "ssh":
		return c.SSH.dialer(at)
	default:
		return c.dialTCP(at)
	}
}
