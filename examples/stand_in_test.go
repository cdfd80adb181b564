package examples

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6/tf6server"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A shape is what an example says of a block of another provider: the arguments and blocks that it gives, and the
// attributes that it reads.
type shape struct {
	Attributes map[string]attributeKind
	Blocks     map[string]*shape
}

type attributeKind string

const (
	argument  attributeKind = "argument"
	writeOnly attributeKind = "write-only" // as its name says
	computed  attributeKind = "computed"
)

func newShape() *shape {
	return &shape{Attributes: make(map[string]attributeKind), Blocks: make(map[string]*shape)}
}

// at returns the shape with a name, a new one if there is none.
func at(all map[string]*shape, name string) *shape {
	if all[name] == nil {
		all[name] = newShape()
	}
	return all[name]
}

// shapes are all of a provider's.
type shapes struct {
	Source                            string // as in required_providers
	Provider                          *shape
	Resources, DataSources, Ephemeral map[string]*shape
}

func (s *shapes) of(mode string) map[string]*shape {
	switch mode {
	case "data":
		return s.DataSources
	case "ephemeral":
		return s.Ephemeral
	default:
		return s.Resources
	}
}

// Terraform's own, in every resource.
var (
	metaArguments = []string{"count", "depends_on", "for_each", "provider"}
	metaBlocks    = []string{"connection", "lifecycle", "provisioner"}
)

// readExamples parses the configurations of a folder.
func readExamples(t *testing.T, folder string) (bodies []*hclsyntax.Body) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*.tf"))
	if err != nil {
		t.Fatal(err)
	}
	parser := hclparse.NewParser()
	for _, name := range files {
		file, diags := parser.ParseHCLFile(name)
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		bodies = append(bodies, file.Body.(*hclsyntax.Body))
	}
	return bodies
}

// othersIn returns the other providers that configurations need, by their local names.
func othersIn(bodies []*hclsyntax.Body) map[string]*shapes {
	others := make(map[string]*shapes)
	other := func(name string) *shapes {
		name, _, _ = strings.Cut(name, "_")
		if name == "scimbridge" || name == "terraform" {
			return &shapes{}
		}
		if others[name] == nil {
			others[name] = &shapes{
				Source: "hashicorp/" + name, Provider: newShape(), Resources: make(map[string]*shape),
				DataSources: make(map[string]*shape), Ephemeral: make(map[string]*shape),
			}
		}
		return others[name]
	}
	for _, body := range bodies {
		for _, b := range body.Blocks {
			switch b.Type {
			case "terraform":
				for name, source := range sourcesIn(b.Body) {
					other(name).Source = source
				}
			case "provider":
				if o := other(b.Labels[0]); o.Provider != nil {
					o.Provider.addTop(b.Body)
				}
			case "resource", "data", "ephemeral":
				if all := other(b.Labels[0]).of(b.Type); all != nil {
					at(all, b.Labels[0]).addTop(b.Body)
				}
			}
		}
	}
	for _, body := range bodies {
		for _, r := range referencesIn(body) {
			if of := other(r.kind).of(r.mode)[r.kind]; of != nil {
				of.read(r.attribute)
			}
		}
	}
	return others
}

// sourcesIn returns what required_providers has.
func sourcesIn(body *hclsyntax.Body) map[string]string {
	sources := make(map[string]string)
	for _, b := range body.Blocks {
		for name, a := range b.Body.Attributes {
			if b.Type != "required_providers" {
				continue
			}
			if value, diags := a.Expr.Value(nil); !diags.HasErrors() && value.Type().HasAttribute("source") {
				sources[name] = value.GetAttr("source").AsString()
			}
		}
	}
	return sources
}

func (s *shape) addTop(body *hclsyntax.Body) {
	top := *body
	top.Attributes = maps.Clone(body.Attributes)
	maps.DeleteFunc(top.Attributes, func(name string, _ *hclsyntax.Attribute) bool {
		return slices.Contains(metaArguments, name)
	})
	top.Blocks = slices.DeleteFunc(slices.Clone(body.Blocks), func(b *hclsyntax.Block) bool {
		return slices.Contains(metaBlocks, b.Type)
	})
	s.add(&top)
	s.read("id")
}

