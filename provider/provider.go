// Package provider is the Terraform provider scimbridge: its configuration
// and the list of its parts.
//
// Each part has a folder named after what it manages. Package client calls the
// account for all of them.
package provider

import (
	"context"
	"fmt"
	"os"
	"time"

	"github.com/hashicorp/terraform-plugin-framework/action"
	"github.com/hashicorp/terraform-plugin-framework/datasource"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/ephemeral"
	"github.com/hashicorp/terraform-plugin-framework/function"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/build"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deployment"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/functions"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/people"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/provisioning"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/rollout"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/signup"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/status"
)

// Address is where Terraform finds the provider.
const Address = "registry.terraform.io/scimbridge/scimbridge"

// Provider implements provider.Provider.
type Provider struct {
	// Version is reported to Terraform and to the account.
	Version string
	// Iterations of the key derivation; signin.DefaultIterations except in tests.
	Iterations int
	// ConflictTimeout is how long a refused firewall change waits for another one of the
	// same run; client.DefaultConflictTimeout if zero.
	ConflictTimeout time.Duration
}

var (
	_ provider.ProviderWithEphemeralResources = (*Provider)(nil)
	_ provider.ProviderWithFunctions          = (*Provider)(nil)
	_ provider.ProviderWithActions            = (*Provider)(nil)
	_ provider.ProviderWithListResources      = (*Provider)(nil)
)

// New makes a provider as it is released.
func New() provider.Provider {
	return &Provider{Version: build.Read().Version, Iterations: signin.DefaultIterations}
}

// Metadata names the provider.
func (p *Provider) Metadata(_ context.Context, _ provider.MetadataRequest, resp *provider.MetadataResponse) {
	resp.TypeName = "scimbridge"
	resp.Version = p.Version
}

// Schema describes the provider block.
func (p *Provider) Schema(_ context.Context, _ provider.SchemaRequest, resp *provider.SchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "Manages the provisioning of a service account from an identity provider by SCIM 2.0: " +
			"the provisioning integration and its credentials, the bridge's deployments, " +
			"the account's firewall rules and its sign-up domains.",
		Attributes: map[string]schema.Attribute{
			"account_url": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Address of the account service, for instance `https://account.example.com`; " +
					"`http` on loopback addresses only. May also be given as `SCIMBRIDGE_ACCOUNT_URL`.",
				Validators: []validator.String{notEmpty("account_url", "SCIMBRIDGE_ACCOUNT_URL")},
			},
			"account_token": schema.StringAttribute{
				Optional:  true,
				Sensitive: true,
				MarkdownDescription: "Admin token of the account, as `scim-bridge account token create` prints it; " +
					"for plans, a token with `--scope read` is enough. " +
					"May also be given as `SCIMBRIDGE_ACCOUNT_TOKEN`.",
				Validators: []validator.String{notEmpty("account_token", "SCIMBRIDGE_ACCOUNT_TOKEN")},
			},
			"ca_certificate_pem": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "PEM certificates to trust in addition to the system's.",
			},
			"request_timeout": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "How long one call to the account may take, for instance `45s`. Default `30s`. " +
					"If half of it passes without an answer, an idempotent call is repeated once; " +
					"a call that is refused for the moment, up to five times.",
			},
			"monitoring_token": schema.StringAttribute{
				Optional:  true,
				Sensitive: true,
				MarkdownDescription: "A monitoring token of the bridge, " +
					"with which `scimbridge_bridge_status` reads `/health`. May be ephemeral. " +
					"May also be given as `SCIMBRIDGE_MONITORING_TOKEN`.",
			},
		},
		Blocks: map[string]schema.Block{"docker": dockerBlock(), "kubernetes": kubernetesBlock()},
	}
}

// notEmpty refuses an empty string. An environment variable TF_VAR_... that is
// set to nothing gives one, instead of leaving the argument out.
func notEmpty(argument, variable string) validator.String { return isNotEmpty{argument, variable} }

type isNotEmpty struct{ argument, variable string }

func (v isNotEmpty) Description(context.Context) string             { return "must not be empty" }
func (v isNotEmpty) MarkdownDescription(ctx context.Context) string { return v.Description(ctx) }

func (v isNotEmpty) ValidateString(_ context.Context, req validator.StringRequest, resp *validator.StringResponse) {
	if req.ConfigValue.IsNull() || req.ConfigValue.IsUnknown() || req.ConfigValue.ValueString() != "" {
		return
	}
	resp.Diagnostics.AddAttributeError(req.Path, v.argument+" is empty", fmt.Sprintf(
		"Give %s a value, or leave it out and set %s. An empty TF_VAR_... variable is an empty text, "+
			"and not left out.",
		v.argument, v.variable))
}

type model struct {
	AccountURL       types.String `tfsdk:"account_url"`
	AccountToken     types.String `tfsdk:"account_token"`
	CACertificatePEM types.String `tfsdk:"ca_certificate_pem"`
	RequestTimeout   types.String `tfsdk:"request_timeout"`
	MonitoringToken  types.String `tfsdk:"monitoring_token"`
	Docker           types.Object `tfsdk:"docker"`
	Kubernetes       types.Object `tfsdk:"kubernetes"`
}

