package deployment

import (
	"context"
	"errors"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker"
)

func dockerKind(access Access) kind {
	return kind{
		Kind:     docker.Kind(access.Docker),
		argument: dockerArgument(),
		value:    func(m *targetsModel) *types.Object { return &m.Docker },
		validate: validateDocker,

		holdsGap: "what the old bridge holds beyond its suspension limit is copied after it was stopped",
	}
}

func dockerArgument() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		MarkdownDescription: "Run the bridge as a container of a Docker Engine or of Podman, on this machine or " +
			"another. The container restarts with its machine, has a read-only root, no capabilities and no root " +
			"user, and its session and token are files in a volume of its own. See the [guide](../guides/docker.md).",
		Attributes: map[string]schema.Attribute{
			"name": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "Name of the container, and the bridge's host name in `network`. A change " +
					"replaces the deployment.",
				Validators:    []validator.String{textValidator(docker.CheckName)},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"image": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Image to run, such as `registry.example.com/scim-bridge:1.2.0`. The engine " +
					"pulls it if it has none of that name. If the name later means another image at the engine, " +
					"the plan shows an update in place. Without `image` the engine gets an image with the program " +
					"that comes with the provider, and needs no registry.",
				Validators: []validator.String{textValidator(docker.CheckImage)},
			},
			"host": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Address of the engine, if it is not that of the provider's block `docker`. A " +
					"change replaces the deployment.",
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"ports": schema.ListAttribute{
				Optional:    true,
				ElementType: types.StringType,
				MarkdownDescription: "Published ports, each `HOST_PORT:3002` or `HOST_IP:HOST_PORT:3002`. Only one " +
					"container can have a port of the host: with `ports`, a replaced bridge is stopped before the " +
					"new one starts, for a second or two. A port that other machines can reach needs an HTTPS " +
					"proxy in front, named by `settings.public_url`, or `settings.tls_domain`, with `443:3002`, or " +
					"`settings.insecure_http`.",
				Validators: []validator.List{listvalidator.SizeAtLeast(1), listvalidator.NoNullValues(),
					listvalidator.UniqueValues(), listvalidator.ValueStringsAre(textValidator(docker.CheckPort))},
			},
			"network": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Network of the engine to connect the container to, such as the one of a " +
					"proxy, which reaches the bridge there at `http://NAME:3002`. In a network, and without " +
					"`ports`, a bridge is replaced without a gap.",
				Validators: []validator.String{textValidator(docker.CheckNetwork)},
			},
			"memory": schema.Int64Attribute{
				Optional: true,
				MarkdownDescription: "Memory limit of the container in MiB. By default `size` gives it: 640 " +
					"(`base`), 1280 (`high`) or 2560 (`very_high`). The bridge's own soft limit is four fifths of it.",
				Validators: []validator.Int64{int64validator.Between(64, 1<<20)},
			},
			"environment": environmentArgument("Environment variables of the container, such as `HTTPS_PROXY`. Those " +
				"that other arguments set are refused. `docker inspect` shows them: do not put secrets there."),
		},
	}
}

// validateDocker refuses a bridge that nothing could reach, and what the bridge would refuse
// when it starts: plain HTTP that other machines can reach, unless insecure_http is set.
// Unknown values are left to the bridge.
func validateDocker(ctx context.Context, argument types.Object, s settingsModel) error {
	ports, okPorts := argument.Attributes()["ports"].(types.List)
	network, okNetwork := argument.Attributes()["network"].(types.String)
	if !okPorts || !okNetwork || ports.IsUnknown() || network.IsUnknown() {
		return nil
	}
	onHost := network.ValueString() == "host"
	switch {
	case ports.IsNull() && network.IsNull():
		return &deploy.ArgumentError{Argument: "ports", Title: "Nothing can reach the bridge", Err: errors.New(
			"the container has no published port and is in no network: set ports, or the network of a proxy")}
	case !ports.IsNull() && onHost:
		return &deploy.ArgumentError{Argument: "ports", Title: "Ports of the host's network", Err: errors.New(
			`with network = "host" nothing is published: the bridge listens on port 3002 of the host. Leave ports ` +
				"out, or choose another network")}
	}
	if !s.servesPlainHTTP() {
		return nil
	}
	public := ""
	for _, value := range ports.Elements() {
		text, ok := value.(types.String)
		if !ok || text.IsUnknown() {
			return nil
		}
		if docker.IsPublic(text.ValueString()) {
			public = text.ValueString()
		}
	}
	const remedy = "If a proxy with HTTPS is in front, set settings.public_url to its address, https://...; " +
		"for a certificate of the bridge's own, set settings.tls_domain; to allow plain HTTP, set " +
		"settings.insecure_http = true"
	switch {
	case public != "":
		return &deploy.ArgumentError{Argument: "ports", Title: "Plain HTTP that other machines can reach",
			Err: fmt.Errorf(
				"the port %q can be reached from other machines, and plain HTTP would show them the bearer token. "+
					"%s; to serve the engine's machine only, publish %q", public, remedy, "127.0.0.1:3002:3002")}
	case ports.IsNull():
		return &deploy.ArgumentError{Argument: "network", Title: "Plain HTTP that others can reach", Err: fmt.Errorf(
			"the bridge can be reached by plain HTTP in the network %q. %s", network.ValueString(), remedy)}
	}
	return nil
}
