// Package deploy defines deployments of the bridge: a Spec, a Target that applies it,
// and the State that is observed there. It also owns the wait for a bridge that was
// just deployed, and the revision that identifies what runs.
//
// It is free of Terraform types and knows no kind of target: each kind is a
// folder below this one, and package deployment lists them.
package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A Spec describes a deployment, independent of its target.
type Spec struct {
	Name     string
	Session  string // sealed
	Unseal   Unseal
	Size     Size
	Settings Settings
	// Monitoring is nil for a bridge without a monitoring token.
	Monitoring *Monitoring
	// Triggers replace the bridge when they change.
	Triggers map[string]string
	// Memo is stored with the deployment and returned by Observe. The bridge does not
	// get it.
	Memo map[string]string
}

// Unseal is how a bridge gets its bearer token after a start.
type Unseal string

// The ways to unseal.
const (
	UnsealOnce   Unseal = "once"   // by the deployment; sealed after a restart
	UnsealStored Unseal = "stored" // from a file, also after a restart
)

// Size is how much memory a bridge may use.
type Size string

// The sizes.
const (
	SizeBase     Size = "base"
	SizeHigh     Size = "high"
	SizeVeryHigh Size = "very_high"
)

// Memory returns how many bytes a bridge of this size may use: its soft limit, near which it works
// harder to stay below.
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

// Limit returns how many bytes a container of this size may use, at which the kernel kills what is in it.
func (s Size) Limit() int64 { return s.Memory() / 4 * 5 }

// Settings are flags of `scim-bridge serve`; an empty one means the default.
type Settings struct {
	PublicURL            string `json:"public_url,omitempty"`
	AccountURL           string `json:"account_url,omitempty"`
	TLSDomain            string `json:"tls_domain,omitempty"`
	ACMEEmail            string `json:"acme_email,omitempty"`
	SuspensionLimit      string `json:"suspension_limit,omitempty"`
	ConfirmationInterval string `json:"confirmation_interval,omitempty"`
	LogLevel             string `json:"log_level,omitempty"`
	LogFormat            string `json:"log_format,omitempty"`
	SourceAddress        string `json:"source_address,omitempty"`
	TrustedProxies       string `json:"trusted_proxies,omitempty"`
	InsecureHTTP         bool   `json:"insecure_http,omitempty"`
}

// A flag is one of `scim-bridge serve` that takes a value.
type flag struct {
	name  string
	value *string
}

func (s *Settings) flags() []flag {
	return []flag{
		{"public-url", &s.PublicURL},
		{"account-url", &s.AccountURL},
		{"tls-domain", &s.TLSDomain},
		{"acme-email", &s.ACMEEmail},
		{"suspension-limit", &s.SuspensionLimit},
		{"confirmation-interval", &s.ConfirmationInterval},
		{"log-level", &s.LogLevel},
		{"log-format", &s.LogFormat},
		{"source-address", &s.SourceAddress},
		{"trusted-proxies", &s.TrustedProxies},
	}
}

// Holds reports whether a bridge with these settings and a session keeps in its data folder what it holds beyond a
// limit: one before a SCIM server does, unless the limit is off.
func (s Settings) Holds(sealed string) bool {
	file, err := session.Parse(sealed)
	return err == nil && file.Entries[0].Header.Kind() == session.KindDirectory && s.SuspensionLimit != "off"
}

const insecureHTTPFlag = "--insecure-http"

// Flags returns the settings as command-line flags.
func (s Settings) Flags() []string {
	var flags []string
	for _, f := range s.flags() {
		if *f.value != "" {
			flags = append(flags, "--"+f.name+"="+*f.value)
		}
	}
	if s.InsecureHTTP {
		flags = append(flags, insecureHTTPFlag)
	}
	return flags
}

// SetFlag sets the setting of one of Flags. It reports whether there is one.
func (s *Settings) SetFlag(text string) bool {
	if text == insecureHTTPFlag {
		s.InsecureHTTP = true
		return true
	}
	name, value, ok := strings.Cut(text, "=")
	for _, f := range s.flags() {
		if ok && name == "--"+f.name {
			*f.value = value
			return true
		}
	}
	return false
}

// Revision identifies what would run. It changes exactly when the bridge must be
// replaced. Build is the result of Target.Build. Name and memo do not affect it, and of the
// monitoring token only whether there is one: a running bridge reads a new one.
func (s Spec) Revision(build string) string {
	b, err := json.Marshal(struct {
		Build, Session string
		Unseal         Unseal
		Size           Size
		Settings       Settings
		Triggers       map[string]string `json:",omitempty"`
		Monitoring     bool              `json:",omitempty"`
	}{build, s.Session, s.Unseal, s.Size, s.Settings, s.Triggers, s.Monitoring != nil})
	if err != nil {
		panic(fmt.Sprintf("deploy: a spec holds only texts: %v", err))
	}
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// A State is the observed state of a target.
type State struct {
	// Spec is the last deployed one. Its Session is the one at the target now, or empty
	// if there is none.
	Spec Spec
	// Revision is that of the running bridge, or of the last one.
	Revision string
	// ObservedRevision is the last one that ran, was unsealed and signed in once.
	ObservedRevision string
	// Program is the digest of the last deployed program; empty if it is not known.
	Program string
	Running bool
	// Ended says why no bridge runs; may be empty.
	Ended string
	// Drift lists what was changed at the target by other means and that no other field
	// shows. An Update undoes it.
	Drift []string
	// Lost says why the record of the deployment is missing or unreadable, although the
	// bridge or its files exist. Spec is empty then. An Update writes the record again.
	Lost string
	// Trace is the data by which the target finds the bridge if its record is lost, in
	// the target's own format. The caller stores it elsewhere.
	Trace string
	// Origin is the machine that the deployment belongs to, as JSON for Kind.Elsewhere;
	// nil if it can be managed from any machine.
	Origin []byte
	// Config is the input of Kind.FromConfig for this target; nil if its record is lost.
	Config any
	// URL is the bridge's URL, regardless of Settings.PublicURL; empty if it is not
	// known.
	URL string
	// Bridge is the status that the bridge reports; nil if none runs or answers.
	Bridge *control.Status
	// Log is the end of the log of a stopped bridge; may be empty.
	Log string
}

// Status returns the state in one word. It is the only place that translates states of a
// bridge to those of a deployment.
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
	Degraded Status = "degraded" // runs but cannot work
	Stopped  Status = "stopped"
)
