// Package deploy says what a deployment of the bridge is: a Spec, a Target
// that makes it so, and the State that is found there. It also owns the wait
// for a bridge that was just deployed, and the revision that tells one
// deployment from the next.
//
// It is free of Terraform types, and knows no kind of target: each of those
// is a folder below this one.
package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A Spec is what a deployment shall be, wherever it runs.
type Spec struct {
	Name     string
	Session  string // sealed
	Unseal   Unseal
	Size     Size
	Settings Settings
	// Triggers deploy anew when they change.
	Triggers map[string]string
	// Memo is kept beside the deployment and given back by Observe. It never
	// reaches the bridge.
	Memo map[string]string
}

// Unseal is how a bridge gets at its bearer token after a start.
type Unseal string

// The ways to unseal.
const (
	UnsealOnce   Unseal = "once"   // shown to it once by whoever deploys; a restart is sealed
	UnsealStored Unseal = "stored" // lies beside it, where a restart finds it
)

// Size is how much a bridge is given.
type Size string

// The sizes.
const (
	SizeBase     Size = "base"
	SizeHigh     Size = "high"
	SizeVeryHigh Size = "very_high"
)

// Memory is how many bytes a bridge of this size may use.
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

// Settings are flags of `scim-bridge serve`; an empty one leaves the default.
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

// Revision names what would run: it changes exactly when the bridge must be
// started anew. build is what Target.Build says; name and memo do not count.
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
	// Spec is what was deployed last. Its Session is what lies at the target
	// now, empty if that is gone.
	Spec Spec
	// Revision is of the bridge that runs, or of the last one if none does.
	Revision string
	// ObservedRevision is the last one that ran, was unsealed and signed in once.
	ObservedRevision string
	// Program is the digest of the one that was deployed last; empty if that is not known.
	Program string
	Running bool
	// Lost says what is wrong with the target's record of the deployment, while
	// the bridge or what it left is there all the same; empty if nothing is.
	// Without the record, Spec is empty. An Update puts it right.
	Lost string
	// Trace is with what the target finds the bridge again without its record;
	// its form is the target's own. It is to be kept where the target is not.
	Trace string
	// Bridge is the bridge's own account; nil when none runs or answers.
	Bridge *control.Status
	// Log is the end of the log of a bridge that does not run; may be empty.
	Log string
}

// Status is the state in one word. Here alone the states of a bridge become
// those of a deployment.
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

// Status is how a deployment is.
type Status string

// The statuses.
const (
	Ready    Status = "ready"
	Sealed   Status = "sealed"
	Degraded Status = "degraded" // runs, and the account does not let it work
	Stopped  Status = "stopped"
)

// A Target is one place where one bridge is deployed. Its methods may be
// called in any order and by several processes at once.
type Target interface {
	// Build names the program and all else that this target adds to a Spec. It
	// only reads, and fails if what would be deployed cannot be found.
	Build(ctx context.Context) (string, error)
	// Observe reports what is there, ErrAbsent if nothing was deployed. It only reads.
	Observe(ctx context.Context) (State, error)
	// Create deploys where nothing is; an *ExistsError where something is.
	// From the moment something exists, Observe finds it, also if Create fails.
	Create(ctx context.Context, spec Spec, revision string, token session.Token) error
	// Update makes what is there as spec has it. It replaces a running bridge
	// only if the revision differs, and then so that no request is lost; it
	// starts one that does not run, and unseals one that is sealed. If the new
	// bridge cannot run, the old one goes on and the error says why.
	//
	// A zero token unseals nothing; one that was stored stays.
	Update(ctx context.Context, spec Spec, revision string, token session.Token) error
	// Destroy stops the bridge and removes what the methods above made, and
	// nothing else. It is content with an absent deployment.
	Destroy(ctx context.Context) error
}

// ErrAbsent says that nothing is deployed at a target.
var ErrAbsent = errors.New("no bridge is deployed there")

// An ExistsError says that a target is taken.
type ExistsError struct {
	Name string // of the deployment that is there
}

func (e *ExistsError) Error() string {
	return fmt.Sprintf("the deployment %q is there already", e.Name)
}
