package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"golang.org/x/term"
)

// terminalOf returns the descriptor of a terminal.
func terminalOf(stream any) (fd int, ok bool) {
	f, isFile := stream.(*os.File)
	if !isFile {
		return 0, false
	}
	fd = int(f.Fd())
	return fd, term.IsTerminal(fd)
}

// isTerminal reports whether a person looks on.
func isTerminal(w io.Writer) bool {
	_, ok := terminalOf(w)
	return ok
}

// readPassword asks for a secret without showing it. SIGINT ends ctx instead of
// the process, so that the terminal can be left as it was.
func readPassword(ctx context.Context, out io.Writer, fd int, prompt string) (string, error) {
	before, err := term.GetState(fd)
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(fd, before) }()
	fmt.Fprint(out, prompt)
	defer fmt.Fprintln(out) // the line's end was not shown either
	type answer struct {
		text []byte
		err  error
	}
	read := make(chan answer, 1)
	go func() { // stays behind if there is no answer; the process ends then
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
