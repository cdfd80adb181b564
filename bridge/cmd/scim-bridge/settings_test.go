package main

import "testing"

// A support bundle has the source of a setting in clear, and anybody may have named a file.
func TestTheSourceOfASettingHasOnlyNamesOfOurs(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, folder, value, want string }{
		{"a credential of ours", "/run/credentials/x/", "/run/credentials/x/scim-bridge.bearer-token",
			"credential scim-bridge.bearer-token"},
		{"another file beside it", "/run/credentials/x", "/run/credentials/x/ann-quibble", "credential"},
		{"a file elsewhere", "/run/credentials/x", "/run/scim-bridge.bearer-token", ""},
		{"no credentials", "", "/scim-bridge.bearer-token", ""},
	} {
		if got := credentialSource(row.folder, row.value); got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}
