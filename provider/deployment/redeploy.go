package deployment

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/action/schema"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// redeployAction needs the target and how it is reached, but not the account.
type redeployAction struct {
	client *client.Client // nil before Configure
}

var _ action.ActionWithConfigure = (*redeployAction)(nil)

// NewRedeploy is the action scimbridge_redeploy.
func NewRedeploy() action.Action { return new(redeployAction) }

type redeployModel struct {
	Deployment      types.String `tfsdk:"deployment"`
	UnsealTokenFile types.String `tfsdk:"unseal_token_file"`
	Timeout         types.String `tfsdk:"timeout"`
}

func (a *redeployAction) Metadata(_ context.Context, _ action.MetadataRequest, resp *action.MetadataResponse) {
	resp.TypeName = "scimbridge_redeploy"
}

func (a *redeployAction) Configure(_ context.Context, req action.ConfigureRequest, resp *action.ConfigureResponse) {
	a.client = client.WithoutAccount(req.ProviderData, &resp.Diagnostics)
}

func (a *redeployAction) Schema(_ context.Context, _ action.SchemaRequest, resp *action.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Replaces a deployment's running bridge with a new one of the same program, session " +
			"and settings, and waits until it is ready. Like an update in place, it loses no request unless the new " +
			"bridge needs a published port of the old one.\n\n" +
			"It changes no state. To redeploy when a value changes, use `redeploy_triggers` of " +
			"`scimbridge_deployment`. Actions need Terraform 1.14 or later; OpenTofu has none.",
		Attributes: map[string]schema.Attribute{
			"deployment": schema.StringAttribute{
				Required:            true,
				MarkdownDescription: "The `id` of a `scimbridge_deployment`.",
				Validators:          []validator.String{textValidator(validDeployment)},
			},
			// A saved plan contains an action's arguments, including secrets, and
			// the framework does not allow write-only ones in actions.
			"unseal_token_file": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "A file with the bearer token, on the machine that runs Terraform. Required " +
					"unless the deployment stores it (`unseal = \"stored\"`).",
			},
			"timeout": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: fmt.Sprintf("How long the new bridge may take to be ready, for instance `90s`; "+
					"default %s.", defaultTimeout),
				Validators: []validator.String{textValidator(validTimeout)},
			},
		},
	}
}

func (a *redeployAction) Invoke(ctx context.Context, req action.InvokeRequest, resp *action.InvokeResponse) {
	var m redeployModel
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	timeout := defaultTimeout
	if text := m.Timeout.ValueString(); text != "" {
		timeout, _ = time.ParseDuration(text) // was validated
	}
	ctx, cancel := deploy.Within(ctx, timeout, "timeout")
	defer cancel()

	k, target, err := openDeployed(ctx, kinds(accessOf(a.client)), m.Deployment.ValueString())
	if err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("deployment"), "No deployment to redeploy",
			capitalize(err.Error()))
		return
	}
	token, err := readToken(m.UnsealTokenFile.ValueString())
	if err != nil {
		resp.Diagnostics.AddAttributeError(path.Root("unseal_token_file"), "No token", capitalize(err.Error()))
		return
	}
	resp.SendProgress(action.InvokeProgressEvent{Message: "starting a new bridge"})
	if err := target.Redeploy(ctx, token); err != nil {
		addError(&resp.Diagnostics, "Cannot redeploy the bridge", err)
		return
	}
	resp.SendProgress(action.InvokeProgressEvent{Message: "the new bridge is serving; waiting until it is ready"})
	before, err := target.Observe(ctx)
	if err != nil {
		addError(&resp.Diagnostics, "Cannot observe the new bridge", err)
		return
	}
	state, err := deploy.Wait{Target: target, Revision: before.Revision, Every: k.Every, Unsealed: true}.Until(ctx)
	addUnready(&resp.Diagnostics, deploy.OnUnreadyFail, err)
	if err == nil && state.Bridge != nil {
		resp.SendProgress(action.InvokeProgressEvent{Message: fmt.Sprintf("ready: version %s, revision %s",
			state.Bridge.Version, state.Revision)})
	}
}

// openDeployed returns the kind and the target of an id if its deployment exists.
func openDeployed(ctx context.Context, all []kind, id string) (kind, deploy.Target, error) {
	k, target, err := open(all, id, "")
	if err != nil {
		return kind{}, nil, err
	}
	if _, err := requireRecord(target.Observe(ctx)); err != nil {
		return kind{}, nil, fmt.Errorf("looked at %s: %w", id, err)
	}
	return k, target, nil
}

func validDeployment(id string) error {
	_, _, err := open(kinds(Access{}), id, "")
	return err
}

// readToken reads the token in a file; without a file it is zero.
func readToken(file string) (session.Token, error) {
	if file == "" {
		return session.Token{}, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return session.Token{}, session.FileError("unseal_token_file", file, err)
	}
	token, err := session.ParseToken(strings.TrimSpace(string(text)))
	if err != nil {
		return session.Token{}, fmt.Errorf("%s: %w", file, err)
	}
	return token, nil
}

func validTimeout(text string) error {
	if d, err := time.ParseDuration(text); err != nil || d <= 0 {
		return fmt.Errorf("%q is not a duration; write for instance \"90s\"", text)
	}
	return nil
}
