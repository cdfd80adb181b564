// Package address finds resources in the configuration that Terraform runs.
//
// Terraform does not give a provider the address of a resource, so that an error
// could not name it in an import block. This package reads it from the
// configuration in the working directory. What depends on other resources, on
// data sources or on the command line is not known here, and neither is an
// address then. Only the texts of errors depend on it.
package address

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclparse"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// An Instance is one instance of a resource.
type Instance struct {
	Address   string
	Arguments map[string]cty.Value // those that are known
	Unknown   map[string]bool      // those that are not
}

// Knows reports whether none of the arguments is unknown. An argument that is left
// out is known.
func (i Instance) Knows(arguments ...string) bool {
	return !slices.ContainsFunc(arguments, func(name string) bool { return i.Unknown[name] })
}

// maxInstances limits the instances, since a count may be any number.
const maxInstances = 50_000

// Find lists the instances of a kind of resource in the configuration in a
// folder and its modules, in the order of the files.
func Find(folder, kind string) []Instance {
	f := &finder{kind: kind, folders: modules(folder)}
	f.module(folder, "", nil, nil)
	return f.found
}

type finder struct {
	kind    string
	folders map[string]string // of modules, by their keys in Terraform's own list
	found   []Instance
}

// modules returns the folders in which Terraform has installed modules.
func modules(folder string) map[string]string {
	text, err := os.ReadFile(filepath.Join(folder, ".terraform", "modules", "modules.json"))
	if err != nil {
		return nil
	}
	var listed struct {
		Modules []struct{ Key, Dir string }
	}
	if json.Unmarshal(text, &listed) != nil {
		return nil
	}
	folders := make(map[string]string)
	for _, m := range listed.Modules {
		folders[m.Key] = filepath.Join(folder, m.Dir)
	}
	return folders
}

var declared = &hcl.BodySchema{Blocks: []hcl.BlockHeaderSchema{
	{Type: "resource", LabelNames: []string{"type", "name"}},
	{Type: "module", LabelNames: []string{"name"}},
	{Type: "variable", LabelNames: []string{"name"}},
	{Type: "locals"},
}}

// module adds the resources of a module; prefix is its address, with a dot, and
// inputs are its arguments, nil for the root module.
func (f *finder) module(folder, prefix string, key []string, inputs map[string]cty.Value) {
	var blocks hcl.Blocks
	for _, body := range bodies(folder) {
		content, _, _ := body.PartialContent(declared)
		if content != nil {
			blocks = append(blocks, content.Blocks...)
		}
	}
	scope := scopeOf(folder, blocks, inputs)
	for _, block := range blocks {
		switch {
		case block.Type == "resource" && block.Labels[0] == f.kind:
			for _, i := range expand(block.Body, scope) {
				if len(f.found) == maxInstances {
					return
				}
				known, unknown := evaluate(block.Body, i.scope)
				f.found = append(f.found, Instance{prefix + f.kind + "." + block.Labels[1] + i.suffix, known, unknown})
			}
		case block.Type == "module":
			name := block.Labels[0]
			path := append(slices.Clone(key), name)
			if at, installed := f.folders[strings.Join(path, ".")]; installed {
				for _, i := range expand(block.Body, scope) {
					f.module(at, prefix+"module."+name+i.suffix+".", path, values(block.Body, i.scope))
				}
			}
		}
	}
}

func bodies(folder string) (all []hcl.Body) {
	parser := hclparse.NewParser()
	for pattern, parse := range map[string]func(string) (*hcl.File, hcl.Diagnostics){
		"*.tf": parser.ParseHCLFile, "*.tf.json": parser.ParseJSONFile,
	} {
		files, _ := filepath.Glob(filepath.Join(folder, pattern)) // the pattern is valid
		for _, file := range files {
			if parsed, _ := parse(file); parsed != nil && parsed.Body != nil {
				all = append(all, parsed.Body)
			}
		}
	}
	return all
}

// scopeOf returns what expressions of a module can refer to.
func scopeOf(folder string, blocks hcl.Blocks, inputs map[string]cty.Value) *hcl.EvalContext {
	scope := &hcl.EvalContext{Variables: make(map[string]cty.Value), Functions: functions}
	variables := make(map[string]cty.Value)
	given := inputs
	if inputs == nil {
		given = assigned(folder, blocks)
	}
	for _, block := range blocks {
		if block.Type != "variable" || secret(block.Body) {
			continue
		}
		value := values(block.Body, scope)["default"]
		if v, ok := given[block.Labels[0]]; ok {
			value = v
		}
		if value != cty.NilVal {
			variables[block.Labels[0]] = value
		}
	}
	scope.Variables["var"] = cty.ObjectVal(variables)
	locals := make(map[string]cty.Value)
	for before := -1; len(locals) != before; { // one may refer to another
		before = len(locals)
		scope.Variables["local"] = cty.ObjectVal(locals)
		for _, block := range blocks {
			if block.Type == "locals" {
				maps.Copy(locals, values(block.Body, scope))
			}
		}
	}
	return scope
}

