package kubernetes

import (
	"encoding/json"
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// recordKey is the annotation of the Deployment and of the Secret with the session that has the record.
const recordKey = "scimbridge/deployment"

const recordVersion = 1

// A record says what was deployed. It contains no secret.
type record struct {
	Version  int               `json:"version"`
	Name     string            `json:"name"`
	Revision string            `json:"revision"`
	Unseal   deploy.Unseal     `json:"unseal"`
	Size     deploy.Size       `json:"size"`
	Settings deploy.Settings   `json:"settings"`
	Triggers map[string]string `json:"triggers,omitempty"`
	Memo     map[string]string `json:"memo,omitempty"`
	Config   Config            `json:"config"`
	// Monitoring is nil without a monitoring token.
	Monitoring *deploy.Monitoring `json:"monitoring,omitempty"`
}

func newRecord(c Config, spec deploy.Spec, revision string) record {
	return record{Version: recordVersion, Name: spec.Name, Revision: revision, Unseal: spec.Unseal, Size: spec.Size,
		Settings: spec.Settings, Triggers: spec.Triggers, Memo: spec.Memo, Config: c,
		Monitoring: spec.Monitoring}
}

// spec returns the recorded spec, without the session.
func (r record) spec() deploy.Spec {
	return deploy.Spec{Name: r.Name, Unseal: r.Unseal, Size: r.Size, Settings: r.Settings, Triggers: r.Triggers,
		Memo: r.Memo, Monitoring: r.Monitoring}
}

func (r record) String() string {
	text, err := json.Marshal(r)
	if err != nil {
		panic(fmt.Sprintf("kubernetes: a record holds only texts: %v", err))
	}
	return string(text)
}

// readRecord reads the record of an object. It fails if it has none.
func readRecord(text, namespace, name string) (r record, err error) {
	if text == "" {
		return r, fmt.Errorf("it has no annotation %s", recordKey)
	}
	if err := json.Unmarshal([]byte(text), &r); err != nil {
		return r, fmt.Errorf("its annotation %s is damaged: %w", recordKey, err)
	}
	if r.Version != recordVersion {
		return r, fmt.Errorf("its annotation %s has version %d, but this provider supports %d: use the version of the "+
			"provider that wrote it", recordKey, r.Version, recordVersion)
	}
	r.Config.Namespace, r.Config.Name = namespace, name
	return r, nil
}
