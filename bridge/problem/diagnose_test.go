package problem_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"strings"
	"testing"
	"testing/iotest"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

var start = time.Date(2026, 11, 23, 16, 0, 0, 0, time.UTC)

// logged returns what our own logger writes, a second apart.
func logged(asJSON bool, write func(hclog.Logger)) string {
	var b bytes.Buffer
	now := start
	write(hclog.New(&hclog.LoggerOptions{
		Name: "scim-bridge", Output: &b, Level: hclog.Trace, JSONFormat: asJSON,
		TimeFn: func() time.Time {
			t := now
			now = now.Add(time.Second)
			return t
		},
	}))
	return b.String()
}

// found is a Problem, as far as Diagnose decides on it.
type found struct {
	code    problem.Code
	since   time.Time
	details map[string]string
}

func TestDiagnose(t *testing.T) {
	t.Parallel()
	ours := func(l hclog.Logger) {
		l.Info("listening", "address", "127.0.0.1:3002")
		l.Named("account").Error(problem.LogSignInFailed, "problem", problem.TwoFactorEnforced, "reason",
			"two_factor_enforced", "attempts", 1)
		l.Error(problem.LogFirewallBlocked, "problem", "firewall_blocked", "address", "192.0.2.7", "rule_id", "fwr_1")
		l.Error(problem.LogFirewallBlocked, "problem", "firewall_blocked", "address", "192.0.2.7", "rule_id", "fwr_1")
		l.Error(problem.LogFirewallBlocked, "problem", "firewall_blocked", "address", "192.0.2.8")
		l.Warn("a bearer token was refused", "kind", "wrong", "count", 3, "problem", "token_rejected")
		l.Warn("no such code", "problem", "something_else")
		l.Error("the account cannot be reached", "problem", "account_unreachable", "reason",
			`dial tcp: lookup "x y": no such host`, "url", "https://a.example.com/?a=b")
		l.Info("got in", "user_name", "ann problem=sealed")
		l.Error(problem.LogFirewallBlocked, "problem", "firewall_blocked_cloud_provider",
			"address", "192.0.2.7", "rule_id",
			"fwr_2", "anonymous_ips", "cloud_provider, vpn")
	}
	wantOurs := []found{
		{problem.TwoFactorEnforced, start.Add(time.Second), map[string]string{
			"reason": "two_factor_enforced", "count": "1", "last_seen": "2026-11-23T16:00:01Z",
		}},
		{problem.FirewallBlocked, start.Add(2 * time.Second), map[string]string{
			"address": "192.0.2.7", "rule_id": "fwr_1", "count": "2", "last_seen": "2026-11-23T16:00:03Z",
		}},
		{problem.FirewallBlocked, start.Add(4 * time.Second), map[string]string{
			"address": "192.0.2.8", "count": "1", "last_seen": "2026-11-23T16:00:04Z",
		}},
		{problem.TokenRejected, start.Add(5 * time.Second), map[string]string{
			"count": "1", "last_seen": "2026-11-23T16:00:05Z",
		}},
		{problem.AccountUnreachable, start.Add(7 * time.Second), map[string]string{
			"reason": `dial tcp: lookup "x y": no such host`, "url": "https://a.example.com/?a=b", "count": "1",
			"last_seen": "2026-11-23T16:00:07Z",
		}},
		{problem.FirewallBlockedCloudProvider, start.Add(9 * time.Second), map[string]string{
			"address": "192.0.2.7", "rule_id": "fwr_2", "anonymous_ips": "cloud_provider, vpn", "count": "1",
			"last_seen": "2026-11-23T16:00:09Z",
		}},
	}
	once := map[string]string{"count": "1"}

	for _, row := range []struct {
		name, log string
		want      []found
	}{
		{"our log as text", logged(false, ours), wantOurs},
		{"our log as JSON", logged(true, ours), wantOurs},
		{"an empty log", "", nil},
		{"a log without problems", "all is well\n\n{\"level\":\"info\"}\n", nil},
		{"a last line without its end", problem.LogFirewallBlocked,
			[]found{{problem.FirewallBlocked, time.Time{}, once}}},
		{
			"the vendor's JSON, message and error apart",
			`{"level":"error","error":"AuthWrap failed to generateNewSession: ` +
				`(401)","time":"2024-05-06T07:08:09Z","message":"failed to sign in"}`,
			[]found{{problem.CredentialsChanged, time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC), map[string]string{
				"count": "1", "last_seen": "2024-05-06T07:08:09Z",
			}}},
		},
		{
			"the vendor's text, in any case",
			"[LOG] 2024/05/06 ERR your current location or NETWORK is blocked by an account firewall rule",
			[]found{{problem.FirewallBlocked, time.Time{}, once}},
		},
		{
			"a sign-in that the firewall stopped is the firewall's",
			problem.LogSignInFailed + ": " + problem.LogFirewallBlocked,
			[]found{{problem.FirewallBlocked, time.Time{}, once}},
		},
		{
			"a failed sign-in that speaks of two factors",
			problem.LogSignInFailed + ": Duo two-factor authentication is required",
			[]found{{problem.TwoFactorEnforced, time.Time{}, once}},
		},
		{
			"a failed sign-in that never reached the account",
			problem.LogSignInFailed + ": dial tcp 192.0.2.1:443: connect: connection refused",
			[]found{{problem.AccountUnreachable, time.Time{}, once}},
		},
		{
			"a failed sign-in that gives no reason",
			problem.LogSignInFailed,
			[]found{{problem.CredentialsChanged, time.Time{}, once}},
		},
		{
			"an overlong line is cut, and the next one read",
			problem.LogSignInFailed + strings.Repeat(" x", 200_000) + "\n" + problem.LogFirewallBlocked + "\n",
			[]found{{problem.CredentialsChanged, time.Time{}, once}, {problem.FirewallBlocked, time.Time{}, once}},
		},
		{
			"bytes that are no text",
			"\x00\xff\xfe=\n{\"a\":\n" + problem.LogFirewallBlocked,
			[]found{{problem.FirewallBlocked, time.Time{}, once}},
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			diagnosis, err := problem.Diagnose(strings.NewReader(row.log))
			if err != nil {
				t.Fatal(err)
			}
			problems := diagnosis.Problems
			if len(problems) != len(row.want) {
				t.Fatalf("%d problems, want %d: %+v", len(problems), len(row.want), problems)
			}
			for i, p := range problems {
				want := row.want[i]
				delete(p.Details, problem.DetailSource) // tested for itself
				if p.Code != want.code || !p.Since.Equal(want.since) || !maps.Equal(p.Details, want.details) {
					t.Errorf("problem %d is %s since %v with %v, want %s since %v with %v", i,
						p.Code, p.Since, p.Details, want.code,
						want.since, want.details)
				}
				if p.Remedy == "" {
					t.Errorf("%s has no remedy", p.Code)
				}
			}
		})
	}
}

