package process

import (
	"fmt"
	"os"
	"strings"
)

// A Machine is where a process runs.
type Machine struct {
	ID   string `json:"id"`
	Name string `json:"name"` // for people
}

// ThisMachine identifies the machine that runs this program. Where the system
// keeps no machine id, the host name must do.
func ThisMachine() Machine {
	name, err := os.Hostname()
	if err != nil {
		name = "unknown"
	}
	m := Machine{ID: "host:" + name, Name: name}
	for _, path := range []string{"/etc/machine-id", "/var/lib/dbus/machine-id"} {
		b, err := os.ReadFile(path)
		if id := strings.TrimSpace(string(b)); err == nil && id != "" {
			m.ID = id
			break
		}
	}
	return m
}

// An ElsewhereError says that a data folder belongs to another machine.
type ElsewhereError struct {
	DataDir     string
	There, Here Machine
}

func (e *ElsewhereError) Error() string {
	return fmt.Sprintf("the bridge in %s runs as a process on machine %q (id %s), and this is %q (id %s): a process can only be managed from its own machine. "+
		"Run Terraform there. For a bridge that is managed from several machines, a target that is reached over the network is needed "+
		"(docker, systemd or kubernetes); this version of the provider has none of them yet",
		e.DataDir, e.There.Name, short(e.There.ID), e.Here.Name, short(e.Here.ID))
}

func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
