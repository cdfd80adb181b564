package bundle_test

import (
	"archive/zip"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/bundle"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
)

// source is one with a log of so many lines.
func source(lines int) bundle.Source {
	return bundle.Source{Made: time.Now(), Log: func(w io.Writer) error {
		for i := range lines {
			_, err := fmt.Fprintf(w, "2026-11-29T03:12:08.114Z [INFO]  scim-bridge: request: status=200 ms=%d\n", i)
			if err != nil {
				return err
			}
		}
		return nil
	}}
}

func read(t *testing.T, f *bundle.File) *zip.Reader {
	t.Helper()
	defer f.Close()
	text, err := io.ReadAll(f)
	if err != nil || int64(len(text)) != f.Size {
		t.Fatalf("%d bytes of %d: %v", len(text), f.Size, err)
	}
	z, err := zip.NewReader(bytes.NewReader(text), f.Size)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func TestOnlyOneBundleIsMadeAtATime(t *testing.T) {
	t.Parallel()
	making, goOn := make(chan struct{}), make(chan struct{})
	b := &bundle.Builder{Folder: t.TempDir(), Source: func(bool) bundle.Source {
		return bundle.Source{Log: func(io.Writer) error {
			close(making)
			<-goOn
			return nil
		}}
	}}
	done := make(chan error)
	go func() {
		f, err := b.Build(t.Context(), true)
		if err == nil {
			f.Close()
		}
		done <- err
	}()
	<-making
	if _, err := b.Build(t.Context(), true); !errors.Is(err, bundle.ErrBusy) {
		t.Errorf("a second one: %v", err)
	}
	close(goOn)
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// A client that reads nothing keeps a file, and nobody waiting; and there are few of them.
func TestBundlesThatAreBeingSentAreBounded(t *testing.T) {
	t.Parallel()
	b := &bundle.Builder{Folder: t.TempDir(), Source: func(bool) bundle.Source { return source(10) }}
	var unread []*bundle.File
	for {
		f, err := b.Build(t.Context(), true)
		if errors.Is(err, bundle.ErrBusy) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if unread = append(unread, f); len(unread) > 100 {
			t.Fatal("there is no bound")
		}
	}
	if len(unread) < 2 {
		t.Errorf("%d bundles are sent at a time: a slow client keeps others waiting", len(unread))
	}
	unread[0].Close()
	unread[0].Close() // twice is once
	f, err := b.Build(t.Context(), true)
	if err != nil {
		t.Fatalf("after one was sent: %v", err)
	}
	read(t, f)
	if _, err := b.Build(t.Context(), true); err != nil {
		t.Errorf("closing one twice counted as two: %v", err)
	}
}

func TestABundleLeavesNoFile(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	b := &bundle.Builder{Folder: folder, Source: func(bool) bundle.Source { return source(10) }}
	f, err := b.Build(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if found, _ := os.ReadDir(folder); len(found) != 0 {
		t.Errorf("the folder has %v", found)
	}
	if z := read(t, f); len(z.File) != 2 {
		t.Errorf("%d files", len(z.File))
	}
}

// A full disk is a reason to ask for help.
func TestABundleIsMadeWhereNoFolderCanBeWritten(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "missing"))
	b := &bundle.Builder{
		Folder: filepath.Join(t.TempDir(), "missing"), Source: func(bool) bundle.Source { return source(100) },
	}
	f, err := b.Build(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	if z := read(t, f); len(z.File) != 2 {
		t.Errorf("%d files", len(z.File))
	}
}

func TestMakingABundleEndsWithItsContext(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	endless := bundle.Source{Log: func(w io.Writer) error {
		for {
			if _, err := io.WriteString(w, strings.Repeat("request\n", 100)); err != nil {
				return err
			}
			cancel()
		}
	}}
	b := &bundle.Builder{Folder: t.TempDir(), Source: func(bool) bundle.Source { return endless }}
	if _, err := b.Build(ctx, true); !errors.Is(err, context.Canceled) {
		t.Errorf("it ended with %v", err)
	}
	b.Source = func(bool) bundle.Source { return source(1) }
	f, err := b.Build(t.Context(), true)
	if err != nil {
		t.Fatalf("the next one: %v", err)
	}
	f.Close()
}

// texts returns the files of a bundle by their names.
func texts(t *testing.T, z *zip.Reader) map[string]string {
	t.Helper()
	files := map[string]string{}
	for _, file := range z.File {
		text, err := fs.ReadFile(z, file.Name)
		if err != nil {
			t.Fatal(err)
		}
		files[file.Name] = string(text)
	}
	return files
}

// The operator who cannot find whose a pseudonym is must not have to wonder why.
func TestABundleSaysThatItHasNoKeyToItsPseudonyms(t *testing.T) {
	t.Parallel()
	j := journal.Open(journal.Config{})
	defer j.Close()
	for _, row := range []struct {
		name    string
		archive journal.Archive
		missing bool
	}{
		{"without a journal", journal.Archive{}, true}, {"with one", j.Archive(), false},
		{"with its key alone", j.Archive().WithoutEvents(), false},
		{"of a folder without a key", journal.OpenArchive(t.TempDir()), true},
	} {
		b := &bundle.Builder{Folder: t.TempDir(), Source: func(bool) bundle.Source {
			return bundle.Source{Journal: row.archive}
		}}
		f, err := b.Build(t.Context(), true)
		if err != nil {
			t.Fatal(err)
		}
		readme := texts(t, read(t, f))["README.txt"]
		if got := strings.Contains(readme, "The key to the pseudonyms"); got != row.missing {
			t.Errorf("%s: the README says that there is no key: %t\n%s", row.name, got, readme)
		}
	}
}

// A collector that is broken is a reason to ask for help.
func TestABundleIsMadeOfWhatCanBeRead(t *testing.T) {
	t.Parallel()
	made := 0
	b := &bundle.Builder{Folder: t.TempDir(), Source: func(bool) bundle.Source {
		s := source(10)
		s.Metrics = func(w io.Writer) error {
			made++
			_, _ = io.WriteString(w, "x 1\n")
			return errors.New("two collectors of Quibbleton")
		}
		return s
	}}
	f, err := b.Build(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	files := texts(t, read(t, f))
	if files["metrics.txt"] != "x 1\n" || !strings.Contains(files["scim-bridge.log"], "status=200") || made != 1 {
		t.Errorf("made %d times: %q", made, files)
	}
	if readme := files["README.txt"]; !strings.Contains(readme, "metrics.txt: it ends where it could not be read: ") ||
		strings.Contains(readme, "Quibbleton") {
		t.Errorf("the README does not say what is missing, or in whose words:\n%s", readme)
	}
}

// The server survives a panic, and the next bundle may be the one that explains it.
func TestAPanicBlocksNoBundles(t *testing.T) {
	t.Parallel()
	b := &bundle.Builder{Folder: t.TempDir(), Source: func(bool) bundle.Source { panic("a fault") }}
	func() {
		defer func() { _ = recover() }()
		_, _ = b.Build(t.Context(), true)
	}()
	b.Source = func(bool) bundle.Source { return source(1) }
	f, err := b.Build(t.Context(), true)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}

func TestAFileOfABundleIsBounded(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	const limit = 100_000
	endless := bundle.Source{MaxFile: limit, Log: func(w io.Writer) error {
		for {
			if _, err := io.WriteString(w, strings.Repeat("request ", 800)+"\n"); err != nil {
				return err
			}
		}
	}}
	if err := bundle.Write(t.Context(), &out, endless); err != nil {
		t.Fatal(err)
	}
	z, err := zip.NewReader(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if n := z.File[0].UncompressedSize64; len(z.File) != 2 || n < limit/2 || n > limit+100 {
		t.Errorf("%d files, the first of %d bytes", len(z.File), n)
	}
}

// One who makes a bundle waits for it.
func BenchmarkWrite(b *testing.B) {
	for b.Loop() {
		if err := bundle.Write(b.Context(), io.Discard, source(40_000)); err != nil {
			b.Fatal(err)
		}
	}
}
