package main

import (
	"bytes"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Scripts decide by these, so that they are told in the help and kept.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	token := file("token", "sbt1_anything\n")
	health := func(body string) string {
		bridge := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_, _ = w.Write([]byte(body))
		}))
		t.Cleanup(bridge.Close)
		return bridge.URL
	}
	well := health(`{"state":"healthy","retrievedAt":"2026-01-01T00:00:00Z"}`)
	ill := health(`{"state":"degraded","retrievedAt":"2026-01-01T00:00:00Z"}`)
	page := health(`<html>a proxy's page</html>`)
	dead := deadAddress(t)
	redirector := httptest.NewServer(http.RedirectHandler("https://scim.example.com/v2", http.StatusFound))
	t.Cleanup(redirector.Close)
	moved := redirector.URL
	for _, row := range []struct {
		name  string
		args  []string
		want  int
		error string // part of the one line on standard error; empty for none
	}{
		{"a token is made", []string{"token"}, 0, ""},
		{"the version, as a command", []string{"version"}, 0, ""},
		{"the version, as a flag", []string{"--version"}, 0, ""},
		{"help, as a flag", []string{"--help"}, 0, ""},
		{"help, as a command", []string{"help"}, 0, ""},
		{"help on a command", []string{"help", "account", "token", "list"}, 0, ""},
		{"help on no command", []string{"help", "nonsense"}, exitUsage, "unexpected argument nonsense"},
		{"nothing", nil, 0, ""},
		{"no such command", []string{"nonsense"}, exitUsage, "unexpected argument nonsense"},
		{"half a command", []string{"account"}, exitUsage, `expected one of "serve"`},
		{"no such flag", []string{"token", "--nope"}, exitUsage, "unknown flag --nope"},
		{"a missing flag", []string{"account", "init", "--name", "x"}, exitUsage, "missing flags: --database"},
		{"a setting that cannot be", []string{"serve", "--listen", "nowhere"}, exitUsage, "is not an address"},
		{"a database that is not there",
			[]string{"account", "mail", "--database", "sqlite:" + filepath.Join(dir, "none.db")},
			exitFailed, "there is no database"},
		{"a log that is not there", []string{"diagnose", filepath.Join(dir, "none.log")}, exitFailed, "none.log"},
		{"a log with problems, which are what was",
			[]string{"diagnose", file("log", "AuthWrap failed to generateNewSession")}, 0, ""},
		{"a session that is damaged", []string{"session", "inspect", token}, exitFailed, "the session cannot be read"},
		{"a healthy bridge", []string{"status", "--url", well, "--token-file", token}, 0, ""},
		{"a bridge with problems", []string{"status", "--url", ill, "--token-file", token}, exitProblems, ""},
		{"a bridge with problems, for a program", []string{"status", "--url", ill, "--token-file", token, "--json"},
			exitProblems, ""},
		{"a bridge that does not answer", []string{"status", "--url", dead, "--token-file", token}, exitUnreachable,
			"connection refused"},
		{"something else than a bridge", []string{"status", "--url", page, "--token-file", token}, exitUnreachable,
			"is not a bridge"},
		{"status without a token", []string{"status", "--url", well, "--token-file", filepath.Join(dir, "none")},
			exitUnreachable, "there is no file"},
		{"status of no bridge", []string{"status"}, exitUsage, "name the bridge to ask"},
		{"status of a folder without a bridge", []string{"status", "--local", dir}, exitUnreachable,
			"no bridge is running there"},
		{"unsealing a folder without a bridge", []string{"unseal", dir}, exitFailed, "no bridge is running there"},
		{"simulating an unknown provider", []string{"simulate", "--idp", "x", "--url", well, "--token-file", token},
			exitUsage, "--idp must be one of"},
		{"simulating with a report that cannot be written", []string{"simulate", "--idp", "okta", "--url", dead,
			"--token-file", token, "--report-junit", filepath.Join(dir, "none", "x.xml")}, exitUsage,
			"--report-junit names a file that cannot be written"},
		{"simulating with a secret in place of a report", []string{"simulate", "--idp", "okta", "--url", dead,
			"--token-file", token, "--report-json", "sbt1_" + strings.Repeat("x", 48)}, exitUsage,
			"--report-json is a secret"},
		{"simulating against an address with a password", []string{"simulate", "--idp", "okta", "--url",
			"http://ann:hush@127.0.0.1:1", "--token-file", token}, exitUsage, "without a user or a query"},
		{"simulating without a token", []string{"simulate", "--idp", "okta", "--url", well, "--token-file",
			filepath.Join(dir, "none")}, exitUsage, "there is no file"},
		{"simulating against a dead port", []string{"simulate", "--idp", "okta", "--url", dead, "--token-file", token},
			exitFailed, "connection refused"},
		{"simulating against something that redirects", []string{"simulate", "--idp", "okta", "--url", moved,
			"--token-file", token}, exitFailed, `redirects to "https://scim.example.com/v2`},
		{"simulating against something that speaks no SCIM",
			[]string{"simulate", "--idp", "okta", "--url", page, "--token-file", token}, exitFailed, "no SCIM"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			var out, errs bytes.Buffer
			code := run(t.Context(), row.args, &console{In: strings.NewReader("sbt1_x\n"), Out: &out, Err: &errs})
			if code != row.want {
				t.Errorf("exit %d, want %d\n%s%s", code, row.want, out.String(), errs.String())
			}
			if text := errs.String(); row.error == "" && text != "" || !strings.Contains(text, row.error) ||
				strings.Count(text, "\n") > 1 {
				t.Errorf("said %q, want one line with %q", text, row.error)
			}
		})
	}
}

