package bundle

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// A Builder makes bundles to be sent. A bundle is made as a whole before it is sent, so that a client that reads
// slowly keeps nobody waiting.
type Builder struct {
	// Folder is where a bundle is kept until it is sent; in a file without a name.
	Folder string
	// Source returns what a complete bundle is made of, or one without what only somebody may have whose token the
	// account has confirmed.
	Source func(complete bool) Source

	mu     sync.Mutex
	making bool
	unsent int
}

// ErrBusy is the error while another bundle is being made, or too many are being sent.
var ErrBusy = errors.New("another support bundle is being made or sent; try again in a minute")

const (
	// makeTimeout bounds how long it takes to make a bundle: a second for some ten megabytes of log and journal.
	makeTimeout = 2 * time.Minute
	// maxUnsent is how many bundles are being sent at a time.
	maxUnsent = 4
	// maxMemory is the size of a bundle that is kept in memory because no folder can be written to.
	maxMemory = 16 << 20
)

// A File is a bundle that was made. It must be closed.
type File struct {
	io.Reader
	Size  int64
	close func()
}

// Close removes the bundle.
func (f *File) Close() { f.close() }

// Build makes a bundle.
func (b *Builder) Build(ctx context.Context, complete bool) (*File, error) {
	if !b.begin() {
		return nil, ErrBusy
	}
	ctx, cancel := context.WithTimeout(ctx, makeTimeout)
	defer cancel()
	made := false
	defer func() { b.end(made) }() // even if a source panics, which the server survives
	f, err := b.build(ctx, complete)
	if err != nil {
		return nil, fmt.Errorf("making a support bundle: %w", err)
	}
	f.close = sync.OnceFunc(f.close)
	made = true
	return f, nil
}

func (b *Builder) begin() bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.making || b.unsent >= maxUnsent {
		return false
	}
	b.making = true
	return true
}

func (b *Builder) end(made bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.making = false; made {
		b.unsent++
	}
}

func (b *Builder) sent() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.unsent--
}

// build makes a bundle in the folder, or else in that for temporary files, or else in memory: a full disk is a reason
// to ask for help.
func (b *Builder) build(ctx context.Context, complete bool) (*File, error) {
	source := b.Source(complete)
	for _, folder := range []string{b.Folder, os.TempDir()} {
		if f, err := b.inFolder(ctx, folder, source); err == nil || ctx.Err() != nil {
			return f, err
		}
	}
	memory := new(bytes.Buffer)
	if err := Write(ctx, &bounded{ended: ctx.Err, w: memory, left: maxMemory}, source); err != nil {
		return nil, err
	}
	return &File{Reader: memory, Size: int64(memory.Len()), close: b.sent}, nil
}

func (b *Builder) inFolder(ctx context.Context, folder string, s Source) (*File, error) {
	kept := false
	if folder == "" {
		return nil, os.ErrNotExist
	}
	f, err := os.CreateTemp(folder, ".support-bundle.*.tmp") // with mode 0600
	if err != nil {
		return nil, err
	}
	remove := func() {
		f.Close()
		_ = os.Remove(f.Name()) // it is gone already, but where open files cannot be removed
	}
	defer func() {
		if !kept {
			remove()
		}
	}()
	_ = os.Remove(f.Name()) // so that a process that is killed leaves nothing
	if err := Write(ctx, f, s); err != nil {
		return nil, err
	}
	size, err := f.Seek(0, io.SeekCurrent)
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	kept = true
	return &File{Reader: f, Size: size, close: func() { remove(); b.sent() }}, nil
}
