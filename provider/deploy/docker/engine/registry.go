package engine

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"time"

	"github.com/distribution/reference"
	helper "github.com/docker/docker-credential-helpers/client"
	"github.com/docker/docker-credential-helpers/credentials"
	"github.com/moby/moby/api/pkg/authconfig"
	"github.com/moby/moby/api/types/registry"
)

// A Registry has the credentials of a registry.
type Registry struct {
	Username string
	Password string // or a token
	// Unknown reports that one of them is not known yet.
	Unknown bool
}

// A configFileKey has the credentials of a registry in config.json.
type configFileKey struct {
	Auth          string `json:"auth"` // username:password in base64
	Username      string `json:"username"`
	Password      string `json:"password"`
	IdentityToken string `json:"identitytoken"`
	RegistryToken string `json:"registrytoken"`
}

// helperTimeout bounds a credential helper, which may ask a cloud provider.
const helperTimeout = 30 * time.Second

// RegistryAuth returns the credentials for pulling an image, in the form of the header
// X-Registry-Auth; empty for a pull without credentials. They are the configured ones of
// the image's registry, or else those that `docker login` has stored: in a credential
// helper or in config.json.
//
// No error contains a credential.
func (c Config) RegistryAuth(ctx context.Context, image string) (string, error) {
	named, err := reference.ParseNormalizedNamed(image)
	if err != nil {
		return "", fmt.Errorf("the image %q is not a reference to an image: %w", image, err)
	}
	name := reference.Domain(named)
	auth, err := c.credentials(ctx, name)
	if err != nil {
		return "", fmt.Errorf("cannot get the credentials of the registry %s: %w", name, err)
	}
	if auth == (registry.AuthConfig{}) {
		return "", nil
	}
	auth.ServerAddress = serverAddress(name)
	return authconfig.Encode(auth)
}

func (c Config) credentials(ctx context.Context, name string) (none registry.AuthConfig, err error) {
	for key, configured := range c.Registries {
		if registryName(key) != name {
			continue
		}
		if configured.Unknown {
			return none, fmt.Errorf("docker.registries[%q] of the provider block is not known yet", key)
		}
		return registry.AuthConfig{Username: configured.Username, Password: configured.Password}, nil
	}
	file, err := readConfigFile()
	if err != nil {
		return none, err
	}
	program := file.CredsStore
	for key, own := range file.CredHelpers {
		if registryName(key) == name {
			program = own
		}
	}
	if program != "" {
		auth, err := askHelper(ctx, program, serverAddress(name))
		if err != nil || auth != none {
			return auth, err
		}
	}
	return file.stored(name)
}

// stored returns the credentials that config.json itself has. An exact name comes before
// one with a scheme or a path, as for the docker command.
func (c configFileContent) stored(name string) (registry.AuthConfig, error) {
	key, ok := c.Auths[serverAddress(name)]
	for other, content := range c.Auths {
		if !ok && registryName(other) == name {
			key = content
		}
	}
	auth := registry.AuthConfig{Username: key.Username, Password: key.Password, IdentityToken: key.IdentityToken,
		RegistryToken: key.RegistryToken}
	if key.Auth == "" {
		return auth, nil
	}
	text, err := base64.StdEncoding.DecodeString(key.Auth)
	username, password, found := strings.Cut(string(bytes.TrimRight(text, "\x00")), ":")
	if err != nil || !found {
		return registry.AuthConfig{}, fmt.Errorf("auth in %s is not username:password in base64; run `docker login %s`",
			configFile(), name)
	}
	auth.Username, auth.Password = username, password
	if auth.IdentityToken != "" {
		auth.Password = ""
	}
	return auth, nil
}

// askHelper runs a credential helper of the docker command. Its output is not quoted, since
// it may have the credentials.
func askHelper(ctx context.Context, name, server string) (none registry.AuthConfig, err error) {
	if strings.ContainsAny(name, `/\`) {
		return none, fmt.Errorf("the credential helper %q in %s must be a name, not a path", name, configFile())
	}
	ctx, cancel := context.WithTimeout(ctx, helperTimeout)
	defer cancel()
	program := "docker-credential-" + name
	found, err := helper.Get(func(args ...string) helper.Program {
		cmd := exec.CommandContext(ctx, program, args...)
		cmd.WaitDelay = time.Second
		return helperProgram{cmd}
	}, server)
	switch {
	case credentials.IsErrCredentialsNotFound(err):
		return none, nil
	case ctx.Err() != nil:
		return none, fmt.Errorf("%s did not finish: %w", program, context.Cause(ctx))
	case missingProgram(program):
		return none, fmt.Errorf("%s, which %s names, is not installed", program, configFile())
	case err != nil:
		return none, fmt.Errorf("%s failed. To see why, run: echo %s | %s get", program, server, program)
	case found.Username == "<token>": // the helpers' convention
		return registry.AuthConfig{IdentityToken: found.Secret}, nil
	default:
		return registry.AuthConfig{Username: found.Username, Password: found.Secret}, nil
	}
}

func missingProgram(name string) bool {
	_, err := exec.LookPath(name)
	return errors.Is(err, exec.ErrNotFound)
}

// A helperProgram is a helper.Program that ends with a context.
type helperProgram struct{ cmd *exec.Cmd }

func (p helperProgram) Output() ([]byte, error) { return p.cmd.Output() }
func (p helperProgram) Input(in io.Reader)      { p.cmd.Stdin = in }

// hub is the name of Docker Hub in references to images.
const hub = "docker.io"

// registryName returns the name of a registry in references to images, for its key in a
// configuration: "https://ghcr.io/v2/" is ghcr.io.
func registryName(key string) string {
	if _, rest, ok := strings.Cut(key, "://"); ok {
		key = rest
	}
	key, _, _ = strings.Cut(key, "/")
	if key == "index.docker.io" || key == "registry-1.docker.io" {
		return hub
	}
	return key
}

// serverAddress returns the key of a registry in config.json and in credential helpers.
func serverAddress(name string) string {
	if name == hub {
		return "https://index.docker.io/v1/"
	}
	return name
}
