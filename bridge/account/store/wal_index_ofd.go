//go:build (linux || darwin) && !(sqlite3_flock || sqlite3_dotlk)

package store

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// mapIndex maps the first bytes of a file, to be read only. SQLite has locks on this file, which elsewhere the process
// would lose when any descriptor of it is closed. Here they belong to SQLite's own descriptors.
func mapIndex(path string, size int) (file os.FileInfo, mapped []byte, err error) {
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if file, err = f.Stat(); err != nil {
		return nil, nil, err
	}
	if file.Size() < int64(size) { // to read a page that is not there would end the process
		return nil, nil, errors.New("the file is too short")
	}
	mapped, err = unix.Mmap(int(f.Fd()), 0, size, unix.PROT_READ, unix.MAP_SHARED)
	return file, mapped, err
}

func unmapIndex(mapped []byte) error { return unix.Munmap(mapped) }