func TestDiagnoseTellsThatTheLogCannotBeRead(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	if _, err := problem.Diagnose(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("Diagnose: %v, want %v", err, broken)
	}
}

// A log is untrusted input, through the names
// that end up in it.
func FuzzDiagnose(f *testing.F) {
	f.Add([]byte(problem.LogFirewallBlocked + ": address=192.0.2.7"))
	f.Add([]byte(`{"@message":"x","problem":"sealed","url":1}`))
	f.Add([]byte("a=\"b\\\"c\" problem=\"sealed\" =x ="))
	for _, l := range problem.VendorLines() {
		f.Add([]byte(l.Example))
	}
	known := map[problem.Code]bool{}
	for _, e := range problem.Catalogue() {
		known[e.Code] = true
	}
	for _, l := range problem.VendorLines() {
		known[l.Code] = true
	}
	f.Fuzz(func(t *testing.T, log []byte) {
		diagnosis, err := problem.Diagnose(bytes.NewReader(log))
		if err != nil && utf8.Valid(log) { // else it may look packed, and be none
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, p := range append(diagnosis.Problems, diagnosis.Harmless...) {
			if !known[p.Code] {
				t.Errorf("code %q is not in the catalogue", p.Code)
			}
			delete(p.Details, "count")
			delete(p.Details, "last_seen")
			key := fmt.Sprint(p.Code, p.Title, p.Details)
			if seen[key] {
				t.Errorf("%s is reported twice with the same facts", p.Code)
			}
			seen[key] = true
		}
	})
}

// A fact that diagnose does not read from the log would change the words: of a certificate, whether there is one.
func TestDiagnoseTellsOfACertificateWhatTheStatusPageTells(t *testing.T) {
	t.Parallel()
	rows := 0
	for _, c := range cases {
		if c.code != problem.CertificateExpiring && c.code != problem.CertificateInvalid {
			continue
		}
		rows++
		facts := maps.Clone(c.facts)
		delete(facts, problem.FactRetry) // which is different in every line
		want := problem.New(c.code, start, facts)
		log := logged(false, func(l hclog.Logger) {
			fields := []any{problem.LogKey, string(c.code)}
			for name, value := range facts {
				fields = append(fields, name, value)
			}
			l.Named("certificate").Error("a message", fields...)
		})
		d, err := problem.Diagnose(strings.NewReader(log))
		if err != nil || len(d.Problems) != 1 {
			t.Errorf("%v: %+v, %v", c.facts, d, err)
			continue
		}
		if got := d.Problems[0]; got.Title != want.Title || got.Cause != want.Cause || got.Remedy != want.Remedy {
			t.Errorf("%v:\ngot  %s: %s\n%s\nwant %s: %s\n%s", c.facts, got.Title, got.Cause, got.Remedy, want.Title,
				want.Cause, want.Remedy)
		}
	}
	if rows < 6 {
		t.Errorf("%d cases", rows)
	}
}
