package durable_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/durable"
)

func TestWriteFileReplacesTheContent(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "session")
	for _, want := range []string{"first", "", "a longer third"} {
		if err := durable.WriteFile(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		got, err := durable.ReadFile(path, 100)
		if err != nil {
			t.Fatal(err)
		}
		if string(got) != want {
			t.Errorf("read %q, want %q", got, want)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("the file's mode is %v, want 0600", info.Mode())
	}
	wantFiles(t, filepath.Dir(path), "session")
}

func TestOfSeveralThatCreateAFileOneDoes(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	errs := make([]error, 8)
	var group sync.WaitGroup
	for i := range errs {
		group.Go(func() { errs[i] = durable.CreateFile(path, bytes.Repeat([]byte{byte(i)}, 1000)) })
	}
	group.Wait()
	content, err := durable.ReadFile(path, 1000)
	if err != nil || len(content) != 1000 {
		t.Fatalf("read %d bytes, %v", len(content), err)
	}
	for i, err := range errs {
		if won := byte(i) == content[0]; won != (err == nil) || !won && !errors.Is(err, fs.ErrExist) {
			t.Errorf("the file is of %d, and %d was told %v", content[0], i, err)
		}
	}
	wantFiles(t, filepath.Dir(path), "key")
}

func TestCreateFileFromLeavesNothingOfAFailedFill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "bundle")
	broken := errors.New("broken")
	err := durable.CreateFileFrom(path, func(f *os.File) error {
		if _, err := f.WriteString("half"); err != nil {
			t.Error(err)
		}
		return broken
	})
	if !errors.Is(err, broken) {
		t.Errorf("the error is %v", err)
	}
	if found, err := os.ReadDir(filepath.Dir(path)); err != nil || len(found) != 0 {
		t.Errorf("left are %v, %v", found, err)
	}
	err = durable.CreateFileFrom(path, func(f *os.File) error {
		_, err := f.WriteString("whole")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := durable.CreateFileFrom(path, func(*os.File) error { return nil }); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file that is there: %v", err)
	}
	if got, err := durable.ReadFile(path, 100); err != nil || string(got) != "whole" {
		t.Errorf("read %q, %v", got, err)
	}
	wantFiles(t, filepath.Dir(path), "bundle")
}

func TestWriteFileClosesAnOldFilesMode(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "session")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := durable.WriteFile(path, []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("the file's mode is %v, want 0600", info.Mode())
	}
}

func TestAFailedWriteLeavesNothingBehind(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	path := filepath.Join(folder, "session")
	if err := os.Mkdir(path, 0o700); err != nil { // a rename onto a folder fails
		t.Fatal(err)
	}
	if err := durable.WriteFile(path, []byte("x")); err == nil {
		t.Fatal("writing onto a folder succeeded")
	}
	wantFiles(t, folder, "session")

	missing := filepath.Join(folder, "missing", "session")
	if err := durable.WriteFile(missing, []byte("x")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("writing into a missing folder: %v, want fs.ErrNotExist", err)
	}
}

func TestReadersNeverSeeAHalfWrittenFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "session")
	a, b := bytes.Repeat([]byte("a"), 100_000), bytes.Repeat([]byte("b"), 90_000)
	if err := durable.WriteFile(path, a); err != nil {
		t.Fatal(err)
	}
	var writers sync.WaitGroup
	for _, content := range [][]byte{a, b} {
		writers.Go(func() {
			for range 20 {
				if err := durable.WriteFile(path, content); err != nil {
					t.Error(err)
				}
			}
		})
	}
	for range 200 {
		got, err := durable.ReadFile(path, 1<<20)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, a) && !bytes.Equal(got, b) {
			t.Fatalf("read %d bytes that were not written", len(got))
		}
	}
	writers.Wait()
}

func TestReadFileKeepsToTheLimit(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, []byte("12345"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := durable.ReadFile(path, 5); err != nil {
		t.Errorf("a file as large as the limit: %v", err)
	}
	if _, err := durable.ReadFile(path, 4); !errors.Is(err, durable.ErrTooLarge) {
		t.Errorf("a file larger than the limit: %v, want ErrTooLarge", err)
	}
	if _, err := durable.ReadFile("/dev/zero", 4); !errors.Is(err, durable.ErrTooLarge) {
		t.Errorf("a file without end: %v, want ErrTooLarge", err)
	}
	if _, err := durable.ReadFile(path+"x", 4); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a missing file: %v, want fs.ErrNotExist", err)
	}
}

func wantFiles(t *testing.T, folder string, want ...string) {
	t.Helper()
	entries, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, e := range entries {
		got = append(got, e.Name())
	}
	if len(got) != len(want) || got[0] != want[0] {
		t.Errorf("the folder holds %q, want %q", got, want)
	}
}
