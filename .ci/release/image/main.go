// Command image makes the container image of scim-bridge from its static Linux binaries: without a container
// engine, without a base image, and the same bytes from the same binaries.
//
//	image -version 0.1.0 -revision COMMIT -created 2026-01-02T03:04:05Z -out DIR amd64=FILE arm64=FILE
//
// It writes to DIR, beside the digest of the image for all platforms:
//
//	oci/                                       an OCI image layout, to push
//	scim-bridge_VERSION_image_oci.tar          the same in one file
//	scim-bridge_VERSION_image_linux_ARCH.tar   one platform, for docker load and podman load
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "image: "+err.Error())
		os.Exit(1)
	}
}

func run(args []string) error {
	flags := flag.NewFlagSet("image", flag.ExitOnError)
	out := flags.String("out", "", "folder to write to; what is in it is removed")
	created := flags.String("created", "", "time of the commit, RFC 3339")
	var r release
	flags.StringVar(&r.version, "version", "", "version of the binaries")
	flags.StringVar(&r.revision, "revision", "", "commit of the binaries")
	if err := flags.Parse(args); err != nil {
		return err
	}
	var err error
	if r.created, err = time.Parse(time.RFC3339, *created); err != nil {
		return fmt.Errorf("-created: %w", err)
	}
	r.created = r.created.UTC()
	if r.version == "" || r.revision == "" || *out == "" {
		return errors.New("-version, -revision and -out are needed")
	}
	binaries, err := parseBinaries(flags.Args())
	if err != nil {
		return err
	}
	if err := os.RemoveAll(*out); err != nil {
		return err
	}
	digest, err := write(*out, r, binaries)
	if err != nil {
		return err
	}
	fmt.Println(digest)
	return os.WriteFile(filepath.Join(*out, r.file("_digest.txt")), []byte(digest+"\n"), 0o644)
}

// A binary is the program for one architecture.
type binary struct{ arch, file string }

// parseBinaries reads ARCH=FILE words, and returns them in the order of their architectures.
func parseBinaries(words []string) (binaries []binary, err error) {
	for _, word := range words {
		arch, file, ok := strings.Cut(word, "=")
		if !ok {
			return nil, fmt.Errorf("%q is not ARCH=FILE", word)
		}
		if err := checkBinary(arch, file); err != nil {
			return nil, err
		}
		binaries = append(binaries, binary{arch, file})
	}
	if len(binaries) == 0 {
		return nil, errors.New("there is no binary: write amd64=FILE arm64=FILE")
	}
	slices.SortFunc(binaries, func(a, b binary) int { return strings.Compare(a.arch, b.arch) })
	return binaries, nil
}
