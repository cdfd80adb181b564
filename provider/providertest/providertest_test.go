package providertest_test

import (
	"runtime"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// outcome is a test that records why it is skipped or fails.
type outcome struct {
	testing.TB

	skipped, failed string
}

func (v *outcome) Helper()           {}
func (v *outcome) Skip(args ...any)  { v.skipped = args[0].(string); runtime.Goexit() }
func (v *outcome) Fatal(args ...any) { v.failed = args[0].(string); runtime.Goexit() }

func TestWithoutTerraformTestsAreSkippedAndFailInCI(t *testing.T) {
	for _, row := range []struct {
		name, path, ci string
		skips, fails   bool
	}{
		{"there is one", "/usr/bin/terraform", "", false, false},
		{"there is one, in CI", "/usr/bin/terraform", "true", false, false},
		{"there is none", "", "", true, false},
		{"there is none, in CI", "", "true", false, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv("TF_ACC_TERRAFORM_PATH", row.path)
			t.Setenv("CI", row.ci)
			v := &outcome{TB: t}
			ended := make(chan struct{})
			go func() {
				defer close(ended)
				providertest.Factories(v)
			}()
			<-ended
			if (v.skipped != "") != row.skips || (v.failed != "") != row.fails {
				t.Errorf("skipped %q, failed %q", v.skipped, v.failed)
			}
			if said := v.skipped + v.failed; said != "" &&
				(!strings.Contains(said, "make test") || strings.Contains(said, "\n")) {
				t.Errorf("said %q, want one line with what to do", said)
			}
		})
	}
}
