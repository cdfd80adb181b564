package signup

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/attr"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

type domainResource struct{ client *client.Client }

var (
	_ resource.ResourceWithConfigure   = (*domainResource)(nil)
	_ resource.ResourceWithIdentity    = (*domainResource)(nil)
	_ resource.ResourceWithModifyPlan  = (*domainResource)(nil)
	_ resource.ResourceWithImportState = (*domainResource)(nil)
)

// NewDomain is the resource scimbridge_signup_domain.
func NewDomain() resource.Resource { return &domainResource{} }

func (r *domainResource) Metadata(_ context.Context, _ resource.MetadataRequest, resp *resource.MetadataResponse) {
	resp.TypeName = "scimbridge_signup_domain"
}

func (r *domainResource) Configure(_ context.Context, req resource.ConfigureRequest, resp *resource.ConfigureResponse) {
	r.client = client.Of(req.ProviderData, &resp.Diagnostics)
}

func (r *domainResource) Schema(_ context.Context, _ resource.SchemaRequest, resp *resource.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "A domain that is allowed for sign-up.\n\n" +
			"Anyone with an e-mail address under it can sign up through the account's sign-up link. " +
			"A person whose address changes to it in the identity provider gets the confirmation e-mail that the " +
			"change needs; e-mails that waited for the domain are sent when it is added. " +
			"Invitations by the identity provider do not depend on it.\n\n" +
			"If the domain is already allowed, the plan warns and the apply fails with the `import` block to paste, " +
			"unless `adopt_existing` is set. To rename a resource, use a `moved` block. " +
			"Without one the domain is added again after the same apply has removed it, " +
			"for which it waits a few seconds.",
		Attributes: map[string]schema.Attribute{
			"id": schema.StringAttribute{
				Computed:            true,
				MarkdownDescription: "The domain in lower case and IDNA form.",
				PlanModifiers:       []planmodifier.String{stringplanmodifier.UseStateForUnknown()},
			},
			"domain": schema.StringAttribute{
				Required:   true,
				CustomType: attr.DomainType{},
				MarkdownDescription: "The domain, for instance `example.com`. It matches exactly: " +
					"a sub-domain needs its own entry. A change replaces the resource.",
				Validators: []validator.String{attr.IsDomain()},
				PlanModifiers: []planmodifier.String{
					attr.SuppressEquivalentDomain(), stringplanmodifier.RequiresReplace(),
				},
			},
			"adopt_existing": schema.BoolAttribute{
				Optional: true,
				Computed: true,
				Default:  booldefault.StaticBool(false),
				MarkdownDescription: "Adopt a domain that is already allowed instead of failing. " +
					"The resource then manages it, and a destroy removes it. " +
					"For use after a run that was killed while it created many objects. Default `false`. " +
					"Changing it after the creation has no effect.",
				PlanModifiers: []planmodifier.Bool{attr.OnlyAtCreation()},
			},
		},
	}
}

func (r *domainResource) IdentitySchema(_ context.Context, _ resource.IdentitySchemaRequest,
	resp *resource.IdentitySchemaResponse) {
	resp.IdentitySchema = identity.Schema("The domain in lower case and IDNA form.")
}

// ModifyPlan refuses a domain that scimbridge_signup_domains has too, and warns of
// domains of public mail providers.
func (r *domainResource) ModifyPlan(ctx context.Context, req resource.ModifyPlanRequest,
	resp *resource.ModifyPlanResponse) {
	var state, plan *domainModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	claims := client.PerRun[claims](r.client)
	if plan == nil {
		claims.release(state.ID.ValueString(), &resp.Diagnostics)
		return
	}
	name, err := attr.ParseDomain(plan.Domain.ValueString())
	if err != nil { // not known yet
		return
	}
	claims.claimOne(name, &resp.Diagnostics)
	mark := client.OwnerOf(ctx, resp.Private, &resp.Diagnostics)
	if !r.client.Applying() && client.PerRun[singles](r.client).Claim(mark, name) {
		resp.Diagnostics.AddAttributeError(path.Root("domain"), twiceTitle, twice(name))
		return
	}
	if state == nil {
		resp.Diagnostics.Append(resp.Plan.SetAttribute(ctx, path.Root("id"), name)...)
		r.warnExisting(ctx, name, plan.AdoptExisting.ValueBool(), &resp.Diagnostics)
	}
	if state == nil || state.ID.ValueString() != name {
		warnPublicMail(path.Root("domain"), []string{name}, &resp.Diagnostics)
	}
}

