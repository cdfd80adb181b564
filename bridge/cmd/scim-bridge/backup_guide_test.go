package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the guide prints works as printed: each block in its order, and the line for cron as cron runs it.
func TestTheGuideOfBackups(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../provider/templates/guides/backup.md")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	paths := strings.NewReplacer("/var/lib/scim-bridge-account/", folder+"/", "/var/backups/scim-bridge-account",
		folder+"/backups")
	sh := func(script string) string {
		t.Helper()
		cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", script)
		cmd.Dir = folder
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%s\nended with %v: %s", script, err, out)
		}
		return string(out)
	}
	sh("mkdir -m 700 backups; scim-bridge account init --database sqlite:account.db --name Acme >/dev/null; " +
		"scim-bridge account audit --database sqlite:account.db 2>&1 >/dev/null | sed 's/.* is //' > noted")
	blocks := regexp.MustCompile("(?s)```(sh|cron)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != strings.Count(string(text), "```")/2 || len(blocks) < 7 {
		t.Fatalf("%d blocks: some are not seen", len(blocks))
	}
	for _, block := range blocks {
		script := paths.Replace(block[2])
		if block[1] == "cron" {
			_, line, found := strings.Cut(script, " root ")
			if !found || strings.Contains(line, "%") { // which is a line's end to cron
				t.Fatalf("no line for cron: %s", script)
			}
			if out := sh(line); out != "" {
				t.Errorf("cron would mail %s", out)
			}
			continue
		}
		sh(script)
	}
	backups, err := filepath.Glob(filepath.Join(folder, "backups", "account-*.db"))
	if err != nil || len(backups) != 2 {
		t.Errorf("in the folder are %v (%v), want the backups of the command and of cron", backups, err)
	}
}
