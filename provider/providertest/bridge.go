package providertest

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// MonitoringToken reads the health of every bridge of NewBridge.
const MonitoringToken = "monitoring-token-of-the-tests"

// A Bridge is a bridge without a deployment: a process until the test ends.
type Bridge struct {
	URL string // http://127.0.0.1:PORT

	process process
}

// NewBridge runs a bridge with the sealed session. With a token it unseals
// itself; without one it stays sealed. flags are added to those of serve.
func NewBridge(t testing.TB, sealed, revision string, token *session.Token, flags ...string) *Bridge {
	t.Helper()
	folder := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(folder, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	arguments := []string{
		"serve", "--listen", "127.0.0.1:0", "--data-dir", folder, "--revision", revision,
		"--session", file("session", sealed), "--monitoring-token-file", file("monitoring", MonitoringToken),
	}
	arguments = append(arguments, flags...)
	if token != nil {
		arguments = append(arguments, "--unseal-token-file", file("token", token.Reveal()))
	}
	b := &Bridge{process: process{t: t, log: filepath.Join(folder, "bridge.log")}}
	t.Cleanup(b.Stop)
	b.URL = "http://" + b.process.start(arguments...)
	return b
}

// Stop ends the bridge. It does nothing if the bridge has ended.
func (b *Bridge) Stop() { b.process.stop() }
