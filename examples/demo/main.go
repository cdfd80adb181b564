//go:build unix

// Command demo starts an account service, applies examples/quickstart, simulates
// two identity providers, and prints the people and groups that arrived, all on
// one machine.
//
//	go run ./examples/demo up      start or continue; safe to repeat
//	go run ./examples/demo down    stop everything and remove it
//
// It listens on loopback only, needs no network, and keeps everything in
// .demo/ at the top of the repository.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, os.Args[1:])
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "demo: "+err.Error())
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	root, err := repository()
	if err != nil {
		return err
	}
	d := &demo{root: root, bin: filepath.Join(root, "bin"), dir: filepath.Join(root, ".demo"), out: os.Stdout}
	switch {
	case len(args) == 1 && args[0] == "up":
		return d.up(ctx)
	case len(args) == 1 && args[0] == "down":
		return d.down(ctx)
	}
	return errors.New("say up or down: go run ./examples/demo up")
}

// repository returns the nearest folder upward that has a go.mod.
func repository() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod here or above: run it in the repository")
		}
		dir = parent
	}
}
