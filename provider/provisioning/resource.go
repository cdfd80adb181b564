package provisioning

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/tfsdk"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

type integrationResource struct {
	client     *client.Client
	iterations int // of the key derivation
}

var (
	_ resource.ResourceWithConfigure   = (*integrationResource)(nil)
	_ resource.ResourceWithIdentity    = (*integrationResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*integrationResource)(nil)
	_ resource.ResourceWithImportState = (*integrationResource)(nil)
)

// NewResource is the resource scimbridge_provisioning. The iterations of the key
// derivation are signin.DefaultIterations, except in tests.
func NewResource(iterations int) resource.Resource {
	return &integrationResource{iterations: iterations}
}

func (r *integrationResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "scimbridge_provisioning"
	// Activating again changes the id of the integration.
	resp.ResourceBehavior.MutableIdentity = true
}

func (r *integrationResource) Configure(_ context.Context, req resource.ConfigureRequest,
	resp *resource.ConfigureResponse,
) {
	r.client = client.Of(req.ProviderData, &resp.Diagnostics)
}

func (r *integrationResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan, config model
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	p, ok := r.read(ctx, &resp.Diagnostics)
	if !ok {
		return
	}
	if p.Active && r.client.AwaitNote(ctx, deactivated) {
		if p, ok = r.read(ctx, &resp.Diagnostics); !ok {
			return
		}
	}
	if p.Active {
		resp.Diagnostics.Append(alreadyActive(p))
		return
	}
	if plan.Active.ValueBool() {
		if p, ok = r.activate(ctx, account, plan, config, p, &resp.Diagnostics); !ok {
			return
		}
	}
	r.save(ctx, account, model{}, plan, p, resp.Private, resp.Identity, &resp.State, &resp.Diagnostics)
}

func (r *integrationResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var prior model
	resp.Diagnostics.Append(req.State.Get(ctx, &prior)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	p, ok := r.read(ctx, &resp.Diagnostics)
	if !ok {
		return
	}
	state := prior.fromAPI(p)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, state.ID.ValueString())...)
	if p.Active {
		r.client.Note(managed + state.ID.ValueString())
	}
	if _, known := loadMadeID(ctx, req.Private); !known { // just imported
		resp.Diagnostics.Append(saveMadeID(ctx, resp.Private, state)...)
	}
	resp.Diagnostics.Append(saveUnusable(ctx, resp.Private, p)...)
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

func (r *integrationResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var state, plan, config model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	resp.Diagnostics.Append(req.Config.Get(ctx, &config)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	token, err := fingerprint(config.BearerToken)
	if err != nil {
		resp.Diagnostics.AddAttributeError(tokenPath, "Invalid bearer token", err.Error())
		return
	}
	p, ok := r.read(ctx, &resp.Diagnostics)
	if !ok {
		return
	}
	madeID, _ := loadMadeID(ctx, req.Private)
	do, _ := decide(state, plan, madeID, loadUnusable(ctx, req.Private), r.comparable(token, plan))
	if do == rotate && !plan.Session.IsUnknown() {
		// The token has changed since the plan. An apply makes only planned changes;
		// the next plan shows the rotation.
		do = keep
	}
	if do != keep && !unchanged(state, p) {
		resp.Diagnostics.AddError("The integration was changed after the plan was made",
			"It was activated or deactivated, or its Provision Manager was changed. Run terraform apply again.")
		return
	}
	if do == rotate || do == activate { // fail before any change
		if _, ok = sealingToken(config, &resp.Diagnostics); !ok {
			return
		}
	}
	if do != deactivate {
		if p, ok = r.change(ctx, state, plan, p, &resp.Diagnostics); !ok {
			return
		}
	}
	switch do {
	case keep:
	case activate:
		if p.Active {
			p, ok = r.rotate(ctx, account, plan, config, p, atOnce, &resp.Diagnostics)
		} else {
			p, ok = r.activate(ctx, account, plan, config, p, &resp.Diagnostics)
		}
	case rotate:
		p, ok = r.rotate(ctx, account, plan, config, p, plan.Overlap.ValueString(), &resp.Diagnostics)
	case deactivate:
		p, ok = r.deactivate(ctx, &resp.Diagnostics)
		if ok {
			break
		}
		// It may be inactive despite the error. Then this apply deactivated it, and the
		// next plan must not say that this happened outside Terraform.
		resp.Diagnostics.Append(saveMadeID(ctx, resp.Private, model{})...)
	}
	if !ok {
		return
	}
	r.save(ctx, account, state, plan, p, resp.Private, resp.Identity, &resp.State, &resp.Diagnostics)
}

func (r *integrationResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state model
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if _, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics); !ok || resp.Diagnostics.HasError() {
		return
	}
	if state.DeletionProtection.ValueBool() {
		refuseDeletion(&resp.Diagnostics)
		return
	}
	p, ok := r.read(ctx, &resp.Diagnostics)
	if !ok || !p.Active {
		return
	}
	if id, _ := loadMadeID(ctx, req.Private); id != "" && p.Id != nil && id != *p.Id {
		resp.Diagnostics.AddWarning("Another integration stays active", fmt.Sprintf(
			"Integration %q of this resource no longer exists. Integration %q was activated elsewhere and is not "+
				"changed.", id, *p.Id))
		return
	}
	if _, ok := r.deactivate(ctx, &resp.Diagnostics); ok {
		r.client.Note(deactivated)
	}
}

