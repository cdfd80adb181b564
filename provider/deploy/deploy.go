// Package deploy says what a deployment of the bridge is: a Spec, a Target
// that makes it so, and the State that is found there. It also owns the wait
// for a bridge that was just deployed, and the revision that names what runs.
//
// It is free of Terraform types and knows no kind of target: each kind is a
// folder below this one, and package deployment lists them.
package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
)

// A Spec is what is to be deployed, wherever it runs.
type Spec struct {
	Name     string
	Session  string // sealed
	Unseal   Unseal
	Size     Size
	Settings Settings
	// Triggers replace the bridge when they change.
	Triggers map[string]string
	// Memo is kept with the deployment and returned by Observe. The bridge does
	// not get it.
	Memo map[string]string
}

// Unseal is how a bridge gets its bearer token after a start.
type Unseal string

// The ways to unseal.
const (
	UnsealOnce   Unseal = "once"   // with the deployment; after a restart it is sealed
	UnsealStored Unseal = "stored" // from a file, after a restart too
)

// Size is how much memory a bridge may use.
type Size string

// The sizes.
const (
	SizeBase     Size = "base"
	SizeHigh     Size = "high"
	SizeVeryHigh Size = "very_high"
)

// Memory returns how many bytes a bridge of this size may use.
func (s Size) Memory() int64 {
	const mebibyte = 1 << 20
	switch s {
	case SizeVeryHigh:
		return 2048 * mebibyte
	case SizeHigh:
		return 1024 * mebibyte
	default:
		return 512 * mebibyte
	}
}

// Settings are flags of `scim-bridge serve`; an empty one means the default.
type Settings struct {
	PublicURL            string `json:"public_url,omitempty"`
	AccountURL           string `json:"account_url,omitempty"`
	ConfirmationInterval string `json:"confirmation_interval,omitempty"`
	LogLevel             string `json:"log_level,omitempty"`
	LogFormat            string `json:"log_format,omitempty"`
	SourceAddress        string `json:"source_address,omitempty"`
	TrustedProxies       string `json:"trusted_proxies,omitempty"`
	InsecureHTTP         bool   `json:"insecure_http,omitempty"`
}

// Flags returns the settings as the command line has them.
func (s Settings) Flags() []string {
	var flags []string
	for _, f := range []struct{ name, value string }{
		{"public-url", s.PublicURL},
		{"account-url", s.AccountURL},
		{"confirmation-interval", s.ConfirmationInterval},
		{"log-level", s.LogLevel},
		{"log-format", s.LogFormat},
		{"source-address", s.SourceAddress},
		{"trusted-proxies", s.TrustedProxies},
	} {
		if f.value != "" {
			flags = append(flags, "--"+f.name+"="+f.value)
		}
	}
	if s.InsecureHTTP {
		flags = append(flags, "--insecure-http")
	}
	return flags
}

// Revision names what would run. It changes exactly when the bridge must be
// replaced. build is what Target.Build returns; name and memo do not count.
func (s Spec) Revision(build string) string {
	b, err := json.Marshal(struct {
		Build, Session string
		Unseal         Unseal
		Size           Size
		Settings       Settings
		Triggers       map[string]string `json:",omitempty"`
	}{build, s.Session, s.Unseal, s.Size, s.Settings, s.Triggers})
	if err != nil {
		panic(fmt.Sprintf("deploy: a spec holds only texts: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// A State is what a target found.
type State struct {
	// Spec is what was deployed last. Its Session is the one at the target now;
	// empty if that is gone.
	Spec Spec
	// Revision is that of the bridge that runs, or of the last one if none does.
	Revision string
	// ObservedRevision is the last one that ran, was unsealed and signed in once.
	ObservedRevision string
	// Program is the digest of the program that was deployed last; empty if that is
	// not known.
	Program string
	Running bool
	// Lost says what is wrong with the target's record of the deployment, if the
	// bridge or its files are there without it; else empty. Spec is empty then. An
	// Update writes the record anew.
	Lost string
	// Trace is what the target finds the bridge by when its record is lost; the
	// format is the target's own. The caller keeps it away from the target.
	Trace string
	// Origin is the machine that the deployment belongs to, as JSON for
	// Kind.Elsewhere; nil if it can be managed from any.
	Origin []byte
	// Config is what Kind.FromConfig makes this target of; nil if the record
	// of it is lost.
	Config any
	// URL is where the bridge is reached, without Settings.PublicURL; empty if
	// that is not known.
	URL string
	// Bridge is what the bridge says of itself; nil if none runs or answers.
	Bridge *control.Status
	// Log is the end of the log of a bridge that does not run; may be empty.
	Log string
}

// Status returns the state in one word. It is the only place that turns states of a
// bridge into those of a deployment.
func (s State) Status() Status {
	switch {
	case !s.Running:
		return Stopped
	case s.Bridge == nil:
		return Degraded
	case s.Bridge.State == control.Sealed:
		return Sealed
	case s.Bridge.State == control.Ready:
		return Ready
	default:
		return Degraded
	}
}

// A Status is the attribute status of a deployment.
type Status string

// The statuses.
const (
	Ready    Status = "ready"
	Sealed   Status = "sealed"
	Degraded Status = "degraded" // runs, and cannot work
	Stopped  Status = "stopped"
)
