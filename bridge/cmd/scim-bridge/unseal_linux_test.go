package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

// openTerminal makes a terminal: what is written to the first end is typed at
// the second.
func openTerminal(t *testing.T) (keyboard, terminal *os.File) {
	t.Helper()
	keyboard, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { keyboard.Close() })
	if err := unix.IoctlSetPointerInt(int(keyboard.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(keyboard.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	terminal, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { terminal.Close() })
	return keyboard, terminal
}

func shows(t *testing.T, terminal *os.File) bool {
	t.Helper()
	state, err := unix.IoctlGetTermios(int(terminal.Fd()), unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	return state.Lflag&unix.ECHO != 0
}

// unsealAtTerminal starts the command and returns when it waits for the token.
func unsealAtTerminal(t *testing.T, dir string) (cmd *exec.Cmd, keyboard, terminal *os.File, said *lockedBuffer) {
	t.Helper()
	keyboard, terminal = openTerminal(t)
	said = new(lockedBuffer)
	cmd = exec.CommandContext(context.WithoutCancel(t.Context()), "scim-bridge", "unseal", dir)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = terminal, said, said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	await(t, "the prompt on a terminal that shows nothing", func() bool {
		return strings.HasPrefix(said.String(), "bearer token of the bridge in "+dir) && !shows(t, terminal)
	})
	return cmd, keyboard, terminal, said
}

func TestUnsealAsksOnATerminalWithoutShowing(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serve(t, folder(t, pair.sealed))
	cmd, keyboard, terminal, said := unsealAtTerminal(t, b.dir)
	// As it is pasted from a page, with a blank before it and one behind.
	if _, err := keyboard.WriteString(" " + pair.token.Reveal() + " \n"); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil || !strings.Contains(said.String(), "the bridge is unsealed") {
		t.Errorf("got %v: %s", err, said.String())
	}
	b.awaitState(control.Ready)
	if !shows(t, terminal) {
		t.Error("the terminal stays silent afterwards")
	}
	// Nothing is written to this terminal but what it shows of what is typed.
	fd := int(keyboard.Fd()) // asked for again, it would wait again
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	shown := make([]byte, 4096)
	if n, err := unix.Read(fd, shown); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("the terminal showed %q, %v", shown[:max(n, 0)], err)
	}
	if strings.Contains(said.String(), pair.token.Reveal()) {
		t.Errorf("the token is shown: %s", said.String())
	}
}

func TestUnsealAtATerminalCanBeGivenUp(t *testing.T) {
	t.Parallel()
	b := serve(t, folder(t, newAccount(t).activate().sealed))
	for _, row := range []struct {
		name, want string
		giveUp     func(cmd *exec.Cmd, keyboard *os.File) error
	}{
		{"by an empty line", "no token was entered", func(_ *exec.Cmd, keyboard *os.File) error {
			_, err := keyboard.WriteString("\n")
			return err
		}},
		{"by an interruption", "interrupted", func(cmd *exec.Cmd, _ *os.File) error {
			return cmd.Process.Signal(syscall.SIGINT)
		}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cmd, keyboard, terminal, said := unsealAtTerminal(t, b.dir)
			if err := row.giveUp(cmd, keyboard); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(said.String(), row.want) {
				t.Errorf("ended with %d: %s", code, said.String())
			}
			if !shows(t, terminal) {
				t.Error("the terminal stays silent afterwards")
			}
		})
	}
}

// The command does not prompt for a token that cannot be used.
func TestUnsealAtATerminalFirstLooksForTheBridge(t *testing.T) {
	t.Parallel()
	_, terminal := openTerminal(t)
	cmd := exec.CommandContext(t.Context(), "scim-bridge", "unseal", t.TempDir())
	cmd.Stdin = terminal
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "no bridge is running there") ||
		strings.Contains(string(out), "bearer token of") {
		t.Errorf("got %v: %s", err, out)
	}
}
