//go:build unix

package deployment_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"
)

// During an overlap the session is a bundle that the previous token opens too,
// until the overlap ends and the bridge is out.
func TestThePreviousTokenOfABundleIsNotStored(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	const stored = `unseal = "stored"`
	first := s.config(stored)
	previous := unsealToken(s.token.Reveal())
	s.token = newToken(t)
	second := s.config(stored)
	late := strings.Replace(second, unsealToken(s.token.Reveal()), previous, 1)
	without := strings.Replace(second, unsealToken(s.token.Reveal()), "", 1)
	s.test(
		resource.TestStep{Config: first, ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")}},
		resource.TestStep{ // the session is not known before the apply
			Config:      late,
			ExpectError: regexp.MustCompile(`(?s)The token is the previous one.*unseal_token_wo`),
		},
		resource.TestStep{ // now it is
			Config: late, PlanOnly: true,
			ExpectError: regexp.MustCompile(`The token is the previous one`),
		},
		resource.TestStep{ // nor will the one do that is stored already
			Config:      without,
			ExpectError: regexp.MustCompile(`no\s+token\s+is\s+stored`),
		},
		resource.TestStep{
			Config:            second,
			ConfigPlanChecks:  plans(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
		resource.TestStep{Config: without, ConfigPlanChecks: plans(plancheck.ResourceActionNoop)},
	)
}

// Shown once, it opens the bridge as well as the identity provider does that
// was not switched yet.
func TestThePreviousTokenOfABundleUnsealsOnce(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	first := s.config("")
	previous := unsealToken(s.token.Reveal())
	s.token = newToken(t)
	late := strings.Replace(s.config(""), unsealToken(s.token.Reveal()), previous, 1)
	s.test(
		resource.TestStep{Config: first},
		resource.TestStep{
			Config:            late,
			ConfigPlanChecks:  plans(plancheck.ResourceActionUpdate),
			ConfigStateChecks: []statecheck.StateCheck{has("status", "ready")},
		},
		resource.TestStep{Config: late, ConfigPlanChecks: plans(plancheck.ResourceActionNoop)},
	)
}

func unsealToken(token string) string { return fmt.Sprintf("unseal_token_wo = %q", token) }

func TestATokenThatCannotBeOneIsRefusedByItsShape(t *testing.T) {
	t.Parallel()
	whole := newToken(t).Reveal()
	for _, row := range []struct{ name, token, want string }{
		{"an empty one", "", "is empty"},
		{"blanks alone", " \n", "is empty"},
		{"one read from a file as it is", whole + "\n", "trimspace"},
		{"one that was cut", whole[:20], "20 characters"},
		{"one with a changed character", whole[:len(whole)-1] + flip(whole[len(whole)-1]), "unseal_token_wo"},
		{"another secret", "ops_eyJzaWduSW5BZGRyZXNzIjoibXkifQ", "must begin with"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			faults := strings.Join(validate(t, "unseal_token_wo", row.token), "\n")
			if !strings.Contains(faults, "Invalid token") || !strings.Contains(faults, row.want) {
				t.Errorf("said %q, want %q", faults, row.want)
			}
			if len(row.token) > 5 && strings.Contains(faults, row.token[5:]) {
				t.Errorf("the message shows the token: %s", faults)
			}
		})
	}
	if faults := validate(t, "unseal_token_wo", whole); len(faults) > 0 {
		t.Errorf("a whole one is refused: %v", faults)
	}
}

// flip is another character of base64.
func flip(c byte) string {
	if c == 'A' {
		return "B"
	}
	return "A"
}
