package process

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

const programName = "scim-bridge"

// findBinary returns the path of the program to deploy.
func findBinary(configured string) (string, error) {
	if configured != "" {
		if !filepath.IsAbs(configured) {
			return "", fmt.Errorf("binary %q must be an absolute path", configured)
		}
		return configured, isProgram(configured)
	}
	return firstProgram(deploy.BundledPrograms(runtime.GOOS, runtime.GOARCH))
}

func firstProgram(places []string) (string, error) {
	var faults []string
	for _, path := range places {
		err := isProgram(path)
		if err == nil {
			return path, nil
		}
		faults = append(faults, err.Error())
	}
	return "", fmt.Errorf("the program %s was not found: %s; it is part of the provider's archive, or set `binary` or "+
		"%s to its path",
		programName, strings.Join(faults, "; "), deploy.BinaryVariable)
}

func isProgram(path string) error {
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s does not exist", path)
	case err != nil:
		return err
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return fmt.Errorf("%s is not an executable file", path)
	}
	return nil
}

// install copies the program to bin/<sha256>/ and returns the copy's path. The digest of
// an existing copy is checked, since it will be run.
func (t *Target) install(program, build string) (string, error) {
	path := t.program(build)
	if have, err := deploy.Digest(path); err == nil && have == build {
		return path, nil
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return "", err
	}
	content, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	if sum := sha256.Sum256(content); hex.EncodeToString(sum[:]) != build {
		return "", fmt.Errorf("%s changed while it was being deployed: run terraform apply again", program)
	}
	// A child forked while the file is open for writing would keep it open, and
	// the kernel refuses to run such a file ("text file busy").
	syscall.ForkLock.RLock()
	err = replaceFile(path, content)
	syscall.ForkLock.RUnlock()
	if err != nil {
		return "", fmt.Errorf("copying the bridge: %w", err)
	}
	return path, os.Chmod(path, 0o700)
}

// program returns the path of the copy of a build.
func (t *Target) program(build string) string {
	return filepath.Join(t.DataDir, binName, build, programName)
}

// removeOtherBuilds removes the copies of all builds but one. Processes that run from
// them are not affected.
func (t *Target) removeOtherBuilds(build string) error {
	entries, err := os.ReadDir(t.path(binName))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if isBuild(e.Name()) && e.Name() != build {
			if err := os.RemoveAll(filepath.Join(t.path(binName), e.Name())); err != nil {
				return err
			}
		}
	}
	return nil
}

// isBuild reports whether name is that of a folder from install.
func isBuild(name string) bool {
	b, err := hex.DecodeString(name)
	return err == nil && len(b) == sha256.Size
}
