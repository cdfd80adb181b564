package providertest

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"regexp"
	"sync"
	"syscall"
	"testing"
	"time"
)

// timeout bounds the start and the end of a process.
const timeout = 2 * time.Minute

var listening = regexp.MustCompile(`listening: address="?([0-9.:]+)`)

// A process is a scim-bridge that listens, and logs to a file.
type process struct {
	t   testing.TB
	log string // path

	mu  sync.Mutex
	cmd *exec.Cmd
}

// start runs scim-bridge with the arguments and nothing of the developer's
// environment, and returns the address that it listens on.
func (p *process) start(arguments ...string) (address string) {
	p.t.Helper()
	binary := Binary(p.t)
	p.mu.Lock()
	defer p.mu.Unlock()
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	before := len(p.text())
	cmd := exec.CommandContext(context.Background(), binary, arguments...) // until stop
	cmd.Env = []string{}
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		p.t.Fatalf("start scim-bridge: %v", err)
	}
	p.cmd = cmd

	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(timeout); time.Now().Before(deadline); <-tick.C {
		if found := listening.FindSubmatch(p.text()[before:]); found != nil {
			return string(found[1])
		}
	}
	p.t.Fatalf("scim-bridge does not listen after %s:\n%s", timeout, p.text()[before:])
	return ""
}

// stop ends the process and expects exit code 0. It does nothing if there is none.
func (p *process) stop() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Signal(syscall.SIGTERM) // it may have ended by itself
	kill := time.AfterFunc(timeout, func() { _ = p.cmd.Process.Kill() })
	defer kill.Stop()
	if err := p.cmd.Wait(); err != nil {
		text := p.text()
		p.t.Errorf("scim-bridge did not end cleanly: %v\n%s", err, text[max(0, len(text)-2000):])
	}
	p.cmd = nil
}

// Kill ends a process that is no child of this one by SIGKILL, and waits until it has
// released its locks and sockets.
func Kill(t testing.TB, pid int) {
	t.Helper()
	p, err := os.FindProcess(pid)
	if err != nil {
		t.Fatal(err)
	}
	_ = p.Kill() // it may have ended by itself
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(timeout); Runs(pid); <-tick.C {
		if time.Now().After(deadline) {
			t.Fatalf("process %d was killed %s ago and still runs", pid, timeout)
		}
	}
}

// kill ends the process by SIGKILL.
func (p *process) kill() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cmd == nil {
		return
	}
	_ = p.cmd.Process.Kill() // it may have ended by itself
	_ = p.cmd.Wait()         // says only that it was killed
	p.cmd = nil
}

func (p *process) text() []byte {
	text, err := os.ReadFile(p.log)
	if err != nil {
		p.t.Fatal(err)
	}
	return bytes.TrimSpace(text)
}
