package problem_test

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", path, got, want)
	}
}

// cases are the facts with which each code is shown.
var cases = []struct {
	code  problem.Code
	facts problem.Facts
}{
	{problem.Sealed, problem.Facts{"data_dir": "/var/lib/scim bridge"}},
	{problem.Sealed, problem.Facts{
		"data_dir": "/srv/b", "reason": "--unseal-token-file: there is no file \"/srv/token\"",
	}},
	{problem.TokenRejected, problem.Facts{"count": "12", "networks": "192.0.2.7 (12)"}},
	{problem.TokenRejected, problem.Facts{"count": "12", "networks": "192.0.2.7 (10), others (2)", "foreign": "true"}},
	{problem.TokenRejected, problem.Facts{"previous": "true", "expires": "2026-11-23T16:00:00Z"}},
	{problem.SessionUnreadable, problem.Facts{"reason": "it is truncated: it has 4 of 5 parts"}},
	{problem.CredentialsChanged, problem.Facts{"reason": "credentials_changed"}},
	{problem.CredentialsChanged, problem.Facts{"reason": "credentials_expired"}},
	{problem.FirewallBlocked, problem.Facts{"address": "192.0.2.7", "rule_id": "fwr_1"}},
	{problem.FirewallBlocked, problem.Facts{"address": "2001:db8::7"}},
	{problem.FirewallBlocked, problem.Facts{"address": "192.0.2.7", "rule_id": "fwr_1", "country": "DE"}},
	{problem.FirewallBlocked, problem.Facts{"address": "192.0.2.7", "rule_id": "fwr_1", "continent": "EU"}},
	{problem.FirewallBlocked, problem.Facts{"address": "192.0.2.7", "rule_id": "fwr_1", "anonymous_ips": "vpn, tor"}},
	{problem.FirewallBlockedCloudProvider, problem.Facts{
		"address": "192.0.2.7", "rule_id": "fwr_1", "anonymous_ips": "cloud_provider",
	}},
	{problem.FirewallBlockedCloudProvider, problem.Facts{
		"address": "192.0.2.7", "rule_id": "fwr_1", "anonymous_ips": "cloud_provider, vpn",
	}},
	{problem.FirewallBlocked, problem.Facts{
		"address": "192.0.2.7", "rule_id": "fwr_1", "rule_priority": "50", "rule_description": "no clouds",
		"rule_changed_at": "2026-11-23T16:00:00Z", "rule_kind": "ip_ranges", "rule_values": "192.0.2.0/24",
		"database": "sqlite:/srv/the account/account.db",
	}},
	{problem.FirewallBlocked, problem.Facts{
		"address": "192.0.2.7", "rule_id": "fwr_1", "rule_priority": "0", "rule_description": "no ${clouds}",
		"rule_kind": "ip_ranges", "rule_values": "192.0.2.0/24, 198.51.100.0/24",
	}},
	{problem.FirewallBlocked, problem.Facts{"address": "192.0.2.7", "rule_id": "fwr_1", "rule_priority": "0"}},
	{problem.FirewallBlockedCloudProvider, problem.Facts{
		"address": "192.0.2.7", "anonymous_ips": "cloud_provider", "rule_id": "fwr_1", "rule_priority": "500",
		"rule_kind": "anonymous_ips", "rule_values": "cloud_provider, tor",
	}},
	{problem.FirewallBlockedCloudProvider, problem.Facts{
		"address": "192.0.2.7", "anonymous_ips": "cloud_provider", "rule_id": "fwr_1", "rule_priority": "500",
		"rule_kind": "anonymous_ips", "rule_values": "cloud_provider",
	}},
	{problem.FirewallDisabled, problem.Facts{
		"expires": "2026-11-23T17:00:00Z", "checked": "true", "database": "sqlite:/srv/account.db",
	}},
	{problem.FirewallDisabled, problem.Facts{
		"expires": "2026-11-23T17:00:00Z", "checked": "true",
		"blocked": "the bridge b1 at 192.0.2.7 by firewall rule fwr_1 (priority 5)",
		"address": "192.0.2.7, 192.0.2.8", "rule_id": "fwr_1", "rule_priority": "5",
	}},
	{problem.FirewallDisabled, problem.Facts{"expires": "2026-11-23T17:00:00Z"}},
	{problem.AccountUnreachable, problem.Facts{"url": "https://account.example.com", "reason": "connection refused"}},
	{problem.AccountUnreachable, problem.Facts{
		"url": "https://account.example.com/", "refused": "answered 500 internal: it could not do this now",
	}},
	{problem.AccountUnreachable, problem.Facts{
		"url": "https://account.example.com/", "answered": `404 Not Found of the type "text/html" from "nginx"`,
	}},
	{problem.DirectoryUnreachable, problem.Facts{
		"url": "https://scim.example.com/scim/v2", "reason": "the server behind the bridge cannot be reached",
	}},
	{problem.DirectoryTokenRefused, problem.Facts{
		"url": "https://scim.example.com/a b", "reason": "the server behind the bridge answered 401",
	}},
	{problem.DirectoryRateLimited, problem.Facts{
		"url": "https://scim.example.com/scim/v2", "reason": "the server behind the bridge answered 429",
	}},
	{problem.DirectoryCapabilityMissing, problem.Facts{
		"url": "https://scim.example.com/scim/v2", "reason": "the server behind the bridge answered 501",
	}},
	{problem.DirectoryAttributeNotKept, problem.Facts{
		"url": "https://scim.example.com/scim/v2", "attributes": "nickName of a user, locale of a user",
	}},
	{problem.SignupDomainMissing, problem.Facts{"user_name": "ann@example.com", "domain": "1.new-example.com"}},
	{problem.AddressMissing, problem.Facts{"user_name": "ann"}},
	{problem.AddressMissing, problem.Facts{"user_name": "ann", "email": "ann@example.com", "reason": "address_taken"}},
	{problem.ConfirmationStuck, problem.Facts{"user_name": "ann@example.com", "reason": "not found"}},
	{problem.MembersUnknown, problem.Facts{"group": `"Engineers"`, "ids": `"00u1", "00u2"`}},
	{problem.MembersUnknown, problem.Facts{"group": `"Engineers" and "Doctors"`, "ids": `"00u1"`, "reason": "refused"}},
	{problem.SuspensionsHeld, problem.Facts{
		"count": "5000", "suspensions": "4990", "removals": "10", "oldest": "2026-11-23T16:00:00Z",
		"database": "sqlite:/srv/the account/account.db",
	}},
	{problem.StorageFull, problem.Facts{"database": "sqlite:/srv/the account/account.db"}},
	{problem.StorageFull, problem.Facts{"database": "postgres://ann@db.example.com/account?sslmode=verify-full"}},
	{problem.StorageFull, problem.Facts{"data_dir": "/var/lib/scim bridge", "reason": "no space left on device"}},
	{problem.StorageFull, problem.Facts{"data_dir": "/var/lib/scim bridge", "domain": "scim.example.com",
		"reason": "permission denied"}},
	{problem.StorageLost, problem.Facts{"database": "sqlite:/srv/it's/account.db"}},
	{problem.Overloaded, problem.Facts{"count": "12", "reason": "all 1024 connections are in use",
		"networks": "192.0.2.7 (12)"}},
	{problem.CertificateExpiring, problem.Facts{"domain": "scim.example.com", "expires": "2026-11-23T17:00:00Z",
		"cert_file": "/etc/tls/tls.crt", "key_file": "/etc/tls/tls.key"}},
	{problem.CertificateExpiring, problem.Facts{"domain": "scim.example.com", "expires": "2026-11-23T17:00:00Z",
		"expired": "true", "cert_file": "/c", "key_file": "/k",
		"reason": "the key in /k does not belong to the certificate in /c"}},
	{problem.CertificateExpiring, problem.Facts{"domain": "scim.example.com", "expires": "2026-11-23T17:00:00Z",
		"expired": "true", "url": "https://acme.example.com/directory", "reason": "connection refused"}},
	{problem.CertificateInvalid, problem.Facts{"domain": "a.example.com",
		"cert_file": "/c", "key_file": "/k", "reason": "it is not for scim.example.com: it names a.example.com"}},
	{problem.CertificateExpiring, problem.Facts{"domain": "scim.example.com", "expires": "2026-11-23T17:00:00Z",
		"url": "https://acme.example.com/directory", "reason": "connection refused", "data_dir": "/var/lib/scim bridge",
		"retry": "2026-11-20T17:00:00Z"}},
	{problem.CertificateInvalid, problem.Facts{"domain": "scim.example.com", "missing": "true",
		"url": "https://acme.example.com/directory", "reason": "connection refused", "data_dir": "/srv/b",
		"retry": "2026-11-20T17:00:00Z"}},
	{problem.CertificateInvalid, problem.Facts{"issuer": "CN=Example Issuing", "cert_file": "/etc/tls/tls.crt"}},
	{problem.CertificateInvalid, problem.Facts{"expires": "2026-11-23T17:00:00Z",
		"cert_file": "/c", "key_file": "/k", "successor": "true", "reason": "there is no certificate in /c"}},
}