// deadAddress is an address without a listener.
func deadAddress(t *testing.T) string {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// What differs from the general rule must say so in its own help.
func TestTheHelpTellsTheExitCodes(t *testing.T) {
	t.Parallel()
	help := func(args ...string) string {
		var out bytes.Buffer
		if code := run(t.Context(), append(args, "--help"), &console{Out: &out, Err: &out}); code != 0 {
			t.Fatalf("help ends with %d: %s", code, out.String())
		}
		return strings.Join(strings.Fields(out.String()), " ")
	}
	for command, want := range map[string]string{
		"":         "Exit 0: success; 1: failure; 2: the command line or a setting is wrong, and nothing was done.",
		"status":   "Exit 0 if the bridge is healthy, 1 if it has problems, 2 if it cannot be reached.",
		"diagnose": "Exit 0 whether or not problems are found",
		"simulate": "Exit 0 if every answer was right, 1 if not",
		"explain":  "The exit code is 0 whatever the answer is",
	} {
		if text := help(strings.Fields(command)...); !strings.Contains(text, want) {
			t.Errorf("the help of %q lacks %q:\n%s", command, want, text)
		}
	}
}

// The two ways to ask for help and for the version must not drift apart.
func TestHelpAndVersionAreCommandsAndFlags(t *testing.T) {
	t.Parallel()
	said := func(args ...string) string {
		var out bytes.Buffer
		run(t.Context(), args, &console{Out: &out, Err: &out})
		return out.String()
	}
	for _, pair := range [][2][]string{
		{{"help"}, {"--help"}},
		{{"help", "serve"}, {"serve", "--help"}},
		{{"help", "account", "token", "create"}, {"account", "token", "create", "--help"}},
		{{"version"}, {"--version"}},
	} {
		if a, b := said(pair[0]...), said(pair[1]...); a != b || a == "" {
			t.Errorf("%v says\n%s\nand %v says\n%s", pair[0], a, pair[1], b)
		}
	}
}

// A page or a table from which a token is copied may break a long word for the
// eye; what is left of it when that is taken out is a token.
func TestAnInvisibleCharacterHidesNoTokenInAnError(t *testing.T) {
	t.Parallel()
	half := strings.Repeat("x", 24)
	var out, errs bytes.Buffer
	code := run(t.Context(), []string{"--sbt1_" + half + "\u00ad" + half},
		&console{In: strings.NewReader(""), Out: &out, Err: &errs})
	if code != exitUsage || strings.Contains(errs.String(), "xxx") {
		t.Errorf("exit %d: %s", code, errs.String())
	}
}
