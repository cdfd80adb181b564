package docker

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/client"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker/engine"
)

func isNotFound(err error) bool { return err != nil && errdefs.IsNotFound(err) }

func trim(content []byte) string { return strings.TrimSpace(string(content)) }

// A failure is a kind of error of the engines, with what to do about it.
type failure struct {
	text   *regexp.Regexp
	remedy string
}

// failures are the errors that the settings of a deployment lead to. The engines have no
// codes for them. Those of a pull are apart: their texts mean something else elsewhere.
var failures = []failure{
	{
		regexp.MustCompile(`(?i)port is already allocated|address already in use`),
		"another program or container has the port: stop it (`docker ps` and `ss -ltnp` on the host show it), or " +
			"choose another port in ports",
	},
	{
		regexp.MustCompile(`(?i)network \S+ not found|unable to find network`),
		"create the network (`docker network create NAME`), or name another in network",
	},
	{
		regexp.MustCompile(`(?i)Conflict\. The container name|name .* is already in use|name .* is in use`),
		"another container has the name: rename or remove it, or choose another name",
	},
	{
		regexp.MustCompile(`(?i)cannot assign requested address`),
		"the engine's machine does not have that address: correct it in ports",
	},
	{
		regexp.MustCompile(`(?i)no matching manifest|image operating system .* cannot be used|exec format error|no ` +
			`image found in (manifest list|image index)`),
		"there is no image for the engine's platform: build it for that, or leave image out, which deploys the " +
			"program that comes with the provider",
	},
	{
		regexp.MustCompile(`(?i)no space left on device`),
		"the disk of the engine's machine is full: free some space (`docker system df`)",
	},
	{
		regexp.MustCompile(`(?i)minimum memory limit`),
		"raise memory",
	},
}

var pullFailures = []failure{
	{
		regexp.MustCompile(`(?i)pull access denied|unauthorized|denied|authentication required`),
		"the image does not exist, or the registry needs other credentials",
	},
	{
		regexp.MustCompile(`(?i)manifest unknown|manifest for .* not found|reading manifest|repository .* not ` +
			`found|name unknown|not found: manifest`),
		"the registry has no such image: correct name and tag in image",
	},
	{
		regexp.MustCompile(`(?i)no such host|i/o timeout|connection refused|server gave HTTP response|TLS ` +
			`handshake|x509`),
		"the engine's machine cannot reach the registry: correct the name in image, or load the image there " +
			"(`docker load`)",
	},
}

// explain adds the remedy to an engine's error. A lost connection becomes a
// *deploy.AwayError.
func explain(err error) error { return explainBy(failures, err) }

// explainPull does that for the error of a pull.
func explainPull(err error) error { return explainBy(slices.Concat(failures, pullFailures), err) }

func explainBy(failures []failure, err error) error {
	if away, ok := errors.AsType[*engine.Error](err); ok { // without the request that failed
		return &deploy.AwayError{API: "engine", Err: away}
	}
	if client.IsErrConnectionFailed(err) {
		return &deploy.AwayError{API: "engine", Err: err}
	}
	for _, f := range failures {
		if f.text.MatchString(err.Error()) {
			return fmt.Errorf("%w: %s", err, f.remedy)
		}
	}
	if errors.Is(err, context.Canceled) {
		return deploy.ErrInterrupted
	}
	return err
}
