//go:build release

package packages

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience bounds every wait; only what is broken reaches it.
const patience = 2 * time.Minute

// await polls until ok, and fails the test if that takes too long.
func await(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(patience)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("timed out after %s waiting for: %s", patience, what)
		}
		<-tick.C
	}
}

// A machine is a booted container. Its processes live in a PID namespace, and
// its files and mounts in a mount namespace, that end with the process that the
// test has started, and that one ends with the test, even a killed one.
type machine struct {
	t       *testing.T
	cmd     *exec.Cmd
	console lockedBuffer
	leader  int // PID 1 of the container, as this machine numbers it
}

// enclosed gives the machine a control group, where no systemd here has done so,
// mounts what the machine writes in memory, and boots it, again when it reboots:
// then systemd-nspawn ends with 133.
const enclosed = `set -e
for hierarchy in $3; do
	mkdir "$hierarchy"
	echo 0 >"$hierarchy/cgroup.procs"
done
mount -t tmpfs -o mode=0755 tmpfs "$1"
mkdir "$1/changes" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=$2,upperdir=$1/changes,workdir=$1/work" "$1/root"
root=$1/root
shift 3
while code=0; systemd-nspawn --directory="$root" "$@" || code=$?; [ $code = 133 ]; do :; done
exit $code
`

// boot boots a machine with the files of base, and of shared (folders here) at
// the paths there.
func boot(t *testing.T, base string, shared map[string]string) *machine {
	t.Helper()
	m := &machine{t: t}
	folder := t.TempDir()
	var args, hierarchies []string
	if _, err := os.Stat("/run/systemd/system"); err == nil {
		args = []string{"systemd-run", "--quiet", "--scope", "--collect", "--property=Delegate=yes"}
	} else {
		hierarchies = controlGroups(filepath.Base(filepath.Dir(folder)))
	}
	args = append(args,
		"unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc", "--propagation", "private",
		"sh", "-c", enclosed, "sh", folder, base, strings.Join(hierarchies, " "),
		"--quiet", "--boot", "--machine=scim-bridge-packages", "--private-network", "--register=no", "--keep-unit",
		"--link-journal=no", "--resolv-conf=off", "--timezone=off",
	)
	for here, there := range shared {
		args = append(args, "--bind-ro="+here+":"+there)
	}
	m.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), args[0], args[1:]...)
	m.cmd.Stdout, m.cmd.Stderr = &m.console, &m.console
	m.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := m.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = m.cmd.Process.Kill()
		_ = m.cmd.Wait()
		for _, group := range hierarchies {
			removeControlGroup(t, group)
		}
		if m.leader == 0 {
			t.Logf("the machine has not booted; its console:\n%s", m.console.String())
		}
	})
	m.awaitBoot(0)
	return m
}

// controlGroups returns the paths of a control group of that name, one for each
// hierarchy that systemd uses.
func controlGroups(name string) (paths []string) {
	for _, root := range []string{"/sys/fs/cgroup/systemd", "/sys/fs/cgroup/unified", "/sys/fs/cgroup"} {
		if _, err := os.Stat(filepath.Join(root, "cgroup.procs")); err == nil {
			paths = append(paths, filepath.Join(root, name))
		}
	}
	return paths
}

// removeControlGroup removes a group and those below it, once their processes have ended.
func removeControlGroup(t *testing.T, path string) {
	t.Helper()
	await(t, "the processes of "+path+" to end", func() bool {
		_ = exec.CommandContext(context.WithoutCancel(t.Context()), "find", path, "-depth",
			"-type", "d", "-exec", "rmdir",
			"{}", ";").Run()
		_, err := os.Stat(path)
		return errors.Is(err, fs.ErrNotExist)
	})
}

// awaitBoot waits until a PID 1 other than before has started everything.
func (m *machine) awaitBoot(before int) {
	m.t.Helper()
	await(m.t, "the machine to boot", func() bool {
		m.leader = m.findLeader()
		if m.leader == 0 || m.leader == before {
			return false
		}
		out, _ := m.command("systemctl is-system-running").Output()
		state := strings.TrimSpace(string(out))
		return state == "running" || state == "degraded"
	})
}

// findLeader returns the process below unshare that is a systemd with the PID 1; 0 if there is none.
func (m *machine) findLeader() int {
	paths, _ := filepath.Glob("/proc/[0-9]*/status")
	parents := make(map[int]int)
	var leaders []int
	for _, path := range paths {
		status := readStatus(path)
		pid, _ := strconv.Atoi(status["Pid"])
		parents[pid], _ = strconv.Atoi(status["PPid"])
		if status["Name"] == "systemd" && strings.HasSuffix(status["NSpid"], "\t1") {
			leaders = append(leaders, pid)
		}
	}
	for _, leader := range leaders {
		for pid := leader; pid != 0; pid = parents[pid] {
			if pid == m.cmd.Process.Pid {
				return leader
			}
		}
	}
	return 0
}

