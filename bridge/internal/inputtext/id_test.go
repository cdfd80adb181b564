package inputtext

import "testing"

func TestIsOpaqueID(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text string
		want       bool
	}{
		{"128 bits in base32", "6fzw5vl3n2uk4gqj7xa2cdrt4m", true},
		{"a UUID", "0a1b2c3d-0000-4000-8000-00000000ABCD", true},
		{"nothing", "", false},
		{"base32 of another length", "6fzw5vl3n2uk4gqj7xa2cdrt4", false},
		{"base32 in upper case", "6FZW5VL3N2UK4GQJ7XA2CDRT4M", false},
		{"a digit that base32 has not", "6fzw5vl3n2uk4gqj7xa2cdrt41", false},
		{"an address of the same length", "ann.smith@mail.example.com", false},
		{"a UUID without hyphens in their places", "0a1b2c3d00-00-4000-8000-00000000abcd", false},
		{"a UUID with another letter", "0a1b2c3d-0000-4000-8000-00000000abcg", false},
		{"an address as long as a UUID", "ann-smith-and-others@mail.example.co", false},
		{"a UUID in braces", "{0a1b2c3d-0000-4000-8000-00000000abcd}", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := IsOpaqueID(row.text); got != row.want {
				t.Errorf("IsOpaqueID(%q) is %t", row.text, got)
			}
		})
	}
}
