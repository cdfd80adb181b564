package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// terminalOf returns the file descriptor of stream if it is a terminal.
func terminalOf(stream any) (fd int, ok bool) {
	f, isFile := stream.(*os.File)
	if !isFile {
		return 0, false
	}
	fd = int(f.Fd())
	return fd, term.IsTerminal(fd)
}

// isTerminal reports whether w is a terminal.
func isTerminal(w io.Writer) bool {
	_, ok := terminalOf(w)
	return ok
}

// readPassword reads a secret without echo. SIGINT ends ctx instead of the
// process, so that the terminal's state can be restored.
func readPassword(ctx context.Context, out io.Writer, fd int, prompt string) (string, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(fd, before) }()
	fmt.Fprint(out, prompt)
	defer fmt.Fprintln(out) // the newline was not echoed either
	type answer struct {
		text []byte
		err  error
	}
	read := make(chan answer, 1)
	go func() { // keeps blocking if ctx ends; the process exits then
		text, err := term.ReadPassword(fd)
		read <- answer{text, err}
	}()
	select {
	case a := <-read:
		return string(a.text), a.err
	case <-ctx.Done():
		return "", errors.New("interrupted")
	}
}
