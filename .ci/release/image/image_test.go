package main

import (
	"archive/tar"
	"crypto/sha256"
	encoding "encoding/binary"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
)

// program64 makes the head of a Linux program, and of a program header that asks for a loader if it is not static.
func program64(t *testing.T, machine uint16, static bool) string {
	t.Helper()
	kind := uint32(3) // PT_INTERP
	if static {
		kind = 1 // PT_LOAD
	}
	text := []byte("\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00")
	for _, field := range []any{
		uint16(2), machine, uint32(1), uint64(0), uint64(64), uint64(0), uint32(0), uint16(64), uint16(56), uint16(1),
		uint16(64), uint16(0), uint16(0), // and the program header:
		kind, uint32(5), uint64(0), uint64(0), uint64(0), uint64(0), uint64(0), uint64(1),
	} {
		text, _ = encoding.Append(text, encoding.LittleEndian, field)
	}
	path := filepath.Join(t.TempDir(), "scim-bridge")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

const amd64, arm64 = 62, 183 // in ELF

// sums returns the digest of every file of a folder.
func sums(t *testing.T, folder string) (lines []string) {
	t.Helper()
	err := fs.WalkDir(os.DirFS(folder), ".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(filepath.Join(folder, path))
		lines = append(lines, fmt.Sprintf("%x %s", sha256.Sum256(text), path))
		return err
	})
	if err != nil || len(lines) < 8 {
		t.Fatalf("%q, %v", lines, err)
	}
	return lines
}

// Whoever builds a release again must get its bytes, at another path and in another time zone.
func TestTheImageIsAFunctionOfItsPrograms(t *testing.T) {
	a, b := program64(t, amd64, true), program64(t, arm64, true)
	first, second := filepath.Join(t.TempDir(), "1"), filepath.Join(t.TempDir(), "2")
	common := []string{"-version", "0.1.0+x", "-revision", "abc"}
	for _, args := range [][]string{
		{"-out", first, "-created", "2026-01-02T03:04:05Z", "amd64=" + a, "arm64=" + b},
		{"-out", second, "-created", "2026-01-02T05:04:05+02:00", "arm64=" + b, "amd64=" + a},
	} {
		if err := run(append(slices.Clone(common), args...)); err != nil {
			t.Fatal(err)
		}
	}
	if one, two := sums(t, first), sums(t, second); !slices.Equal(one, two) {
		t.Errorf("one build has\n%s\nand another\n%s", strings.Join(one, "\n"), strings.Join(two, "\n"))
	}

	index, err := layout.ImageIndexFromPath(filepath.Join(first, "oci"))
	if err != nil {
		t.Fatal(err)
	}
	listed, err := index.IndexManifest()
	if err != nil || len(listed.Manifests) != 1 ||
		listed.Manifests[0].Annotations["org.opencontainers.image.ref.name"] !=
			"scim-bridge:0.1.0_x" {
		t.Fatalf("the layout lists %+v, %v", listed, err)
	}
	platforms, err := index.ImageIndex(listed.Manifests[0].Digest)
	if err != nil {
		t.Fatal(err)
	}
	manifest, err := platforms.IndexManifest()
	if err != nil || len(manifest.Manifests) != 2 {
		t.Fatalf("the image has the platforms %+v, %v", manifest, err)
	}
	for i, arch := range []string{"amd64", "arm64"} {
		if p := manifest.Manifests[i].Platform; p.String() != "linux/"+arch {
			t.Errorf("platform %d is %s", i, p)
		}
		img, err := platforms.Image(manifest.Manifests[i].Digest)
		if err != nil {
			t.Fatal(err)
		}
		checkImage(t, img, arch)
	}
	digest, err := os.ReadFile(filepath.Join(first, "scim-bridge_0.1.0+x_image_digest.txt"))
	if err != nil || strings.TrimSpace(string(digest)) != listed.Manifests[0].Digest.String() {
		t.Errorf("the digest is told as %q, %v", digest, err)
	}
}

func checkImage(t *testing.T, img v1.Image, arch string) {
	t.Helper()
	config, err := img.ConfigFile()
	if err != nil || config.Architecture != arch || config.OS != "linux" || config.Config.User != "65532:65532" ||
		!slices.Equal(config.Config.Cmd, []string{"serve"}) ||
		config.Created.String() != "2026-01-02 03:04:05 +0000 UTC" {
		t.Errorf("%+v, %v", config, err)
	}
	layers, err := img.Layers()
	if err != nil || len(layers) != 1 {
		t.Fatalf("%d layers, %v", len(layers), err)
	}
	content, err := layers[0].Uncompressed()
	if err != nil {
		t.Fatal(err)
	}
	defer content.Close()
	var files []string
	for r := tar.NewReader(content); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		files = append(files, fmt.Sprintf("%04o %d:%d %s", h.Mode, h.Uid, h.Gid, h.Name))
	}
	if want := []string{"0755 0:0 home/", "0755 999:999 home/opuser/", "0755 0:0 usr/", "0755 0:0 usr/bin/",
		"0755 0:0 usr/bin/scim-bridge", "0755 0:0 var/",
		"0755 0:0 var/lib/", "0700 65532:65532 var/lib/scim-bridge/"}; !slices.Equal(files, want) {
		t.Errorf("the layer has %q", files)
	}
}

// What is not for an image from scratch would be found when somebody starts it.
func TestProgramsThatCannotRunAreRefused(t *testing.T) {
	text := filepath.Join(t.TempDir(), "text")
	if err := os.WriteFile(text, []byte("#!/bin/sh\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct{ name, word, want string }{
		{"another architecture's", "arm64=" + program64(t, amd64, true), "is for EM_X86_64, not for arm64"},
		{"one that needs a loader", "amd64=" + program64(t, amd64, false), "is not static"},
		{"a script", "amd64=" + text, "is not a Linux program"},
		{"one that is not there", "amd64=" + text + "-none", "no such file"},
		{"an architecture without an image", "mips=" + text, `the architecture "mips"`},
		{"a file without its architecture", text, "is not ARCH=FILE"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := run([]string{"-version", "1", "-revision", "a", "-created", "2026-01-02T03:04:05Z", "-out",
				filepath.Join(t.TempDir(), "out"), row.word})
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}
