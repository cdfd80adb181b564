//go:build unix

package deployment_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/knownvalue"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
	"github.com/hashicorp/terraform-plugin-testing/tfjsonpath"
)

// watched is a deployment with these settings, and the data source that reads it with a monitoring token.
func (s *scene) watched(monitoring, settings string) string {
	provider := fmt.Sprintf("provider \"scimbridge\" {\n  monitoring_token = %q\n", monitoring)
	return strings.Replace(s.config(settings), "provider \"scimbridge\" {\n", provider, 1) + `
data "scimbridge_bridge_status" "it" {
  url        = scimbridge_deployment.it.url
  depends_on = [scimbridge_deployment.it]
}
`
}

func monitoringSettings(token string, version int) string {
	return fmt.Sprintf(`settings = { monitoring_token_wo = %q, monitoring_token_wo_version = %d }`, token, version)
}

// accepts reports whether the bridge lets a token read its health.
func (s *scene) accepts(token string) bool {
	s.Helper()
	req, err := http.NewRequestWithContext(context.WithoutCancel(s.Context()), http.MethodGet,
		"http://"+s.listen+"/health", http.NoBody)
	if err != nil {
		s.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+token)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.Fatal(err)
	}
	res.Body.Close()
	return res.StatusCode != http.StatusUnauthorized
}

