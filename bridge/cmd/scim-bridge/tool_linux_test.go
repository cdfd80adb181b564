package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// buildTool builds a server that tests need, of a package that a go.mod of .ci pins, and returns its path.
func buildTool(name, modfile, pkg string) (string, error) {
	folder, err := filepath.Abs("../../../bin/test")
	if err == nil {
		err = os.MkdirAll(folder, 0o755)
	}
	if err != nil {
		return "", err
	}
	// Another run of the tests may be using the program.
	unfinished := filepath.Join(folder, fmt.Sprintf("%s-%d", name, os.Getpid()))
	cmd := exec.CommandContext(context.Background(), "go", "build", "-modfile="+modfile, "-o", unfinished, pkg)
	cmd.Dir, cmd.Env = "../../..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", name, err, out)
	}
	path := filepath.Join(folder, name)
	return path, os.Rename(unfinished, path)
}
