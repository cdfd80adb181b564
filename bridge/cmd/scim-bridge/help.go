package main

import "github.com/alecthomas/kong"

// helpCommand is --help as a command.
type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command to explain; all of them if left out."`
}

// Help shows how it is called.
func (helpCommand) Help() string {
	return `The same as --help after the command.

  scim-bridge help account init`
}

// Run prints the help.
func (h helpCommand) Run(parser *kong.Kong) error {
	_, err := parser.Parse(append(h.Command, "--help")) // ends here, unless there is no such command
	return &exit{exitUsage, err}
}
