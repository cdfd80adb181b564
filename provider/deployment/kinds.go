package deployment

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework-validators/mapvalidator"
	"github.com/hashicorp/terraform-plugin-framework/attr"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"
	"github.com/hashicorp/terraform-plugin-framework/types/basetypes"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/docker/engine"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/kubernetes/cluster"
)

// An Access says how the kinds of target are reached: the blocks of the provider's
// configuration that are named after them. Resources get it from the provider data.
type Access struct {
	Docker     engine.Config
	Kubernetes cluster.Config
}

// kinds is the registry of the kinds of target. A new one needs a line here, a field in
// targetsModel and, if it is reached with credentials, in Access, its schema in
// kind_NAME.go and a folder below provider/deploy. Nothing else in this package names a
// kind.
//
// What is done without the provider's configuration, such as the schema and the
// validation of ids, uses the zero Access.
func kinds(access Access) []kind {
	return []kind{processKind(), dockerKind(access), kubernetesKind(access)}
}

// SetAccess makes access that of the run's resources.
func SetAccess(c *client.Client, access Access) { *client.PerRun[Access](c) = access }

// accessOf returns the run's Access; zero before the provider is configured.
func accessOf(c *client.Client) Access {
	if c == nil {
		return Access{}
	}
	return *client.PerRun[Access](c)
}

// targetsModel has the model's argument for each kind.
type targetsModel struct {
	Process    types.Object `tfsdk:"process"`
	Docker     types.Object `tfsdk:"docker"`
	Kubernetes types.Object `tfsdk:"kubernetes"`
}

// A kind is a kind of target with its schema.
type kind struct {
	deploy.Kind

	// argument describes a target of this kind in the schema.
	argument schema.SingleNestedAttribute
	// value returns that argument in the model.
	value func(*targetsModel) *types.Object
	// validate checks an argument against the settings. It ignores unknown values and may
	// be nil.
	validate func(ctx context.Context, argument types.Object, settings settingsModel) error
	// keepsNoHolds is why a target does not keep what a bridge holds beyond its limit; empty if it does.
	keepsNoHolds string
	// holdsGap is why such a bridge is replaced with a gap; empty if it is not.
	holdsGap string
}

// environmentArgument is the argument of a kind for a container's environment variables.
func environmentArgument(description string) schema.MapAttribute {
	return schema.MapAttribute{
		Optional: true, ElementType: types.StringType, MarkdownDescription: description,
		Validators: []validator.Map{mapvalidator.SizeAtLeast(1), mapvalidator.NoNullValues(),
			mapvalidator.KeysAre(textValidator(deploy.CheckVariable))},
	}
}

// path returns the path of an argument of the kind in the configuration.
func (k kind) path(argument string) path.Path { return path.Root(k.Name).AtName(argument) }

func (k kind) attributeTypes() map[string]attr.Type {
	object, ok := k.argument.GetType().(types.ObjectType)
	if !ok {
		panic(fmt.Sprintf("deployment: the argument %s is not an object", k.Name))
	}
	return object.AttrTypes
}

// kindOf returns the kind of an id and the place in it.
func kindOf(all []kind, id string) (kind, string, error) {
	var forms []string
	for _, k := range all {
		if place, ok := strings.CutPrefix(id, k.Prefix()); ok {
			return k, place, nil
		}
		forms = append(forms, k.Prefix()+k.Place)
	}
	return kind{}, "", fmt.Errorf("the id %q must look like %s", id, strings.Join(forms, " or "))
}

// open returns the kind and the target of an id.
func open(all []kind, id, trace string) (kind, deploy.Target, error) {
	k, place, err := kindOf(all, id)
	if err != nil {
		return kind{}, nil, err
	}
	target, err := k.Open(place, trace)
	return k, target, err
}

// requireRecord fails if the record of an observed deployment is lost, since then it is
// not known what was deployed.
func requireRecord(state deploy.State, err error) (deploy.State, error) {
	if err == nil && state.Lost != "" {
		err = errors.New(state.Lost)
	}
	return state, err
}

// kind returns the kind of target that the model describes; ok is false if there is none.
func (m *model) kind(all []kind) (k kind, ok bool) {
	i := slices.IndexFunc(all, func(k kind) bool { return !k.value(&m.targetsModel).IsNull() })
	if i < 0 {
		return kind{}, false
	}
	return all[i], true
}

// toTarget returns the target that the model describes; nil while it is unknown.
func (m *model) toTarget(ctx context.Context, k kind, trace string) (deploy.Target, diag.Diagnostics) {
	argument := k.value(&m.targetsModel)
	if whole, err := argument.ToTerraformValue(ctx); err != nil || !whole.IsFullyKnown() {
		return nil, nil
	}
	var diags diag.Diagnostics
	target, err := k.FromConfig(func(into any) error {
		diags.Append(argument.As(ctx, into, basetypes.ObjectAsOptions{})...)
		return firstError(diags)
	}, trace)
	if err != nil && !diags.HasError() {
		diags.Append(k.diagnose("Invalid target", err))
	}
	return target, diags
}

func firstError(diags diag.Diagnostics) error {
	if !diags.HasError() {
		return nil
	}
	return errors.New(diags.Errors()[0].Detail())
}

// setTarget stores the configuration of an observed target.
func (m *model) setTarget(ctx context.Context, k kind, config any) (diags diag.Diagnostics) {
	*k.value(&m.targetsModel), diags = types.ObjectValueFrom(ctx, k.attributeTypes(), config)
	return diags
}

// diagnose returns a diagnostic for an error, at the argument that it names, if any.
func (k kind) diagnose(title string, err error) diag.Diagnostic {
	if at, ok := errors.AsType[*deploy.ArgumentError](err); ok {
		return diag.NewAttributeErrorDiagnostic(k.path(at.Argument), at.Title, capitalize(err.Error()))
	}
	return diag.NewAttributeErrorDiagnostic(path.Root(k.Name), title, capitalize(err.Error()))
}

// elsewhereText returns the text of deploy.ErrElsewhere, with the kinds of target that can
// be managed from any machine.
func elsewhereText(err error) string {
	var names []string
	for _, k := range kinds(Access{}) {
		if k.Elsewhere == nil {
			names = append(names, k.Name)
		}
	}
	return fmt.Sprintf("%s. To manage a bridge from several machines, use a target that is reached over the "+
		"network: use %s.", capitalize(err.Error()), strings.Join(names, " or "))
}