func readStatus(path string) map[string]string {
	text, _ := os.ReadFile(path) // of a process that has ended, nothing
	status := make(map[string]string)
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":\t")
		status[key] = value
	}
	return status
}

// command is a shell script, to be run in the machine by root.
func (m *machine) command(script string) *exec.Cmd {
	cmd := exec.CommandContext(m.t.Context(), "nsenter", "--target", strconv.Itoa(m.leader), "--all", "--root", "--wd",
		"/bin/bash", "-c", script)
	cmd.Env = []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"HOME=/root", "LC_ALL=C.UTF-8"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// try runs a script and returns what it printed.
func (m *machine) try(script string) (out string, err error) {
	text, err := m.command("set -euo pipefail\n" + script).CombinedOutput()
	return string(text), err
}

// run is try for a script that must succeed.
func (m *machine) run(script string) string {
	m.t.Helper()
	out, err := m.try(script)
	if err != nil {
		m.t.Fatalf("%s\n%v: %s", script, err, out)
	}
	return out
}

// has runs a script whose output must contain the words.
func (m *machine) has(script string, words ...string) {
	m.t.Helper()
	out := m.run(script)
	for _, word := range words {
		if !strings.Contains(out, word) {
			m.t.Errorf("%s\nlacks %q:\n%s", script, word, out)
		}
	}
}

// awaitOutput waits until a script succeeds and its output contains the words.
func (m *machine) awaitOutput(script string, words ...string) {
	m.t.Helper()
	var out string
	defer func() {
		if m.t.Failed() {
			m.t.Logf("%s\n%s", script, out)
		}
	}()
	await(m.t, fmt.Sprintf("%q of %s", words, script), func() bool {
		var err error
		out, err = m.try(script)
		for _, word := range words {
			if !strings.Contains(out, word) {
				return false
			}
		}
		return err == nil
	})
}

// part runs a part of t as a test of its own.
func (m *machine) part(t *testing.T, name string, fn func(*machine)) {
	t.Helper()
	defer func() { m.t = t }()
	t.Run(name, func(t *testing.T) {
		m.t = t
		fn(m)
	})
}

// lockedBuffer is a buffer that a process writes and a test reads.
type lockedBuffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// installed are the packages of the machine's Debian: systemd, rpm, and those of the guide "In production".
var installed = []string{
	"systemd", "systemd-sysv", "dbus", "ca-certificates", "rpm", "caddy", "curl", "iproute2", "netbase", "nftables",
}

// debian makes the files of a minimal Debian with what is installed, once, and
// returns their folder.
func debian(t *testing.T) string {
	t.Helper()
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	base := filepath.Join(cache, "scimbridge-test", "bookworm-systemd-rpm-caddy-nftables")
	if _, err := os.Stat(base); err == nil {
		return base
	}
	if err := os.MkdirAll(filepath.Dir(base), 0o755); err != nil {
		t.Fatal(err)
	}
	making, err := os.MkdirTemp(filepath.Dir(base), ".bookworm-*") //nolint:usetesting // in the same file system
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(making)
	out, err := exec.CommandContext(t.Context(), "mmdebstrap", "--variant=minbase", "--quiet", "--mode=root",
		"--include="+strings.Join(installed, ","), "bookworm", making).CombinedOutput()
	if err != nil {
		t.Fatalf("making a minimal Debian: %v: %s", err, out)
	}
	if err := errors.Join(os.Chmod(making, 0o755), os.Rename(making, base)); err != nil {
		t.Fatal(err)
	}
	return base
}

// prepare installs what the tests need of this machine, as Debian packages, and
// returns what is missing; empty if nothing is.
func prepare() (missing string) {
	if os.Geteuid() != 0 {
		return "this needs root, to boot a machine with systemd-nspawn"
	}
	packages := map[string]string{ // by program
		"systemd-nspawn": "systemd-container", "mmdebstrap": "mmdebstrap", "dpkg-deb": "dpkg", "unshare": "util-linux",
	}
	install := []string{"debian-archive-keyring"}
	for program, name := range packages {
		if _, err := exec.LookPath(program); err != nil {
			install = append(install, name)
		}
	}
	if len(install) == 1 {
		return ""
	}
	if _, err := exec.LookPath("apt-get"); err != nil {
		return "this needs what the Debian packages " + strings.Join(install, ", ") + " hold"
	}
	apt := "apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -qy --no-install-recommends " +
		strings.Join(install, " ")
	if out, err := exec.CommandContext(context.Background(), "sh", "-c", apt).CombinedOutput(); err != nil {
		return fmt.Sprintf("%s: %v: %s", apt, err, out)
	}
	return ""
}
