package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/alecthomas/kong"
	"github.com/hashicorp/go-hclog"
)

// vendorVariables reads the variables of the vendor's image, so that ours can
// replace it in an existing deployment. A flag names them in the tag `vendor`; the
// flag itself and our own variable take precedence.
type vendorVariables struct {
	// faults are the invalid variables. Kong would stop at the first; an operator who
	// migrates a deployment wants to see all.
	faults []error
}

func (*vendorVariables) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver. It returns nil if no variable sets the flag.
func (v *vendorVariables) Resolve(_ *kong.Context, _ *kong.Path, flag *kong.Flag) (any, error) {
	for _, own := range flag.Envs {
		if os.Getenv(own) != "" {
			return nil, nil
		}
	}
	var said []string // the variables' values, as the flag takes them
	for _, name := range vendorNames(flag) {
		text := os.Getenv(name)
		if text == "" {
			continue
		}
		value, err := translateVendor(name, text)
		switch {
		case err != nil:
			v.fault(err)
		case value != "":
			said = append(said, value)
		}
	}
	if len(said) == 0 {
		return nil, nil
	}
	return said[0], nil // the vendor's image ignores OP_PRETTY_LOGS beside OP_JSON_LOGS, and OP_DEBUG beside OP_TRACE
}

// fault records an error once: the command line may be parsed several times.
func (v *vendorVariables) fault(err error) {
	if !slices.ContainsFunc(v.faults, func(known error) bool { return known.Error() == err.Error() }) {
		v.faults = append(v.faults, err)
	}
}

func vendorNames(flag *kong.Flag) []string {
	var names []string
	for _, tag := range flag.Tag.GetAll("vendor") {
		names = append(names, strings.Split(tag, ",")...)
	}
	return names
}

// translateVendor translates a vendor's variable to the value of our flag; "" means
// unset. Values that the vendor's image would not accept are refused: an ignored
// setting would go unnoticed.
func translateVendor(name, text string) (string, error) {
	switch name {
	case "OP_PORT":
		if _, err := strconv.ParseUint(text, 10, 16); err != nil {
			return "", fmt.Errorf("%s is not a port: write a number up to 65535, such as 3002", assignment(name, text))
		}
		return ":" + text, nil
	case "OP_CONFIRMATION_INTERVAL":
		if _, err := strconv.ParseUint(text, 10, 31); err != nil {
			return "", fmt.Errorf("%s is not a number of seconds: write 300 for five minutes", assignment(name, text))
		}
		return text + "s", nil
	case "OP_SESSION", "OP_TLS_DOMAIN", "OP_LETSENCRYPT_DOMAIN", "OP_TLS_CERT_FILE", "OP_TLS_KEY_FILE",
		"OP_LETSENCRYPT_EMAIL":
		return text, nil
	}
	on, err := strconv.ParseBool(text)
	if err != nil {
		return "", fmt.Errorf("%s is neither on nor off: write 1 or 0", assignment(name, text))
	}
	if !on {
		return "", nil
	}
	switch name {
	case "OP_PING_SERVER":
		return ":80", nil
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

// assignment renders a variable with its value, unless the value is longer than
// any valid one: then it may be a misplaced secret.
func assignment(name, text string) string {
	if len(text) > 20 {
		return name
	}
	return fmt.Sprintf("%s=%q", name, text)
}

// elsewhere are variables of the Terraform provider, which often runs in the same
// shell.
var elsewhere = []string{"SCIMBRIDGE_ACCOUNT_URL", "SCIMBRIDGE_ACCOUNT_TOKEN", "SCIMBRIDGE_MONITORING_TOKEN"}

// warnOfUnknown logs the environment variables that have no effect. Those for Redis are in every manifest of the
// vendor, and lose nothing.
func warnOfUnknown(model *kong.Application, log hclog.Logger) {
	unknown := unknownVariables(model, os.Environ())
	forRedis := slices.DeleteFunc(slices.Clone(unknown), func(name string) bool { return !isForRedis(name) })
	if len(forRedis) > 0 {
		log.Info("no Redis is needed: the variables for it are ignored", "variables", strings.Join(forRedis, ", "))
	}
	if unknown = slices.DeleteFunc(unknown, isForRedis); len(unknown) > 0 {
		log.Warn("unknown environment variables are ignored", "variables", strings.Join(unknown, ", "))
	}
}

func isForRedis(name string) bool { return strings.HasPrefix(name, "OP_REDIS_") }

// unknownVariables returns the variables with our prefix or the vendor's that no
// command reads.
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
		if (ours || strings.HasPrefix(name, "OP_")) && !known[name] && !isOfService(name, environ) {
			unknown = append(unknown, name)
		}
	}
	slices.Sort(unknown)
	return unknown
}

// isOfService reports whether a variable is one of those by which Kubernetes tells every pod of a Service, such as
// op-scim-bridge.
func isOfService(name string, environ []string) bool {
	return slices.ContainsFunc(environ, func(entry string) bool {
		variable, _, _ := strings.Cut(entry, "=")
		service, found := strings.CutSuffix(variable, "_SERVICE_HOST")
		rest, of := strings.CutPrefix(name, service+"_")
		return found && of &&
			(rest == "PORT" || strings.HasPrefix(rest, "PORT_") || strings.HasPrefix(rest, "SERVICE_"))
	})
}