func (s *shape) add(body *hclsyntax.Body) {
	for name := range body.Attributes {
		s.Attributes[name] = argument
		if strings.HasSuffix(name, "_wo") {
			s.Attributes[name] = writeOnly
		}
	}
	for _, b := range body.Blocks {
		name, content := b.Type, b.Body
		if name == "dynamic" {
			name, content = b.Labels[0], b.Body.Blocks[0].Body
		}
		at(s.Blocks, name).add(content)
	}
}

// read adds an attribute that no example gives.
func (s *shape) read(attribute string) {
	if s.Attributes[attribute] == "" && s.Blocks[attribute] == nil {
		s.Attributes[attribute] = computed
	}
}

// A reference is to an attribute of a resource, a data source or an ephemeral resource.
type reference struct{ mode, kind, name, attribute string }

// referencesIn returns those that name the attribute. Others are Terraform's to check.
func referencesIn(body *hclsyntax.Body) (all []reference) {
	_ = hclsyntax.VisitAll(body, func(node hclsyntax.Node) hcl.Diagnostics {
		expression, ok := node.(*hclsyntax.ScopeTraversalExpr)
		if !ok {
			return nil
		}
		var names []string
		for _, step := range expression.Traversal {
			switch step := step.(type) {
			case hcl.TraverseRoot:
				names = append(names, step.Name)
			case hcl.TraverseAttr:
				names = append(names, step.Name)
			}
		}
		mode := "resource"
		if names[0] == "data" || names[0] == "ephemeral" {
			mode, names = names[0], names[1:]
		}
		if len(names) >= 3 && strings.Contains(names[0], "_") {
			all = append(all, reference{mode, names[0], names[1], names[2]})
		}
		return nil
	})
	return all
}

func (s *shape) schema() *tfprotov6.Schema { return &tfprotov6.Schema{Block: s.block()} }

func (s *shape) block() *tfprotov6.SchemaBlock {
	b := new(tfprotov6.SchemaBlock)
	for name, kind := range s.Attributes {
		b.Attributes = append(b.Attributes, &tfprotov6.SchemaAttribute{
			Name: name, Type: kind.valueType(), Optional: kind != computed, Computed: kind == computed,
			WriteOnly: kind == writeOnly,
		})
	}
	for name, nested := range s.Blocks {
		b.BlockTypes = append(b.BlockTypes, &tfprotov6.SchemaNestedBlock{
			TypeName: name, Block: nested.block(), Nesting: tfprotov6.SchemaNestedBlockNestingModeList,
		})
	}
	return b
}

func (k attributeKind) valueType() tftypes.Type {
	if k == computed {
		return tftypes.String
	}
	return tftypes.DynamicPseudoType
}

// valueType is what Terraform takes the schema for: a list of blocks of which two may differ in type has no type.
func (s *shape) valueType() tftypes.Object {
	types := make(map[string]tftypes.Type)
	for name, kind := range s.Attributes {
		types[name] = kind.valueType()
	}
	for name, nested := range s.Blocks {
		types[name] = tftypes.List{ElementType: nested.valueType()}
		if nested.varies() {
			types[name] = tftypes.DynamicPseudoType
		}
	}
	return tftypes.Object{AttributeTypes: types}
}

func (s *shape) varies() bool {
	for _, kind := range s.Attributes {
		if kind != computed {
			return true
		}
	}
	return slices.ContainsFunc(slices.Collect(maps.Values(s.Blocks)), (*shape).varies)
}

// A standIn is a provider of a platform for machines that the real one cannot be had on. It accepts the arguments that
// the examples give it: that the real one has them is not shown by it. All else is shown: that Terraform finds no fault
// in the configuration, and lets no token into the state. What is applied it writes to files, for a test to act upon.
type standIn struct {
	tfprotov6.ProviderServer // what it lacks is not called

	folder string
	shapes shapes
	token  string
}

const (
	pluginPrefix = "terraform-provider-"
	shapesFile   = "shapes.json"
	tokenFile    = "token"
	// made is the value of every attribute that a platform makes up.
	made = "made-up"
)

