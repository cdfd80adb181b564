package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/delivery"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/server"
)

const monitoringExample = "../../../examples/monitoring"

func readText(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// An alert on a metric that nobody has never fires, and a panel of it stays empty.
func TestEveryMetricOfTheMonitoringExampleExists(t *testing.T) {
	t.Parallel()
	own := newOwnCertificate(t)
	database := "sqlite:" + filepath.Join(t.TempDir(), "account.db")
	admin := strings.TrimSpace(output(t, "account", "init", "--database", database, "--name", "Test"))
	l := listenTo(t, append([]string{"account", "serve", "--database", database, "--listen", "127.0.0.1:0",
		"--smtp-url", "smtp://localhost", "--mail-from", "it@example.com", "--public-url", "https://localhost"},
		own.flags()...)...)
	account := "https://" + l.address(t)
	askBy(t, own.client(), http.MethodGet, account+"/v1/whoami", admin, "")
	numbers := askBy(t, own.client(), http.MethodGet, account+"/metrics", admin, "").body

	pair := newAccount(t).activate()
	const token = "a-monitoring-token-of-a-test"
	b := serve(t, folder(t, pair.sealed), own.flags("--monitoring-token-file", writeFile(t, token))...)
	if _, err := b.control().Unseal(t.Context(), pair.token.Reveal()); err != nil {
		t.Fatal(err)
	}
	b.awaitState(control.Ready)
	base := "https://" + b.address()
	scrape := func() string { return askBy(t, own.client(), http.MethodGet, base+"/metrics", token, "").body }
	const last = "\nscimbridge_last_request_timestamp_seconds"
	if never := scrape(); !strings.Contains(never, last+`{token="current"} 0`+"\n") {
		t.Error("a last request is told before one came")
	}
	made := askBy(t, own.client(), http.MethodPost, base+"/Users", pair.token.Reveal(), person("ann@example.com"))
	if made.status != http.StatusCreated {
		t.Fatalf("%d %s", made.status, made.body)
	}
	ours := scrape()
	for _, want := range []string{
		`scimbridge_connector_requests_total{method="POST",operation="directory/people",status="201"} 1`,
		`scimbridge_connector_request_duration_seconds_count{operation="directory/people"} `,
		last + `{token="current"} 1.`, last + `{token="previous"} 0`, "\nscimbridge_overlap_end_timestamp_seconds 0\n",
	} {
		if !strings.Contains(ours, want) {
			t.Errorf("the bridge's metrics lack %q:\n%s", want, ours)
		}
	}
	numbers += ours
	exists := func(name string) bool { return regexp.MustCompile(`(?m)^` + name + `[{ ]`).MatchString(numbers) }
	for _, file := range []string{"scimbridge.rules.yml", "grafana-dashboard.json"} {
		text := readText(t, filepath.Join(monitoringExample, file))
		names := regexp.MustCompile(`\b(scimbridge|process)_[a-z_]+`).FindAllString(text, -1)
		if len(names) < 15 {
			t.Fatalf("%s names %d metrics: this test would prove nothing", file, len(names))
		}
		for _, name := range names {
			if !exists(name) {
				t.Errorf("%s names %s, which neither server has", file, name)
			}
		}
	}
}

// So it is with a label that no series has.
func TestEveryLabelOfTheAlertsExists(t *testing.T) {
	t.Parallel()
	known := map[string][]string{
		"state": health.States(), "route": scim.RouteNames(), "token": {server.TokenCurrent, server.TokenPrevious},
		"job": {"scimbridge", "scimbridge-account"}, "status": {"5..", "none"}, "result": delivery.Results(),
		"__name__": {"scimbridge_holds", "scimbridge_account_holds"},
	}
	for _, e := range problem.Catalogue() {
		known["code"] = append(known["code"], string(e.Code))
	}
	rules := readText(t, filepath.Join(monitoringExample, "scimbridge.rules.yml"))
	found := regexp.MustCompile(`(\w+)(?:=|=~|!~)"([^"]+)"`).FindAllStringSubmatch(rules, -1)
	if len(found) < 10 {
		t.Fatalf("%d labels were found: this test would prove nothing", len(found))
	}
	for _, label := range found {
		for value := range strings.SplitSeq(label[2], "|") {
			if !slices.Contains(known[label[1]], value) {
				t.Errorf("no series has %s=%q", label[1], value)
			}
		}
	}
}

// Each alert leads to a section of its own in the guide, and is tried with promtool.
func TestEveryAlertIsExplainedAndTried(t *testing.T) {
	t.Parallel()
	rules := readText(t, filepath.Join(monitoringExample, "scimbridge.rules.yml"))
	tests := readText(t, filepath.Join(monitoringExample, "scimbridge.rules_test.yml"))
	guide := readText(t, "../../../docs/guides/monitoring.md")
	alerts := regexp.MustCompile(`(?m)^      - alert: (\w+)$`).FindAllStringSubmatch(rules, -1)
	if len(alerts) < 10 {
		t.Fatalf("%d alerts were found: this test would prove nothing", len(alerts))
	}
	for _, found := range alerts {
		alert := found[1]
		const place = "https://github.com/scimbridge/terraform-provider-scimbridge/blob/main/docs/guides/monitoring.md#"
		if !strings.Contains(rules, "runbook_url: "+place+strings.ToLower(alert)+"\n") {
			t.Errorf("%s does not lead to its section of the guide", alert)
		}
		if !strings.Contains(guide, "\n### "+alert+"\n") {
			t.Errorf("the guide has no section on %s", alert)
		}
		if !strings.Contains(tests, alert) {
			t.Errorf("%s is not tried", alert)
		}
	}
}

func TestTheDashboardIsOneThatGrafanaImports(t *testing.T) {
	t.Parallel()
	var dashboard struct {
		Title, UID string
		Panels     []struct {
			ID      int
			Title   string
			GridPos struct{ X, Y, W, H int }
			Targets []struct{ Expr string }
		}
	}
	text := readText(t, filepath.Join(monitoringExample, "grafana-dashboard.json"))
	if err := json.Unmarshal([]byte(text), &dashboard); err != nil {
		t.Fatal(err)
	}
	taken := map[[2]int]string{}
	for _, p := range dashboard.Panels {
		if p.Title == "" || len(p.Targets) == 0 || p.GridPos.X+p.GridPos.W > 24 {
			t.Errorf("the panel %d is %+v", p.ID, p)
		}
		for x := p.GridPos.X; x < p.GridPos.X+p.GridPos.W; x++ {
			for y := p.GridPos.Y; y < p.GridPos.Y+p.GridPos.H; y++ {
				if other := taken[[2]int{x, y}]; other != "" {
					t.Fatalf("%q lies on %q", p.Title, other)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
	if dashboard.Title == "" || dashboard.UID == "" || len(dashboard.Panels) < 10 {
		t.Errorf("it is %q with %d panels", dashboard.Title, len(dashboard.Panels))
	}
}
