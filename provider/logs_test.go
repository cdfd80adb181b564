package provider

import "testing"

func TestLogsAreOnOnlyIfAVariableAsks(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		environ []string
		want    bool
	}{
		{"none, if nothing is set", []string{"PATH=/bin"}, false},
		{"who asks for all", []string{"PATH=/bin", "TF_LOG=debug"}, true},
		{"who asks for those of providers", []string{"TF_LOG_PROVIDER=TRACE"}, true},
		{"who asks for those of this provider", []string{"TF_LOG_PROVIDER_SCIMBRIDGE=info"}, true},
		{"who asks for those of the libraries", []string{"TF_LOG_SDK_FRAMEWORK=trace"}, true},
		{"none, if all are turned off", []string{"TF_LOG=off", "TF_LOG_PROVIDER=OFF"}, false},
		{"none, if the variable is empty", []string{"TF_LOG="}, false},
		{"none, if only Terraform's own are wanted, in a file",
			[]string{"TF_LOG_CORE=trace", "TF_LOG_PATH=/var/log/tf"}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := logsWanted(row.environ); got != row.want {
				t.Errorf("%q: %t, want %t", row.environ, got, row.want)
			}
		})
	}
}
