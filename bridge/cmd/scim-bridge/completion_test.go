package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestComplete(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, words, want string }{
		{"a command", "acc", "account"},
		{"several commands", "se", "serve seal session"},
		{"a command of a group", "account ho", "holds"},
		{"all commands of a group", "account holds ", "list approve cancel"},
		{"flags", "status --j", "--json"},
		{"no flag that was given", "status --json --j", ""},
		{"a repeatable flag that was given", "journal --kind traffic --ki", "--kind"},
		{"no hidden flag", "serve --standby", ""},
		{"the values of a flag", "serve --log-format ", "text json pretty"},
		{"with the flag", "serve --log-format=j", "--log-format=json"},
		{"values that only the program knows", "simulate --idp en", "entra"},
		{"all of them", "simulate --idp al", "all"},
		{"the file of a report", "simulate --report-junit ", ":files"},
		{"the kinds of the journal", "journal --kind group_c", "group_created"},
		{"files", "serve --tls-cert-file ", ":files"},
		{"files behind a flag with =", "serve --tls-cert-file=x", ":files"},
		{"a file as an argument", "diagnose ", ":files"},
		{"folders", "unseal ", ":folders"},
		{"folders behind a flag", "serve --data-dir x", ":folders"},
		{"the short form of a flag", "support-bundle -o ", ":files"},
		{"no value of a flag that takes any", "serve --revision ", ""},
		{"what is behind a flag's value", "serve --revision x --log-l", "--log-level"},
		{"the argument behind a flag", "support-bundle -o x.zip ", ":folders"},
		{"the argument behind another", "explain ann@example.com ", ":folders"},
		{"nothing behind the last argument", "unseal /tmp ", ""},
		{"no flag behind --", "unseal -- -", ":folders"},
		{"all commands of a group with a default", "account mail ", "list send resend"},
		{"a flag of the default command", "account mail --s", "--state"},
		{"its values", "account mail --state ", "waiting suspended sent failed void"},
		{"its values with the flag", "account mail --state=wa", "--state=waiting"},
		{"no other command behind a flag of the default one", "account mail --state failed ", "list"},
		{"no flag of the default command behind another", "account mail resend --s", ""},
		{"a flag of that command", "account mail resend --fa", "--failed"},
		{"the shells", "completion ", "bash zsh fish"},
		{"nothing of an unknown command", "nothing --", "--help"},
		{"nothing that is not a beginning", "xyz", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var got []string
			text := output(t, append([]string{completeWord}, strings.Split(row.words, " ")...)...)
			for line := range strings.Lines(text) {
				value, _, _ := strings.Cut(strings.TrimSpace(line), "\t")
				got = append(got, value)
			}
			if got := strings.Join(got, " "); got != row.want {
				t.Errorf("%q is completed to %q, want %q", row.words, got, row.want)
			}
		})
	}
}

// The scripts are tried in the real shells, as somebody who presses TAB.
func TestCompletionInShells(t *testing.T) {
	t.Parallel()
	for _, shell := range []struct {
		name string
		// script defines the function ask, which prints what its argument, a command line, is completed to.
		script string
	}{
		{"bash", `
source "$COMPLETION"
ask() {
	COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDBREAKS=$' \t\n"\'@><=;|&(:' COMPREPLY=()
	$(complete -p scim-bridge | sed 's/.*-F \([^ ]*\).*/\1/')
	printf '%s\n' "${COMPREPLY[@]}"
}
`},
		{"zsh", `
autoload -Uz compinit && compinit -u -d "$HOME/.zcompdump"
source "$COMPLETION"
# What the function would show, without a terminal.
_describe() { print -rl -- "${(@)candidates%%:*}" }
compset() { :; }
_files() { if [[ $1 == -/ ]]; then print -rl -- *(N/); else print -rl -- *(N); fi }
ask() {
	words=("${(@s: :)1}") CURRENT=${#words}
	_scim_bridge
}
`},
		{"fish", `
source $COMPLETION
function ask
	complete -C $argv[1] | string replace -r '\t.*' ''
	true
end
`},
	} {
		t.Run(shell.name, func(t *testing.T) {
			t.Parallel()
			path, err := exec.LookPath(shell.name)
			if err != nil {
				if os.Getenv("CI") != "" {
					t.Fatalf("%s is missing: apt-get install %s", shell.name, shell.name)
				}
				t.Skipf("%s is missing: apt-get install %s", shell.name, shell.name)
			}
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, "a-folder"), 0o700); err != nil {
				t.Fatal(err)
			}
			program, err := exec.LookPath("scim-bridge")
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(program, filepath.Join(dir, "a-folder", "scim-bridge")); err != nil {
				t.Fatal(err)
			}
			for name, text := range map[string]string{
				"a-file": "", "completion": output(t, "completion", shell.name),
			} {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			for _, row := range []struct{ line, want string }{
				{"scim-bridge acc", "account"},
				{"scim-bridge account ho", "holds"},
				{"scim-bridge account holds ", "approve cancel list"},
				{"scim-bridge status --js", "--json"},
				{"scim-bridge serve --log-format ", "json pretty text"},
				{"scim-bridge serve --log-file ", "a-file a-folder completion"},
				{"scim-bridge unseal ", "a-folder"},
				{"~/a-folder/scim-bridge acc", "account"},
			} {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				cmd := exec.CommandContext(ctx, path, "-c", shell.script+`ask "`+row.line+`"`)
				cmd.Dir = dir
				cmd.Env = []string{
					"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "TERM=dumb",
					"COMPLETION=" + filepath.Join(dir, "completion"),
				}
				var errs bytes.Buffer
				cmd.Stderr = &errs
				out, err := cmd.Output()
				if err != nil || errs.Len() > 0 {
					t.Fatalf("%q: %v: %s", row.line, err, errs.String())
				}
				found := strings.Fields(strings.ReplaceAll(string(out), "/\n", "\n"))
				slices.Sort(found)
				if got := strings.Join(found, " "); got != row.want {
					t.Errorf("%q is completed to %q, want %q", row.line, got, row.want)
				}
			}
		})
	}
}
