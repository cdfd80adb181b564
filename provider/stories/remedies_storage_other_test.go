//go:build !linux

package stories

import (
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// The limit by which the disk of a running process is made full is Linux's.
var storageRemedies = []remedy{
	{problem.StorageFull, "a disk that has no room", func(t *testing.T) { t.Skip("run it on Linux") }},
	{problem.StorageLost, "a database that was moved away", func(t *testing.T) { t.Skip("run it on Linux") }},
}
