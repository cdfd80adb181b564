package main

import (
	"bytes"
	"encoding/base64"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// parseServe reads a serve command line under an environment. It cannot run
// in parallel: the environment belongs to the process.
func parseServe(t *testing.T, environ map[string]string, args ...string) (serveCommand, error) {
	t.Helper()
	for name, value := range environ {
		t.Setenv(name, value)
	}
	unsetEmptyVariables()
	var grammar cli
	parser, err := newParser(&grammar, &console{nil, &bytes.Buffer{}, &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	_, err = parser.parse(append([]string{"serve"}, args...))
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
		{"the vendor's interval is in seconds", map[string]string{"OP_CONFIRMATION_INTERVAL": "60"}, nil,
			with(func(s *settings) {
				s.Interval = time.Minute
			})},
		{"the vendor's session", map[string]string{"OP_SESSION": "eyJ"}, nil, with(func(s *settings) {
			s.Session = "eyJ"
		})},
		{"the vendor's log switches", map[string]string{"OP_JSON_LOGS": "1", "OP_DEBUG": "1"},
			nil, with(func(s *settings) {
				s.LogFormat, s.LogLevel = "json", "debug"
			})},
		{"JSON goes before pretty", map[string]string{"OP_PRETTY_LOGS": "1", "OP_JSON_LOGS": "1"}, nil,
			with(func(s *settings) {
				s.LogFormat = "json"
			})},
		{"trace is more than debug", map[string]string{"OP_DEBUG": "1", "OP_TRACE": "1"}, nil, with(func(s *settings) {
			s.LogLevel = "trace"
		})},
		{"switches in Go's other spellings", map[string]string{"OP_JSON_LOGS": "TRUE", "OP_DEBUG": "t"}, nil,
			with(func(s *settings) {
				s.LogFormat, s.LogLevel = "json", "debug"
			})},
		{"our variable goes before one of the vendor's that says nothing", map[string]string{
			"OP_PORT": "http", "SCIMBRIDGE_LISTEN": ":81",
		}, nil, with(func(s *settings) {
			s.Listen = ":81"
		})},
		{"our variable, if it is empty, does not", map[string]string{"OP_PORT": "80", "SCIMBRIDGE_LISTEN": ""}, nil,
			with(func(s *settings) {
				s.Listen = ":80"
			})},
		{"a switch that is off", map[string]string{"OP_JSON_LOGS": "0", "OP_DEBUG": "0"}, nil, defaults},
		{"a variable that is empty", map[string]string{"OP_PORT": ""}, nil, defaults},
		{"our variable goes before the vendor's", map[string]string{"OP_PORT": "80", "SCIMBRIDGE_LISTEN": ":81"}, nil,
			with(func(s *settings) {
				s.Listen = ":81"
			})},
		{"the flag goes before both", map[string]string{"OP_PORT": "80", "SCIMBRIDGE_LISTEN": ":81"},
			[]string{"--listen", ":82"}, with(func(s *settings) {
				s.Listen = ":82"
			})},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, err := parseServe(t, row.environ, append(row.args, "--insecure-http")...)
			if err != nil {
				t.Fatal(err)
			}
			if s := (settings{got.address(), got.Session, got.LogFormat, got.LogLevel,
				got.ConfirmationInterval}); s != row.want {
				t.Errorf("got %+v, want %+v", s, row.want)
			}
		})
	}
}

