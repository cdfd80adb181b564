//go:build engines

package kubernetes

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// postgresImage stands in for the image postgres.
const postgresImage = "scimbridge.test/postgres:1"

// entrypoint does what the image's own (github.com/docker-library/postgres) does with what the example gives it: a
// database cluster on an empty volume, whose scripts run at a server that only the socket leads to.
const entrypoint = `#!/bin/sh
set -eu
if [ ! -s "$PGDATA/PG_VERSION" ]; then
	mkdir -p "$PGDATA"
	chmod 700 "$PGDATA"
	initdb --pgdata="$PGDATA" --username=postgres --pwfile="$POSTGRES_PASSWORD_FILE" $POSTGRES_INITDB_ARGS
	pg_ctl --pgdata="$PGDATA" --wait --options="$* -c listen_addresses=''" start
	for file in /docker-entrypoint-initdb.d/*.sql; do
		psql -v ON_ERROR_STOP=1 --username=postgres --no-password --no-psqlrc --dbname=postgres -f "$file"
	done
	pg_ctl --pgdata="$PGDATA" --mode=fast --wait stop
fi
exec postgres "$@"
`

// LoadPostgres puts an image of this machine's PostgreSQL on the node, and returns its name.
func (c *Cluster) LoadPostgres() string {
	c.t.Helper()
	programs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/postgres")
	if len(programs) == 0 {
		c.t.Fatal("PostgreSQL is missing (apt-get install postgresql)")
	}
	bin := filepath.Dir(programs[len(programs)-1])
	base, version := c.path("postgres"), filepath.Dir(bin)
	for _, folder := range []string{
		bin, "bin", "etc", "tmp", "docker-entrypoint-initdb.d", "run/secrets", "usr/share/postgresql",
		"var/run/postgresql", "var/lib/postgresql/data",
	} {
		if err := os.MkdirAll(filepath.Join(base, folder), 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
	for name, text := range map[string]string{
		"entrypoint": entrypoint, "etc/passwd": "postgres:x:999:999::/var/lib/postgresql:/bin/sh\n",
		"etc/group": "postgres:x:999:\n", "etc/nsswitch.conf": "hosts: files dns\n",
	} {
		if err := os.WriteFile(filepath.Join(base, name), []byte(text), 0o755); err != nil {
			c.t.Fatal(err)
		}
	}
	c.copyProgram(base, "busybox", "bin/sh")
	for _, tool := range []string{"mkdir", "chmod", "cat", "date", "mv", "ls", "head", "sleep"} {
		if err := os.Symlink("sh", filepath.Join(base, "bin", tool)); err != nil {
			c.t.Fatal(err)
		}
	}
	for _, program := range []string{
		"postgres", "initdb", "pg_ctl", "psql", "pg_dump", "pg_restore", "pg_isready", "pg_basebackup",
	} {
		c.copyProgram(base, filepath.Join(bin, program), filepath.Join(bin, program))
	}
	c.run("cp", "-rL", filepath.Join(version, "lib"), filepath.Join(base, version))
	c.run("sh", "-c", "rm -rf "+filepath.Join(base, version, "lib")+"/llvmjit* "+
		filepath.Join(base, version, "lib")+"/bitcode")
	c.run("cp", "-rL", filepath.Join("/usr/share/postgresql", filepath.Base(version)),
		filepath.Join(base, "usr/share/postgresql"))
	c.run("cp", "-rL", "/usr/share/zoneinfo", filepath.Join(base, "usr/share"))

	layer := c.path("postgres-layer.tar")
	c.run("tar", "-C", base, "-cf", layer, ".")
	text, err := os.ReadFile(layer)
	if err != nil {
		c.t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	archive := c.write("postgres.tar", string(c.archive(map[string][]byte{
		"config.json": c.encode(map[string]any{
			"architecture": runtime.GOARCH, "os": "linux", "config": map[string]any{
				"Entrypoint": []string{"/entrypoint"}, "Cmd": []string{}, "StopSignal": "SIGINT",
				"Env": []string{"PATH=" + bin + ":/bin"},
			},
			"rootfs": map[string]any{"type": "layers", "diff_ids": []string{"sha256:" + hex.EncodeToString(sum[:])}},
		}),
		"manifest.json": c.encode([]any{map[string]any{
			"Config": "config.json", "RepoTags": []string{postgresImage}, "Layers": []string{"layer.tar"},
		}}),
		"layer.tar": text,
	})))
	c.run("ctr", "-n", "k8s.io", "images", "import", archive)
	for _, path := range []string{base, layer, archive} { // it is in memory
		if err := os.RemoveAll(path); err != nil {
			c.t.Fatal(err)
		}
	}
	return postgresImage
}

// copyProgram copies a program of this machine, and what it is linked with.
func (c *Cluster) copyProgram(base, program, to string) {
	c.t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		c.t.Fatal(err)
	}
	c.run("cp", "-L", path, filepath.Join(base, to))
	libraries, _ := exec.CommandContext(c.t.Context(), "ldd", path).Output() // none, of a static one
	for _, word := range strings.Fields(string(libraries)) {
		if strings.HasPrefix(word, "/") {
			c.run("mkdir", "-p", filepath.Join(base, filepath.Dir(word)))
			c.run("cp", "-Lu", word, filepath.Join(base, word))
		}
	}
}