func TestAMonitoringTokenIsGivenRotatedHealedAndTaken(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const first, second, third = "the-first-monitor-token", "the-second-monitor-token", "the-third-monitor-token"
	file := filepath.Join(s.dataDir, "monitoring-token")
	readsHealth := statecheck.ExpectKnownValue("data.scimbridge_bridge_status.it", tfjsonpath.New("source"),
		knownvalue.StringExact("bridge"))
	// is checks that the running bridge is the same, and which of the tokens it takes.
	pid := 0
	is := func(token string) {
		t.Helper()
		if now := s.bridge().PID; pid != 0 && now != pid {
			t.Errorf("the process %d became %d", pid, now)
		}
		pid = s.bridge().PID
		for _, known := range []string{first, second, third} {
			if s.accepts(known) != (known == token) {
				t.Errorf("%s is accepted: %t", known, known != token)
			}
		}
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file has the mode %v (%v)", info, err)
		}
	}
	current := s.watched(second, monitoringSettings(second, 2))
	heals := func(change func()) resource.TestStep {
		return resource.TestStep{
			PreConfig: change, Config: current,
			ConfigPlanChecks:  plans(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready"), readsHealth},
		}
	}
	without := s.config("")
	s.test(
		resource.TestStep{
			Config:            s.watched(first, monitoringSettings(first, 1)),
			ConfigPlanChecks:  plans(plancheck.ResourceActionCreate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready"), readsHealth},
		},
		resource.TestStep{ // a new version gives the running bridge the new token
			PreConfig: func() { is(first) }, Config: current,
			ConfigPlanChecks: resource.ConfigPlanChecks{PreApply: []plancheck.PlanCheck{
				plancheck.ExpectResourceAction(address, plancheck.ResourceActionUpdate),
				plancheck.ExpectKnownValue(address, tfjsonpath.New("status"), knownvalue.StringExact("ready")),
			}},
			ConfigStateChecks: []statecheck.StateCheck{readsHealth},
		},
		resource.TestStep{ // a new token alone plans nothing
			PreConfig: func() { is(second) }, Config: s.watched(second, monitoringSettings(third, 2)),
			ConfigPlanChecks: plans(plancheck.ResourceActionNoop),
		},
		resource.TestStep{ // and is not written with another change
			Config: strings.Replace(s.watched(second, monitoringSettings(third, 2)), `= "test"`, `= "renamed"`,
				1),
			ConfigPlanChecks: plans(plancheck.ResourceActionUpdate),
		},
		resource.TestStep{PreConfig: func() { is(second) }, Config: current,
			ConfigPlanChecks: plans(plancheck.ResourceActionUpdate)},
		heals(func() {
			is(second)
			if err := os.WriteFile(file, []byte(third+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
		}),
		heals(func() {
			is(second)
			if err := os.Remove(file); err != nil {
				t.Fatal(err)
			}
		}),
		resource.TestStep{
			PreConfig:    func() { is(second) },
			ResourceName: address, ImportState: true, ImportStateId: "process:" + s.dataDir, ImportStateVerify: true,
		},
		resource.TestStep{Config: current, ConfigPlanChecks: plans(plancheck.ResourceActionNoop)},
		resource.TestStep{
			Config:            without,
			ConfigPlanChecks:  plans(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
		resource.TestStep{
			PreConfig: func() {
				if s.accepts(second) {
					t.Error("the token that was taken is accepted")
				}
				if _, err := os.Stat(file); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("its file: %v", err)
				}
			},
			Config:           without,
			ConfigPlanChecks: plans(plancheck.ResourceActionNoop),
		},
	)
}

// Without a version the token is written with the changes that there are.
func TestAMonitoringTokenNeedsNoVersion(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const token = "a-monitoring-token-of-a-test"
	settings := fmt.Sprintf(`settings = { monitoring_token_wo = %q }`, token)
	s.test(
		resource.TestStep{Config: s.config(""), ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")}},
		resource.TestStep{
			Config:            s.config(settings),
			ConfigPlanChecks:  plans(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
		resource.TestStep{
			PreConfig: func() {
				if !s.accepts(token) {
					t.Error("the token is not accepted")
				}
			},
			Config:           s.config(settings),
			ConfigPlanChecks: plans(plancheck.ResourceActionNoop),
		},
		resource.TestStep{ // the plan of an import changes nothing
			Config: s.config(settings), ResourceName: address,
			ImportState: true, ImportStateKind: resource.ImportBlockWithID, ImportStateId: "process:" + s.dataDir,
		},
		resource.TestStep{ // null is none
			Config:            s.config(`settings = { monitoring_token_wo = null }`),
			ConfigPlanChecks:  plans(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
		resource.TestStep{
			PreConfig: func() {
				if s.accepts(token) {
					t.Error("the token that was taken is accepted")
				}
			},
			Config:           s.config(""),
			ConfigPlanChecks: plans(plancheck.ResourceActionUpdate), // settings = null
		},
	)
}

func TestAMonitoringTokenThatCannotBeOneIsRefusedByThePlan(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, token, want string }{
		{"an empty one", "", "is empty"},
		{"one read from a file as it is", "a-monitoring-token-of-a-test\n", "trimspace"},
		{"one with a blank", "a monitoring token of a test", "blanks"},
		{"two lines", "a-monitoring-token\nof-a-test", "line ends"},
		{"one that is too short", "guess-me", "8 characters and must have 16"},
	} {
		faults := strings.Join(validate(t, "monitoring_token_wo", row.token), "\n")
		if !strings.Contains(faults, "Invalid monitoring token") || !strings.Contains(faults, row.want) {
			t.Errorf("%s: said %q, want %q", row.name, faults, row.want)
		}
		if row.token != "" && strings.Contains(faults, row.token) {
			t.Errorf("%s: the message shows the token: %s", row.name, faults)
		}
	}
	if faults := validate(t, "monitoring_token_wo", "a-monitoring-token-of-a-test"); len(faults) > 0 {
		t.Errorf("a right one is refused: %q", faults)
	}
	alone := map[string]tftypes.Value{"monitoring_token_wo_version": tftypes.NewValue(tftypes.Number, 1)}
	if faults := strings.Join(validateWith(t, nil, alone), ""); !strings.Contains(faults, "monitoring_token_wo") {
		t.Errorf("a version without a token: %q", faults)
	}
}

// A monitor must not be able to change people.
func TestTheBearerTokenIsNoMonitoringToken(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	settings := fmt.Sprintf(`settings = { monitoring_token_wo = %q }`, s.token.Reveal())
	refused := regexp.MustCompile(`The monitoring token is the bearer token`)
	withoutUnseal := strings.Replace(s.config(settings), unsealToken(s.token.Reveal()), "", 1)
	s.test(
		resource.TestStep{Config: s.config(settings), PlanOnly: true, ExpectError: refused},
		resource.TestStep{Config: s.config("")},
		resource.TestStep{Config: withoutUnseal, PlanOnly: true, ExpectError: refused}, // it opens the session
	)
}
