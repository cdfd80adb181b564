package main

import (
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

// An unsealed bridge has the credentials in its memory. Neither a core file nor a dump
// that the kernel pipes to a program, which the limit does not hold back, may have them.
func TestAnUnsealedBridgeLeavesNoMemoryInCoreDumps(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serve(t, folder(t, pair.sealed))
	if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
	keepsNoCore(t, b.cmd.Process.Pid)
}

// The account has admin tokens, session tokens and mailed links in its memory while it answers.
func TestAnAccountLeavesNoMemoryInCoreDumps(t *testing.T) {
	t.Parallel()
	keepsNoCore(t, newAccountProcess(t).cmd.Process.Pid)
}

func keepsNoCore(t *testing.T, pid int) {
	t.Helper()
	read := func(name string) string {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(text))
	}
	if limits := read("limits"); !regexp.MustCompile(`(?m)^Max core file size +0 +0 `).MatchString(limits) {
		t.Errorf("a core file may be written:\n%s", limits)
	}
	if filter := strings.Trim(read("coredump_filter"), "0"); filter != "" {
		t.Errorf("a piped core dump has memory in it: the filter is %s", filter)
	}
}
