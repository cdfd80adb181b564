//go:build unix

package deployment_test

import (
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A token of scimbridge_bearer_token is another one in every run: it unseals
// in the run that seals, and is passed over in all others.
func TestAnEphemeralTokenUnsealsInTheRunThatSeals(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	config := func(version, more string) string {
		text := strings.ReplaceAll(s.config(more), `"`+s.token.Reveal()+`"`,
			"ephemeral.scimbridge_bearer_token.it.token")
		return "ephemeral \"scimbridge_bearer_token\" \"it\" {}\n" +
			strings.Replace(text, "manager_email ", "bearer_token_wo_version = "+version+"\n  manager_email ", 1)
	}
	opens := !providertest.OpeningIsNoChange.Known(t)
	ready := []statecheck.StateCheck{has("status", "ready")}
	s.test(
		resource.TestStep{Config: config("1", ""), ConfigPlanChecks: plans(plancheck.ResourceActionCreate),
			ConfigStateChecks: ready, ExpectNonEmptyPlan: opens},
		resource.TestStep{Config: config("1", ""), ConfigPlanChecks: plans(plancheck.ResourceActionNoop),
			ExpectNonEmptyPlan: opens},
		resource.TestStep{Config: config("2", ""), ConfigPlanChecks: plans(plancheck.ResourceActionUpdate),
			ConfigStateChecks: ready, ExpectNonEmptyPlan: opens},
	)
}