func TestCatalogueReadsWell(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	write := func(title, cause, remedy, terraform string) {
		fmt.Fprintf(&b, "title: %s\ncause: %s\nremedy: %s\n", title, cause, remedy)
		if terraform != "" {
			fmt.Fprintf(&b, "%s\n", terraform)
		}
		b.WriteByte('\n')
	}
	for _, e := range problem.Catalogue() {
		fmt.Fprintf(&b, "## %s\n", e.Code)
		write(e.Title, e.Cause, e.Remedy, e.Terraform)
		for _, c := range cases {
			if c.code == e.Code {
				p := problem.New(c.code, time.Time{}, c.facts)
				fmt.Fprintf(&b, "with %v\n", c.facts)
				write(p.Title, p.Cause, p.Remedy, p.Terraform)
			}
		}
	}
	golden(t, "testdata/catalogue.golden", b.String())
}

// The codes are a contract with pipelines and dashboards.
func TestCodesAreComplete(t *testing.T) {
	t.Parallel()
	want := []problem.Code{
		"sealed", "token_rejected", "session_unreadable", "credentials_changed", "two_factor_enforced",
		"provisioning_inactive", "firewall_blocked", "firewall_blocked_cloud_provider", "firewall_disabled",
		"account_unreachable", "directory_unreachable", "directory_token_refused", "directory_rate_limited",
		"directory_capability_missing", "directory_attribute_not_kept",
		"signup_domain_missing", "address_missing", "confirmation_stuck", "members_unknown",
		"suspensions_held", "storage_full", "storage_lost", "overloaded", "certificate_expiring", "certificate_invalid",
	}
	var got []problem.Code
	for _, e := range problem.Catalogue() {
		got = append(got, e.Code)
		if e.Title == "" || e.Cause == "" || e.Remedy == "" {
			t.Errorf("%s lacks a text: %+v", e.Code, e)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("codes %q, want %q", got, want)
	}
}

// The status page leads to the guide's sections.
func TestTheGuideHasASectionForEveryCode(t *testing.T) {
	t.Parallel()
	guide, err := os.ReadFile("../../docs/guides/troubleshooting.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range problem.Catalogue() {
		if !strings.HasSuffix(problem.Guide(e.Code), "/docs/guides/troubleshooting.md#"+problem.Anchor(e.Title)) ||
			!strings.Contains(string(guide), "\n## "+e.Title+"\n") {
			t.Errorf("%s leads to %s, which is no section of the guide", e.Code, problem.Guide(e.Code))
		}
	}
	const heading, anchor = "The Provision Manager's credentials no longer work: two-factor", "the-provision-" +
		"managers-credentials-no-longer-work-two-factor" // as GitHub makes it
	if got := problem.Anchor(heading); got != anchor {
		t.Errorf("the anchor is %q", got)
	}
	if got := problem.Guide("from_a_newer_version"); strings.Contains(got, "#") {
		t.Errorf("an unknown code leads to %s", got)
	}
}

// A fact whose name is misspelt in a template would silently show nothing.
func TestEveryFactIsShown(t *testing.T) {
	t.Parallel()
	// these only choose the words
	hidden := []string{"true", "credentials_changed", "credentials_expired", "address_taken", "refused"}
	for _, c := range cases {
		p := problem.New(c.code, time.Time{}, c.facts)
		text := strings.Join([]string{p.Title, p.Cause, p.Remedy, p.Terraform}, "\n")
		for fact, value := range c.facts {
			// shown where a block is about the rule
			if slices.Contains(hidden, value) || fact == "rule_kind" || fact == "rule_values" {
				continue
			}
			for part := range strings.SplitSeq(value, ", ") {
				if !strings.Contains(text, strings.ReplaceAll(part, "'", `'\''`)) {
					t.Errorf("%s does not show %s=%s:\n%s", c.code, fact, value, text)
				}
			}
		}
		if strings.Contains(text, "<no value>") || strings.Contains(text, "map[") {
			t.Errorf("%s has a hole:\n%s", c.code, text)
		}
	}
}

// A block is pasted and applied, and its facts come from strangers: it must be
// one resource whose values are what the fact says and nothing more.
func TestBlocksCannotBeInjectedInto(t *testing.T) {
	t.Parallel()
	nasty := []string{
		`example.com`, `xn--bcher-kva.example`, `a"b`, `a\`, "a\nb", "a\r\tb\x7f", `${file("/etc/passwd")}`,
		`%{ if true }x%{ endif }`,
		`$${x}`, `$`, `%`, `"}` + "\n" + `resource "null_resource" "x" {`, "ü", "",
	}
	for _, e := range problem.Catalogue() {
		if e.Terraform == "" {
			continue
		}
		for _, value := range nasty {
			p := problem.New(e.Code, time.Time{}, problem.Facts{"domain": value, "address": value})
			file, diags := hclparse.NewParser().ParseHCL([]byte(p.Terraform), "block.tf")
			if diags.HasErrors() {
				t.Errorf("%s with %q is not HCL: %v\n%s", e.Code, value, diags, p.Terraform)
				continue
			}
			content, diags := file.Body.Content(&hcl.BodySchema{
				Blocks: []hcl.BlockHeaderSchema{{Type: "resource", LabelNames: []string{"type", "name"}}},
			})
			if diags.HasErrors() || len(content.Blocks) != 1 {
				t.Errorf("%s with %q is not one resource: %v\n%s", e.Code, value, diags, p.Terraform)
				continue
			}
			if name := content.Blocks[0].Labels[1]; !regexp.MustCompile(`^[a-z_][a-z0-9_]*$`).MatchString(name) {
				t.Errorf("%s with %q has the name %q", e.Code, value, name)
			}
			wantValue(t, content.Blocks[0].Body, value)
		}
	}
}

// The rule that denies was written by an administrator, and yet it is no part
// of a block but as values.
func TestABlockAboutTheRuleThatDeniesCannotBeInjectedInto(t *testing.T) {
	t.Parallel()
	for _, value := range []string{`a"b`, "a\nb", `${file("/etc/passwd")}`, "# x", `"}` + "\n" +
		`resource "null_resource" "x" {`} {
		for _, facts := range []problem.Facts{
			{"rule_priority": "0", "rule_kind": "ip_ranges"},
			{"rule_priority": "500", "rule_kind": "anonymous_ips", "anonymous_ips": "cloud_provider"},
		} {
			facts["rule_id"], facts["rule_description"], facts["rule_values"] = value, value, value
			p := problem.New(problem.FirewallBlockedCloudProvider, time.Time{}, facts)
			block := p.Terraform
			if facts["rule_priority"] == "500" {
				_, comment, found := strings.Cut(block, "#\n")
				if !found {
					t.Fatalf("no second way out:\n%s", block)
				}
				block = regexp.MustCompile(`(?m)^# ?`).ReplaceAllString(comment, "")
			}
			file, diags := hclparse.NewParser().ParseHCL([]byte(block), "block.tf")
			if diags.HasErrors() {
				t.Errorf("%q is not HCL: %v\n%s", value, diags, block)
				continue
			}
			content, diags := file.Body.Content(&hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
				{Type: "resource", LabelNames: []string{"type", "name"}}, {Type: "import"},
			}})
			if diags.HasErrors() || len(content.Blocks.OfType("import")) != 1 {
				t.Errorf("%q: %v\n%s", value, diags, block)
				continue
			}
			rule := content.Blocks[len(content.Blocks)-1]
			if rule.Labels[0] != "scimbridge_firewall_rule" {
				t.Errorf("%q makes a %q", value, rule.Labels[0])
			}
			attributes, _ := rule.Body.JustAttributes()
			if v, diags := attributes["description"].Expr.Value(nil); diags.HasErrors() || v.AsString() != value {
				t.Errorf("the description made of %q is %v (%v)", value, v, diags)
			}
		}
	}
}

