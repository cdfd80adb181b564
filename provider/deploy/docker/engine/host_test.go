package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// clearEnvironment makes the docker command's settings those of a new user, and returns
// its folder.
func clearEnvironment(t *testing.T) string {
	t.Helper()
	for _, name := range []string{"DOCKER_HOST", "DOCKER_CONTEXT", "DOCKER_TLS", "DOCKER_TLS_VERIFY",
		"DOCKER_CERT_PATH",
		"DOCKER_API_VERSION", "SSH_AUTH_SOCK", "XDG_RUNTIME_DIR"} {
		t.Setenv(name, "")
	}
	home := t.TempDir()
	t.Setenv("HOME", home)
	t.Setenv("DOCKER_CONFIG", "")
	folder := filepath.Join(home, ".docker")
	write(t, filepath.Join(folder, "config.json"), "{}")
	return folder
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// writeContext writes what `docker context create NAME --docker host=HOST` does.
func writeContext(t *testing.T, folder, name, docker string) {
	t.Helper()
	sum := sha256.Sum256([]byte(name))
	write(t, filepath.Join(folder, "contexts", "meta", hex.EncodeToString(sum[:]), "meta.json"),
		fmt.Sprintf(`{"Name":%q,"Metadata":{},"Endpoints":{"docker":%s}}`, name, docker))
}

func TestTheEngineIsFoundAsTheDockerCommandFindsIt(t *testing.T) {
	for _, row := range []struct {
		name        string
		config      Config
		environment map[string]string
		current     string // context in config.json
		want        string
	}{
		{name: "without any setting it is at the default socket", want: "unix:///var/run/docker.sock (the default)"},
		{name: "the current context", current: "one", want: `tcp://one:2376 (context "one" of currentContext in `},
		{name: "DOCKER_CONTEXT comes before the current context", current: "one",
			environment: map[string]string{"DOCKER_CONTEXT": "two"},
			want:        `ssh://two/run/podman.sock (context "two" of DOCKER_CONTEXT)`},
		{name: "DOCKER_CONTEXT=default is the default socket", current: "one",
			environment: map[string]string{"DOCKER_CONTEXT": "default"}, want: "(the default)"},
		{name: "DOCKER_HOST comes before DOCKER_CONTEXT", current: "one",
			environment: map[string]string{"DOCKER_CONTEXT": "two", "DOCKER_HOST": "tcp://three"},
			want:        "tcp://three (DOCKER_HOST)"},
		{name: "a configured context comes before DOCKER_HOST", config: Config{Context: "one"},
			environment: map[string]string{"DOCKER_HOST": "tcp://three"}, want: `(context "one" of context)`},
		{name: "the context default is DOCKER_HOST", config: Config{Context: "default"}, current: "one",
			environment: map[string]string{"DOCKER_HOST": "tcp://three", "DOCKER_CONTEXT": "two"},
			want:        "(DOCKER_HOST)"},
		{name: "a configured host comes before DOCKER_HOST", config: Config{Host: "tcp://four:1"},
			environment: map[string]string{"DOCKER_HOST": "tcp://three"}, want: "tcp://four:1 (host)"},
		{name: "a deployment's host comes before a configured context",
			config: Config{Context: "one"}.WithHost("tcp://five"),
			want:   "tcp://five (host)"},
		{name: "no deployment's host leaves the configured one", config: Config{Host: "tcp://four"}.WithHost(""),
			want: "tcp://four (host)"},
		{name: "a context without an address is the default socket", config: Config{Context: "empty"},
			want: `unix:///var/run/docker.sock (context "empty"`},
		{name: "an address without a scheme is tcp", environment: map[string]string{"DOCKER_HOST": "192.0.2.7:2375"},
			want: "tcp://192.0.2.7:2375 (DOCKER_HOST)"},
	} {
		t.Run(row.name, func(t *testing.T) {
			folder := clearEnvironment(t)
			writeContext(t, folder, "one", `{"Host":"tcp://one:2376"}`)
			writeContext(t, folder, "two", `{"Host":"ssh://two/run/podman.sock"}`)
			writeContext(t, folder, "empty", `{}`)
			write(t, filepath.Join(folder, "config.json"), fmt.Sprintf(`{"currentContext":%q,"auths":{}}`, row.current))
			for name, value := range row.environment {
				t.Setenv(name, value)
			}
			at, err := row.config.resolve()
			if err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(at.String(), row.want) {
				t.Errorf("the engine is at %s, want %s", at, row.want)
			}
		})
	}
}

func TestDockerConfigIsTheFolderOfContexts(t *testing.T) {
	clearEnvironment(t)
	folder := t.TempDir()
	t.Setenv("DOCKER_CONFIG", folder)
	writeContext(t, folder, "there", `{"Host":"tcp://there:2375"}`)
	write(t, filepath.Join(folder, "config.json"), `{"currentContext":"there"}`)
	if at, err := (Config{}).resolve(); err != nil || at.host != "there:2375" {
		t.Errorf("the engine is at %s, %v", at, err)
	}
}

func TestMistakesInAddressesAreNamed(t *testing.T) {
	for _, row := range []struct{ name, host, want string }{
		{"another scheme", "https://host:2376", "tcp://host:2376"},
		{"a socket without a path", "unix://", "has no path"},
		{"no host", "tcp://:2376", "must have a host"},
		{"a path behind tcp", "tcp://host:2376/v1", "must have a host"},
		{"a user before tcp", "tcp://user@host:2376", "must have a host"},
		{"a query", "ssh://host?x=1", "must have a host"},
		{"not a URL", "ssh://ho st", "must look like"},
		{"a password", "ssh://user:secret-7@host", "SSH takes a key"},
	} {
		t.Run(row.name, func(t *testing.T) {
			clearEnvironment(t)
			_, err := Open(t.Context(), Config{Host: row.host})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Fatalf("the error is %v, want %q", err, row.want)
			}
			if strings.Contains(err.Error(), "secret-7") {
				t.Errorf("the error quotes the password: %v", err)
			}
		})
	}
}