// secret reports whether a variable must not be shown.
func secret(body hcl.Body) bool {
	arguments := values(body, nil)
	return arguments["sensitive"] == cty.True || arguments["ephemeral"] == cty.True
}

// assigned returns the values of the root module's variables, as far as files and
// the environment have them: the later one wins.
func assigned(folder string, blocks hcl.Blocks) map[string]cty.Value {
	given := make(map[string]cty.Value)
	for _, block := range blocks {
		if text, ok := os.LookupEnv("TF_VAR_" + strings.Join(block.Labels, "")); ok && block.Type == "variable" {
			if value := fromEnvironment(block.Body, text); value != cty.NilVal {
				given[block.Labels[0]] = value
			}
		}
	}
	parser := hclparse.NewParser()
	files := []string{"terraform.tfvars", "terraform.tfvars.json"}
	for _, pattern := range []string{"*.auto.tfvars", "*.auto.tfvars.json"} {
		more, _ := filepath.Glob(filepath.Join(folder, pattern)) // the pattern is valid
		for _, file := range more {
			files = append(files, filepath.Base(file))
		}
	}
	for _, name := range files {
		parse := parser.ParseHCLFile
		if strings.HasSuffix(name, ".json") {
			parse = parser.ParseJSONFile
		}
		if file, _ := parse(filepath.Join(folder, name)); file != nil && file.Body != nil {
			maps.Copy(given, values(file.Body, nil))
		}
	}
	return given
}

// fromEnvironment reads a TF_VAR_ variable: a text stands for itself, anything
// else is an expression.
func fromEnvironment(body hcl.Body, text string) cty.Value {
	attributes, _ := body.JustAttributes()
	kind, typed := attributes["type"]
	if !typed || hcl.ExprAsKeyword(kind.Expr) == "string" || hcl.ExprAsKeyword(kind.Expr) == "any" {
		return cty.StringVal(text)
	}
	expression, diags := hclsyntax.ParseExpression([]byte(text), "", hcl.InitialPos)
	if diags.HasErrors() {
		return cty.NilVal
	}
	value, diags := expression.Value(nil)
	if diags.HasErrors() {
		return cty.NilVal
	}
	return value
}

// values returns a body's arguments, as far as they are known in a scope.
func values(body hcl.Body, scope *hcl.EvalContext) map[string]cty.Value {
	known, _ := evaluate(body, scope)
	return known
}

func evaluate(body hcl.Body, scope *hcl.EvalContext) (known map[string]cty.Value, unknown map[string]bool) {
	attributes, _ := body.JustAttributes() // blocks are ignored
	known, unknown = make(map[string]cty.Value), make(map[string]bool)
	for name, attribute := range attributes {
		if value, diags := attribute.Expr.Value(scope); !diags.HasErrors() && value.IsWhollyKnown() {
			known[name] = value
			continue
		}
		unknown[name] = true
	}
	return known, unknown
}

// An expansion is one of the instances that count or for_each make.
type expansion struct {
	suffix string // of the address: empty, [0] or ["key"]
	scope  *hcl.EvalContext
}

func expand(body hcl.Body, scope *hcl.EvalContext) (all []expansion) {
	attributes, _ := body.JustAttributes()
	known := values(body, scope)
	if _, counted := attributes["count"]; counted {
		count, ok := known["count"]
		if !ok || count.IsNull() || !count.Type().Equals(cty.Number) {
			return nil
		}
		n, _ := count.AsBigFloat().Int64()
		for i := range min(n, maxInstances) {
			all = append(all, with(scope, fmt.Sprintf("[%d]", i), "count",
				map[string]cty.Value{"index": cty.NumberIntVal(i)}))
		}
		return all
	}
	if _, many := attributes["for_each"]; !many {
		return []expansion{{"", scope}}
	}
	each, ok := known["for_each"]
	if !ok || each.IsNull() || !each.CanIterateElements() {
		return nil
	}
	for it := each.ElementIterator(); it.Next() && len(all) < maxInstances; {
		key, value := it.Element()
		if !key.Type().Equals(cty.String) || key.IsNull() {
			return nil
		}
		suffix := "[" + string(hclwrite.TokensForValue(key).Bytes()) + "]"
		all = append(all, with(scope, suffix, "each", map[string]cty.Value{"key": key, "value": value}))
	}
	return all
}

func with(scope *hcl.EvalContext, suffix, name string, what map[string]cty.Value) expansion {
	inner := scope.NewChild()
	inner.Variables = map[string]cty.Value{name: cty.ObjectVal(what)}
	return expansion{suffix, inner}
}
