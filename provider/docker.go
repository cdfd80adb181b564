package provider

import (
	"context"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/provider/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker/engine"
)

// dockerBlock describes how container engines are reached.
func dockerBlock() schema.Block {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	secret := func(description string) schema.StringAttribute {
		a := text(description)
		a.Sensitive = true
		return a
	}
	host := text("Address of the engine's API: `unix:///var/run/docker.sock`, `tcp://host:2376` or " +
		"`ssh://user@host`. A deployment's own `host` comes before it. May also be given as `DOCKER_HOST`.")
	host.Validators = []validator.String{notEmpty("docker.host", "DOCKER_HOST")}
	return schema.SingleNestedBlock{
		MarkdownDescription: "The container engine of deployments with the target `docker`, and how it is reached. " +
			"Without this block it is the engine that the `docker` command would use.",
		Attributes: map[string]schema.Attribute{
			"host": host,
			"context": text("Name of a context of the `docker` command, instead of `host`. May also be given as " +
				"`DOCKER_CONTEXT`."),
			"cert_path": text("Folder with `ca.pem`, `cert.pem` and `key.pem` for a `tcp` address. May also be given " +
				"as `DOCKER_CERT_PATH` with `DOCKER_TLS_VERIFY=1`."),
			"ca_certificate_pem": text("PEM certificates of the authority that signed the engine's certificate, " +
				"instead of `cert_path`."),
			"client_certificate_pem": text("PEM certificate to show to the engine, instead of `cert_path`."),
			"client_key_pem":         secret("Its PEM key, unencrypted."),
			"tls_server_name":        text("Name in the engine's certificate, if it is not the one in the address."),
			"ssh_known_hosts_file": text("File with the keys of SSH servers. Default `~/.ssh/known_hosts` and " +
				"`/etc/ssh/ssh_known_hosts`. The key is always checked."),
			"ssh_known_hosts": text("Lines of such a file, instead of `ssh_known_hosts_file`."),
			"ssh_private_key_file": text("File with the private key to sign in with. Default: the keys of the agent " +
				"at `SSH_AUTH_SOCK`, then `~/.ssh/id_ed25519`, `id_ecdsa` and `id_rsa`."),
			"ssh_private_key_pem": secret("The private key itself, instead of `ssh_private_key_file`."),
			"ssh_passphrase":      secret("Passphrase of that private key."),
			"registries": schema.MapNestedAttribute{
				Optional: true,
				MarkdownDescription: "Credentials for pulling images, by the name of the registry, such as `ghcr.io` " +
					"or `docker.io`. Default: those that `docker login` stored on the machine that runs Terraform.",
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"username": schema.StringAttribute{Required: true, MarkdownDescription: "Name of the user."},
					"password": schema.StringAttribute{Required: true, Sensitive: true,
						MarkdownDescription: "Password or token."},
				}},
			},
		},
	}
}

type dockerModel struct {
	Host                 types.String `tfsdk:"host"`
	Context              types.String `tfsdk:"context"`
	CertPath             types.String `tfsdk:"cert_path"`
	CACertificatePEM     types.String `tfsdk:"ca_certificate_pem"`
	ClientCertificatePEM types.String `tfsdk:"client_certificate_pem"`
	ClientKeyPEM         types.String `tfsdk:"client_key_pem"`
	TLSServerName        types.String `tfsdk:"tls_server_name"`
	SSHKnownHostsFile    types.String `tfsdk:"ssh_known_hosts_file"`
	SSHKnownHosts        types.String `tfsdk:"ssh_known_hosts"`
	SSHPrivateKeyFile    types.String `tfsdk:"ssh_private_key_file"`
	SSHPrivateKeyPEM     types.String `tfsdk:"ssh_private_key_pem"`
	SSHPassphrase        types.String `tfsdk:"ssh_passphrase"`
	Registries           types.Map    `tfsdk:"registries"`
}

type registryModel struct {
	Username types.String `tfsdk:"username"`
	Password types.String `tfsdk:"password"`
}