// A command is pasted into a shell, whatever the folder is called.
func TestCommandsSurviveAShell(t *testing.T) {
	t.Parallel()
	for _, database := range []string{
		"sqlite:/srv/account.db", "sqlite:/the account/it's; rm -rf $HOME `x`.db", "sqlite:/ü/\"a\".db", "",
		"postgres://ann@db1:5432,db2:5433/a?connect_timeout=3&sslmode=verify-full",
	} {
		command := problem.DisableFirewall(database, "1h")
		out, err := exec.CommandContext(t.Context(), "sh", "-c",
			`run() { printf '%s\n' "$5"; }; run`+strings.TrimPrefix(command, "scim-bridge")).CombinedOutput()
		if want := cmp.Or(database, problem.DatabasePlaceholder); err != nil || strings.TrimSpace(string(out)) != want {
			t.Errorf("%s: the shell reads %s, %v; want %s", command, out, err, want)
		}
	}
}

// wantValue evaluates the block without variables and functions.
func wantValue(t *testing.T, body hcl.Body, want string) {
	t.Helper()
	attributes, diags := body.JustAttributes()
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	attribute := attributes["domain"]
	if attribute == nil {
		attribute = attributes["ip_ranges"]
	}
	v, diags := attribute.Expr.Value(nil)
	if diags.HasErrors() {
		t.Errorf("the value made of %q is an expression: %v", want, diags)
		return
	}
	if v.CanIterateElements() {
		v = v.AsValueSlice()[0]
	}
	if got := v.AsString(); want != "" && got != want {
		t.Errorf("the value made of %q is %q", want, got)
	}
}

