package providertest

import "os/exec"

// Nothing is deployed as a process on Windows.
func detach(*exec.Cmd) {}

// Runs is not asked on Windows.
func Runs(int) bool { return false }

func leftovers(string) []leftover { return nil }
