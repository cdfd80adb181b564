package main

import "github.com/alecthomas/kong"

// helpCommand is the command form of --help.
type helpCommand struct {
	Command []string `arg:"" optional:"" help:"The command; without it, the help of scim-bridge."`
}

// Help implements kong.HelpProvider.
func (helpCommand) Help() string {
	return `The same as --help after the command.

  scim-bridge help account init`
}

// Run prints the help.
func (h helpCommand) Run(parser *kong.Kong) error {
	_, err := parser.Parse(append(h.Command, "--help")) // exits, unless the command is unknown
	return &exit{exitUsage, err}
}
