//go:build (!linux && !darwin) || sqlite3_flock || sqlite3_dotlk

package store

import (
	"errors"
	"os"
)

// mapIndex maps nothing: to close a descriptor of the file would release SQLite's locks, or there is no such file.
func mapIndex(string, int) (os.FileInfo, []byte, error) { return nil, nil, errors.ErrUnsupported }

func unmapIndex([]byte) error { return nil }
