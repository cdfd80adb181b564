package main

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A process is a server that was started here.
type process struct {
	name    string
	address string
	cmd     *exec.Cmd
	end     func() // asks it to end; nil for SIGTERM
	pprof   string // address, if it is profiled
}

// stop ends the process and waits for it.
func (p *process) stop() {
	if p.end != nil {
		p.end()
	} else {
		_ = p.cmd.Process.Signal(syscall.SIGTERM)
	}
	late := time.AfterFunc(20*time.Second, func() { _ = p.cmd.Process.Kill() })
	defer late.Stop()
	_ = p.cmd.Wait() // how it ended is in its log
}

// cpuOf reads the clocks of processes: what they spent so far, all threads
// and the kernel's work for them included, to the nanosecond.
func cpuOf(processes []*process) (total time.Duration, err error) {
	for _, p := range processes {
		var ts unix.Timespec
		// The id of a process's CPU clock, as clock_getcpuclockid(3) makes it.
		clock := int32(^p.cmd.Process.Pid<<3 | 2)
		if err := unix.ClockGettime(clock, &ts); err != nil {
			return 0, fmt.Errorf("reading the CPU clock of %s: %w", p.name, err)
		}
		total += time.Duration(ts.Nano())
	}
	return total, nil
}

// resident reads how much memory a process has, in bytes; 0 if it is gone.
func (p *process) resident() int64 { return p.status("VmRSS:") }

// peak reads how much it has had at most.
func (p *process) peak() int64 { return p.status("VmHWM:") }

func (p *process) status(name string) int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", p.cmd.Process.Pid))
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, name); ok {
			kb, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10
		}
	}
	return 0
}

//go:embed profile.go.txt
var profileSource []byte

const command = "github.com/scimbridge/terraform-provider-scimbridge/bridge/cmd/scim-bridge"

// build builds scim-bridge as it ships, or with the profiler laid over it.
func build(ctx context.Context, folder string, profiled bool) (string, error) {
	binary := filepath.Join(folder, "scim-bridge")
	args := []string{"build", "-trimpath", "-o", binary}
	if profiled {
		overlay, err := profileOverlay(ctx, folder)
		if err != nil {
			return "", err
		}
		args = append(args, "-overlay", overlay)
	}
	cmd := exec.CommandContext(ctx, "go", append(args, command)...)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building scim-bridge: %w\n%s", err, out)
	}
	return binary, nil
}

// profileOverlay writes what `go build -overlay` wants: one more file, seen by
// this build alone.
func profileOverlay(ctx context.Context, folder string) (string, error) {
	dir, err := exec.CommandContext(ctx, "go", "list", "-f", "{{.Dir}}", command).Output()
	if err != nil {
		return "", fmt.Errorf("finding the sources of scim-bridge: %w", err)
	}
	source := filepath.Join(folder, "profile.go")
	if err := os.WriteFile(source, profileSource, 0o600); err != nil {
		return "", err
	}
	text, err := json.Marshal(map[string]map[string]string{
		"Replace": {filepath.Join(strings.TrimSpace(string(dir)), "profile.go"): source},
	})
	if err != nil {
		return "", err
	}
	overlay := filepath.Join(folder, "overlay.json")
	return overlay, os.WriteFile(overlay, text, 0o600)
}
