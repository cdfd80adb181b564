package main

import (
	"io"
	"strings"
	"testing"
)

// Asking for help gives a line to copy, and a sentence on every flag.
func TestHelpTeaches(t *testing.T) {
	t.Parallel()
	parser, err := newParser(&cli{}, &console{In: strings.NewReader(""), Out: io.Discard, Err: io.Discard})
	if err != nil {
		t.Fatal(err)
	}
	commands := parser.Model.Leaves(true)
	if len(commands) < 15 {
		t.Fatalf("found %d commands: the test would prove nothing", len(commands))
	}
	for _, command := range commands {
		if path := command.FullPath(); !strings.Contains(command.Detail, "\n\n  "+path) {
			t.Errorf("the help of %q shows no example", path)
		}
		for _, flag := range command.Flags {
			if len(strings.Fields(flag.Help)) < 3 {
				t.Errorf("%s --%s explains itself by %q", command.FullPath(), flag.Name, flag.Help)
			}
		}
	}
}
