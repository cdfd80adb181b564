package deploy

import (
	"os"
	"path/filepath"
)

// BinaryVariable names the program to deploy, for development, before those that come with
// the provider.
const BinaryVariable = "SCIMBRIDGE_BRIDGE_BINARY"

// BundledPrograms returns where the bridge's program for a platform may be that comes with
// the provider, best first. It may be at none of them.
func BundledPrograms(goos, goarch string) (paths []string) {
	if path := os.Getenv(BinaryVariable); path != "" {
		paths = append(paths, path)
	}
	if self, err := os.Executable(); err == nil {
		if target, err := filepath.EvalSymlinks(self); err == nil {
			self = target
		}
		paths = append(paths, ProgramsBeside(self, goos, goarch)...)
	}
	return paths
}

// ProgramsBeside returns where the program for a platform may be in the provider's folder: a
// release's archive has it under a name with the platform, since it has those of other
// platforms too; a build from source has it under its own.
func ProgramsBeside(provider, goos, goarch string) []string {
	path := filepath.Join(filepath.Dir(provider), "scim-bridge")
	return []string{path + "_" + goos + "_" + goarch, path}
}
