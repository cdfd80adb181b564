package store

import (
	"os"
	"sync"
	"sync/atomic"
	"unsafe"
)

// A walHeader is the header of the index of SQLite's log, in words: which frames of which log the newest commit has,
// and how often there was one (https://sqlite.org/walformat.html#the_wal_index_header). Two that are equal are of one
// state of the database: a commit adds frames, and a log that begins anew has another salt.
type walHeader [12]uint32

// frames returns how many pages the log has.
func (h *walHeader) frames() uint32 { return h[4] }

// walVersion is the version of the index's format, its first word.
const walVersion = 3007000

// isValid reports whether SQLite would use the header: it is initialized, and whole.
func (h *walHeader) isValid() bool {
	if h[0] != walVersion || byte(h[3]) == 0 {
		return false
	}
	var a, b uint32
	for i := 0; i < 10; i += 2 {
		a += h[i] + b
		b += h[i+1] + a
	}
	return a == h[10] && b == h[11]
}

// A walIndex reads the header of the log's index, which tells whether there was a commit, without a statement, a
// lock of the file or a system call.
//
// What was committed before a call of header is in what it returns, whoever committed it and in whichever process.
// SQLite writes the header after the frames are on the disk and before COMMIT returns, into memory that all processes
// map. Whoever has learned of a commit did so through a socket, a file or a lock, which order memory; the loads of
// header come later still, so they find that commit or a later one. While a header is being written, its two copies
// differ: SQLite writes the second one first, and header reads it last, atomically as to each word. Copies that are
// equal and have the right checksum were the newest at some time during the call. A transaction that is rolled back
// writes no header, or one that only begins the log anew.
//
// So what was read after a header had been, in a snapshot taken since, is of the newest state as long as header returns
// the same again: that snapshot is not older than the header, and nothing newer was committed.
type walIndex struct {
	mu     sync.RWMutex // held while what is mapped is read
	mapped []byte       // nil if the index cannot be read
	path   string
	file   os.FileInfo
}

// open maps the index that c uses. Where that cannot be done, the store works as without it.
func (w *walIndex) open(c *sqliteConn) {
	// The file is there, and nobody makes it shorter, while a connection is open that has read.
	if _, err := c.run(`SELECT id FROM account`); err != nil {
		return
	}
	w.openFile(c.db.Filename("main").String() + "-shm")
}

func (w *walIndex) openFile(path string) {
	w.path = path
	if file, mapped, err := mapIndex(w.path, int(unsafe.Sizeof(walIndexStart{}))); err == nil {
		w.file, w.mapped = file, mapped
	}
}

// header returns the newest header. It reports whether there is one, which is not so while somebody writes it.
func (w *walIndex) header() (h walHeader, known bool) {
	w.mu.RLock()
	defer w.mu.RUnlock()
	if w.mapped == nil {
		return h, false
	}
	start := w.start()
	for i := range h {
		h[i] = atomic.LoadUint32(&start.copies[0][i])
	}
	for i := range h {
		if atomic.LoadUint32(&start.copies[1][i]) != h[i] {
			return h, false
		}
	}
	return h, h.isValid()
}

// isLong reports whether the log waits for being copied, which is then tried with each commit, in every process: all
// of it can be copied only if no snapshot is in use that is older than the newest commit.
func (w *walIndex) isLong(h walHeader) bool {
	if h.frames() < logPages {
		return false
	}
	w.mu.RLock()
	defer w.mu.RUnlock()
	return w.mapped == nil || atomic.LoadUint32(&w.start().copied) != h.frames()
}

// A walIndexStart is what the index begins with.
type walIndexStart struct {
	copies [2]walHeader
	copied uint32 // how many pages of the log are in the database
}

func (w *walIndex) start() *walIndexStart {
	return (*walIndexStart)(unsafe.Pointer(unsafe.SliceData(w.mapped)))
}

// check closes the index if another file is at its path, which a new connection uses.
func (w *walIndex) check() {
	if w.file == nil {
		return
	}
	if now, err := os.Stat(w.path); err != nil || !os.SameFile(now, w.file) {
		w.close()
	}
}

func (w *walIndex) close() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.mapped != nil {
		_ = unmapIndex(w.mapped) // fails only for what is not mapped
		w.mapped = nil
	}
}
