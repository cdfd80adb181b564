package main

import (
	"fmt"
	"slices"
	"strings"
)

// acmeFlags ask for a certificate by ACME, which only serve gets. They are defined so that they
// can be refused: if they were ignored, the operator would get plain HTTP without noticing.
type acmeFlags struct {
	TLSDomain     string `name:"tls-domain" hidden:"" help:"Refused: certificates are read from files."`
	ACMEEmail     string `name:"acme-email" hidden:"" help:"Refused: certificates are read from files."`
	ACMEDirectory string `name:"acme-directory" hidden:"" help:"Refused: certificates are read from files."`
}

// unserved names the settings about HTTPS that a command does not take.
type unserved struct {
	flags     []flagValue
	variables []string // or their beginnings
	remedy    string
}

type flagValue struct{ name, value string }

var (
	accountWithoutACME = unserved{
		variables: []string{"OP_TLS_", "OP_LETSENCRYPT_", "SCIMBRIDGE_TLS_DOMAIN", "SCIMBRIDGE_ACME_"},
		remedy:    "give the certificate by --tls-cert-file and --tls-key-file, and remove the setting",
	}
	devWithoutTLS = unserved{
		variables: []string{"OP_TLS_", "OP_LETSENCRYPT_", "SCIMBRIDGE_TLS_", "SCIMBRIDGE_ACME_"},
		remedy: "remove the setting to try things out on this machine; where HTTPS is needed, " +
			"run scim-bridge serve and scim-bridge account serve with --tls-cert-file and --tls-key-file",
	}
)

func (c certificateFiles) flags() []flagValue {
	return []flagValue{{c.certFlag(), c.TLSCertFile}, {c.keyFlag(), c.TLSKeyFile}}
}

// unserved refuses the settings about HTTPS that a command does not take: flags, our variables
// and those of the vendor's image.
func (f acmeFlags) unserved(environ []string, u unserved) error {
	flags := append([]flagValue{
		{"--tls-domain", f.TLSDomain}, {"--acme-email", f.ACMEEmail}, {"--acme-directory", f.ACMEDirectory},
	}, u.flags...)
	var asked []string
	for _, flag := range flags {
		variable := "SCIMBRIDGE_" + strings.ToUpper(strings.ReplaceAll(strings.TrimPrefix(flag.name, "--"), "-", "_"))
		if flag.value != "" && !slices.Contains(environ, variable+"="+flag.value) {
			asked = append(asked, flag.name)
		}
	}
	for _, entry := range environ {
		name, value, _ := strings.Cut(entry, "=")
		asks := slices.ContainsFunc(u.variables, func(begin string) bool { return strings.HasPrefix(name, begin) })
		if asks && value != "" {
			asked = append(asked, name)
		}
	}
	if asked == nil {
		return nil
	}
	slices.Sort(asked)
	return fmt.Errorf("%s asks for HTTPS in a way that this command does not serve: %s", strings.Join(asked, ", "),
		u.remedy)
}
