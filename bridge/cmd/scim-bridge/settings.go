package main

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A setting is a flag with its value and what set it, for support bundles.
type setting struct {
	Name   string `json:"setting"`
	Value  string `json:"value"`
	Source string `json:"source"`
}

// notSet is the value of a setting without one.
const notSet = "not set"

// settings returns the settings of the bridge. Those that name secrets say only where these are.
func (s *serveCommand) settings(command *kong.Context) []setting {
	var all []setting
	for _, flag := range command.Selected().Flags {
		if flag.Hidden {
			continue
		}
		one := setting{flag.Name, valueOf(flag.Target), sourceOf(command, flag)}
		// The one may be the session itself, and the other may have a password.
		if (flag.Name == "session" || flag.Name == "smtp-url") && one.Value != notSet {
			one.Value = "set"
		}
		if flag.Name == "database" {
			one.Value = store.WithoutPassword(one.Value)
		}
		if source := credentialSource(s.parsed.credentials, one.Value); source != "" {
			one.Source = source
		}
		all = append(all, one)
	}
	return all
}

// isOnCommandLine reports whether a flag, with its dashes, is given on the command line.
func isOnCommandLine(command *kong.Context, name string) bool {
	return slices.ContainsFunc(command.Selected().Flags, func(flag *kong.Flag) bool {
		return "--"+flag.Name == name && sourceOf(command, flag) == "flag"
	})
}

// credentialSource returns the source of a setting whose value is a file in the folder of credentials; "" for others.
// It has only names of ours: support bundles have it in clear.
func credentialSource(folder, value string) string {
	if folder == "" || filepath.Dir(value) != filepath.Clean(folder) {
		return ""
	}
	if name := filepath.Base(value); slices.Contains(credentialNames, name) {
		return "credential " + name
	}
	return "credential"
}

func valueOf(v reflect.Value) string {
	switch {
	case v.Kind() == reflect.Bool:
		return fmt.Sprint(v.Bool())
	case v.IsZero():
		return notSet
	case v.Kind() == reflect.Slice:
		texts := make([]string, v.Len())
		for i := range texts {
			texts[i] = fmt.Sprint(v.Index(i).Interface())
		}
		return strings.Join(texts, ", ")
	default:
		return fmt.Sprint(v.Interface())
	}
}

// sourceVariable begins the source of a setting that a variable of the environment set.
const sourceVariable = "variable "

// sourceOf returns what set a flag.
func sourceOf(command *kong.Context, flag *kong.Flag) string {
	i := slices.IndexFunc(command.Path, func(p *kong.Path) bool { return p.Flag == flag })
	if i >= 0 && !command.Path[i].Resolved {
		return "flag"
	}
	for _, name := range flag.Envs {
		if os.Getenv(name) != "" {
			return sourceVariable + name
		}
	}
	if i >= 0 {
		for _, name := range vendorNames(flag) {
			if value, err := translateVendor(name, os.Getenv(name)); err == nil && value != "" {
				return sourceVariable + name
			}
		}
	}
	return "default"
}