// deactivated is the note that this run has destroyed an integration.
const deactivated = "deactivated the integration"

func (r *integrationResource) ImportState(ctx context.Context, req resource.ImportStateRequest,
	resp *resource.ImportStateResponse,
) {
	id, account, ok := identity.Imported(ctx, r.client, req, &resp.Diagnostics)
	if !ok {
		return
	}
	p, ok := r.read(ctx, &resp.Diagnostics)
	if !ok {
		return
	}
	switch {
	case !p.Active || p.Id == nil:
		resp.Diagnostics.AddError("Nothing to import", "The account has no active provisioning integration. Remove "+
			"the import, and Terraform activates one.")
		return
	case *p.Id != id:
		resp.Diagnostics.AddError("Cannot find the integration to import",
			fmt.Sprintf("Integration %q is not active. The active one is:\n\n%s", id, importBlock(*p.Id)))
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, id)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), id)...)
}

func (r *integrationResource) read(ctx context.Context, diags *diag.Diagnostics) (api.Provisioning, bool) {
	p, err := client.Call[api.Provisioning](r.client.API.GetProvisioning(ctx))
	if err != nil {
		diags.Append(r.client.Diagnose("read the provisioning integration", err))
	}
	return p, err == nil
}

// activate activates an integration. Now is the account's answer that none is active.
func (r *integrationResource) activate(ctx context.Context, account string, plan, config model, now api.Provisioning,
	diags *diag.Diagnostics) (api.Provisioning, bool) {
	token, ok := sealingToken(config, diags)
	if !ok {
		return now, false
	}
	enrolment, sealed, err := newCredentials{
		accountURL: r.client.URL, accountID: account, email: plan.ManagerEmail.ValueString(), iterations: r.iterations,
	}.seal(token, now.NextEpoch, nil)
	if err != nil {
		diags.AddError("Cannot generate the Provision Manager's credentials", err.Error())
		return now, false
	}
	key := rand.Text()
	p, err := client.Call[api.Provisioning](r.client.API.ActivateProvisioning(ctx,
		&api.ActivateProvisioningParams{IdempotencyKey: &key},
		api.Activation{
			ManagerEmail:    plan.ManagerEmail.ValueString(),
			Idp:             plan.IdP.ValueStringPointer(),
			SuspensionLimit: plan.toLimit(),
			Enrolment:       enrolment,
			Session:         sealed,
		}))
	if client.Code(err) == api.ErrorCodeAlreadyActive { // it was activated meanwhile
		if now, ok := r.read(ctx, diags); ok {
			diags.Append(alreadyActive(now))
		}
		return p, false
	}
	if err != nil {
		diags.Append(r.client.Diagnose("activate provisioning", err))
	}
	return p, err == nil
}

// atOnce is the overlap for invalid credentials.
const atOnce = "0s"

