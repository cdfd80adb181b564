package build

import (
	"runtime/debug"
	"testing"
)

func TestDescribe(t *testing.T) {
	t.Parallel()
	clean := &debug.BuildInfo{GoVersion: "go1.26.8", Settings: []debug.BuildSetting{
		{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"},
	}}
	changed := &debug.BuildInfo{GoVersion: "go1.26.8", Settings: []debug.BuildSetting{
		{Key: "vcs.modified", Value: "true"}, {Key: "vcs.revision", Value: "abc"},
	}}
	outside := &debug.BuildInfo{GoVersion: "go1.26.8"}
	for _, row := range []struct {
		name            string
		version, commit string
		recorded        *debug.BuildInfo
		want            Info
	}{
		{"the linker's word comes first", "1.2.3", "def", clean, Info{"1.2.3", "def", "go1.26.8"}},
		{"without it, what Go recorded", "", "", clean, Info{"dev", "abc", "go1.26.8"}},
		{"changes in the tree are told", "", "", changed, Info{"dev", "abc+changes", "go1.26.8"}},
		{"outside a repository the commit is unknown", "", "", outside, Info{"dev", "unknown", "go1.26.8"}},
		{"nothing recorded at all", "", "", nil, Info{"dev", "unknown", ""}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := describe(row.version, row.commit, row.recorded); got != row.want {
				t.Errorf("describe = %+v, want %+v", got, row.want)
			}
		})
	}
}
