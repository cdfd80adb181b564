// Package providertest gives acceptance tests their real parts: a Terraform or
// OpenTofu, the scim-bridge binary, an account service as a process of its own,
// and the provider in the test's process.
//
// The tests of a package run once with each program that the variable
// SCIMBRIDGE_TEST_TERRAFORM lists:
//
//	SCIMBRIDGE_TEST_TERRAFORM=terraform:/opt/opentofu-1.12.6/tofu go test ./provider/...
//
// Only tests may import it.
package providertest

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/provider"
)

// Factories serve the provider from the test's process. Without a Terraform the
// test is skipped.
func Factories(t testing.TB) map[string]func() (tfprotov6.ProviderServer, error) {
	t.Helper()
	Terraform(t)
	return map[string]func() (tfprotov6.ProviderServer, error){"scimbridge": serve}
}

// Server returns the provider alone, for tests that speak the protocol.
func Server(t testing.TB) tfprotov6.ProviderServer {
	t.Helper()
	server, err := serve()
	if err != nil {
		t.Fatal(err)
	}
	return server
}

// serve makes a provider that enrols credentials with the fewest iterations that
// an account accepts, since the race detector makes each ten times slower. It
// waits for other changes of a run for a shorter time than a released one.
func serve() (tfprotov6.ProviderServer, error) {
	return providerserver.NewProtocol6WithError(&provider.Provider{
		Version:         "test",
		Iterations:      signin.MinIterations,
		ConflictTimeout: 9 * time.Second,
	})()
}

// Binary is the path of a scim-bridge built from this tree, once a test process.
func Binary(t testing.TB) string {
	t.Helper()
	path, err := bridgeBinary()
	if err != nil {
		t.Fatalf("build scim-bridge: %v", err)
	}
	return path
}

// Installation is a folder that holds the provider's binary and the bridge's
// beside it, as a release does, built from this tree once a test process.
func Installation(t testing.TB) string {
	t.Helper()
	Binary(t)
	path, err := providerBinary()
	if err != nil {
		t.Fatalf("build the provider: %v", err)
	}
	return filepath.Dir(path)
}

// binaryVariable names a scim-bridge that is built already, where there is no Go.
const binaryVariable = "SCIMBRIDGE_TEST_BINARY"

var (
	bridgeBinary = sync.OnceValues(func() (string, error) {
		if path := os.Getenv(binaryVariable); path != "" {
			return path, nil
		}
		return build("scim-bridge", "./bridge/cmd/scim-bridge")
	})
	providerBinary = sync.OnceValues(func() (string, error) { return build("terraform-provider-scimbridge", ".") })
)

func build(name, source string) (string, error) {
	module, err := exec.CommandContext(context.Background(), "go", "env", "GOMOD").Output()
	if err != nil {
		return "", err
	}
	root := filepath.Dir(strings.TrimSpace(string(module)))
	folder := filepath.Join(root, "bin", "test")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return "", err
	}
	// Test processes build at the same time and run what the others built, so
	// the file appears under its name only when it is complete.
	unfinished, err := os.CreateTemp(folder, "unfinished-*")
	if err != nil {
		return "", err
	}
	defer os.Remove(unfinished.Name())
	if err := unfinished.Close(); err != nil {
		return "", err
	}
	build := exec.CommandContext(context.Background(), "go", "build", "-o", unfinished.Name(), source)
	build.Dir = root
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	build.Stderr = os.Stderr
	if err := build.Run(); err != nil {
		return "", err
	}
	path := filepath.Join(folder, name)
	return path, os.Rename(unfinished.Name(), path)
}
