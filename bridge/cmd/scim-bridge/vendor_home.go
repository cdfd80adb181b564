package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// vendorHome is the home of the vendor's image, and vendorUser its user. Compose files and manifests that were written
// for that image run the container as this user and mount the session below this folder. Only tests change it.
var vendorHome = "/home/opuser"

const vendorUser = 999

// mountedSession is where they mount the session. The folder may be of that alone, and read-only.
func mountedSession() string { return filepath.Join(vendorHome, ".op", "scimsession") }

// defaultDataDir is the default of --data-dir and of the argument DATA_DIR.
func defaultDataDir() string { return dataDirOf(os.Getuid()) }

// dataDirOf returns the folder of a user. In the image, the usual one belongs to the image's own user.
func dataDirOf(uid int) string {
	if uid == vendorUser && exists(vendorHome) {
		return filepath.Join(vendorHome, "scim-bridge")
	}
	return "/var/lib/scim-bridge"
}

// readDefaultSession returns a function that reads the session of the data folder or, if there is none, the one that is
// mounted as for the vendor's image.
func readDefaultSession(dataDir string) func() (session.File, error) {
	own := filepath.Join(dataDir, "session")
	return func() (session.File, error) {
		if !exists(own) && exists(mountedSession()) {
			return readSessionFile("--session", mountedSession())()
		}
		return readSessionFile("--data-dir", own)()
	}
}

// exists reports whether there is something, even if this user may not look at it: reading it then says why.
func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}
