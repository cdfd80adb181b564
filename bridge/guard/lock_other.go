//go:build !unix

package guard

import "os"

// Elsewhere the control socket alone keeps a second process from a data folder.

func lockFile(*os.File, bool) error { return nil }

func unlockFile(*os.File) error { return nil }