// install makes a plugin of this test's program. Terraform finds it in the folder.
func (s *shapes) install(t *testing.T, name, token string) (folder string) {
	t.Helper()
	folder = t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(self, filepath.Join(folder, pluginPrefix+name)); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	for file, text := range map[string][]byte{shapesFile: text, tokenFile: []byte(token)} {
		if err := os.WriteFile(filepath.Join(folder, file), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

// standIn makes stand-ins for other providers. The folders are where they write what is applied.
func (w *workspace) standIn(others map[string]*shapes, token string) (folders []string) {
	w.t.Helper()
	overrides := map[string]string{scimbridge: providertest.Installation(w.t)}
	for name, of := range others {
		folder := of.install(w.t, name, token)
		overrides[of.Source] = folder
		folders = append(folders, folder)
	}
	w.find(overrides)
	return folders
}

// others is the variable that says where the real other providers are: "direct", which is the registry, or a folder
// that is a filesystem mirror.
const others = "SCIMBRIDGE_TEST_PROVIDERS"

// provide makes other providers known: the real ones if the variable says where they are, else stand-ins.
func (w *workspace) provide(needed map[string]*shapes) {
	w.t.Helper()
	where := os.Getenv(others)
	if where == "" || len(needed) == 0 {
		w.standIn(needed, "")
		return
	}
	ours, sources := w.t.TempDir(), []string{}
	for _, host := range []string{"registry.terraform.io", "registry.opentofu.org"} {
		source := host + "/" + scimbridge
		platform := filepath.Join(ours, source, "0.0.1", runtime.GOOS+"_"+runtime.GOARCH)
		if err := os.MkdirAll(filepath.Dir(platform), 0o700); err != nil {
			w.t.Fatal(err)
		}
		if err := os.Symlink(providertest.Installation(w.t), platform); err != nil {
			w.t.Fatal(err)
		}
		sources = append(sources, strconv.Quote(source))
	}
	theirs := "direct {\n"
	if where != "direct" {
		theirs = fmt.Sprintf("filesystem_mirror {\n path = %q\n", where)
	}
	text := fmt.Sprintf("provider_installation {\n filesystem_mirror {\n path = %q\n include = [%[2]s]\n}\n"+
		"%[3]s exclude = [%[2]s]\n}\n}\n", ours, strings.Join(sources, ", "), theirs)
	if err := os.WriteFile(w.cli, []byte(text), 0o600); err != nil {
		w.t.Fatal(err)
	}
	if code, out := w.run(nil, "init", "-no-color", "-input=false"); code != 0 {
		w.t.Fatalf("with %s=%s: %s", others, where, out)
	}
}

// serveStandIn is the program of a plugin.
func serveStandIn(program string) error {
	s := &standIn{folder: filepath.Dir(program)}
	text, err := os.ReadFile(filepath.Join(s.folder, shapesFile))
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, &s.shapes); err != nil {
		return err
	}
	token, err := os.ReadFile(filepath.Join(s.folder, tokenFile))
	if err != nil {
		return err
	}
	s.token = string(token)
	return tf6server.Serve(s.shapes.Source, func() tfprotov6.ProviderServer { return s })
}

func (s *standIn) GetProviderSchema(context.Context, *tfprotov6.GetProviderSchemaRequest) (
	*tfprotov6.GetProviderSchemaResponse, error,
) {
	resp := &tfprotov6.GetProviderSchemaResponse{
		Provider:                 s.shapes.Provider.schema(),
		ResourceSchemas:          make(map[string]*tfprotov6.Schema),
		DataSourceSchemas:        make(map[string]*tfprotov6.Schema),
		EphemeralResourceSchemas: make(map[string]*tfprotov6.Schema),
	}
	for mode, schemas := range map[string]map[string]*tfprotov6.Schema{
		"resource": resp.ResourceSchemas, "data": resp.DataSourceSchemas, "ephemeral": resp.EphemeralResourceSchemas,
	} {
		for name, shape := range s.shapes.of(mode) {
			schemas[name] = shape.schema()
		}
	}
	return resp, nil
}

func (s *standIn) GetMetadata(context.Context, *tfprotov6.GetMetadataRequest) (*tfprotov6.GetMetadataResponse, error) {
	return &tfprotov6.GetMetadataResponse{}, nil
}

func (s *standIn) GetResourceIdentitySchemas(context.Context, *tfprotov6.GetResourceIdentitySchemasRequest) (
	*tfprotov6.GetResourceIdentitySchemasResponse, error,
) {
	return &tfprotov6.GetResourceIdentitySchemasResponse{}, nil
}

func (s *standIn) ValidateProviderConfig(_ context.Context, req *tfprotov6.ValidateProviderConfigRequest) (
	*tfprotov6.ValidateProviderConfigResponse, error,
) {
	return &tfprotov6.ValidateProviderConfigResponse{PreparedConfig: req.Config}, nil
}

func (s *standIn) ConfigureProvider(context.Context, *tfprotov6.ConfigureProviderRequest) (
	*tfprotov6.ConfigureProviderResponse, error,
) {
	return &tfprotov6.ConfigureProviderResponse{}, nil
}

func (s *standIn) StopProvider(context.Context, *tfprotov6.StopProviderRequest) (
	*tfprotov6.StopProviderResponse, error,
) {
	return &tfprotov6.StopProviderResponse{}, nil
}

func (s *standIn) ValidateResourceConfig(context.Context, *tfprotov6.ValidateResourceConfigRequest) (
	*tfprotov6.ValidateResourceConfigResponse, error,
) {
	return &tfprotov6.ValidateResourceConfigResponse{}, nil
}

func (s *standIn) UpgradeResourceState(_ context.Context, req *tfprotov6.UpgradeResourceStateRequest) (
	*tfprotov6.UpgradeResourceStateResponse, error,
) {
	t := s.shapes.Resources[req.TypeName].valueType()
	state, err := req.RawState.Unmarshal(t)
	if err != nil {
		return nil, err
	}
	upgraded, err := tfprotov6.NewDynamicValue(t, state)
	return &tfprotov6.UpgradeResourceStateResponse{UpgradedState: &upgraded}, err
}

func (s *standIn) ReadResource(_ context.Context, req *tfprotov6.ReadResourceRequest) (
	*tfprotov6.ReadResourceResponse, error,
) {
	return &tfprotov6.ReadResourceResponse{NewState: req.CurrentState}, nil
}

func (s *standIn) PlanResourceChange(_ context.Context, req *tfprotov6.PlanResourceChangeRequest) (
	*tfprotov6.PlanResourceChangeResponse, error,
) {
	planned, err := s.shapes.Resources[req.TypeName].complete(req.ProposedNewState, tftypes.UnknownValue)
	return &tfprotov6.PlanResourceChangeResponse{PlannedState: planned}, err
}

func (s *standIn) ApplyResourceChange(_ context.Context, req *tfprotov6.ApplyResourceChangeRequest) (
	*tfprotov6.ApplyResourceChangeResponse, error,
) {
	of := s.shapes.Resources[req.TypeName]
	config, err := req.Config.Unmarshal(of.valueType())
	if err != nil {
		return nil, err
	}
	if !config.IsNull() {
		if err := s.keep(req.TypeName, config); err != nil {
			return nil, err
		}
	}
	state, err := of.complete(req.PlannedState, made)
	return &tfprotov6.ApplyResourceChangeResponse{NewState: state}, err
}

// keep writes what was applied, write-only arguments too.
func (s *standIn) keep(name string, config tftypes.Value) error {
	plain, err := toPlain(config)
	if err != nil {
		return err
	}
	text, err := json.Marshal(plain)
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(s.folder, name+"-*")
	if err != nil {
		return err
	}
	defer f.Close()
	if _, err := f.Write(text); err != nil {
		return err
	}
	return os.Rename(f.Name(), f.Name()+".applied") // whole
}

func (s *standIn) ValidateDataResourceConfig(context.Context, *tfprotov6.ValidateDataResourceConfigRequest) (
	*tfprotov6.ValidateDataResourceConfigResponse, error,
) {
	return &tfprotov6.ValidateDataResourceConfigResponse{}, nil
}

func (s *standIn) ReadDataSource(_ context.Context, req *tfprotov6.ReadDataSourceRequest) (
	*tfprotov6.ReadDataSourceResponse, error,
) {
	state, err := s.shapes.DataSources[req.TypeName].complete(req.Config, made)
	return &tfprotov6.ReadDataSourceResponse{State: state}, err
}

func (s *standIn) ValidateEphemeralResourceConfig(context.Context, *tfprotov6.ValidateEphemeralResourceConfigRequest) (
	*tfprotov6.ValidateEphemeralResourceConfigResponse, error,
) {
	return &tfprotov6.ValidateEphemeralResourceConfigResponse{}, nil
}

// OpenEphemeralResource knows one secret. Its text ends as that of a file does.
func (s *standIn) OpenEphemeralResource(_ context.Context, req *tfprotov6.OpenEphemeralResourceRequest) (
	*tfprotov6.OpenEphemeralResourceResponse, error,
) {
	result, err := s.shapes.Ephemeral[req.TypeName].complete(req.Config, s.token+"\n")
	return &tfprotov6.OpenEphemeralResourceResponse{Result: result}, err
}

func (s *standIn) CloseEphemeralResource(context.Context, *tfprotov6.CloseEphemeralResourceRequest) (
	*tfprotov6.CloseEphemeralResourceResponse, error,
) {
	return &tfprotov6.CloseEphemeralResourceResponse{}, nil
}

// complete gives the computed attributes that have no value one, and forgets the write-only arguments.
func (s *shape) complete(encoded *tfprotov6.DynamicValue, value any) (*tfprotov6.DynamicValue, error) {
	t := s.valueType()
	v, err := encoded.Unmarshal(t)
	if err != nil || v.IsNull() {
		return encoded, err
	}
	var attributes map[string]tftypes.Value
	if err := v.As(&attributes); err != nil {
		return nil, err
	}
	for name, kind := range s.Attributes {
		a := attributes[name]
		switch {
		case kind == writeOnly:
			attributes[name] = tftypes.NewValue(kind.valueType(), nil)
		case kind == computed && (a.IsNull() || !a.IsKnown()):
			attributes[name] = tftypes.NewValue(kind.valueType(), value)
		}
	}
	completed, err := tfprotov6.NewDynamicValue(t, tftypes.NewValue(t, attributes))
	return &completed, err
}

// toPlain returns a value as encoding/json has it.
func toPlain(v tftypes.Value) (any, error) {
	if v.IsNull() || !v.IsKnown() {
		return nil, nil //nolint:nilnil // as in JSON
	}
	var text string
	var items []tftypes.Value
	var members map[string]tftypes.Value
	switch t := v.Type(); {
	case t.Is(tftypes.String):
		err := v.As(&text)
		return text, err
	case v.As(&items) == nil:
		plain := make([]any, len(items))
		for i, item := range items {
			p, err := toPlain(item)
			if err != nil {
				return nil, err
			}
			plain[i] = p
		}
		return plain, nil
	case v.As(&members) == nil:
		plain := make(map[string]any, len(members))
		for name, member := range members {
			p, err := toPlain(member)
			if err != nil {
				return nil, err
			}
			plain[name] = p
		}
		return plain, nil
	case v.Type().Is(tftypes.Bool):
		var truth bool
		err := v.As(&truth)
		return truth, err
	case v.Type().Is(tftypes.Number):
		number := new(big.Float)
		err := v.As(&number)
		return json.Number(number.Text('f', -1)), err
	default:
		return v.String(), nil
	}
}

// appliedIn returns what was applied by a stand-in, by file: the name of each begins with the type of its resource, and
// a hyphen.
func appliedIn(folder string) (all map[string]json.RawMessage, err error) {
	files, err := filepath.Glob(filepath.Join(folder, "*.applied"))
	if err != nil {
		return nil, err
	}
	all = make(map[string]json.RawMessage)
	for _, file := range files {
		if all[filepath.Base(file)], err = os.ReadFile(file); err != nil {
			return nil, err
		}
	}
	return all, nil
}
