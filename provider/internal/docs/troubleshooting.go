package main

import (
	"bytes"
	_ "embed"
	"os"
	"strings"
	"text/template"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

//go:embed troubleshooting.md.tmpl
var troubleshooting string

// writeTroubleshooting writes the guide that has an entry for every problem of
// the catalogue, so that a search engine finds what the status page and diagnose
// say.
func writeTroubleshooting(path string) error {
	t, err := template.New("troubleshooting").Funcs(template.FuncMap{"anchor": anchor}).Parse(troubleshooting)
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

// anchor is what the registry and GitHub make of a heading.
func anchor(heading string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == ' ':
			return '-'
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9', r == '-', r == '_':
			return r
		default:
			return -1
		}
	}, strings.ToLower(heading))
}