// Configure makes the client that all parts share. Values that are unknown
// during the plan are not an error here; the first call that needs them fails.
func (p *Provider) Configure(ctx context.Context, req provider.ConfigureRequest, resp *provider.ConfigureResponse) {
	var m model
	resp.Diagnostics.Append(req.Config.Get(ctx, &m)...)
	if resp.Diagnostics.HasError() {
		return
	}
	config := client.Config{
		URL:              orEnvironment(m.AccountURL, "SCIMBRIDGE_ACCOUNT_URL"),
		Token:            orEnvironment(m.AccountToken, "SCIMBRIDGE_ACCOUNT_TOKEN"),
		CACertificatePEM: m.CACertificatePEM.ValueString(),
		MonitoringToken:  orEnvironment(m.MonitoringToken, "SCIMBRIDGE_MONITORING_TOKEN"),
		ConflictTimeout:  p.ConflictTimeout,
		UserAgent:        fmt.Sprintf("terraform-provider-scimbridge/%s Terraform/%s", p.Version, req.TerraformVersion),
	}
	// Whatever needs an account says so itself: see client.Of.
	config.NoAccount = m.AccountURL.IsNull() && m.AccountToken.IsNull() && config.URL == "" && config.Token == ""
	for _, argument := range []struct {
		name     string
		value    types.String
		resolved string
	}{
		{"account_url", m.AccountURL, config.URL},
		{"account_token", m.AccountToken, config.Token},
	} {
		switch {
		case argument.value.IsUnknown():
			config.Unknown = append(config.Unknown, argument.name)
		case argument.resolved == "" && !config.NoAccount:
			resp.Diagnostics.Append(diag.WithPath(path.Root(argument.name), client.Missing(argument.name)))
		}
	}
	if m.CACertificatePEM.IsUnknown() {
		config.Unknown = append(config.Unknown, "ca_certificate_pem")
	}
	if text := m.RequestTimeout.ValueString(); text != "" {
		timeout, err := time.ParseDuration(text)
		if err != nil || timeout <= 0 {
			resp.Diagnostics.AddAttributeError(path.Root("request_timeout"), "Invalid request_timeout",
				fmt.Sprintf("%q is no duration; write for instance \"45s\" or \"2m\".", text))
		}
		config.Timeout = timeout
	}
	if resp.Diagnostics.HasError() {
		return
	}
	c, err := client.New(config)
	if err != nil {
		resp.Diagnostics.AddError("Unusable provider configuration", err.Error())
		return
	}
	docker, diags := toEngine(ctx, m.Docker)
	resp.Diagnostics.Append(diags...)
	kubernetes, diags := toCluster(ctx, m.Kubernetes)
	resp.Diagnostics.Append(diags...)
	if resp.Diagnostics.HasError() {
		return
	}
	deployment.SetAccess(c, deployment.Access{Docker: docker, Kubernetes: kubernetes})
	resp.ResourceData, resp.DataSourceData, resp.EphemeralResourceData, resp.ListResourceData = c, c, c, c
	resp.ActionData = c
}

// orEnvironment returns the configured value, or the environment variable's if
// the argument is left out. It returns "" for an unknown value, which the
// variable must not replace.
func orEnvironment(value types.String, variable string) string {
	if value.IsNull() {
		return os.Getenv(variable)
	}
	return value.ValueString()
}

// Resources lists what the provider manages.
func (p *Provider) Resources(context.Context) []func() resource.Resource {
	return []func() resource.Resource{
		func() resource.Resource { return provisioning.NewResource(p.Iterations) },
		deployment.New,
		directory.New,
		rollout.New,
		firewall.NewPolicy,
		firewall.NewRule,
		signup.NewDomain,
		signup.NewDomains,
	}
}

// DataSources lists what the provider reads.
func (p *Provider) DataSources(context.Context) []func() datasource.DataSource {
	return []func() datasource.DataSource{
		firewall.NewCaller,
		firewall.NewPolicyData,
		firewall.NewVerdict,
		people.NewGroups,
		people.NewMembers,
		people.NewSignInAttempts,
		signup.NewDomainsData,
		status.NewBridge,
	}
}

// EphemeralResources lists what is never stored.
func (p *Provider) EphemeralResources(context.Context) []func() ephemeral.EphemeralResource {
	return []func() ephemeral.EphemeralResource{
		provisioning.NewBearerToken,
	}
}

// ListResources lists what terraform query finds; it needs Terraform 1.14.
func (p *Provider) ListResources(context.Context) []func() list.ListResource {
	return []func() list.ListResource{
		firewall.NewRuleList,
		signup.NewDomainList,
	}
}

// Functions lists what configurations can call.
func (p *Provider) Functions(context.Context) []func() function.Function {
	return []func() function.Function{
		functions.NewCIDRContains,
		functions.NewDiagnose,
		functions.NewSessionFingerprint,
	}
}

// Actions lists what is done on demand. Terraform before 1.14 does not ask for
// actions.
func (p *Provider) Actions(context.Context) []func() action.Action {
	return []func() action.Action{
		deployment.NewRedeploy,
	}
}
