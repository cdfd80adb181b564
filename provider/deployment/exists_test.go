package deployment

import (
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/process"
)

// Whoever renamed the resource is told of the moved block, and whoever did not
// of the import.
func TestADeploymentThatExistsIsToldWithBothWaysOut(t *testing.T) {
	t.Parallel()
	said := existsText(&process.Target{DataDir: "/srv/bridge"}, "story")
	for _, want := range []string{"moved block", "a second apply may be needed", "import {", `id = "process:/srv/bridge"`} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in:\n%s", want, said)
		}
	}
}
