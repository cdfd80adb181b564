package providertest

import "os/exec"

// Nothing is deployed as a process on Windows.
func detach(*exec.Cmd) {}

func leftovers(string) []leftover { return nil }
