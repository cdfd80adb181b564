package main

import (
	"encoding/base64"
	"io"
	"net/http"
	"net/url"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

const vendorSession = `{"version":1,"verifier":{"salt":"c2FsdHNhbHRzYWx0"},"encCredentials":{"kid":"k",` +
	`"data":"SECRETSECRET"}}`

// What people put where a session or its file is expected is often a secret.
// It must not be readable: not in the log, and not in any public answer.
func TestWhatStandsInTheSessionsPlaceIsNamedAndNeverRepeated(t *testing.T) {
	t.Parallel()
	token, sealed := newPair(t)
	once := base64.StdEncoding.EncodeToString([]byte(sealed))
	empty := t.TempDir()
	for _, row := range []struct{ name, value, want string }{
		{"the bearer token", token, "OP_SESSION is a bearer token"},
		{"the bearer token as a header has it", "Bearer " + token, "OP_SESSION is a bearer token"},
		{"the bearer token in base64", base64.StdEncoding.EncodeToString([]byte(token)),
			"OP_SESSION is a bearer token in base64"},
		{"a piece of the bearer token", token[:20], "OP_SESSION is a bearer token"},
		{"the bearer token below the root", "/" + token, "OP_SESSION is a bearer token"},
		{"an admin token", "sba_" + token[5:], "OP_SESSION is a token of the account"},
		{"the session in base64 twice", base64.StdEncoding.EncodeToString([]byte(once)), "encoded in base64 twice"},
		{"the session in base64url twice", base64.RawURLEncoding.EncodeToString([]byte(once)),
			"encoded in base64 twice"},
		{"the session in quotes", `"` + sealed + `"`, "in quotes"},
		{"the session in base64 in single quotes", "'" + once + "'", "in quotes"},
		{"the bearer token in quotes", `"` + token + `"`, "in quotes, and a bearer token"},
		{"the vendor's own session", vendorSession, "the scimsession of the vendor's bridge"},
		{"the vendor's own session in base64", base64.StdEncoding.EncodeToString([]byte(vendorSession)),
			"the scimsession of the vendor's bridge"},
		{"JSON", `{"tok":"` + token[5:] + `"}`, "is JSON, not a session"},
		{"the variable once more", "OP_SESSION=" + once, "an assignment with its own name"},
		{"a signed token", "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJzZWNyZXRzZWNyZXQifQ.c2lnbmF0dXJlc2lnbmF0dXJl",
			"a signed token"},
		{"a key", "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIAsecretsecret\n-----END PRIVATE KEY-----", "PEM"},
		{"a reference", "op://vault/bridge/session-secret", "an unresolved reference"},
		{"a text of no shape", "correct-horse-battery-staple", "OP_SESSION names a file that does not exist"},
		{"a text of no shape, long", strings.Repeat("Correct-Horse ", 30), "a long text that is neither a session"},
		{"a file that is not there", filepath.Join(empty, "sessions", "bridge"),
			"OP_SESSION names a file that does not exist"},
		{"half a session", sealed[:len(sealed)/2], "it is truncated"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			b := serveWith(t, t.TempDir(), []string{"OP_SESSION=" + row.value})
			b.awaitState(control.SessionUnreadable)
			await(t, "the log to name the mistake", func() bool { return strings.Contains(b.logText(), row.want) })
			if p := b.status().Problems; len(p) != 1 || !strings.Contains(p[0].Cause, row.want) {
				t.Errorf("the problem does not name the mistake %q: %+v", row.want, p)
			}
			heard := b.logText()
			for _, path := range []string{"/ready", "/health", "/app", "/metrics", "/scim/v2/Users", "/Users"} {
				for _, shown := range []string{"", token} {
					answer := ask(t, "GET", b.url(path), shown, "")
					heard += answer.body
					if strings.Contains(answer.body, row.want) {
						t.Errorf("GET %s tells the reason to a caller without a secret: %s", path, answer.body)
					}
				}
			}
			heard += post(t, b.url("/app/sign-in"), url.Values{"token": {token}}).body
			repeatsNothing(t, heard, row.value)
		})
	}
}