// toEngine returns the configuration in the block docker.
func toEngine(ctx context.Context, block types.Object) (config engine.Config, diags diag.Diagnostics) {
	config.Outages = new(engine.Outages)
	if block.IsNull() {
		return config, nil
	}
	if block.IsUnknown() {
		config.Unknown = []string{"docker"}
		return config, nil
	}
	var m dockerModel
	if diags = block.As(ctx, &m, basetypes.ObjectAsOptions{}); diags.HasError() {
		return config, diags
	}
	config.Host, config.Context = m.Host.ValueString(), m.Context.ValueString()
	config.TLS = engine.TLS{
		CertPath: m.CertPath.ValueString(), CA: m.CACertificatePEM.ValueString(),
		Certificate: m.ClientCertificatePEM.ValueString(), Key: m.ClientKeyPEM.ValueString(),
		ServerName: m.TLSServerName.ValueString(),
	}
	config.SSH = engine.SSH{
		KnownHostsFile: m.SSHKnownHostsFile.ValueString(), KnownHosts: m.SSHKnownHosts.ValueString(),
		PrivateKeyFile: m.SSHPrivateKeyFile.ValueString(), PrivateKey: m.SSHPrivateKeyPEM.ValueString(),
		Passphrase: m.SSHPassphrase.ValueString(),
	}
	for _, argument := range m.texts() {
		if argument.value.IsUnknown() {
			config.Unknown = append(config.Unknown, "docker."+argument.name)
		}
	}
	diags.Append(m.exclusions()...)
	registries, d := toRegistries(ctx, m.Registries)
	diags.Append(d...)
	config.Registries = registries
	if m.Registries.IsUnknown() {
		config.Unknown = append(config.Unknown, "docker.registries")
	}
	return config, diags
}

type textArgument struct {
	name  string
	value types.String
}

func (m dockerModel) texts() []textArgument {
	return []textArgument{
		{"host", m.Host}, {"context", m.Context}, {"cert_path", m.CertPath}, {"ca_certificate_pem", m.CACertificatePEM},
		{"client_certificate_pem", m.ClientCertificatePEM}, {"client_key_pem", m.ClientKeyPEM},
		{"tls_server_name", m.TLSServerName}, {"ssh_known_hosts_file", m.SSHKnownHostsFile},
		{"ssh_known_hosts", m.SSHKnownHosts}, {"ssh_private_key_file", m.SSHPrivateKeyFile},
		{"ssh_private_key_pem", m.SSHPrivateKeyPEM}, {"ssh_passphrase", m.SSHPassphrase},
	}
}

// exclusions reports arguments that say the same thing twice.
func (m dockerModel) exclusions() (diags diag.Diagnostics) {
	for _, pair := range [][2]textArgument{
		{{"host", m.Host}, {"context", m.Context}},
		{{"cert_path", m.CertPath}, {"ca_certificate_pem", m.CACertificatePEM}},
		{{"cert_path", m.CertPath}, {"client_certificate_pem", m.ClientCertificatePEM}},
		{{"cert_path", m.CertPath}, {"client_key_pem", m.ClientKeyPEM}},
		{{"ssh_known_hosts_file", m.SSHKnownHostsFile}, {"ssh_known_hosts", m.SSHKnownHosts}},
		{{"ssh_private_key_file", m.SSHPrivateKeyFile}, {"ssh_private_key_pem", m.SSHPrivateKeyPEM}},
	} {
		if pair[0].value.ValueString() != "" && pair[1].value.ValueString() != "" {
			diags.AddAttributeError(path.Root("docker").AtName(pair[1].name), "Two arguments for one thing",
				fmt.Sprintf(
					"docker.%s and docker.%s exclude each other. Leave one of them out.", pair[0].name, pair[1].name))
		}
	}
	return diags
}

func toRegistries(ctx context.Context, all types.Map) (map[string]engine.Registry, diag.Diagnostics) {
	if all.IsNull() || all.IsUnknown() {
		return nil, nil
	}
	var objects map[string]types.Object
	diags := all.ElementsAs(ctx, &objects, false)
	registries := make(map[string]engine.Registry, len(objects))
	for name, object := range objects {
		var m registryModel
		if !object.IsUnknown() {
			diags.Append(object.As(ctx, &m, basetypes.ObjectAsOptions{})...)
		}
		registries[name] = engine.Registry{Username: m.Username.ValueString(), Password: m.Password.ValueString(),
			Unknown: object.IsUnknown() || m.Username.IsUnknown() || m.Password.IsUnknown()}
	}
	return registries, diags
}
