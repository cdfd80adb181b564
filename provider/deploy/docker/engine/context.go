package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// defaultContext is the name of the context that is DOCKER_HOST or the default socket.
const defaultContext = "default"

// A dockerContext is a context that `docker context create` wrote.
type dockerContext struct {
	name          string
	skipTLSVerify bool
	folder        string // of its certificates; may not exist
}

// configFolder returns the docker command's folder.
func configFolder() string {
	if folder := os.Getenv("DOCKER_CONFIG"); folder != "" {
		return folder
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return ".docker"
	}
	return filepath.Join(home, ".docker")
}

func configFile() string { return filepath.Join(configFolder(), "config.json") }

// A configFileContent is what is read of the docker command's config.json.
type configFileContent struct {
	CurrentContext string                   `json:"currentContext"`
	Auths          map[string]configFileKey `json:"auths"`
	CredsStore     string                   `json:"credsStore"`
	CredHelpers    map[string]string        `json:"credHelpers"`
}

// readConfigFile reads config.json, which may be missing. The error does not quote the
// file, which may have passwords.
func readConfigFile() (c configFileContent, err error) {
	text, err := os.ReadFile(configFile())
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("cannot read the configuration of the docker command: %w", err)
	}
	if json.Unmarshal(text, &c) != nil {
		return configFileContent{}, fmt.Errorf("%s is not valid JSON; correct it, or set DOCKER_CONFIG to another "+
			"folder",
			configFile())
	}
	return c, nil
}

// inContext returns the endpoint of a context.
func inContext(name, origin string) (endpoint, error) {
	sum := sha256.Sum256([]byte(name))
	id := hex.EncodeToString(sum[:])
	file := filepath.Join(configFolder(), "contexts", "meta", id, "meta.json")
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return endpoint{}, fmt.Errorf("there is no context %q (%s) in %s; `docker context ls` lists those that there "+
			"are",
			name, origin, configFolder())
	}
	if err != nil {
		return endpoint{}, fmt.Errorf("cannot read the context %q (%s): %w", name, origin, err)
	}
	var meta struct {
		Endpoints map[string]struct {
			Host          string
			SkipTLSVerify bool
		}
	}
	if err := json.Unmarshal(text, &meta); err != nil {
		return endpoint{}, fmt.Errorf("cannot read the context %q (%s): %s is not valid JSON", name, origin, file)
	}
	docker := meta.Endpoints["docker"]
	if docker.Host == "" {
		docker.Host = defaultEndpoint.address
	}
	return endpoint{
		address: docker.Host, origin: fmt.Sprintf("context %q of %s", name, origin),
		context: &dockerContext{
			name: name, skipTLSVerify: docker.SkipTLSVerify,
			folder: filepath.Join(configFolder(), "contexts", "tls", id, "docker"),
		},
	}, nil
}