func (r *domainResource) Create(ctx context.Context, req resource.CreateRequest, resp *resource.CreateResponse) {
	var plan domainModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	if resp.Diagnostics.HasError() {
		return
	}
	name, err := attr.ParseDomain(plan.Domain.ValueString()) // it may have been unknown during the validation
	if err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("domain"), "Invalid domain", err.Error())
		return
	}
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok {
		return
	}
	created, err := client.RetryConflicts(ctx, r.client, func() (api.SignupDomain, error) {
		made, err := allow(ctx, r.client, name)
		if client.Code(err) == api.ErrorCodeAlreadyExists && plan.AdoptExisting.ValueBool() &&
			client.PerRun[handover](r.client).Take(name) {
			return api.SignupDomain{Domain: name}, nil
		}
		return made, err
	})
	if client.Code(err) == api.ErrorCodeAlreadyExists && client.PerRun[handover](r.client).Taken(name) {
		resp.Diagnostics.AddAttributeError(path.Root("domain"), twiceTitle, twice(name))
		return
	}
	if client.Code(err) == api.ErrorCodeAlreadyExists {
		resp.Diagnostics.AddAttributeError(path.Root("domain"), existsTitle, r.exists(ctx, name))
		return
	}
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose(fmt.Sprintf("allow sign-up under %q", name), err))
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, created.Domain)...)
	client.PerRun[existing](r.client).Made(name)
	client.PerRun[handover](r.client).Made(name)
	state := toModel(created, plan.AdoptExisting)
	state.Domain = plan.Domain
	resp.Diagnostics.Append(resp.State.Set(ctx, state)...)
}

func (r *domainResource) Read(ctx context.Context, req resource.ReadRequest, resp *resource.ReadResponse) {
	var state domainModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	name := state.ID.ValueString()
	client.PerRun[claims](r.client).Saw(name)
	client.OwnerOf(ctx, resp.Private, &resp.Diagnostics)
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, name)...)

	all, err := r.client.SignupDomains(ctx)
	if err != nil {
		resp.Diagnostics.Append(r.client.Diagnose(fmt.Sprintf("read sign-up domain %q", name), err))
		return
	}
	found, ok := all[name]
	if !ok {
		resp.State.RemoveResource(ctx)
		return
	}
	resp.Diagnostics.Append(resp.State.Set(ctx, toModel(found, state.AdoptExisting))...)
}

// Update is called for arguments without a counterpart at the account.
func (r *domainResource) Update(ctx context.Context, req resource.UpdateRequest, resp *resource.UpdateResponse) {
	var plan domainModel
	resp.Diagnostics.Append(req.Plan.Get(ctx, &plan)...)
	account, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics)
	if !ok || resp.Diagnostics.HasError() {
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, plan.ID.ValueString())...)
	resp.Diagnostics.Append(resp.State.Set(ctx, plan)...)
}

func (r *domainResource) Delete(ctx context.Context, req resource.DeleteRequest, resp *resource.DeleteResponse) {
	var state domainModel
	resp.Diagnostics.Append(req.State.Get(ctx, &state)...)
	if _, ok := r.client.SameAccount(ctx, resp.Private, &resp.Diagnostics); !ok || resp.Diagnostics.HasError() {
		return
	}
	name := state.ID.ValueString()
	if !client.PerRun[handover](r.client).Destroy(name) {
		return // another resource of this run has adopted it
	}
	defer client.PerRun[handover](r.client).Destroyed(name)
	if err := end(ctx, r.client, name); err != nil {
		resp.Diagnostics.Append(r.client.Diagnose(fmt.Sprintf("remove sign-up domain %q", name), err))
	}
}

func (r *domainResource) ImportState(ctx context.Context, req resource.ImportStateRequest,
	resp *resource.ImportStateResponse) {
	text, account, ok := identity.Imported(ctx, r.client, req, &resp.Diagnostics)
	if !ok {
		return
	}
	name, err := attr.ParseDomain(text)
	if err != nil {
		resp.Diagnostics.AddError("Invalid import id", "A sign-up domain is imported by its name: "+err.Error()+".")
		return
	}
	resp.Diagnostics.Append(identity.Set(ctx, resp.Identity, account, name)...)
	resp.Diagnostics.Append(resp.State.SetAttribute(ctx, path.Root("id"), name)...)
}
