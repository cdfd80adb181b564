package deployment

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/int64validator"
	"github.com/hashicorp/terraform-plugin-framework-validators/listvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/booldefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/int64default"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes"
)

func kubernetesKind(access Access) kind {
	return kind{
		Kind:     kubernetes.Kind(access.Kubernetes),
		argument: kubernetesArgument(),
		value:    func(m *targetsModel) *types.Object { return &m.Kubernetes },
		validate: validateKubernetes,

		keepsNoHolds: "Pods keep none, so that a new one would forget what is held, and several would each hold and " +
			"count by themselves.",
	}
}

const (
	defaultNamespace = "default"
	defaultReplicas  = 2
)

func kubernetesArgument() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		MarkdownDescription: "Run bridges as the pods of a Deployment in Kubernetes. The provider's block " +
			"`kubernetes` says in which cluster. An Ingress and an autoscaler stay with the Kubernetes provider. See " +
			"the [guide](../guides/kubernetes.md).",
		Attributes: map[string]schema.Attribute{
			"namespace": schema.StringAttribute{
				Optional: true, Computed: true, Default: stringdefault.StaticString(defaultNamespace),
				MarkdownDescription: "An existing namespace, which is never deleted. Default " +
					"`" + defaultNamespace + "`. A change replaces the deployment.",
				Validators:    []validator.String{textValidator(kubernetes.CheckNamespace)},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"name": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "Name of the Deployment, and of the Service and the other objects. A change " +
					"replaces the deployment.",
				Validators:    []validator.String{textValidator(kubernetes.CheckName)},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"image": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "The bridge's image, best by its digest: " +
					"`ghcr.io/scimbridge/scim-bridge@sha256:...`. There is no default: an upgrade of the provider " +
					"replaces no pod.",
				Validators: []validator.String{textValidator(docker.CheckImage)},
			},
			"replicas": schema.Int64Attribute{
				Optional: true, Computed: true, Default: int64default.StaticInt64(defaultReplicas),
				MarkdownDescription: fmt.Sprintf("How many bridges run, spread over nodes and zones where that is "+
					"possible. Default %d. With more than one there is a PodDisruptionBudget. While an autoscaler has "+
					"the Deployment as its target, only how many there are at first.",
					defaultReplicas),
				Validators: []validator.Int64{int64validator.Between(1, 100)},
			},
			"service": schema.SingleNestedAttribute{
				Optional: true,
				MarkdownDescription: "The Service before the bridges. Without it, a `ClusterIP` at port 80. The " +
					"bridges speak HTTP: put an Ingress or a load balancer with a certificate before it.",
				Attributes: map[string]schema.Attribute{
					"type": schema.StringAttribute{
						Optional: true, Computed: true,
						Default: stringdefault.StaticString(kubernetes.DefaultServiceType),
						MarkdownDescription: "`" + strings.Join(kubernetes.ServiceTypes(), "`, `") + "`. Default `" +
							kubernetes.DefaultServiceType + "`.",
						Validators: []validator.String{stringvalidator.OneOf(kubernetes.ServiceTypes()...)},
					},
					"port": schema.Int64Attribute{
						Optional: true, Computed: true,
						Default:             int64default.StaticInt64(kubernetes.DefaultServicePort),
						MarkdownDescription: "Default 80.",
						Validators:          []validator.Int64{int64validator.Between(1, 65535)},
					},
					"annotations": textsArgument("Annotations, as load balancers of clouds take them."),
				},
			},
			"network_policy": schema.BoolAttribute{
				Optional: true, Computed: true, Default: booldefault.StaticBool(false),
				MarkdownDescription: "Make a NetworkPolicy that admits connections to the bridges' port and to no " +
					"other. Default `false`.",
			},
			"pod": podArgument(),
			"patch": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "A JSON merge patch of the Deployment, for what has no argument: `jsonencode({ " +
					"spec = { template = { spec = { priorityClassName = \"high\" } } } })`. It must not contain the " +
					"containers, the volumes or the selector.",
				Validators: []validator.String{textValidator(validPatch)},
			},
		},
	}
}

