//go:build release

package install

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"testing"
)

// The registry refuses a release whose checksums are not what was signed.
func TestTheSignatureIsOfTheChecksums(t *testing.T) {
	t.Parallel()
	sums := open(t).path(project, "SHA256SUMS")
	if _, err := os.Stat(sums + ".sig"); errors.Is(err, fs.ErrNotExist) {
		const unsigned = "this snapshot is unsigned: run make snapshot GPG_FINGERPRINT=..., with a key of gpg's keyring"
		if os.Getenv("CI") != "" {
			t.Fatal(unsigned)
		}
		t.Skip(unsigned)
	}
	out, err := exec.CommandContext(t.Context(), "gpg", "--batch", "--verify", sums+".sig", sums).CombinedOutput()
	if err != nil {
		t.Errorf("gpg --verify: %v\n%s", err, out)
	}
}
