package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"io"
	"os"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// What the Containerfile at the top level says, too; a test compares them.
const (
	program = "usr/bin/scim-bridge"
	// dataDir is the default of --data-dir, so that commands find it in a container as they do on a machine.
	dataDir = "var/lib/scim-bridge"
	// owner is nobody's number on a host: 65532 is what images without a user database use.
	owner = 65532
	// vendorHome and vendorUser are for manifests of the vendor's image: the program says what they have.
	vendorHome = "home/opuser"
	vendorUser = 999
)

// A release is what the binaries are of.
type release struct {
	version, revision string
	created           time.Time // the commit's time
}

// file is the name of one of the release's files.
func (r release) file(suffix string) string { return "scim-bridge_" + r.version + "_image" + suffix }

// tag is the version as far as a tag can hold it.
func (r release) tag() string { return strings.ReplaceAll(r.version, "+", "_") }

// labels are the annotations of the OCI image specification.
func (r release) labels() map[string]string {
	return map[string]string{
		"org.opencontainers.image.title":       "scim-bridge",
		"org.opencontainers.image.description": "SCIM bridge and account service of scimbridge",
		"org.opencontainers.image.source":      "https://github.com/scimbridge/terraform-provider-scimbridge",
		"org.opencontainers.image.licenses":    "MPL-2.0",
		"org.opencontainers.image.version":     r.version,
		"org.opencontainers.image.revision":    r.revision,
		"org.opencontainers.image.created":     r.created.Format(time.RFC3339),
	}
}

// config is how a container runs. Without a command it is the bridge, as with the vendor's image.
func (r release) config() v1.Config {
	return v1.Config{
		User:         "65532:65532",
		Entrypoint:   []string{"/" + program},
		Cmd:          []string{"serve"},
		Env:          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
		WorkingDir:   "/" + dataDir,
		ExposedPorts: map[string]struct{}{"3002/tcp": {}, "8600/tcp": {}},
		Labels:       r.labels(),
		Healthcheck: &v1.HealthConfig{
			Test:        []string{"CMD", "scim-bridge", "ping"},
			Interval:    10 * time.Second,
			Timeout:     5 * time.Second,
			StartPeriod: 30 * time.Second,
			Retries:     3,
		},
	}
}

// image makes the image for one architecture.
func (r release) image(b binary) (v1.Image, error) {
	files, err := r.layer(b.file)
	if err != nil {
		return nil, err
	}
	img, err := mutate.Append(mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		types.OCIConfigJSON), mutate.Addendum{
		Layer:   files,
		History: v1.History{Created: v1.Time{Time: r.created}, CreatedBy: "scimbridge, .ci/release/image"},
	})
	if err != nil {
		return nil, err
	}
	described, err := img.ConfigFile()
	if err != nil {
		return nil, err
	}
	described = described.DeepCopy()
	described.OS, described.Architecture = "linux", b.arch
	described.Created = v1.Time{Time: r.created}
	described.Config = r.config()
	return mutate.ConfigFile(img, described)
}

// layer is the one layer of an image: the program, and the folders for its data, which are the users'.
func (r release) layer(file string) (v1.Layer, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, h := range []tar.Header{
		{Name: "home/", Mode: 0o755},
		{Name: vendorHome + "/", Mode: 0o755, Uid: vendorUser, Gid: vendorUser},
		{Name: "usr/", Mode: 0o755},
		{Name: "usr/bin/", Mode: 0o755},
		{Name: program, Mode: 0o755, Size: int64(len(text))},
		{Name: "var/", Mode: 0o755},
		{Name: "var/lib/", Mode: 0o755},
		{Name: dataDir + "/", Mode: 0o700, Uid: owner, Gid: owner},
	} {
		h.Typeflag, h.ModTime, h.Format = tar.TypeDir, r.created, tar.FormatUSTAR
		if h.Size > 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if h.Size > 0 {
			if _, err := w.Write(text); err != nil {
				return nil, err
			}
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(packed.Bytes())), nil }
	return tarball.LayerFromOpener(open, tarball.WithMediaType(types.OCILayer),
		tarball.WithCompressionLevel(gzip.BestCompression))
}
