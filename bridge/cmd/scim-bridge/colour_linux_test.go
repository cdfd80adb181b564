package main

import (
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// Colours are for people at a terminal who have not said that they want none.
func TestColoursAreForTerminals(t *testing.T) {
	t.Parallel()
	b := serve(t, folder(t, newAccount(t).activate().sealed))
	b.awaitProblem("sealed")
	log := filepath.Join(t.TempDir(), "bridge.log")
	line := "2026-11-29T03:12:08.114Z [ERROR] AuthWrap failed to generateNewSession: 401\n"
	if err := os.WriteFile(log, []byte(line), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name     string
		args     []string
		environ  []string
		terminal bool
		want     string // "" for no colour
	}{
		{"status at a terminal", []string{"status", "--local", b.dir}, nil, true, "\x1b[33msealed\x1b[0m"},
		{"with NO_COLOR", []string{"status", "--local", b.dir}, []string{"NO_COLOR=1"}, true, ""},
		{"with an empty NO_COLOR", []string{"status", "--local", b.dir}, []string{"NO_COLOR="}, true, "\x1b[33msealed"},
		{"at a dumb terminal", []string{"status", "--local", b.dir}, []string{"TERM=dumb"}, true, ""},
		{"for a program", []string{"status", "--local", b.dir}, nil, false, ""},
		{"JSON at a terminal", []string{"status", "--local", "--json", b.dir}, nil, true, ""},
		{"diagnose at a terminal", []string{"diagnose", log}, nil, true, "\x1b[1m"},
		{"diagnose for a program", []string{"diagnose", log}, nil, false, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			cmd := exec.CommandContext(context.WithoutCancel(t.Context()), "scim-bridge", row.args...)
			cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "TERM=xterm"}, row.environ...)
			var got string
			if row.terminal {
				keyboard, terminal := openTerminal(t)
				cmd.Stdout = terminal
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				terminal.Close()
				text, _ := io.ReadAll(keyboard) // ends with an error when the last process closes the terminal
				_ = cmd.Wait()                  // the bridge has problems
				got = string(text)
			} else {
				text, _ := cmd.Output() // the bridge has problems
				got = string(text)
			}
			switch {
			case got == "":
				t.Error("it printed nothing")
			case row.want == "" && strings.Contains(got, "\x1b"):
				t.Errorf("it is coloured: %q", got)
			case !strings.Contains(got, row.want):
				t.Errorf("it lacks %q: %q", row.want, got)
			}
		})
	}
}
