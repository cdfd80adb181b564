package provider

import (
	"context"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes/cluster"
)

// kubernetesBlock describes how the cluster is reached, as hashicorp/kubernetes does.
func kubernetesBlock() schema.Block {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	secret := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, Sensitive: true, MarkdownDescription: description}
	}
	list := schema.ListAttribute{Optional: true, ElementType: types.StringType}
	paths := list
	paths.MarkdownDescription = "Paths of kubeconfigs. Earlier ones come before later ones. `KUBE_CONFIG_PATHS`."
	args := list
	args.MarkdownDescription = "Its arguments."
	return schema.SingleNestedBlock{
		MarkdownDescription: "The cluster of deployments with the target `kubernetes`, and the credentials for it, " +
			"as the provider `hashicorp/kubernetes` takes them. Without this block: `KUBE_CONFIG_PATH`, " +
			"`KUBE_CONFIG_PATHS` or `KUBECONFIG`, else the service account of the pod that Terraform runs in.",
		Attributes: map[string]schema.Attribute{
			"config_path":              text("Path of a kubeconfig. May also be given as `KUBE_CONFIG_PATH`."),
			"config_paths":             paths,
			"config_context":           text("Name of a context, instead of the current one."),
			"config_context_cluster":   text("Name of a cluster, instead of the context's."),
			"config_context_auth_info": text("Name of a user, instead of the context's."),
			"host":                     text("Address of the API, `https://...`."),
			"cluster_ca_certificate":   text("PEM certificates of the authority of the API's certificate."),
			"tls_server_name":          text("Name in the API's certificate, if it is not that of `host`."),
			"insecure": schema.BoolAttribute{Optional: true, MarkdownDescription: "Do not check the " +
				"API's certificate."},
			"token":              secret("A bearer token of the API. May be ephemeral."),
			"client_certificate": text("PEM certificate of a user."),
			"client_key":         secret("Its PEM key. May be ephemeral."),
			"proxy_url":          text("A proxy to the API."),
		},
		Blocks: map[string]schema.Block{
			"exec": schema.SingleNestedBlock{
				MarkdownDescription: "A command that prints credentials, such as `aws eks get-token`.",
				Attributes: map[string]schema.Attribute{
					"api_version": text("`client.authentication.k8s.io/v1` or `client.authentication.k8s.io/v1beta1`."),
					"command":     text("The command."),
					"args":        args,
					"env": schema.MapAttribute{
						Optional: true, ElementType: types.StringType, MarkdownDescription: "Variables of its " +
							"environment.",
					},
				},
			},
		},
	}
}

type kubernetesModel struct {
	ConfigPath            types.String `tfsdk:"config_path"`
	ConfigPaths           types.List   `tfsdk:"config_paths"`
	ConfigContext         types.String `tfsdk:"config_context"`
	ConfigContextCluster  types.String `tfsdk:"config_context_cluster"`
	ConfigContextAuthInfo types.String `tfsdk:"config_context_auth_info"`
	Host                  types.String `tfsdk:"host"`
	ClusterCACertificate  types.String `tfsdk:"cluster_ca_certificate"`
	TLSServerName         types.String `tfsdk:"tls_server_name"`
	Insecure              types.Bool   `tfsdk:"insecure"`
	Token                 types.String `tfsdk:"token"`
	ClientCertificate     types.String `tfsdk:"client_certificate"`
	ClientKey             types.String `tfsdk:"client_key"`
	ProxyURL              types.String `tfsdk:"proxy_url"`
	Exec                  types.Object `tfsdk:"exec"`
}

type execModel struct {
	APIVersion string            `tfsdk:"api_version"`
	Command    string            `tfsdk:"command"`
	Args       []string          `tfsdk:"args"`
	Env        map[string]string `tfsdk:"env"`
}

// toCluster returns the configuration in the block kubernetes.
func toCluster(ctx context.Context, block types.Object) (config cluster.Config, diags diag.Diagnostics) {
	if block.IsUnknown() {
		return cluster.Config{Unknown: []string{"kubernetes"}}, nil
	}
	if block.IsNull() {
		return config, nil
	}
	for name, value := range block.Attributes() {
		if whole, err := value.ToTerraformValue(ctx); err != nil || !whole.IsFullyKnown() {
			config.Unknown = append(config.Unknown, "kubernetes."+name)
		}
	}
	if slices.Sort(config.Unknown); len(config.Unknown) > 0 {
		return config, nil
	}
	var m kubernetesModel
	diags.Append(block.As(ctx, &m, basetypes.ObjectAsOptions{})...)
	diags.Append(m.ConfigPaths.ElementsAs(ctx, &config.ConfigPaths, false)...)
	if path := m.ConfigPath.ValueString(); path != "" {
		config.ConfigPaths = append([]string{path}, config.ConfigPaths...)
	}
	config.ConfigContext = m.ConfigContext.ValueString()
	config.ConfigContextCluster = m.ConfigContextCluster.ValueString()
	config.ConfigContextAuthInfo = m.ConfigContextAuthInfo.ValueString()
	config.Host, config.ClusterCACertificate = m.Host.ValueString(), m.ClusterCACertificate.ValueString()
	config.TLSServerName, config.Insecure = m.TLSServerName.ValueString(), m.Insecure.ValueBool()
	config.Token, config.ClientCertificate = m.Token.ValueString(), m.ClientCertificate.ValueString()
	config.ClientKey, config.ProxyURL = m.ClientKey.ValueString(), m.ProxyURL.ValueString()
	if !m.Exec.IsNull() {
		var e execModel
		diags.Append(m.Exec.As(ctx, &e, basetypes.ObjectAsOptions{UnhandledNullAsEmpty: true})...)
		config.Exec = &cluster.Exec{APIVersion: e.APIVersion, Command: e.Command, Args: e.Args, Env: e.Env}
	}
	return config, diags
}
