package main

import (
	"bytes"
	_ "embed"
	"os"
	"text/template"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

//go:embed troubleshooting.md.tmpl
var troubleshooting string

// writeTroubleshooting writes the guide that has an entry for every problem of
// the catalogue, so that a search engine finds what the status page and diagnose
// say.
func writeTroubleshooting(path string) error {
	t, err := template.New("troubleshooting").Funcs(template.FuncMap{"anchor": problem.Anchor}).Parse(troubleshooting)
	if err != nil {
		return err
	}
	var guide bytes.Buffer
	if err := t.Execute(&guide, map[string]any{
		"Problems":        problem.Catalogue(),
		"VendorLines":     problem.VendorLines(),
		"SignInFailed":    problem.LogSignInFailed,
		"FirewallBlocked": problem.LogFirewallBlocked,
	}); err != nil {
		return err
	}
	return os.WriteFile(path, guide.Bytes(), 0o644)
}
