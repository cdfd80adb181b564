//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/certificate/certificatetest"
)

// What the guide prints works as printed: the role's rights are enough, and the password is nowhere but in its file.
func TestTheGuideOfPostgreSQL(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../../provider/templates/guides/postgresql.md")
	if err != nil {
		t.Fatal(err)
	}
	dir := readable(t)
	authority := certificatetest.New(t, "Test Root")
	cert, key := authority.Issue(certificatetest.Loopback())
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		own(t, path)
		return path
	}
	server := startPostgres(t, "ssl=on", "ssl_cert_file="+file("tls.crt", string(cert)),
		"ssl_key_file="+file("tls.key", string(key)), "hba_file="+file("hba", "local all postgres trust\n"+
			"hostssl account scimbridge 127.0.0.1/32 scram-sha-256\n"))
	ca := file("ca.pem", string(authority.PEM))
	// Those of the kind shell are about a database of SQLite that is there.
	blocks := regexp.MustCompile("(?s)```(sh|shell|sql|ini|text)\n(.*?)```").FindAllStringSubmatch(string(text), -1)
	if len(blocks) != strings.Count(string(text), "```")/2 {
		t.Fatalf("%d blocks: some are not seen", len(blocks))
	}
	names := strings.NewReplacer("db.example.com:5432", fmt.Sprintf("127.0.0.1:%d", server.Port),
		"/etc/scim-bridge/db-ca.pem", ca)
	script := ""
	for _, block := range blocks {
		switch block[1] {
		case "sql":
			for statement := range strings.SplitSeq(strings.TrimSuffix(strings.TrimSpace(block[2]), ";"), ";") {
				server.exec(statement)
			}
		case "sh":
			script += names.Replace(block[2])
		}
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-e", "-c", script)
	cmd.Dir = t.TempDir()
	out, err := cmd.CombinedOutput()
	if err != nil || strings.Count(script, "scim-bridge ") < 4 || strings.Contains(string(out), "correct-horse") ||
		strings.Contains(string(out), "list of processes") {
		t.Errorf("%s\nended with %v: %s", script, err, out)
	}
	for _, want := range []string{"account init", "The database is sound", "The audit log is as it was recorded"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output lacks %q: %s", want, out)
		}
	}
}