// rotate enrols new credentials; the current ones stay valid for the overlap. It is one
// request to the account: if it fails, nothing has changed.
func (r *integrationResource) rotate(ctx context.Context, account string, plan, config model, now api.Provisioning,
	lives string, diags *diag.Diagnostics) (api.Provisioning, bool) {
	token, ok := sealingToken(config, diags)
	if !ok {
		return now, false
	}
	overlap, err := time.ParseDuration(lives)
	if err != nil {
		diags.AddAttributeError(path.Root("overlap"), "Invalid overlap", err.Error())
		return now, false
	}
	var previous *session.Previous
	if overlap > 0 {
		file, err := session.Parse(types.StringPointerValue(now.Session).ValueString())
		if err != nil {
			diags.AddError("Cannot read the current session", err.Error())
			return now, false
		}
		previous = &session.Previous{Entry: file.Entries[0], Expires: time.Now().Add(overlap)}
	}
	email := plan.ManagerEmail.ValueString()
	enrolment, sealed, err := newCredentials{
		accountURL: r.client.URL, accountID: account, email: email, iterations: r.iterations,
	}.seal(token, now.NextEpoch, previous)
	if err != nil {
		diags.AddError("Cannot generate the Provision Manager's credentials", err.Error())
		return now, false
	}
	key := rand.Text()
	rotated, err := client.Call[api.Provisioning](r.client.API.RotateProvisioning(ctx,
		&api.RotateProvisioningParams{IdempotencyKey: &key, IfMatch: &now.Etag},
		api.Rotation{Enrolment: enrolment, Session: sealed, Overlap: int(overlap / time.Second), ManagerEmail: &email}))
	if err != nil {
		diags.Append(r.client.Diagnose("rotate the provisioning credentials", err))
		return rotated, false
	}
	if previous != nil {
		warnClock(rotated, now, previous.Expires, diags)
	}
	return rotated, true
}

// warnClock warns if the end of the overlap in the session differs from the account's: a
// bridge that restarts while the account is unreachable uses the session's.
func warnClock(rotated, before api.Provisioning, sealed time.Time, diags *diag.Diagnostics) {
	if rotated.Generations == nil {
		return
	}
	for _, g := range *rotated.Generations {
		if before.Epoch == nil || g.Epoch != *before.Epoch || g.ExpiresAt == nil {
			continue
		}
		if off := sealed.Sub(*g.ExpiresAt); off.Abs() > time.Minute {
			diags.AddWarning("The clocks of this machine and of the account differ", fmt.Sprintf(
				"By this machine's clock the old bearer token ends at %s, by the account's at %s. "+
					"Bridges use the account's, but a bridge that restarts while the account is unreachable uses the "+
					"other. Correct this machine's clock.",
				sealed.UTC().Format(time.RFC3339), g.ExpiresAt.UTC().Format(time.RFC3339)))
		}
	}
}

// deactivate deactivates the integration, if one is active. It returns the account's
// state afterwards.
func (r *integrationResource) deactivate(ctx context.Context, diags *diag.Diagnostics) (api.Provisioning, bool) {
	p, ok := r.read(ctx, diags)
	if !ok || !p.Active {
		return p, ok
	}
	_, err := client.Call[client.Nothing](r.client.API.DeactivateProvisioning(ctx,
		&api.DeactivateProvisioningParams{IfMatch: &p.Etag}))
	now, ok := r.read(ctx, diags)
	if ok && now.Active && err != nil { // if it is inactive, only the answer was lost
		diags.Append(r.client.Diagnose("deactivate provisioning", err))
		return now, false
	}
	return now, ok
}

// change updates settings that need no new credentials.
func (r *integrationResource) change(ctx context.Context, state, plan model, now api.Provisioning,
	diags *diag.Diagnostics) (api.Provisioning, bool) {
	if !now.Active || plan.IdP.Equal(state.IdP) && plan.SuspensionLimit.Equal(state.SuspensionLimit) {
		return now, true
	}
	idp := plan.IdP.ValueString() // null is sent as empty, which clears it
	p, err := client.Call[api.Provisioning](r.client.API.UpdateProvisioning(ctx, nil,
		api.ProvisioningUpdate{Idp: &idp, SuspensionLimit: plan.toLimit()}))
	if err != nil {
		diags.Append(r.client.Diagnose("change the provisioning integration", err))
	}
	return p, err == nil
}

