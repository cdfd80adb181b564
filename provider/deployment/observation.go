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

// originKey is where private state keeps deploy.State's Origin: on another
// machine nothing of the deployment is found, which must not look like a deleted bridge.
const originKey = "machine"

// observationKey is where private state keeps an observation.
const observationKey = "memory"

// An observation is what a Read or an apply found at the target, for later
// plans: they do not ask the target, since Terraform plans once more within the
// apply, when other resources may have changed what is there.
type observation struct {
	Trace  string `json:"trace"`          // deploy.State's
	Lost   string `json:"lost,omitempty"` // deploy.State's
	Digest string `json:"digest"`         // of the program that was deployed last
	// Offered is what deploy.Target's Source led to, if it names a program.
	Offered *deploy.Program `json:"offered,omitempty"`
}

// loadObservation reads the last observation; a zero one before the first apply or Read.
func loadObservation(ctx context.Context, private client.Private) (m observation) {
	stored, _ := private.GetKey(ctx, observationKey)
	if len(stored) == 0 || json.Unmarshal(stored, &m) != nil {
		return observation{}
	}
	return m
}

// saveObservation stores what was found at the target, and where it can be managed
// from. configured is the target as the configuration or its record has it.
func saveObservation(ctx context.Context, private client.Private, before observation, configured deploy.Target,
	s deploy.State,
) diag.Diagnostics {
	m := observation{Trace: s.Trace, Lost: s.Lost, Digest: s.Program}
	if m.Trace == "" {
		m.Trace = before.Trace
	}
	if configured.Source() != "" {
		if program, err := configured.Program(ctx); err == nil {
			m.Offered = &program
		}
	}
	stored, err := json.Marshal(m)
	if err != nil {
		return diag.Diagnostics{diag.NewErrorDiagnostic("Cannot keep what was found", err.Error())}
	}
	diags := private.SetKey(ctx, observationKey, stored)
	if s.Origin != nil {
		diags.Append(private.SetKey(ctx, originKey, s.Origin)...)
	}
	return diags
}

// elsewhere returns why this machine cannot manage a deployment: nil, or an
// error that is deploy.ErrElsewhere.
func elsewhere(ctx context.Context, private client.Private, id string) error {
	k, place, err := kindOf(id)
	if err != nil || k.Elsewhere == nil {
		return err
	}
	origin, _ := private.GetKey(ctx, originKey) // none if it was imported and not yet read
	return k.Elsewhere(place, origin)
}

// sameAccount refuses to touch a deployment that was made beside another
// account than the one that answers. An account that does not answer is no
// reason to refuse: the bridge is at the target, and the account may be away
// because of it.
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

// findAlive asks the account for a bridge that is alive, by its instance, or by
// its revision where the instance is not known. It is nil if the account knows
// of none, or cannot be asked.
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

// lastContact says where and when the account heard from a bridge.
func lastContact(b api.Bridge) string {
	return fmt.Sprintf("the account heard from it (instance %s) at %s, from %s",
		b.Instance, b.LastContact.UTC().Format("15:04:05 MST on 2 January 2006"), b.Address)
}

// asWarnings turns errors into warnings. Terraform also plans without a prior
// state within the apply of a replacement, when the old deployment is already a
// deposed object: an error there would leave it deposed. Create returns the error.
func asWarnings(diags diag.Diagnostics) diag.Diagnostics {
	var warnings diag.Diagnostics
	for _, d := range diags {
		if d.Severity() != diag.SeverityError {
			warnings.Append(d)
			continue
		}
		detail := strings.TrimRight(d.Detail(), ".") + ".\n\nThe apply fails, unless something in the same run " +
			"changes that."
		warning := diag.NewWarningDiagnostic(d.Summary(), detail)
		if at, ok := d.(diag.DiagnosticWithPath); ok {
			warnings.Append(diag.WithPath(at.Path(), warning))
			continue
		}
		warnings.Append(warning)
	}
	return warnings
}
