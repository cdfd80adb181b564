package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"strings"

	"github.com/moby/moby/client"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// The files in the volume. Those of the bridge itself are observedName, acmeName and its instance.
const (
	recordName     = "deployment.json"
	sessionName    = "session"
	tokenName      = "unseal-token"
	monitoringName = "monitoring-token"
	observedName   = "observed_revision"
	// acmeName is the bridge's folder of certificates. Each order of another one counts at the authority.
	acmeName = "acme"
	// holdsName is the bridge's folder of what it holds beyond its suspension limit.
	holdsName = "holds"
)

const recordVersion = 1

// record is the content of deployment.json: what was deployed. It contains no secret but a mark
// of the monitoring token. It is a file and no label, since labels of a container cannot be changed.
type record struct {
	Version     int               `json:"version"`
	Container   string            `json:"container"`
	Name        string            `json:"name"`
	Image       string            `json:"image,omitempty"` // as configured
	ImageID     string            `json:"image_id"`
	Program     string            `json:"program"` // deploy.Program.Digest
	Ports       []string          `json:"ports,omitempty"`
	Network     string            `json:"network,omitempty"`
	Memory      int64             `json:"memory,omitempty"`
	Environment map[string]string `json:"environment,omitempty"`
	Revision    string            `json:"revision"`
	Unseal      deploy.Unseal     `json:"unseal"`
	Size        deploy.Size       `json:"size,omitempty"`
	Settings    deploy.Settings   `json:"settings"`
	Triggers    map[string]string `json:"triggers,omitempty"`
	Memo        map[string]string `json:"memo,omitempty"`
	// Monitoring is nil without a monitoring token. Mark is deploy.MonitoringToken's.
	Monitoring *deploy.Monitoring `json:"monitoring,omitempty"`
	Mark       string             `json:"monitoring_mark,omitempty"`
}

func newRecord(t *Target, spec deploy.Spec, revision, program, imageID string) record {
	r := record{
		Version: recordVersion, Container: t.Name, Name: spec.Name, Image: text(t.Image), ImageID: imageID,
		Program: program,
		Ports:   t.Ports, Network: text(t.Network), Environment: maps.Clone(t.Environment), Revision: revision,
		Unseal: spec.Unseal, Size: spec.Size, Settings: spec.Settings, Triggers: spec.Triggers, Memo: spec.Memo,
		Monitoring: spec.Monitoring,
	}
	if spec.Monitoring != nil {
		r.Mark = spec.Monitoring.Token.Mark()
	}
	if t.Memory != nil {
		r.Memory = *t.Memory
	}
	return r
}

// spec returns the recorded spec, without the session.
func (r record) spec() deploy.Spec {
	return deploy.Spec{Name: r.Name, Unseal: r.Unseal, Size: r.Size, Settings: r.Settings, Triggers: r.Triggers,
		Memo: r.Memo, Monitoring: r.Monitoring}
}

// config returns the recorded configuration of the target.
func (r record) config(name string, host *string) Config {
	c := Config{Name: name, Image: pointer(r.Image), Host: host, Ports: r.Ports, Network: pointer(r.Network),
		Environment: r.Environment}
	if r.Memory != 0 {
		c.Memory = &r.Memory
	}
	return c
}

// readRecord reads a container's record. It returns errNoFile if it is missing or damaged.
func readRecord(ctx context.Context, c *client.Client, g *generation) (r record, err error) {
	content, err := readFile(ctx, c, g, recordName)
	if err != nil {
		return record{}, err
	}
	if json.Unmarshal(content, &r) != nil || r.Version == 0 {
		return record{}, errNoFile
	}
	if r.Version != recordVersion {
		return record{}, fmt.Errorf("the record of the container %s has version %d, but this provider supports %d: "+
			"use the version of the provider that wrote it", g.name(), r.Version, recordVersion)
	}
	return r, nil
}

// putRecord writes the record. What it says of the monitoring token must be true of the running bridge, since an
// interrupted run is found by the difference between the two.
func putRecord(ctx context.Context, c *client.Client, g *generation, r record) error {
	content, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return writeFiles(ctx, c, g, map[string][]byte{recordName: append(content, '\n')})
}

// putInputs writes the files that the bridge reads when it starts.
func putInputs(ctx context.Context, c *client.Client, g *generation, spec deploy.Spec, token session.Token) error {
	files := map[string][]byte{sessionName: []byte(spec.Session + "\n")}
	if spec.Unseal == deploy.UnsealStored {
		stored := []byte(token.Reveal() + "\n")
		if token.IsZero() {
			var err error
			if stored, err = readFile(ctx, c, g, tokenName); err != nil && !errors.Is(err, errNoFile) {
				return err
			}
		}
		if !opens(stored, spec.Session) {
			return errNoStoredToken
		}
		files[tokenName] = stored
	}
	if m := spec.Monitoring; m != nil {
		if m.Token.IsZero() {
			return deploy.ErrNoMonitoringToken
		}
		files[monitoringName] = []byte(m.Token.Reveal() + "\n")
	}
	return writeFiles(ctx, c, g, files)
}

var errNoStoredToken = errors.New(`with unseal = "stored", no token is stored that opens the session: set ` +
	`unseal_token_wo`)

// opens reports whether a stored token opens the session, other than one whose overlap ends.
func opens(stored []byte, sealed string) bool {
	token, err := session.ParseToken(strings.TrimSpace(string(stored)))
	if err != nil {
		return false
	}
	file, err := session.Parse(sealed)
	return err == nil && token.Fingerprint() == file.Entries[0].Header.TokenFingerprint
}