func TestAContextThatIsNotThereIsNamed(t *testing.T) {
	folder := clearEnvironment(t)
	t.Setenv("DOCKER_CONTEXT", "missing")
	if _, err := (Config{}).resolve(); err == nil ||
		!strings.Contains(err.Error(), `no context "missing" (DOCKER_CONTEXT)`) {
		t.Errorf("the error is %v", err)
	}
	t.Setenv("DOCKER_CONTEXT", "")
	write(t, filepath.Join(folder, "config.json"), `{"auths":{"x":{"auth":"c2VjcmV0"}}`)
	_, err := (Config{}).resolve()
	if err == nil || !strings.Contains(err.Error(), "not valid JSON") || strings.Contains(err.Error(), "c2VjcmV0") {
		t.Errorf("the error of a broken config.json is %v", err)
	}
}

func TestAMissingSocketIsExplainedAndPodmansNamed(t *testing.T) {
	clearEnvironment(t)
	folder, err := os.MkdirTemp("", "sock") //nolint:usetesting // a socket's path is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(folder) })
	t.Setenv("XDG_RUNTIME_DIR", folder)
	missing := Config{Host: "unix://" + filepath.Join(folder, "docker.sock")}
	_, err = Open(t.Context(), missing)
	if err == nil || !strings.Contains(err.Error(), "no such socket. Start the engine") {
		t.Errorf("without Podman the error is %v", err)
	}
	podman := filepath.Join(folder, "podman", "podman.sock")
	if err := os.Mkdir(filepath.Dir(podman), 0o700); err != nil {
		t.Fatal(err)
	}
	listen(t, "unix", podman)
	_, err = Open(t.Context(), missing)
	if err == nil || !strings.Contains(err.Error(), "Podman listens at unix://"+podman) {
		t.Errorf("with Podman the error is %v", err)
	}
}
