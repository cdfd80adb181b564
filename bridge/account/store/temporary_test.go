package store

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
)

// A temporary file is read as it was written, before and after it has become too large for memory.
func TestATemporaryFileIsReadAsItWasWritten(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	f, random := &temporaryFile{folder: folder}, rand.New(rand.NewPCG(1, 2))
	var want []byte
	for len(want) < 2*keptInMemory {
		part := bytes.Repeat([]byte{byte(random.Int())}, 1+random.IntN(200_000))
		at := max(0, len(want)-random.IntN(100_000))
		if random.IntN(4) == 0 {
			at = random.IntN(len(want) + 1)
		}
		want = append(want, make([]byte, max(0, at+len(part)-len(want)))...)
		copy(want[at:], part)
		if n, err := f.WriteAt(part, int64(at)); n != len(part) || err != nil {
			t.Fatal(n, err)
		}
		if random.IntN(4) == 0 {
			want = want[:len(want)-random.IntN(min(len(want), 50_000))]
			if err := f.Truncate(int64(len(want))); err != nil {
				t.Fatal(err)
			}
		}
		if size, err := f.Size(); size != int64(len(want)) || err != nil {
			t.Fatalf("%d bytes, %v, instead of %d", size, err, len(want))
		}
	}
	got, err := io.ReadAll(io.NewSectionReader(f, 0, int64(len(want))+1))
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("it is read otherwise (%v)", err)
	}
	if f.file == nil {
		t.Error("all of it is in memory")
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(folder); len(left) > 0 || err != nil {
		t.Errorf("%v is left (%v)", left, err)
	}
}

// What does not fit on the disk takes nothing of what was written before.
func TestATemporaryFileThatCannotGrowIsWhole(t *testing.T) {
	t.Parallel()
	f := &temporaryFile{folder: filepath.Join(t.TempDir(), "missing")}
	want := bytes.Repeat([]byte("abcd"), keptInMemory/4)
	if _, err := f.WriteAt(want, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteAt(want, int64(len(want))); err == nil {
		t.Error("what is too large for memory was written without a folder")
	}
	got := make([]byte, len(want))
	if _, err := f.ReadAt(got, 0); err != nil || !bytes.Equal(got, want) {
		t.Errorf("what was written before is read otherwise (%v)", err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
}

// What undoes a write, and what is sorted, may be larger than the memory that a connection has, and needs no folder but
// the database's own: an image has no other.
func TestALargeWriteNeedsNeitherMemoryNorAnotherFolder(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	s, err := Open(t.Context(), "sqlite:"+filepath.Join(t.TempDir(), "account.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	run := func(ctx context.Context, tx *Tx, query string) {
		t.Helper()
		if _, err := tx.conn.exec(ctx, query, nil); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		run(ctx, tx, `CREATE TABLE large (n INTEGER PRIMARY KEY, changes INTEGER NOT NULL, text BLOB NOT NULL) STRICT`)
		run(ctx, tx, `WITH RECURSIVE numbers(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM numbers WHERE n < 4000)
			INSERT INTO large SELECT n, 0, randomblob(3000) FROM numbers`)
		return nil
	}); err != nil {
		t.Fatal(err)
	}

	// Each step keeps all pages as they were before it: 480 MB of them, more than SQLite may have.
	undone := errors.New("undone")
	var step func(ctx context.Context, depth int) error
	step = func(ctx context.Context, depth int) error {
		return s.Write(ctx, func(ctx context.Context, tx *Tx) error {
			run(ctx, tx, `UPDATE large SET changes = changes + 1`)
			if depth == 30 {
				return undone
			}
			if err := step(ctx, depth+1); depth != 20 {
				return err
			}
			return nil
		})
	}
	if err := step(t.Context(), 1); err != nil {
		t.Fatal(err)
	}
	if err := s.Read(t.Context(), func(ctx context.Context, tx *Tx) error {
		rows, err := tx.conn.query(ctx, `SELECT changes, n FROM large ORDER BY text || text`, nil)
		if err != nil {
			return err
		}
		n := 0
		for ; rows.Next(); n++ {
			var changes, number int64
			if err := rows.Scan(&changes, &number); err != nil {
				return err
			}
			if changes != 20 {
				t.Fatalf("row %d has %d changes instead of 20", number, changes)
			}
		}
		if n != 4000 {
			t.Errorf("%d rows instead of 4000", n)
		}
		return rows.Close()
	}); err != nil {
		t.Error(err)
	}
}
