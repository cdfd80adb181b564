package providertest

import (
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/test/ports"
)

// FreeAddress is ports.Free.
func FreeAddress(t testing.TB) string {
	t.Helper()
	return ports.Free(t)
}
