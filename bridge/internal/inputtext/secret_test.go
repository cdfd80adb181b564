package inputtext

import (
	"strings"
	"testing"
)

func TestIsWord(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text string
		want       bool
	}{
		{"an id of ours", strings.Repeat("a2", 13), true},
		{"a short word", "provisioning", true},
		{"nothing", "", false},
		{"a UUID, as some programs' secrets are", "123e4567-e89b-12d3-a456-426614174000", false},
		{"an admin token", "sba_" + strings.Repeat("a", 43), false},
		{"the beginning of an admin token", "sba_aaaa", false},
		{"a bearer token", "sbt1_" + strings.Repeat("a", 48), false},
		{"the token of a mail's link", strings.Repeat("Ab3-_", 9)[:43], false},
		{"a hexadecimal key", strings.Repeat("0a", 20), false},
		{"the beginning of a sealed session", "eyJhY2NvdW50Ijoi", false},
		{"a password with a capital letter", "Hunter2", false},
	} {
		if got := IsWord(row.text); got != row.want {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}
