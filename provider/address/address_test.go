package address

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// What Terraform would call the resources of a configuration, with an argument
// of each where it is known.
func TestAddresses(t *testing.T) {
	for _, row := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"single resources", map[string]string{"main.tf": `
resource "it" "a" { domain = "a.example" }
resource "other" "x" { domain = "x.example" }`, "more.tf": `
resource "it" "b" {
  domain = "b.example"
  lifecycle { prevent_destroy = true }
}`}, []string{"it.a=a.example", "it.b=b.example"}},
		{"a count", map[string]string{"main.tf": `resource "it" "a" {
  count  = 2
  domain = "d${count.index}.example"
}`}, []string{"it.a[0]=d0.example", "it.a[1]=d1.example"}},
		{"a set, whose keys need escapes", map[string]string{"main.tf": `resource "it" "a" {
  for_each = toset(["x", "say \"y\" ${"$"}{z}"])
  domain   = each.key
}`}, []string{`it.a["say \"y\" $${z}"]=say "y" ${z}`, `it.a["x"]=x`}},
		{"a map from locals that refer to each other", map[string]string{"main.tf": `
locals {
  all   = { for n in local.names : n => "${n}.${var.zone}" }
  names = ["a", "b"]
}
variable "zone" { default = "example" }
resource "it" "a" {
  for_each = local.all
  domain   = each.value
}`}, []string{`it.a["a"]=a.example`, `it.a["b"]=b.example`}},
		{"variables from files and the environment, the file first", map[string]string{
			"main.tf": `
variable "names" { type = list(string) }
variable "zone" { type = string }
variable "typed" { type = set(string) }
resource "it" "a" {
  for_each = setunion(var.names, var.typed)
  domain   = "${each.key}.${var.zone}"
}`,
			"terraform.tfvars": `names = ["a"]`,
			"z.auto.tfvars":    `names = ["b"]`,
		}, []string{`it.a["b"]=b.from.environment`, `it.a["c"]=c.from.environment`}},
		{"a secret is not looked at", map[string]string{"main.tf": `
variable "zone" {
  sensitive = true
  default   = "secret"
}
resource "it" "a" { domain = var.zone }`}, []string{"it.a="}},
		{"what other resources decide is not known", map[string]string{"main.tf": `
resource "it" "a" { domain = other.x.id }
resource "it" "b" {
  for_each = other.x.all
  domain   = each.key
}`}, []string{"it.a="}},
		{"modules, where Terraform installed them", map[string]string{
			"main.tf": `
module "m" {
  source   = "./sub"
  for_each = toset(["k"])
  zone     = "${each.key}.example"
}
module "missing" { source = "./missing" }`,
			"sub/main.tf": "variable \"zone\" {}\nresource \"it\" \"a\" { domain = \"in.${var.zone}\" }\n" +
				"module \"n\" {\n source = \"./n\"\n}",
			"sub/n/main.tf": "resource \"it\" \"b\" { domain = \"deep.example\" }",
			".terraform/modules/modules.json": `{"Modules":[{"Key":"","Dir":"."},{"Key":"m","Dir":"sub"},` +
				`{"Key":"m.n",` +
				`"Dir":"sub/n"}]}`,
		}, []string{`module.m["k"].it.a=in.k.example`, `module.m["k"].module.n.it.b=deep.example`}},
		{"JSON", map[string]string{"main.tf.json": `{"resource": {"it": {"a": {"domain": "a.example"}}}}`},
			[]string{"it.a=a.example"}},
		{"what is no configuration", map[string]string{
			"main.tf": `resource "it" "a" {`, "b.tf": `resource "it" "b" { domain = "b" }`,
		}, []string{"it.a=", "it.b=b"}},
		{"nothing", nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Setenv("TF_VAR_zone", "from.environment")
			t.Setenv("TF_VAR_names", `["environment"]`)
			t.Setenv("TF_VAR_typed", `["c"]`)
			if row.name != "variables from files and the environment, the file first" {
				for _, name := range []string{"TF_VAR_zone", "TF_VAR_names", "TF_VAR_typed"} {
					_ = os.Unsetenv(name)
				}
			}
			folder := t.TempDir()
			for name, text := range row.files {
				path := filepath.Join(folder, name)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
					t.Fatal(err)
				}
			}
			var got []string
			for _, i := range Find(folder, "it") {
				domain := ""
				if value, ok := i.Arguments["domain"]; ok {
					domain = value.AsString()
				}
				got = append(got, i.Address+"="+domain)
			}
			slices.Sort(got)
			if !slices.Equal(got, row.want) {
				t.Errorf("found %q, want %q", got, row.want)
			}
		})
	}
}

func TestACountOfAnyNumberIsBounded(t *testing.T) {
	t.Parallel()
	folder := t.TempDir()
	err := os.WriteFile(filepath.Join(folder, "main.tf"),
		[]byte("resource \"it\" \"a\" {\n count = 1000000000\n}"), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(Find(folder, "it")); n != maxInstances {
		t.Errorf("%d instances", n)
	}
}
