package main

import (
	"bytes"
	"encoding/base64"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// parseServe reads a serve command line under an environment. It cannot run
// in parallel: the environment belongs to the process.
func parseServe(t *testing.T, environ map[string]string, args ...string) (serveCommand, error) {
	t.Helper()
	for name, value := range environ {
		t.Setenv(name, value)
	}
	var grammar cli
	parser, err := newParser(&grammar, &console{nil, &bytes.Buffer{}, &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.Parse(append([]string{"serve"}, args...))
	return grammar.Serve, err
}

func TestVendorVariables(t *testing.T) {
	type settings struct {
		Listen, Session, LogFormat, LogLevel string
		Interval                             time.Duration
	}
	defaults := settings{":3002", "", "text", "info", 300 * time.Second}
	with := func(change func(*settings)) settings {
		s := defaults
		change(&s)
		return s
	}
	for _, row := range []struct {
		name    string
		environ map[string]string
		args    []string
		want    settings
	}{
		{"nothing is said", nil, nil, defaults},
		{"the vendor's port", map[string]string{"OP_PORT": "80"}, nil, with(func(s *settings) { s.Listen = ":80" })},
		{"the vendor's interval is in seconds", map[string]string{"OP_CONFIRMATION_INTERVAL": "60"}, nil, with(func(s *settings) { s.Interval = time.Minute })},
		{"the vendor's session", map[string]string{"OP_SESSION": "eyJ"}, nil, with(func(s *settings) { s.Session = "eyJ" })},
		{"the vendor's log switches", map[string]string{"OP_JSON_LOGS": "1", "OP_DEBUG": "1"}, nil, with(func(s *settings) { s.LogFormat, s.LogLevel = "json", "debug" })},
		{"a switch that is off", map[string]string{"OP_JSON_LOGS": "0", "OP_DEBUG": "0"}, nil, defaults},
		{"a variable that is empty", map[string]string{"OP_PORT": ""}, nil, defaults},
		{"our variable goes before the vendor's", map[string]string{"OP_PORT": "80", "SCIMBRIDGE_LISTEN": ":81"}, nil, with(func(s *settings) { s.Listen = ":81" })},
		{"the flag goes before both", map[string]string{"OP_PORT": "80", "SCIMBRIDGE_LISTEN": ":81"}, []string{"--listen", ":82"}, with(func(s *settings) { s.Listen = ":82" })},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := parseServe(t, row.environ, row.args...)
			if err != nil {
				t.Fatal(err)
			}
			if s := (settings{got.Listen, got.Session, got.LogFormat, got.LogLevel, got.ConfirmationInterval}); s != row.want {
				t.Errorf("got %+v, want %+v", s, row.want)
			}
		})
	}
}

func TestUnknownVariablesAreNamed(t *testing.T) {
	t.Parallel()
	parser, err := newParser(&cli{}, &console{nil, &bytes.Buffer{}, &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	got := unknownVariables(parser.Model, []string{
		"PATH=/bin", "SCIMBRIDGE_LISTEN=:1", "OP_PORT=1", "SCIMBRIDGE_ACCOUNT_TOKEN=secret", // known, or not for us
		"OP_REDIS_URL=redis://x", "SCIMBRIDGE_LISTN=:1",
	})
	if want := []string{"OP_REDIS_URL", "SCIMBRIDGE_LISTN"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Every vendor variable that a flag names must be translated.
func TestEveryVendorVariableIsTranslated(t *testing.T) {
	t.Parallel()
	seen := 0
	for field := range reflect.TypeFor[serveCommand]().Fields() {
		for name := range strings.SplitSeq(field.Tag.Get("vendor"), ",") {
			if name == "" {
				continue
			}
			seen++
			if value, err := translateVendor(name, "1"); err != nil || value == "" {
				t.Errorf("%s: %q, %v", name, value, err)
			}
		}
	}
	if seen < 5 {
		t.Errorf("only %d vendor variables were found", seen)
	}
}

func TestASessionIsAFileOrTheTextItself(t *testing.T) {
	t.Parallel()
	token, err := session.NewToken()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := session.Seal(token, 3, session.Credentials{AccountID: "acc"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "session")
	if err := session.WriteFile(file, sealed); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, flag string }{
		{"left out, it is in the data folder", ""},
		{"a path", file},
		{"the sealed text", sealed},
		{"the sealed text once more in base64, as the vendor's image takes it", base64.StdEncoding.EncodeToString([]byte(sealed + "\n"))},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			s := serveCommand{Session: row.flag, DataDir: dir}
			f, err := s.sessionReader()()
			if err != nil || f.Entries[0].Header.Epoch != 3 {
				t.Errorf("got %+v, %v", f, err)
			}
		})
	}
}