// Nor where the name of a file with a secret is expected.
func TestASecretInPlaceOfItsFileIsNeverRepeated(t *testing.T) {
	t.Parallel()
	token, sealed := newPair(t)
	for _, row := range []struct{ name, value string }{
		{"a bearer token", token},
		{"an admin token", "sba_" + token[5:]},
		{"a sealed session", sealed},
		{"a quoted token", "'" + token + "'"},
		{"a secret of no shape", "Tr0ub4dor&3-and-a-horse"},
		{"a secret with a slash in it", "Tr0ub4dor/3-and-a-horse"},
		{"a secret too long for a name", strings.Repeat("Tr0ub4dor", 100)},
		{"a connection string", "host=db password=Tr0ub4dor-secret dbname=account"},
	} {
		for _, args := range [][]string{
			{"serve", "--data-dir", "DIR", "--listen", "127.0.0.1:0", "--monitoring-token-file", row.value},
			{"status", "--url", "http://127.0.0.1:1", "--token-file", row.value},
			{"simulate", "--idp", "okta", "--url", "http://127.0.0.1:1", "--token-file", row.value},
			{"session", "inspect", row.value},
			{"explain", "ann", row.value},
			{"explain", "ann", "--url", "http://127.0.0.1:1", "--token-file", row.value},
			{"diagnose", row.value},
			{"unseal", "DIR", row.value},
			{"status", "--url", row.value, "--token-file", "none"},
			{"account", "check", "--database", row.value},
			{"account", "init", "--name", "Acme", "--database", row.value},
			{"account", "check", "--database", "sqlite:" + row.value},
			{"account", "serve", "--database", "sqlite:nowhere.db", "--ip-database", row.value},
		} {
			t.Run(row.name+"/"+args[0]+" "+args[len(args)-2], func(t *testing.T) {
				t.Parallel()
				args := slices.Clone(args)
				for i := range args {
					if args[i] == "DIR" {
						args[i] = t.TempDir()
					}
				}
				cmd := exec.CommandContext(t.Context(), "scim-bridge", args...)
				cmd.Dir = t.TempDir()
				out, err := cmd.CombinedOutput()
				if err == nil || len(out) == 0 {
					t.Fatalf("it must fail and say why: %v %s", err, out)
				}
				repeatsNothing(t, string(out), row.value)
			})
		}
		if strings.Contains(row.name, "token") || strings.Contains(row.name, "session") {
			t.Run(row.name+"/unseal", func(t *testing.T) {
				t.Parallel()
				out, err := exec.CommandContext(t.Context(), "scim-bridge", "unseal", row.value).CombinedOutput()
				if err == nil || !strings.Contains(string(out), "instead of a folder's name") {
					t.Errorf("unseal: %v %s", err, out)
				}
				repeatsNothing(t, string(out), row.value)
			})
		}
		t.Run(row.name+"/serve --unseal-token-file", func(t *testing.T) {
			t.Parallel()
			b := serve(t, folder(t, sealed), "--unseal-token-file", row.value)
			await(t, "the reason", func() bool {
				return strings.Contains(b.logText(), "could not unseal the bridge with --unseal-token-file")
			})
			repeatsNothing(t, b.logText(), row.value)
		})
	}
}

// repeatsNothing looks for pieces of value in what was said.
func repeatsNothing(t *testing.T, said, value string) {
	t.Helper()
	const piece = 12
	value = strings.TrimSpace(value)
	if len(value) < piece {
		t.Fatalf("%q is too short to be looked for", value)
	}
	for i := range len(value) - piece + 1 {
		if strings.Contains(said, value[i:i+piece]) {
			t.Fatalf("a piece of the value, %q, is in what was said:\n%s", value[i:i+piece], said)
		}
	}
}

// post sends a form as a browser does.
func post(t *testing.T, url string, form url.Values) reply {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, url, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := http.DefaultTransport.RoundTrip(req) // follows no redirect
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return reply{resp.StatusCode, resp.Header, string(body)}
}

func newPair(t *testing.T) (token, sealed string) {
	t.Helper()
	made, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err = session.Seal(made, 3, session.Integration{AccountID: "acc"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return made.Reveal(), sealed
}
