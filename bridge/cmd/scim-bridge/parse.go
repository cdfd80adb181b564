package main

import (
	"errors"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/simulate"
)

// A commandLine reads the command line and the environment.
type commandLine struct {
	*kong.Kong
	vendor *vendorVariables
}

// newParser returns a parser for grammar. Every flag is also SCIMBRIDGE_<FLAG>,
// and the tag `vendor` names a variable of the vendor's image that is read too.
// The tags' ${variables} are texts too long for a line.
func newParser(grammar *cli, c *console) (*commandLine, error) {
	vendor := new(vendorVariables)
	parser, err := kong.New(grammar,
		kong.Name("scim-bridge"),
		kong.Description("Carries people and groups from an identity provider to an account.\n\n"+
			"Every flag can also be set as SCIMBRIDGE_<FLAG>; an empty variable counts as unset. "+
			"Exit 0: success; 1: failure; 2: the command line or a setting is wrong, and nothing was done. "+
			"Commands with other exit codes list them in their help."),
		kong.Writers(c.Out, c.Err),
		kong.Exit(func(code int) { panic(helpShown(code)) }),
		kong.DefaultEnvars(ownPrefix),
		kong.Resolvers(vendor),
		kong.Vars{
			"data_dir":     defaultDataDir(),
			"limit":        suspension.DefaultLimit,
			"concurrent":   "Requests carried out at once (8 for each processor, at least 32).",
			"confirmation": "Interval of confirming members who accepted their invitation, at least 30s.",
			"formats":      "text,json,pretty",
			"idps":         strings.Join(append(simulate.IdPs(), simulate.All), ","),
			"levels":       "trace,debug,info,warn,error",
		},
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, NoExpandSubcommands: true}),
	)
	return &commandLine{parser, vendor}, err
}

// ownPrefix is the prefix of our variables.
const ownPrefix = "SCIMBRIDGE"

// unsetEmptyVariables unsets the empty SCIMBRIDGE_ variables: shells, compose
// files and unit files write "not set" that way.
func unsetEmptyVariables() {
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		if value == "" && strings.HasPrefix(name, ownPrefix+"_") {
			_ = os.Unsetenv(name) // fails only for invalid names
		}
	}
}

// faulty finds the flag in kong's errors about one flag. The errors of our own
// Validate methods, which report all faults together, do not match.
var faulty = regexp.MustCompile(`^(?:unknown flag )?(--[a-z][a-z-]*)(?:$|, did you mean|: | must be one of)`)

// unexpected finds the argument that kong did not expect. Only a misspelt command
// is repeated in an error; anything else may be a secret.
var (
	unexpected  = regexp.MustCompile(`(?s)^unexpected argument (.*?)(?:, did you mean .*)?$`)
	commandWord = regexp.MustCompile(`^[a-z][a-z-]{0,19}$`)
)

// parse reads the command line and reports all faults together. Kong stops at the
// first, so the flag it names is removed and the rest parsed again.
func (l *commandLine) parse(args []string) (*kong.Context, error) {
	command, err := l.Parse(args)
	if err == nil && len(l.vendor.faults) == 0 {
		return command, nil
	}
	var faults []error
	var blamed []string
	// A fault takes precedence over --help.
	args = slices.DeleteFunc(slices.Clone(args), func(arg string) bool { return arg == "--help" || arg == "-h" })
	for err != nil {
		if found := unexpected.FindStringSubmatch(err.Error()); found != nil && !commandWord.MatchString(found[1]) {
			err = errors.New("unexpected argument; secrets are read from files or from standard input")
		}
		if !slices.ContainsFunc(blamed, func(flag string) bool { return strings.Contains(err.Error(), flag) }) {
			faults = append(faults, err) // else it is missing only because it was removed
		}
		match := faulty.FindStringSubmatch(err.Error())
		if match == nil {
			break
		}
		flag := match[1]
		if rest := without(args, flag); len(rest) < len(args) {
			args = rest
		} else if variable := variableOf(flag); os.Getenv(variable) != "" {
			defer os.Setenv(variable, os.Getenv(variable))
			_ = os.Unsetenv(variable)
		} else {
			break
		}
		blamed = append(blamed, flag)
		_, err = l.Parse(args)
	}
	return nil, errors.Join(append(faults, l.vendor.faults...)...)
}

// variableOf returns the name of our variable for a flag.
func variableOf(flag string) string {
	return ownPrefix + "_" + strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(flag, "--"), "-", "_"))
}

// without returns args without a flag and its value.
func without(args []string, flag string) (rest []string) {
	for i := 0; i < len(args); i++ {
		switch {
		case strings.HasPrefix(args[i], flag+"="):
		case args[i] == flag:
			if i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				i++
			}
		default:
			rest = append(rest, args[i])
		}
	}
	return rest
}
