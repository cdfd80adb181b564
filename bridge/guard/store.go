package guard

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
)

// Folder is where the files are, in the data folder of a bridge.
const Folder = "holds"

// The locks of the folder. One process holds servingLock while it serves, so that no second one is started beside it.
// Of two processes at a hand-over, both of which serve for a moment, each holds changeLock for a change.
const (
	servingLock = "serving.lock"
	changeLock  = "change.lock"
)

// A store is the file of what is held at one server. A line is a change, and synced before it has an effect.
type store struct {
	path string

	mu    sync.Mutex
	state *state
	file  *os.File // nil before it was read, and without one
	info  os.FileInfo
	read  int64 // bytes of whole lines
	size  int   // of the changes in the file
	lock  *os.File
	stale bool // what was written last may be there in part
}

// openStore returns the store of a server in a folder, which is created with the first change.
func openStore(folder, server string) *store {
	sum := sha256.Sum256([]byte(server))
	return &store{path: filepath.Join(folder, hex.EncodeToString(sum[:8])+".jsonl"), state: newState()}
}

// view calls f with the state as it is in the file.
func (s *store) view(f func(*state)) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.follow(); err != nil {
		return err
	}
	f(s.state)
	return nil
}

// update makes the change that decide returns, which must not change the state itself. When update has returned nil,
// the change survives a loss of power.
func (s *store) update(decide func(*state) change) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	unlock, err := s.lockChanges()
	if err != nil {
		return err
	}
	defer unlock()
	if err := s.follow(); err != nil {
		return err
	}
	c := decide(s.state)
	if c.isEmpty() {
		return nil
	}
	if err := s.append(c); err != nil {
		return fmt.Errorf("writing what is held: %w", err)
	}
	return nil
}

func (s *store) lockChanges() (unlock func(), err error) {
	if s.lock == nil {
		folder := filepath.Dir(s.path)
		if err := makeFolder(folder); err != nil {
			return nil, err
		}
		s.lock, err = openLock(filepath.Join(folder, changeLock))
		if err != nil {
			return nil, err
		}
	}
	if err := lockFile(s.lock, true); err != nil {
		return nil, err
	}
	return func() { _ = unlockFile(s.lock) }, nil
}

// follow reads what another process has written.
func (s *store) follow() error {
	now, err := os.Stat(s.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if s.file != nil {
			return fmt.Errorf("%s is gone, with what is held: stop the bridge, put the file back and start it again",
				s.path)
		}
		return nil
	case err != nil:
		return err
	case s.file != nil && os.SameFile(now, s.info) && now.Size() == s.read:
		return nil
	case s.file == nil || !os.SameFile(now, s.info) || now.Size() < s.read:
		if err := s.open(); err != nil {
			return err
		}
	}
	return s.readOn()
}

// open opens the file that is there now, of which nothing is read yet.
func (s *store) open() error {
	file, err := os.OpenFile(s.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	info, err := file.Stat()
	if err != nil {
		return errors.Join(err, file.Close())
	}
	s.close()
	s.file, s.info, s.read, s.size, s.state = file, info, 0, 0, newState()
	return nil
}

func (s *store) close() {
	if s.file != nil {
		_ = s.file.Close()
		s.file = nil
	}
}

// readOn reads the lines that are whole. What follows the last of them was never answered: the process ended while it
// was written, or another one is at it.
func (s *store) readOn() error {
	text, err := io.ReadAll(io.NewSectionReader(s.file, s.read, 1<<40))
	if err != nil {
		return err
	}
	var damaged int64 // where the first line begins that cannot be read; 0 for none
	for at := s.read; ; {
		line, rest, whole := bytes.Cut(text, []byte("\n"))
		if !whole {
			return nil
		}
		var c change
		switch err := json.Unmarshal(line, &c); {
		case err != nil && damaged == 0:
			damaged = at + 1
		case err != nil:
		case damaged > 0: // a loss of power can only damage the end
			return fmt.Errorf("%s is damaged after %d bytes: stop the bridge, put a copy of the file in its place, or "+
				"remove it, which forgets what is held, and start the bridge again", s.path, damaged-1)
		default:
			s.state.apply(c)
			s.size += c.size()
			s.read = at + int64(len(line)) + 1
		}
		at, text = at+int64(len(line))+1, rest
	}
}

// append writes a change behind the last whole line, or the whole state anew if the file has become long.
func (s *store) append(c change) error {
	if s.file == nil || s.stale || s.size > 1000+2*s.state.size() {
		s.state.apply(c)
		return s.rewrite()
	}
	line, err := json.Marshal(c)
	if err != nil {
		return err
	}
	s.stale = true // until it is known to be there
	if err := s.file.Truncate(s.read); err != nil {
		return err
	}
	line = append(line, '\n')
	_, err = s.file.WriteAt(line, s.read)
	if err == nil {
		err = s.file.Sync()
	}
	if err != nil {
		return errors.Join(err, s.file.Truncate(s.read)) // or it would have an effect, and was not answered
	}
	s.stale = false
	s.state.apply(c)
	s.read, s.size = s.read+int64(len(line)), s.size+c.size()
	return nil
}

// rewrite replaces the file by one line. If that fails, the state is read again.
func (s *store) rewrite() (err error) {
	whole := s.state.whole()
	line, err := json.Marshal(whole)
	if err != nil {
		return err
	}
	if err := durable.WriteFile(s.path, append(line, '\n')); err != nil {
		s.close() // the file as it is has the truth
		s.state, s.read, s.size = newState(), 0, 0
		return err
	}
	s.stale = false
	if err := s.open(); err != nil {
		return err
	}
	return s.readOn()
}

func makeFolder(path string) error {
	if err := os.MkdirAll(path, 0o700); err != nil {
		return err
	}
	return durable.SyncFolder(filepath.Dir(path))
}

func openLock(path string) (*os.File, error) { return os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600) }
