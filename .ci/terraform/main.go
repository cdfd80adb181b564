// Command terraform prints the path of a Terraform, for the acceptance tests and the demo:
// the one in PATH, else the one in bin/, else the OpenTofu in PATH, else it
// installs one to bin/. If that fails it prints nothing on standard output and
// one line on standard error, and fails only in CI.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/hashicorp/go-version"
	install "github.com/hashicorp/hc-install"
	"github.com/hashicorp/hc-install/product"
	"github.com/hashicorp/hc-install/releases"
	"github.com/hashicorp/hc-install/src"
)

// wanted is installed if no Terraform is found; any version from 1.11 on works.
var wanted = version.Must(version.NewVersion("1.11.4"))

func main() {
	path, err := find()
	if err == nil {
		fmt.Println(path)
		return
	}
	fmt.Fprintf(os.Stderr, "no terraform in PATH and none could be installed (%v): put one (1.11 or later) into PATH\n",
		err)
	if os.Getenv("CI") != "" {
		os.Exit(1)
	}
}

func find() (string, error) {
	for _, name := range []string{"terraform", filepath.Join("bin", "terraform"), "tofu"} {
		if path, err := exec.LookPath(name); err == nil {
			return filepath.Abs(path)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	dir, err := filepath.Abs("bin")
	if err != nil {
		return "", err
	}
	return install.NewInstaller().Ensure(ctx, []src.Source{
		&releases.ExactVersion{Product: product.Terraform, Version: wanted, InstallDir: dir},
	})
}
