//go:build release

package install

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const project = "terraform-provider-scimbridge"

// root is the repository's folder; goreleaser leaves a release in its dist/.
const root = "../.."

// A release is what goreleaser left in dist/.
type release struct {
	folder  string
	version string
}

func open(t *testing.T) release {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join(root, "dist"))
	if err != nil {
		t.Fatal(err)
	}
	sums := matches(t, filepath.Join(folder, project+"_*_SHA256SUMS"))
	if len(sums) != 1 {
		t.Fatalf("%d releases in %s, want one: run make snapshot", len(sums), folder)
	}
	version := strings.TrimPrefix(filepath.Base(sums[0]), project+"_")
	return release{folder: folder, version: strings.TrimSuffix(version, "_SHA256SUMS")}
}

// path returns the path of an artifact of the release: NAME_VERSION_REST.
func (r release) path(name, rest string) string {
	return filepath.Join(r.folder, name+"_"+r.version+"_"+rest)
}

// platforms returns the platforms for which the release has a program, as linux_amd64. One made with TARGETS has few.
func (r release) platforms(t *testing.T, name, extension string) (platforms []string) {
	t.Helper()
	for _, path := range matches(t, r.path(name, "*"+extension)) {
		platform := strings.TrimPrefix(filepath.Base(path), name+"_"+r.version+"_")
		platforms = append(platforms, strings.TrimSuffix(platform, extension))
	}
	if len(platforms) == 0 {
		t.Fatalf("no archive of %s in %s", name, r.folder)
	}
	return platforms
}

// A file is one of an archive's.
type file struct {
	mode    fs.FileMode
	content []byte
}

func (f file) digest() string {
	sum := sha256.Sum256(f.content)
	return hex.EncodeToString(sum[:])
}

// unzip returns the files of a zip archive by their names.
func unzip(t *testing.T, path string) map[string]file {
	t.Helper()
	archive, err := zip.OpenReader(path)
	if err != nil {
		t.Fatal(err)
	}
	defer archive.Close()
	files := map[string]file{}
	for _, f := range archive.File {
		content, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		files[f.Name] = file{f.Mode(), read(t, content)}
		content.Close()
	}
	return files
}

// untar returns the files of a .tar.gz archive by their names.
func untar(t *testing.T, path string) map[string]file {
	t.Helper()
	compressed, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := gzip.NewReader(bytes.NewReader(compressed))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]file{}
	for archive := tar.NewReader(plain); ; {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return files
		} else if err != nil {
			t.Fatal(err)
		}
		files[header.Name] = file{header.FileInfo().Mode(), read(t, archive)}
	}
}

// names returns the files' names in order, each with its mode.
func names(files map[string]file) (list []string) {
	for name, f := range files {
		list = append(list, f.mode.String()+" "+name)
	}
	slices.Sort(list)
	return list
}

func read(t *testing.T, r io.Reader) []byte {
	t.Helper()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

func matches(t *testing.T, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
