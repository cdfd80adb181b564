package deployment

import (
	"strings"
	"testing"
)

// The error names the moved block for a renamed resource, and for another one
// of the import.
func TestADeploymentThatExistsIsToldWithBothWaysOut(t *testing.T) {
	t.Parallel()
	said := alreadyExists(processKind(), "process:/srv/bridge", "story").Detail()
	for _, want := range []string{"moved block", "a second apply may be needed", "import {",
		`id = "process:/srv/bridge"`} {
		if !strings.Contains(said, want) {
			t.Errorf("%q is not in:\n%s", want, said)
		}
	}
}
