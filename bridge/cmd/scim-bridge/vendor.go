package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// vendorVariables reads the variables of the vendor's image, so that ours can
// take its place in an existing deployment. A flag names them by the tag
// `vendor`; our own variable and the flag itself go first.
type vendorVariables struct{}

func (vendorVariables) Validate(*kong.Application) error { return nil }

// Resolve returns nil if the variables say nothing about the flag.
func (vendorVariables) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, own := range flag.Envs {
		if _, set := os.LookupEnv(own); set {
			return nil, nil
		}
	}
	for _, name := range vendorNames(flag) {
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		value, err := translateVendor(name, text)
		if err != nil {
			return nil, err
		}
		if value != "" {
			return value, nil
		}
	}
	return nil, nil
}

func vendorNames(flag *kong.Flag) []string {
	var names []string
	for _, tag := range flag.Tag.GetAll("vendor") {
		names = append(names, strings.Split(tag, ",")...)
	}
	return names
}

// translateVendor says in our flag's words what the vendor's variable says;
// "" is nothing.
func translateVendor(name, text string) (string, error) {
	on := text == "1" || strings.EqualFold(text, "true")
	switch name {
	case "OP_PORT":
		return ":" + text, nil
	case "OP_CONFIRMATION_INTERVAL":
		return text + "s", nil
	case "OP_SESSION":
		return text, nil
	}
	if !on {
		return "", nil
	}
	switch name {
	case "OP_JSON_LOGS":
		return "json", nil
	case "OP_PRETTY_LOGS":
		return "pretty", nil
	case "OP_DEBUG":
		return "debug", nil
	case "OP_TRACE":
		return "trace", nil
	default:
		return "", fmt.Errorf("the variable %s is not translated", name)
	}
}

// elsewhere are variables that belong to the Terraform provider, which often
// runs in the same shell.
var elsewhere = []string{"SCIMBRIDGE_ACCOUNT_URL", "SCIMBRIDGE_ACCOUNT_TOKEN", "SCIMBRIDGE_MONITORING_TOKEN"}

// unknownVariables names the variables that look as if they were for us and
// are not read by any command.
func unknownVariables(model *kong.Application, environ []string) []string {
	known := map[string]bool{}
	for _, name := range elsewhere {
		known[name] = true
	}
	_ = kong.Visit(model, func(node kong.Visitable, next kong.Next) error {
		if flag, ok := node.(*kong.Flag); ok {
			for _, name := range slices.Concat(flag.Envs, vendorNames(flag)) {
				known[name] = true
			}
		}
		return next(nil)
	})
	var unknown []string
	for _, entry := range environ {
		name, _, _ := strings.Cut(entry, "=")
		ours := strings.HasPrefix(name, "SCIMBRIDGE_") && !strings.HasPrefix(name, "SCIMBRIDGE_TEST_")
		if (ours || strings.HasPrefix(name, "OP_")) && !known[name] {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}
