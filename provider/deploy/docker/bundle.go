package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"

	"github.com/moby/moby/api/types/jsonstream"
	"github.com/moby/moby/client"
)

// A bundle is an image of one program, as the release's image is: see Containerfile.
type bundle struct {
	name, arch, version string
	digest              string // of the program
	content             []byte
}

// load gives the image to the engine.
func load(ctx context.Context, c *client.Client, b bundle) error {
	reader, writer := io.Pipe()
	go func() {
		// not compressed, which Podman does not take; CloseWithError's result is always nil
		_ = writer.CloseWithError(b.write(writer))
	}()
	defer reader.Close()
	answer, err := c.ImageLoad(ctx, reader, client.ImageLoadWithQuiet(true))
	if err != nil {
		return err
	}
	defer answer.Close()
	for decoder := json.NewDecoder(answer); ; {
		var message jsonstream.Message
		switch err := decoder.Decode(&message); {
		case err == io.EOF:
			return nil
		case err != nil:
			return fmt.Errorf("reading the engine's answer: %w", err)
		case message.Error != nil:
			return message.Error
		}
	}
}

// write writes the image as docker save does.
func (b bundle) write(w io.Writer) error {
	layer, err := b.layer()
	if err != nil {
		return err
	}
	sum := sha256.Sum256(layer)
	config, err := json.Marshal(b.config("sha256:" + hex.EncodeToString(sum[:])))
	if err != nil {
		return err
	}
	id := sha256.Sum256(config)
	configName := hex.EncodeToString(id[:]) + ".json"
	manifest, err := json.Marshal([]map[string]any{{
		"Config": configName, "RepoTags": []string{b.name}, "Layers": []string{"layer.tar"},
	}})
	if err != nil {
		return err
	}
	archive := tar.NewWriter(w)
	for _, file := range []struct {
		name    string
		content []byte
	}{{configName, config}, {"layer.tar", layer}, {"manifest.json", manifest}} {
		if err := archive.WriteHeader(&tar.Header{Name: file.name, Mode: 0o644,
			Size: int64(len(file.content))}); err != nil {
			return err
		}
		if _, err := archive.Write(file.content); err != nil {
			return err
		}
	}
	return archive.Close()
}

// layer returns the image's files: the program, and the data folder of its user.
func (b bundle) layer() ([]byte, error) {
	uid, gid, err := parseUser(defaultUser)
	if err != nil {
		return nil, err
	}
	var packed bytes.Buffer
	w := tar.NewWriter(&packed)
	for _, h := range []tar.Header{
		{Name: "usr/", Mode: 0o755},
		{Name: "usr/bin/", Mode: 0o755},
		{Name: "usr/bin/scim-bridge", Mode: 0o755, Size: int64(len(b.content))},
		{Name: "var/", Mode: 0o755},
		{Name: "var/lib/", Mode: 0o755},
		{Name: dataDir[1:] + "/", Mode: 0o700, Uid: uid, Gid: gid},
	} {
		h.Typeflag, h.Format = tar.TypeDir, tar.FormatUSTAR
		if h.Size > 0 {
			h.Typeflag = tar.TypeReg
		}
		if err := w.WriteHeader(&h); err != nil {
			return nil, err
		}
		if h.Size > 0 {
			if _, err := w.Write(b.content); err != nil {
				return nil, err
			}
		}
	}
	err = w.Close()
	return packed.Bytes(), err
}

// config returns the image's configuration. It has no time, so that the same program makes
// the same image.
func (b bundle) config(layer string) any {
	const second = 1_000_000_000 // durations are in nanoseconds
	return map[string]any{
		"os": "linux", "architecture": b.arch, "created": "1970-01-01T00:00:00Z",
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{layer}},
		"history": []map[string]any{{
			"created": "1970-01-01T00:00:00Z", "created_by": "the Terraform provider scimbridge",
		}},
		"config": map[string]any{
			"User":         defaultUser,
			"Entrypoint":   []string{"/usr/bin/scim-bridge"},
			"Env":          []string{"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
			"WorkingDir":   dataDir,
			"ExposedPorts": map[string]any{fmt.Sprintf("%d/tcp", bridgePort): struct{}{}},
			"Healthcheck": map[string]any{
				"Test": []string{"CMD", "scim-bridge", "ping"}, "Interval": 10 * second, "Timeout": 5 * second,
				"StartPeriod": 30 * second, "Retries": 3,
			},
			"Labels": map[string]string{
				labelProgram:                       b.digest,
				"org.opencontainers.image.title":   "scim-bridge",
				"org.opencontainers.image.version": b.version,
			},
		},
	}
}
