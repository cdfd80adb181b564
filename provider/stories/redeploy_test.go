package stories

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A bridge is replaced on demand, or after a change of something that it depends
// on, and no later plan shows a change of it.
func TestABridgeIsRedeployedOnDemandAndAfterAChange(t *testing.T) {
	t.Parallel()
	providertest.Actions.Need(t)
	w := newWorld(t)
	token := newToken(t)
	tokenFile := filepath.Join(t.TempDir(), "token")
	write(t, tokenFile, token.Reveal())
	certificate := func(serial string) string {
		return w.base("") + fmt.Sprintf(`
action "scimbridge_redeploy" "bridge" {
  config {
    deployment        = scimbridge_deployment.bridge.id
    unseal_token_file = %q
  }
}

resource "terraform_data" "certificate" {
  input = %q
  lifecycle {
    action_trigger {
      events  = [after_update]
      actions = [action.scimbridge_redeploy.bridge]
    }
  }
}
`, tokenFile, serial)
	}
	w.config(certificate("1"))
	w.apply(vars{"token": token.Reveal()})

	replaced := func(by func() string) {
		t.Helper()
		before := w.bridge()
		if out := by(); !strings.Contains(out, "Actions: 1 invoked") || !strings.Contains(out, "ready: version") {
			t.Errorf("the action does not say what it did:\n%s", out)
		}
		after := w.bridge()
		if after.PID == before.PID {
			t.Error("the bridge is the same process")
		}
		if after.State != control.Ready || after.Revision != before.Revision ||
			after.SessionFingerprint != before.SessionFingerprint {
			t.Errorf("the bridge is %+v, before %+v", after, before)
		}
		w.plan(vars{"token": token.Reveal()}).expectNoChanges(t)
	}
	replaced(func() string {
		code, out := w.run(nil, "apply", "-invoke=action.scimbridge_redeploy.bridge", "-auto-approve", "-no-color",
			"-input=false")
		if code != 0 {
			t.Fatalf("the invocation ended with %d:\n%s", code, out)
		}
		return out
	})
	replaced(func() string {
		w.config(certificate("2"))
		return w.apply(nil)
	})

	w.destroy(vars{"token": token.Reveal()})
}
