package deployment

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// originKey is the key in private state of deploy.State's Origin: on another machine the
// deployment is not found, which must not look like a deleted bridge.
const originKey = "machine"

// observationKey is the key in private state of an observation.
const observationKey = "memory"

// An observation is the state that a Read or an apply found at the target. Plans use it
// and do not ask the target, since Terraform plans again during the apply, when other
// resources may have changed the target.
type observation struct {
	Trace  string `json:"trace"`           // deploy.State's
	Lost   string `json:"lost,omitempty"`  // deploy.State's
	Ended  string `json:"ended,omitempty"` // deploy.State's
	Digest string `json:"digest"`          // of the last deployed program
	// Drift is deploy.State's.
	Drift []string `json:"drift,omitempty"`
	// Version is what that program reported when it ran; may be empty.
	Version string `json:"version,omitempty"`
	// Offered is the program of deploy.Target's Source, if it names one.
	Offered *deploy.Program `json:"offered,omitempty"`
}

// loadObservation returns the last observation; zero before the first apply or Read.
func loadObservation(ctx context.Context, private client.Private) (m observation) {
	stored, _ := private.GetKey(ctx, observationKey)
	if len(stored) == 0 || json.Unmarshal(stored, &m) != nil {
		return observation{}
	}
	return m
}

// saveObservation stores an observation, and the machine from which the target can be
// managed. Configured is the target from the configuration or its record.
func saveObservation(ctx context.Context, private client.Private, before observation, configured deploy.Target,
	s deploy.State,
) diag.Diagnostics {
	m := observation{Trace: s.Trace, Lost: s.Lost, Ended: s.Ended, Drift: s.Drift, Digest: s.Program}
	if m.Trace == "" {
		m.Trace = before.Trace
	}
	switch {
	case s.Bridge != nil:
		m.Version = s.Bridge.Version
	case before.Digest == s.Program:
		m.Version = before.Version
	}
	if configured.Source() != "" {
		if program, err := configured.Program(ctx); err == nil {
			m.Offered = &program
		}
	}
	stored, err := json.Marshal(m)
	if err != nil {
		return diag.Diagnostics{diag.NewErrorDiagnostic("Cannot store the observed state", err.Error())}
	}
	diags := private.SetKey(ctx, observationKey, stored)
	if s.Origin != nil {
		diags.Append(private.SetKey(ctx, originKey, s.Origin)...)
	}
	return diags
}

// elsewhere returns nil, or a deploy.ErrElsewhere if this machine cannot manage a
// deployment.
func elsewhere(ctx context.Context, private client.Private, id string) error {
	k, place, err := kindOf(kinds(Access{}), id)
	if err != nil || k.Elsewhere == nil {
		return err
	}
	origin, _ := private.GetKey(ctx, originKey) // empty between an import and the first Read
	return k.Elsewhere(place, origin)
}

// sameAccount refuses a deployment that belongs to another account than the one that
// answers. If no account answers it does not refuse: the bridge is at the target, and the
// account may be unreachable because of it.
func (r *deploymentResource) sameAccount(ctx context.Context, private client.Private, sealed string,
	diags *diag.Diagnostics,
) {
	if !r.client.Known() {
		return
	}
	caller, err := r.client.Caller(ctx)
	if err != nil {
		return
	}
	before, _ := private.GetKey(ctx, client.AccountKey)
	if owner := accountOf(sealed); len(before) == 0 && owner != "" &&
		!r.client.CheckOwner(owner, caller.AccountId, diags) {
		return
	}
	r.client.SameAccount(ctx, private, diags)
}

// findAlive returns the live bridge at the account with this instance id, or with this
// revision if the instance is not known. It returns nil if there is none, or if the
// account cannot be asked.
func (r *deploymentResource) findAlive(ctx context.Context, instance, revision string) *api.Bridge {
	if !r.client.Known() {
		return nil
	}
	bridges, err := r.client.Bridges(ctx)
	if err != nil {
		return nil
	}
	for _, b := range bridges {
		if b.Live && (instance != "" && b.Instance == instance || instance == "" && revision != "" &&
			b.Revision == revision) {
			return &b
		}
	}
	return nil
}

// lastContact describes the last contact of a bridge with the account.
func lastContact(b api.Bridge) string {
	return fmt.Sprintf("its last contact with the account (instance %s) was at %s, from %s",
		b.Instance, b.LastContact.UTC().Format("15:04:05 MST on 2 January 2006"), b.Address)
}

// asWarnings turns errors into warnings. During the apply of a replacement Terraform
// plans again without a prior state, when the old deployment is already a deposed
// object: an error would leave it deposed. Create returns the error instead.
func asWarnings(diags diag.Diagnostics) diag.Diagnostics {
	var warnings diag.Diagnostics
	for _, d := range diags {
		if d.Severity() != diag.SeverityError {
			warnings.Append(d)
			continue
		}
		detail := strings.TrimRight(d.Detail(), ".") + ".\n\nThe apply fails, " +
			"unless another resource in the same run solves this first."
		warning := diag.NewWarningDiagnostic(d.Summary(), detail)
		if at, ok := d.(diag.DiagnosticWithPath); ok {
			warnings.Append(diag.WithPath(at.Path(), warning))
			continue
		}
		warnings.Append(warning)
	}
	return warnings
}
