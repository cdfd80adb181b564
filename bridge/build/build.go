// Package build tells which build this is, of the bridge and of the provider: both are linked with one version.
package build

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set by the linker, see GNUmakefile. Read falls back on what the Go command
// recorded.
var (
	Version string
	Commit  string
)

// Info describes a build.
type Info struct {
	Version string // semantic version, or "dev"
	Commit  string // with "+changes" if the tree was not clean; "unknown" outside a repository
	Go      string
}

// Read returns this build's description.
func Read() Info {
	recorded, _ := debug.ReadBuildInfo()
	return describe(Version, Commit, recorded)
}

// Text is what a program prints of its build when it is asked for its version.
func (i Info) Text(program string) string {
	return fmt.Sprintf("%s %s\ncommit %s\n%s %s/%s\n", program, i.Version, i.Commit, i.Go, runtime.GOOS, runtime.GOARCH)
}

func describe(version, commit string, recorded *debug.BuildInfo) Info {
	info := Info{Version: version, Commit: commit}
	if recorded != nil {
		info.Go = recorded.GoVersion
		if info.Commit == "" {
			info.Commit = recordedCommit(recorded.Settings)
		}
	}
	if info.Version == "" {
		info.Version = "dev"
	}
	if info.Commit == "" {
		info.Commit = "unknown"
	}
	return info
}

func recordedCommit(settings []debug.BuildSetting) string {
	var revision, changes string
	for _, s := range settings {
		switch {
		case s.Key == "vcs.revision":
			revision = s.Value
		case s.Key == "vcs.modified" && s.Value == "true":
			changes = "+changes"
		}
	}
	if revision == "" {
		return ""
	}
	return revision + changes
}