func textsArgument(description string) schema.MapAttribute {
	return schema.MapAttribute{
		Optional: true, ElementType: types.StringType, MarkdownDescription: description,
		Validators: []validator.Map{mapvalidator.SizeAtLeast(1), mapvalidator.NoNullValues()},
	}
}

func podArgument() schema.SingleNestedAttribute {
	text := func(description string) schema.StringAttribute {
		return schema.StringAttribute{Optional: true, MarkdownDescription: description}
	}
	return schema.SingleNestedAttribute{
		Optional:            true,
		MarkdownDescription: "What the pods have besides.",
		Attributes: map[string]schema.Attribute{
			"labels":        textsArgument("Labels."),
			"annotations":   textsArgument("Annotations."),
			"node_selector": textsArgument("Labels that a node must have."),
			"tolerations": schema.ListNestedAttribute{
				Optional:            true,
				MarkdownDescription: "Taints of nodes that the pods tolerate.",
				Validators:          []validator.List{listvalidator.SizeAtLeast(1)},
				NestedObject: schema.NestedAttributeObject{Attributes: map[string]schema.Attribute{
					"key": text("Key of the taint."), "operator": text("`Equal` or `Exists`."),
					"value": text("Value of the taint."), "effect": text("`NoSchedule`, `PreferNoSchedule` or " +
						"`NoExecute`."),
					"toleration_seconds": schema.Int64Attribute{
						Optional: true, MarkdownDescription: "How long a pod stays.",
					},
				}},
			},
			"image_pull_secrets": schema.ListAttribute{
				Optional: true, ElementType: types.StringType,
				MarkdownDescription: "Names of Secrets in the namespace with credentials of registries.",
				Validators:          []validator.List{listvalidator.SizeAtLeast(1), listvalidator.NoNullValues()},
			},
			"environment": environmentArgument("Environment variables of the bridge, such as `HTTPS_PROXY`. Those " +
				"that other arguments set are refused. They are in the state: no secrets."),
			"ca_certificate_pem": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Certificate authorities by which the bridge knows the account, in the place of " +
					"those in the image.",
				Validators: []validator.String{textValidator(validAuthorities)},
			},
		},
	}
}

func validAuthorities(text string) error {
	if !x509.NewCertPool().AppendCertsFromPEM([]byte(text)) {
		return errors.New("ca_certificate_pem has no certificate in PEM: it must have -----BEGIN CERTIFICATE-----")
	}
	return nil
}

func validPatch(text string) error {
	var patch map[string]any
	if err := json.Unmarshal([]byte(text), &patch); err != nil || patch == nil {
		return errors.New("patch must be the JSON of an object, as jsonencode({...}) makes it")
	}
	return nil
}

// validateKubernetes refuses a certificate by ACME, which each start of a pod would order anew, and what the bridge
// would refuse when it starts: plain HTTP to other machines, unless insecure_http is set or a proxy with HTTPS is
// named.
func validateKubernetes(_ context.Context, argument types.Object, s settingsModel) error {
	if s.TLSDomain.ValueString() != "" || s.ACMEEmail.ValueString() != "" {
		return errors.New("a certificate by ACME (settings.tls_domain, settings.acme_email) is not for kubernetes: " +
			"its pods keep none, and several have one name. Let an Ingress or a load balancer have the certificate, " +
			"and name its address in settings.public_url")
	}
	if argument.IsUnknown() || !s.servesPlainHTTP() {
		return nil
	}
	return &deploy.ArgumentError{Argument: "service", Title: "Plain HTTP that other machines can reach",
		Err: errors.New("the bridges speak HTTP in the cluster's network, and the identity provider must reach them " +
			"by HTTPS: set settings.public_url to the address of the Ingress or load balancer that has the " +
			"certificate, https://...; to allow plain HTTP, set settings.insecure_http = true")}
}
