package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// As systemd passes them: a folder of files, each readable by the service alone.
func credentials(t *testing.T, files map[string]string) (environ []string) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	return []string{credentialsDirectory + "=" + dir}
}

func TestAServiceManagersCredentialsAreSessionAndTokens(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	monitoring := "a-token-of-the-monitor-that-is-long-enough"
	b := serveWith(t, t.TempDir(), credentials(t, map[string]string{
		sessionCredential: pair.sealed, bearerCredential: pair.token.Reveal() + "\n", monitoringCredential: monitoring,
	}))
	b.awaitState(control.Ready)
	if got := ask(t, "GET", b.url("/health"), monitoring, ""); got.status != 200 {
		t.Errorf("/health with the monitoring token: %d %s", got.status, got.body)
	}
	tellsNothing(t, b.logText(), pair)
}

func TestEachCredentialMayBeMissing(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	other, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name          string
		files         map[string]string
		args          []string
		state         string
		cause, remedy string // of the first problem
	}{
		{
			"the token: the bridge is sealed", map[string]string{sessionCredential: pair.sealed}, nil, control.Sealed,
			"has not received its bearer token", "",
		},
		{
			"the session: its problem names the credential",
			map[string]string{bearerCredential: pair.token.Reveal()}, nil,
			control.SessionUnreadable, "the credential scim-bridge.session is not given, and --data-dir: " +
				"there is no file",
			"Correct the credential scim-bridge.session and restart the bridge",
		},
		{
			"a part of the session: its problem names the credential",
			map[string]string{sessionCredential: pair.sealed[:len(pair.sealed)/2]}, nil, control.SessionUnreadable,
			"the credential scim-bridge.session is not a readable session",
			"Correct the credential scim-bridge.session and restart the bridge",
		},
		{
			"a token of another pair: the problem names the credential",
			map[string]string{sessionCredential: pair.sealed, bearerCredential: other.Reveal()}, nil, control.Sealed,
			"does not unseal the bridge",
			"Write the current bearer token to the credential scim-bridge.bearer-token and restart",
		},
		{
			"the session, which a flag names", map[string]string{bearerCredential: pair.token.Reveal()},
			[]string{"--session", pair.sealed}, control.Ready, "", "",
		},
		{
			"a flag goes before a credential", map[string]string{
				sessionCredential: "not this", bearerCredential: "nor this"},
			[]string{"--session", pair.sealed, "--unseal-token-file", writeFile(t, pair.token.Reveal())},
			control.Ready, "", "",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := serveWith(t, t.TempDir(), credentials(t, row.files), row.args...)
			b.awaitState(row.state)
			if row.cause == "" {
				return
			}
			await(t, row.cause+" ... "+row.remedy, func() bool {
				problems := b.status().Problems
				return len(problems) == 1 && strings.Contains(problems[0].Cause, row.cause) &&
					strings.Contains(problems[0].Remedy, row.remedy)
			})
			tellsNothing(t, b.logText(), pair)
		})
	}
}

// The session of the data folder serves where credentials hold none.
func TestASessionInTheDataFolderServesBesideCredentials(t *testing.T) {
	t.Parallel()
	pair := newAccount(t).activate()
	b := serveWith(t, folder(t, pair.sealed), credentials(t, map[string]string{bearerCredential: pair.token.Reveal()}))
	b.awaitState(control.Ready)
	if codes := b.codes(); slices.Contains(codes, "session_unreadable") {
		t.Errorf("the problems are %v", codes)
	}
}

func writeFile(t *testing.T, text string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
