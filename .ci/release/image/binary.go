package main

import (
	"debug/elf"
	"fmt"
)

// machines are the architectures that there are images for.
var machines = map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}

// checkBinary refuses what could not run from scratch: another architecture's program, or one that needs a loader.
func checkBinary(arch, file string) error {
	machine, known := machines[arch]
	if !known {
		return fmt.Errorf("there is no image for the architecture %q", arch)
	}
	f, err := elf.Open(file)
	if err != nil {
		return fmt.Errorf("%s is not a Linux program: %w", file, err)
	}
	defer f.Close()
	if f.Machine != machine {
		return fmt.Errorf("%s is for %s, not for %s", file, f.Machine, arch)
	}
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return fmt.Errorf("%s is not static: build it with CGO_ENABLED=0", file)
		}
	}
	return nil
}