func TestProblemOnTheWire(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 23, 17, 21, 0, 0, time.FixedZone("CET", 3600))
	for _, row := range []struct {
		name  string
		facts problem.Facts
		want  string
	}{
		{"facts are details, and empty ones are left out", problem.Facts{"user_name": "ann", "email": ""},
			`{"user_name":"ann"}`},
		{"without facts details are still an object", nil, `{}`},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			text, err := json.Marshal(problem.New(problem.Sealed, since, row.facts))
			if err != nil {
				t.Fatal(err)
			}
			var got map[string]json.RawMessage
			if err := json.Unmarshal(text, &got); err != nil {
				t.Fatal(err)
			}
			for member, want := range map[string]string{
				"code": `"sealed"`, "since": `"2026-11-23T16:21:00Z"`, "terraform": `""`, "details": row.want,
			} {
				if string(got[member]) != want {
					t.Errorf("%s is %s, want %s", member, got[member], want)
				}
			}
			if len(got) != 7 {
				t.Errorf("%d members, want code, title, since, cause, remedy, terraform, details", len(got))
			}
		})
	}
}

func TestUnknownCodesAreShown(t *testing.T) {
	t.Parallel()
	p := problem.New("something_new", time.Time{}, problem.Facts{"address": "192.0.2.1"})
	if p.Code != "something_new" || p.Title != "something_new" || p.Cause == "" || p.Remedy == "" {
		t.Errorf("a code of a newer version is shown as %+v", p)
	}
}

// Names and addresses come from outside: no text of a problem drives a
// terminal or reads as something else.
func TestNoFactDrivesATerminal(t *testing.T) {
	t.Parallel()
	for _, e := range problem.Catalogue() {
		facts := problem.Facts{}
		for _, fact := range []string{
			problem.FactUserName, problem.FactDomain, problem.FactEmail, problem.FactReason, problem.FactAddress,
			problem.FactRuleDescription, problem.FactGroup, problem.FactIDs, problem.FactNetworks, problem.FactURL,
		} {
			facts[fact] = "x\x1b[2J\r\ny\u202ez\u2066\u009b"
		}
		p := problem.New(e.Code, time.Unix(0, 0), facts)
		for what, text := range map[string]string{
			"title": p.Title, "cause": p.Cause, "remedy": p.Remedy, "block": p.Terraform,
			"details": p.Details[problem.FactUserName],
		} {
			if strings.ContainsAny(text, "\x1b\r\u202e\u2066\u009b") || what != "block" && what != "remedy" &&
				strings.Contains(text, "\ny") {
				t.Errorf("the %s of %s: %q", what, e.Code, text)
			}
		}
	}
}
