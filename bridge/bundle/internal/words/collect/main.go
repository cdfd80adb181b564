// Command collect writes the vocabulary of package bundle anew: own.txt has the words of this program, go.txt those
// of the errors of Go's own packages. It is run in the folder of package bundle.
package main

import (
	"fmt"
	"go/build"
	"os"
	"path/filepath"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/bundle/internal/words"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "collect:", err)
		os.Exit(1)
	}
}

func run() error {
	own, err := words.Own("..")
	if err != nil {
		return err
	}
	if err := write("own.txt", own); err != nil {
		return err
	}
	var folders []string
	for _, name := range []string{
		"context", "crypto/tls", "crypto/x509", "encoding/base64", "encoding/json", "errors", "io", "io/fs", "net",
		"net/http", "net/textproto", "net/url", "os", "strconv", "time",
	} {
		folders = append(folders, filepath.Join(build.Default.GOROOT, "src", filepath.FromSlash(name)))
	}
	of, err := words.Literals(folders...)
	if err != nil {
		return err
	}
	return write("go.txt", of)
}

func write(name string, all []string) error {
	return os.WriteFile(filepath.Join("vocabulary", name), []byte(strings.Join(all, "\n")+"\n"), 0o600)
}
