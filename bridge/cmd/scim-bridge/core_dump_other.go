//go:build !unix

package main

// disableCoreDumps does nothing: such a system dumps no memory unless it is told to.
func disableCoreDumps() {}
