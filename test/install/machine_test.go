//go:build release

package install

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// timeout bounds each command and the start of a server.
const timeout = 3 * time.Minute

// A machine is a folder to work in and an environment. Its PATH leads to Terraform and to the scim-bridge of the
// release's archive, and to nothing else.
type machine struct {
	*testing.T
	folder string
	env    []string
	mirror string // the folder that Terraform takes for the registry
}

func newMachine(t *testing.T, r release) *machine {
	t.Helper()
	home := t.TempDir()
	m := &machine{T: t, folder: filepath.Join(home, "try"), mirror: filepath.Join(home, "mirror")}
	m.writeFile(filepath.Join(home, "terraformrc"), 0o600,
		fmt.Sprintf("provider_installation {\n  filesystem_mirror {\n    path = %q\n  }\n}\n", m.mirror))
	program := untar(t, r.path("scim-bridge", thisPlatform+".tar.gz"))["scim-bridge"]
	bin := filepath.Join(home, "bin")
	m.writeFile(filepath.Join(bin, "scim-bridge"), program.mode, string(program.content))
	if err := os.Symlink(providertest.Terraform(t), filepath.Join(bin, "terraform")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(m.folder, 0o755); err != nil {
		t.Fatal(err)
	}
	m.env = []string{"PATH=" + bin, "HOME=" + home, "TF_CLI_CONFIG_FILE=" + filepath.Join(home, "terraformrc"),
		"CHECKPOINT_DISABLE=1", "TF_IN_AUTOMATION=1"}
	return m
}

// fill puts the release's provider archives into the mirror as they are: the packed layout.
func (m *machine) fill(r release, registry string) {
	m.Helper()
	for _, path := range matches(m.T, r.path(project, "*.zip")) {
		content, err := os.ReadFile(path)
		if err != nil {
			m.Fatal(err)
		}
		folder := filepath.Join(m.mirror, registry, "scimbridge", "scimbridge")
		m.writeFile(filepath.Join(folder, filepath.Base(path)), 0o644, string(content))
	}
}

func (m *machine) writeFile(path string, mode os.FileMode, content string) {
	m.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		m.Fatal(err)
	}
}

// run runs a program of the machine's PATH and returns what it printed.
func (m *machine) run(name string, arguments ...string) string {
	m.Helper()
	ctx, cancel := context.WithTimeout(m.Context(), timeout)
	defer cancel()
	cmd := m.command(ctx, name, arguments...)
	var faults bytes.Buffer
	cmd.Stderr = &faults
	out, err := cmd.Output()
	if err != nil {
		m.Fatalf("%s %s: %v\n%s%s", name, strings.Join(arguments, " "), err, out, faults.Bytes())
	}
	return string(out)
}

func (m *machine) command(ctx context.Context, name string, arguments ...string) *exec.Cmd {
	path, _, _ := strings.Cut(strings.TrimPrefix(m.env[0], "PATH="), string(os.PathListSeparator))
	cmd := exec.CommandContext(ctx, filepath.Join(path, name), arguments...)
	cmd.Dir, cmd.Env, cmd.WaitDelay = m.folder, m.env, time.Second
	return cmd
}

// serve runs a server at an address until the test ends, and returns when it listens.
func (m *machine) serve(address, name string, arguments ...string) {
	m.Helper()
	log, err := os.Create(filepath.Join(m.folder, "server.log"))
	if err != nil {
		m.Fatal(err)
	}
	defer log.Close()
	cmd := m.command(context.Background(), name, arguments...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	m.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
		kill := time.AfterFunc(timeout, func() { _ = cmd.Process.Kill() })
		defer kill.Stop()
		if err := cmd.Wait(); err != nil {
			m.Errorf("%s did not end cleanly: %v", name, err)
		}
	})
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); <-tick.C {
		if m.isServed(address) {
			return
		}
	}
	text, _ := os.ReadFile(log.Name())
	m.Fatalf("%s does not listen at %s:\n%s", name, address, text)
}

// isServed reports whether something listens at an address.
func (m *machine) isServed(address string) bool {
	conn, err := (&net.Dialer{}).DialContext(m.Context(), "tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
