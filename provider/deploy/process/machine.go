package process

import (
	"encoding/json"
	"fmt"
	"os"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// A Machine identifies the machine on which a process runs.
type Machine struct {
	ID   string `json:"id"`
	Name string `json:"name"` // for messages
}

// ThisMachine identifies the machine that runs this program: by the system's
// machine id, or by the host name if there is none.
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

// json returns the machine as deploy.State.Origin.
func (m Machine) json() []byte {
	b, err := json.Marshal(m)
	if err != nil {
		panic(fmt.Sprintf("process: a machine is two strings: %v", err))
	}
	return b
}

// elsewhere returns an *ElsewhereError if the data folder belongs to another
// machine than m.
func (m Machine) elsewhere(dataDir string, origin []byte) error {
	if len(origin) == 0 { // imported but not yet read
		return nil
	}
	var there Machine
	if err := json.Unmarshal(origin, &there); err != nil {
		return fmt.Errorf("reading the machine of the deployment: %w", err)
	}
	if there.ID == m.ID {
		return nil
	}
	return &ElsewhereError{DataDir: dataDir, There: there, Here: m}
}

// An ElsewhereError is the deploy.ErrElsewhere for a data folder of another machine.
type ElsewhereError struct {
	DataDir     string
	There, Here Machine
}

func (e *ElsewhereError) Error() string {
	return fmt.Sprintf("the bridge in %s runs as a process on machine %q (id %s), and this is %q (id %s): "+
		"a process can be managed only on its own machine. Run Terraform there",
		e.DataDir, e.There.Name, short(e.There.ID), e.Here.Name, short(e.Here.ID))
}

// Is reports whether target is deploy.ErrElsewhere.
func (e *ElsewhereError) Is(target error) bool { return target == deploy.ErrElsewhere }

func short(id string) string {
	if len(id) > 12 {
		return id[:12]
	}
	return id
}
