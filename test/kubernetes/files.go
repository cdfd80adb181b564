//go:build engines

package kubernetes

import (
	"archive/tar"
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"runtime"

	"github.com/scimbridge/terraform-provider-scimbridge/test/certificates"
)

// certify writes the cluster's certificates, its key for tokens, and the administrator's kubeconfig.
func (c *Cluster) certify() {
	c.t.Helper()
	ca := certificates.NewCA(c.t)
	c.write("ca.pem", string(ca.PEM))
	c.write("accounts.key", string(certificates.NewKey(c.t)))
	certificate, key := ca.Issue("kube-apiserver", "", Node, "127.0.0.1", firstService, "kubernetes.default.svc")
	c.write("server.pem", string(certificate))
	c.write("server.key", string(key))
	certificate, key = ca.Issue("admin", "system:masters")
	c.write("admin.pem", string(certificate))
	c.write("admin.key", string(key))
	config, err := json.Marshal(map[string]any{
		"apiVersion": "v1", "kind": "Config", "current-context": "test",
		"contexts": []any{map[string]any{
			"name": "test", "context": map[string]string{"cluster": "test", "user": "admin"},
		}},
		"clusters": []any{map[string]any{"name": "test", "cluster": map[string]string{
			"server":                     "https://" + Node + ":6443",
			"certificate-authority-data": base64.StdEncoding.EncodeToString(ca.PEM),
		}}},
		"users": []any{map[string]any{"name": "admin", "user": map[string]string{
			"client-certificate-data": base64.StdEncoding.EncodeToString(certificate),
			"client-key-data":         base64.StdEncoding.EncodeToString(key),
		}}},
	})
	if err != nil {
		c.t.Fatal(err)
	}
	c.write(filepath.Base(c.Kubeconfig), string(config))
}

// writePause writes the image of a container that only waits, as docker save would.
func (c *Cluster) writePause() string {
	c.t.Helper()
	program, err := os.ReadFile(filepath.Join(top(c.t), "bin/pause"))
	if err != nil {
		c.t.Fatal(err)
	}
	layer := c.archive(map[string][]byte{"pause": program})
	sum := sha256.Sum256(layer)
	config := map[string]any{
		"architecture": runtime.GOARCH, "os": "linux", "config": map[string]any{"Entrypoint": []string{"/pause"}},
		"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
	}
	manifest := []any{map[string]any{"Config": "config.json", "RepoTags": []string{pauseImage},
		"Layers": []string{"layer.tar"}}}
	return c.write("pause.tar", string(c.archive(map[string][]byte{
		"config.json": c.encode(config), "manifest.json": c.encode(manifest), "layer.tar": layer,
	})))
}

func (c *Cluster) encode(value any) []byte {
	c.t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		c.t.Fatal(err)
	}
	return text
}

func (c *Cluster) archive(files map[string][]byte) []byte {
	c.t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, content := range files {
		err := w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(content))})
		if err == nil {
			_, err = w.Write(content)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		c.t.Fatal(err)
	}
	return b.Bytes()
}
