package process_test

import (
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/process"
)

func TestTheBundledProgramIsTheOneOfThisPlatform(t *testing.T) {
	t.Parallel()
	own := "scim-bridge_" + runtime.GOOS + "_" + runtime.GOARCH
	for _, row := range []struct {
		name    string
		present []string // files of the provider's folder
		want    string   // empty: none is found
	}{
		{"an archive has those of several platforms", []string{"scim-bridge_linux_mips", own}, own},
		{"a build from source has its own name", []string{"scim-bridge"}, "scim-bridge"},
		{"what came in the archive goes before what lies there too", []string{"scim-bridge", own}, own},
		{"another platform's is none", []string{"scim-bridge_linux_mips"}, ""},
		{"nothing is there", nil, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			for _, name := range row.present {
				if err := os.WriteFile(filepath.Join(folder, name), nil, 0o700); err != nil {
					t.Fatal(err)
				}
			}
			got, err := process.Bundled(filepath.Join(folder, "terraform-provider-scimbridge_v1.2.3"))
			if row.want == "" {
				if err == nil || !strings.Contains(err.Error(), own) || !strings.Contains(err.Error(), "`binary`") {
					t.Errorf("got %q, %v; the error must name what was looked for and the argument", got, err)
				}
				return
			}
			if err != nil || got != filepath.Join(folder, row.want) {
				t.Errorf("got %q, %v, want %s", got, err, row.want)
			}
		})
	}
}
