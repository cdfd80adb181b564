package main

import (
	"archive/tar"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// write writes all forms of the image to a folder and returns the digest of the index of its platforms.
func write(out string, r release, binaries []binary) (digest string, err error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, b := range binaries {
		img, err := r.image(b)
		if err != nil {
			return "", err
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        img,
			Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: b.arch}},
		})
		if err := writeLoadable(filepath.Join(out, r.file("_linux_"+b.arch+".tar")), r.tag(), img); err != nil {
			return "", err
		}
	}
	index, ok := mutate.Annotations(index, r.labels()).(v1.ImageIndex)
	if !ok {
		panic("the annotations of an index make an index")
	}
	folder := filepath.Join(out, "oci")
	if err := writeLayout(folder, r.tag(), index); err != nil {
		return "", err
	}
	if err := pack(folder, filepath.Join(out, r.file("_oci.tar")), r); err != nil {
		return "", err
	}
	hash, err := index.Digest()
	return hash.String(), err
}

// writeLoadable writes a file for docker load and podman load, where the image gets the name scim-bridge:TAG.
func writeLoadable(file, tag string, img v1.Image) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	named, err := name.NewTag("scim-bridge:"+tag, name.WithDefaultRegistry(""))
	if err != nil {
		return err
	}
	return tarball.WriteToFile(file, named, img)
}

// writeLayout writes an OCI image layout with one entry, which Podman and Skopeo name by the annotation.
func writeLayout(folder, tag string, index v1.ImageIndex) error {
	l, err := layout.Write(folder, empty.Index)
	if err != nil {
		return err
	}
	name := map[string]string{"org.opencontainers.image.ref.name": "scim-bridge:" + tag}
	return l.AppendIndex(index, layout.WithAnnotations(name))
}

// pack writes the files of a folder into one, in the order of their names.
func pack(folder, file string, r release) error {
	f, err := os.Create(file)
	if err != nil {
		return err
	}
	w := tar.NewWriter(f)
	err = filepath.WalkDir(folder, func(path string, d fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		relative, err := filepath.Rel(folder, path)
		if err != nil {
			return err
		}
		h := &tar.Header{Typeflag: tar.TypeDir, Name: relative + "/", Mode: 0o755}
		h.ModTime, h.Format = r.created, tar.FormatUSTAR
		if d.IsDir() {
			return w.WriteHeader(h)
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		h.Typeflag, h.Name, h.Mode, h.Size = tar.TypeReg, relative, 0o644, int64(len(text))
		if err := w.WriteHeader(h); err != nil {
			return err
		}
		_, err = w.Write(text)
		return err
	})
	if err != nil {
		return err
	}
	if err := w.Close(); err != nil {
		return err
	}
	return f.Close()
}
