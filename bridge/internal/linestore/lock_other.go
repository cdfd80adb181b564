//go:build !unix

package linestore

import (
	"errors"
	"os"
)

// lock fails: each process begins files of its own.
func lock(*os.File) error { return errors.ErrUnsupported }
