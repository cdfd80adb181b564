package main

import (
	"io"
	"os"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
)

// A colour is what a terminal is told before a text (ECMA-48, SGR).
type colour string

const (
	bold   colour = "\x1b[1m"
	red    colour = "\x1b[1;31m"
	green  colour = "\x1b[32m"
	yellow colour = "\x1b[33m"
)

// paint returns a text in a colour for w: a terminal whose user has not set NO_COLOR (no-color.org). Everything else,
// a file or a program that reads, gets the text alone.
func paint(w io.Writer, c colour, text string) string {
	if text == "" || !isTerminal(w) || os.Getenv("NO_COLOR") != "" || os.Getenv("TERM") == "dumb" {
		return text
	}
	return string(c) + text + "\x1b[0m"
}

// paintState paints a state of a bridge or a component.
func paintState(w io.Writer, state string) string {
	switch state {
	case health.Healthy:
		return paint(w, green, state)
	case health.Degraded, health.Sealed:
		return paint(w, yellow, state)
	case health.Unhealthy:
		return paint(w, red, state)
	default:
		return state
	}
}