// What the vendor's image would not read is told, all of it at once, instead of
// being passed over.
func TestVendorVariablesThatMeanNothingAreRefused(t *testing.T) {
	for _, row := range []struct {
		name    string
		environ map[string]string
		want    []string
	}{
		{"a port with the colon of our flag", map[string]string{"OP_PORT": ":3002"},
			[]string{`OP_PORT=":3002" is not a port`}},
		{"a port with a blank behind it", map[string]string{"OP_PORT": "3002 "},
			[]string{`OP_PORT="3002 " is not a port`}},
		{"a port beyond all ports", map[string]string{"OP_PORT": "70000"}, []string{`OP_PORT="70000" is not a port`}},
		{"a negative port", map[string]string{"OP_PORT": "-1"}, []string{`OP_PORT="-1" is not a port`}},
		{"the name of a port", map[string]string{"OP_PORT": "http"}, []string{`OP_PORT="http" is not a port`}},
		{"an interval with a unit", map[string]string{"OP_CONFIRMATION_INTERVAL": "5m"},
			[]string{`OP_CONFIRMATION_INTERVAL="5m" is not a number of seconds`}},
		{"an interval with a fraction", map[string]string{"OP_CONFIRMATION_INTERVAL": "60.5"},
			[]string{`is not a number of seconds`}},
		{"an interval of ages", map[string]string{"OP_CONFIRMATION_INTERVAL": "99999999999999999999"},
			[]string{`is not a number of seconds`}},
		{"an interval that is too short", map[string]string{"OP_CONFIRMATION_INTERVAL": "29"},
			[]string{`--confirmation-interval=29s is too short: at least 30s`}},
		{"yes", map[string]string{"OP_DEBUG": "yes"}, []string{`OP_DEBUG="yes" is neither on nor off: write 1 or 0`}},
		{"on", map[string]string{"OP_TRACE": "on"}, []string{`OP_TRACE="on" is neither on nor off`}},
		{"2", map[string]string{"OP_JSON_LOGS": "2"}, []string{`OP_JSON_LOGS="2" is neither on nor off`}},
		{"a blank", map[string]string{"OP_PRETTY_LOGS": " "}, []string{`OP_PRETTY_LOGS=" " is neither on nor off`}},
		{"a secret in the wrong place, which is not repeated", map[string]string{"OP_PORT": "hunter2-hunter2-hunter2"},
			[]string{`OP_PORT is not a port`}},
		{"several, beside a variable of ours", map[string]string{
			"OP_PORT": "x", "OP_DEBUG": "y", "SCIMBRIDGE_PUBLIC_URL": "z", "SCIMBRIDGE_LOG_FORMAT": "xml",
			"SCIMBRIDGE_SOURCE_ADDRESS": "here",
		},
			[]string{`OP_PORT="x"`, `OP_DEBUG="y"`, `--public-url is not the address`, `--log-format must be one of`,
				`--source-address`}},
	} {
		t.Run(row.name, func(t *testing.T) {
			_, err := parseServe(t, row.environ)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, want := range row.want {
				if n := strings.Count(err.Error(), want); n != 1 {
					t.Errorf("%q says %d times %q", err, n, want)
				}
			}
			if after := os.Getenv("SCIMBRIDGE_LOG_FORMAT"); after != row.environ["SCIMBRIDGE_LOG_FORMAT"] {
				t.Errorf("the environment was changed: %q", after)
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
		// Of the Service op-scim-bridge, by Kubernetes, and one that only looks so.
		"OP_SCIM_BRIDGE_SERVICE_HOST=10.0.0.1", "OP_SCIM_BRIDGE_SERVICE_PORT_HTTPS=443", "OP_SCIM_BRIDGE_PORT=tcp://x",
		"OP_SCIM_BRIDGE_PORT_443_TCP_ADDR=10.0.0.1", "OP_SCIM_PORT=1",
	})
	if want := []string{"OP_REDIS_URL", "OP_SCIM_PORT", "SCIMBRIDGE_LISTN"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

// Every manifest of the vendor has variables for Redis. What they may hold is not repeated.
func TestVariablesForRedisLoseNothing(t *testing.T) {
	t.Setenv("OP_REDIS_URL", "redis://:hunter2@redis:6379")
	t.Setenv("OP_REDIS_PASSWORD", "hunter2")
	t.Setenv("OP_WORKSPACE_CREDENTIALS", "hunter2")
	parser, err := newParser(&cli{}, &console{nil, &bytes.Buffer{}, &bytes.Buffer{}})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	warnOfUnknown(parser.Model, hclog.New(&hclog.LoggerOptions{Output: &log}))
	for _, want := range []string{
		`[INFO]  no Redis is needed: the variables for it are ignored: variables="OP_REDIS_PASSWORD, OP_REDIS_URL"`,
		`[WARN]  unknown environment variables are ignored: variables=OP_WORKSPACE_CREDENTIALS`,
	} {
		if !strings.Contains(log.String(), want) {
			t.Errorf("want %s, got\n%s", want, log.String())
		}
	}
	if strings.Contains(log.String(), "hunter2") {
		t.Errorf("a value is repeated:\n%s", log.String())
	}
}

// Every vendor variable that a flag names must be translated, and explained.
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
			if !strings.Contains(serveCommand{}.Help(), name) { // from where a test of the guide reads it
				t.Errorf("scim-bridge serve --help does not name %s", name)
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
	sealed, err := session.Seal(token, 3, session.Integration{AccountID: "acc"}, nil)
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
		{"the sealed text once more in base64, as the vendor's image takes it",
			base64.StdEncoding.EncodeToString([]byte(sealed + "\n"))},
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