// unchanged reports whether the integration is as it was planned.
func unchanged(state model, now api.Provisioning) bool {
	if !state.Active.ValueBool() {
		return !now.Active
	}
	return now.Active &&
		state.ID.Equal(types.StringPointerValue(now.Id)) && state.Epoch.Equal(types.Int64PointerValue(now.Epoch))
}

// sealingToken returns the token under which new credentials are sealed.
func sealingToken(config model, diags *diag.Diagnostics) (session.Token, bool) {
	if config.BearerToken.IsNull() {
		diags.Append(tokenMissing())
		return session.Token{}, false
	}
	token, err := parseToken(config.BearerToken.ValueString())
	if err != nil {
		diags.AddAttributeError(tokenPath, "Invalid bearer token", err.Error())
	}
	return token, err == nil
}

const tokenNeeded = "New credentials are sealed under the bearer token, and bearer_token_wo is null. Set it to a " +
	"token, for instance a new one from scim-bridge token, and enter the same token in the identity provider. (To " +
	"repeat a terraform destroy that was interrupted, use any new token.)"

func tokenMissing() diag.Diagnostic {
	return diag.NewAttributeErrorDiagnostic(tokenPath, "Bearer token required", tokenNeeded)
}

// alreadyActive is the error for an integration that is already active, with its import
// block.
func alreadyActive(p api.Provisioning) diag.Diagnostic {
	id := types.StringPointerValue(p.Id).ValueString()
	return diag.NewErrorDiagnostic("Provisioning is already active", fmt.Sprintf(
		"The account can have one active integration, and integration %q (manager %s) is active. "+
			"If it is not in this state, import it to manage it here; its session does not change:\n\n%s\n\n%s "+
			"To get new credentials, do not replace the resource: "+
			"another bearer_token_wo_version or token rotates them in place.",
		id, types.StringPointerValue(p.ManagerEmail).ValueString(), importBlock(id), client.ReplacedBeforeDestroyed))
}

func refuseDeletion(diags *diag.Diagnostics) {
	diags.AddAttributeError(path.Root("deletion_protection"), "Provisioning is protected",
		"Destroying this resource deactivates provisioning, and deletion_protection is true. Set it to false and "+
			"apply, then destroy.")
}

// save stores the result of a create or an update. It must be the last step that can fail.
func (r *integrationResource) save(ctx context.Context, account string, before, plan model, p api.Provisioning,
	private client.Private, id *tfsdk.ResourceIdentity, to *tfsdk.State, diags *diag.Diagnostics,
) {
	state := plan.applied(p)
	diags.Append(identity.Set(ctx, id, account, state.ID.ValueString())...)
	diags.Append(saveMadeID(ctx, private, state)...)
	diags.Append(saveRetired(ctx, private, before, state)...)
	diags.Append(saveUnusable(ctx, private, p)...)
	diags.Append(to.Set(ctx, state)...)
}

// managed is the note for an integration that this run has read: a plan that replaces it
// creates another while it is active.
const managed = "managed integration "

// madeKey is the key in private state of the id of the integration that Terraform
// activated or imported. The state has the id of the active one.
const madeKey = "made"

func saveMadeID(ctx context.Context, private client.Private, state model) diag.Diagnostics {
	id := ""
	if state.Active.ValueBool() {
		id = state.ID.ValueString()
	}
	value, _ := json.Marshal(id) // a string always marshals
	return private.SetKey(ctx, madeKey, value)
}

// loadMadeID returns what saveMadeID stored; known is false before the first Read
// after an import.
func loadMadeID(ctx context.Context, private client.Private) (id string, known bool) {
	value, _ := private.GetKey(ctx, madeKey)
	known = json.Unmarshal(value, &id) == nil
	return id, known
}

// unusableKey is the key in private state of the account's reason to refuse the
// credentials in the session, from the last read.
const unusableKey = "unusable"

func saveUnusable(ctx context.Context, private client.Private, p api.Provisioning) diag.Diagnostics {
	var reason api.ErrorCode
	if p.UnusableReason != nil {
		reason = *p.UnusableReason
	}
	value, _ := json.Marshal(reason) // a string always marshals
	return private.SetKey(ctx, unusableKey, value)
}

func loadUnusable(ctx context.Context, private client.Private) (reason api.ErrorCode) {
	value, _ := private.GetKey(ctx, unusableKey)
	_ = json.Unmarshal(value, &reason) // an older version stored none
	return reason
}
