//go:build unix

package deployment_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// The tests speak the protocol themselves: actions need Terraform 1.14.
type invocation struct {
	*testing.T
	server actionServer
}

type actionServer interface {
	tfprotov6.ProviderServer
	tfprotov6.ActionServer
}

func newInvocation(t *testing.T) invocation {
	t.Helper()
	server := providertest.Server(t)
	return invocation{t, server.(actionServer)}
}

func (i invocation) config(arguments map[string]string) *tfprotov6.DynamicValue {
	i.Helper()
	values := make(map[string]tftypes.Value)
	names := map[string]tftypes.Type{}
	for _, name := range []string{"deployment", "unseal_token_file", "timeout"} {
		names[name] = tftypes.String
		values[name] = tftypes.NewValue(tftypes.String, nil)
		if value, ok := arguments[name]; ok {
			values[name] = tftypes.NewValue(tftypes.String, value)
		}
	}
	object := tftypes.Object{AttributeTypes: names}
	config, err := tfprotov6.NewDynamicValue(object, tftypes.NewValue(object, values))
	if err != nil {
		i.Fatal(err)
	}
	return &config
}

// redeploy plans and invokes the action, and returns what it told on the way
// and what was wrong.
func (i invocation) redeploy(arguments map[string]string) (progress, faults []string) {
	i.Helper()
	ctx, config := i.Context(), i.config(arguments)
	planned, err := i.server.PlanAction(ctx,
		&tfprotov6.PlanActionRequest{ActionType: "scimbridge_redeploy", Config: config})
	if err != nil {
		i.Fatal(err)
	}
	if len(planned.Diagnostics) > 0 {
		i.Fatalf("planning: %s", planned.Diagnostics[0].Detail)
	}
	stream, err := i.server.InvokeAction(ctx,
		&tfprotov6.InvokeActionRequest{ActionType: "scimbridge_redeploy", Config: config})
	if err != nil {
		i.Fatal(err)
	}
	for event := range stream.Events {
		switch event := event.Type.(type) {
		case tfprotov6.ProgressInvokeActionEventType:
			progress = append(progress, event.Message)
		case tfprotov6.CompletedInvokeActionEventType:
			for _, d := range event.Diagnostics {
				faults = append(faults, d.Summary+": "+d.Detail)
			}
		}
	}
	return progress, faults
}

func TestRedeployReplacesTheBridgeAndChangesNothingElse(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	action := newInvocation(t)
	id := "process:" + s.dataDir
	file := func(token session.Token) string {
		path := filepath.Join(t.TempDir(), "token")
		if err := os.WriteFile(path, []byte(token.Reveal()+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	s.test(
		resource.TestStep{Config: s.config(""), ConfigPlanChecks: plans(plancheck.ResourceActionCreate)},
		resource.TestStep{
			PreConfig: func() {
				before, stop := s.bridge(), s.traffic(s.token)
				progress, faults := action.redeploy(map[string]string{"deployment": id,
					"unseal_token_file": file(s.token)})
				if lost := stop(); lost > 0 {
					t.Errorf("%d requests were lost", lost)
				}
				if len(faults) > 0 || len(progress) != 3 {
					t.Errorf("faults %q after %q", faults, progress)
				}
				after := s.bridge()
				if after.PID == before.PID {
					t.Error("the bridge is the same process")
				}
				if after.Revision != before.Revision || after.SessionFingerprint != before.SessionFingerprint ||
					after.State != before.State {
					t.Errorf("the bridge is %+v, before %+v", after, before)
				}
			},
			Config: s.config(""), ConfigPlanChecks: plans(plancheck.ResourceActionNoop),
		},
		resource.TestStep{
			PreConfig: func() {
				before := s.bridge()
				_, faults := action.redeploy(map[string]string{"deployment": id})
				if len(faults) != 1 || !strings.Contains(faults[0], "set unseal_token_file") {
					t.Errorf("without a token: %q", faults)
				}
				_, faults = action.redeploy(map[string]string{"deployment": id,
					"unseal_token_file": filepath.Join(s.dataDir, "nowhere")})
				if len(faults) != 1 || !strings.Contains(faults[0], "there is no file") {
					t.Errorf("with a file that is not there: %q", faults)
				}
				if s.bridge().PID != before.PID {
					t.Error("a refused redeployment replaced the bridge")
				}
				_, faults = action.redeploy(map[string]string{"deployment": id, "unseal_token_file": file(newToken(t))})
				if len(faults) != 1 || strings.Contains(faults[0], "sbt1_") {
					t.Errorf("with a wrong token: %q", faults)
				}
				if s.bridge().PID != before.PID {
					t.Error("a bridge that does not open took over")
				}
				s.kill()
				if _, faults = action.redeploy(map[string]string{"deployment": id,
					"unseal_token_file": file(s.token)}); len(faults) > 0 {
					t.Errorf("of a bridge that was killed: %q", faults)
				}
			},
			Config: s.config(""), ConfigPlanChecks: plans(plancheck.ResourceActionNoop),
		},
	)
}

func TestRedeployOfNothingIsAnError(t *testing.T) {
	t.Parallel()
	if _, faults := newInvocation(t).redeploy(map[string]string{"deployment": "process:" +
		t.TempDir()}); len(faults) != 1 || !strings.Contains(faults[0], "no bridge is deployed") {
		t.Errorf("faults %q", faults)
	}
}

func TestMistakesInARedeploymentAreFoundBeforeIt(t *testing.T) {
	t.Parallel()
	action := newInvocation(t)
	for _, row := range []struct {
		name      string
		arguments map[string]string
		want      string
	}{
		{"a name for an id", map[string]string{"deployment": "test"}, "must look like process:"},
		{"a timeout that is none", map[string]string{"deployment": "process:/srv/bridge", "timeout": "soon"},
			"not a duration"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			resp, err := action.server.ValidateActionConfig(t.Context(), &tfprotov6.ValidateActionConfigRequest{
				ActionType: "scimbridge_redeploy", Config: action.config(row.arguments),
			})
			if err != nil {
				t.Fatal(err)
			}
			if len(resp.Diagnostics) != 1 || !strings.Contains(resp.Diagnostics[0].Detail, row.want) {
				t.Errorf("found %+v, want one with %q", resp.Diagnostics, row.want)
			}
		})
	}
}
