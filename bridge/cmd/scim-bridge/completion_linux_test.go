package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// In a bash at a terminal, TAB completes what is typed.
func TestTABInBash(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	script := filepath.Join(dir, "completion")
	if err := os.WriteFile(script, []byte(output(t, "completion", "bash")), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a certificate.pem", "ann's.pem", `"b".pem`} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	keyboard, terminal := openTerminal(t)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), timeout)
	t.Cleanup(cancel)
	bash := exec.CommandContext(ctx, "bash", "--norc", "--noprofile", "-i")
	bash.Dir = dir
	bash.Env = []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TERM=dumb", "PS1=ready: ", "INPUTRC=/dev/null", "COLUMNS=200",
	}
	bash.Stdin, bash.Stdout, bash.Stderr = terminal, terminal, terminal
	bash.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := bash.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = bash.Wait() // it was killed
	})
	var mu sync.Mutex
	var screen strings.Builder
	go func() {
		b := make([]byte, 4096)
		for {
			n, err := keyboard.Read(b)
			if err != nil {
				return
			}
			mu.Lock()
			screen.Write(b[:n])
			mu.Unlock()
		}
	}()
	shown := func() string {
		mu.Lock()
		defer mu.Unlock()
		return screen.String()
	}
	press := func(keys string) {
		t.Helper()
		if _, err := keyboard.WriteString(keys); err != nil {
			t.Fatal(err)
		}
	}
	press("bind 'set enable-bracketed-paste off'; source ./completion; echo 'is 'read\n")
	await(t, "bash to be ready", func() bool { return strings.Contains(shown(), "is read") })
	for _, row := range []struct{ typed, want string }{
		{"scim-bridge acc\tho\tappr\t--all", "scim-bridge account holds approve --all"},
		{"scim-bridge stat\t--js\t--here", "scim-bridge status --json --here"},
		{"scim-bridge serve --log-format=j\t--there", "scim-bridge serve --log-format=json --there"},
		{"scim-bridge serve --tls-cert-file a\\ \t--done",
			`scim-bridge serve --tls-cert-file a\ certificate.pem --done`},
		{"scim-bridge serve --tls-cert-file=a\\ \t--end", `scim-bridge serve --tls-cert-file=a\ certificate.pem --end`},
		{"scim-bridge serve --tls-cert-file \"a \t--two",
			`scim-bridge serve --tls-cert-file "a certificate.pem" --two`},
		{"scim-bridge serve --tls-cert-file='a \t--three",
			`scim-bridge serve --tls-cert-file='a certificate.pem' --three`},
		{"scim-bridge serve --tls-key-file ann\t--four", `scim-bridge serve --tls-key-file ann\'s.pem --four`},
		{"scim-bridge serve --tls-key-file \"ann'\t--five", `scim-bridge serve --tls-key-file "ann's.pem" --five`},
		{"scim-bridge serve --tls-key-file '\"\t--six", `scim-bridge serve --tls-key-file '"b".pem' --six`},
		{"scim-bridge serve \"--log-format=j\t--seven", `scim-bridge serve "--log-format=json" --seven`},
		{"scim-bridge status --token-file \"a certificate.pem\" --js\t--eight",
			`scim-bridge status --token-file "a certificate.pem" --json --eight`},
	} {
		press(row.typed)
		await(t, row.typed+" to become "+row.want, func() bool { return strings.Contains(shown(), row.want) })
		press("\x15") // removes the line
	}
}
