//go:build unix

package deployment_test

import (
	"maps"
	"net"
	"os/exec"
	"strings"
	"testing"

	"github.com/hashicorp/terraform-plugin-framework/providerserver"
	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"
	"github.com/hashicorp/terraform-plugin-testing/helper/resource"
	"github.com/hashicorp/terraform-plugin-testing/plancheck"
	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/scimbridge/terraform-provider-scimbridge/provider"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// The bridge says which address it bound; the state says which was asked for.
func TestABridgeListensAtAHostNameAndAtALongIPv6Address(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"localhost", "[0:0:0:0:0:0:0:1]"} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			_, port, _ := net.SplitHostPort(s.listen)
			s.listen = host + ":" + port
			l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", s.listen)
			if err != nil {
				t.Skipf("this machine does not listen at %s: %v", s.listen, err)
			}
			l.Close()
			s.test(
				resource.TestStep{
					Config:           s.config(""),
					ConfigPlanChecks: plans(plancheck.ResourceActionCreate),
					ConfigStateChecks: []statecheck.StateCheck{has("status", "ready"), has("url", "http://"+s.listen),
						has("scim_url", "http://"+s.listen+"/scim/v2")},
				},
				resource.TestStep{Config: s.config(""), ConfigPlanChecks: plans(plancheck.ResourceActionNoop)},
			)
		})
	}
}

// What the bridge would refuse when it starts, the plan refuses, and nothing
// else: both are asked.
func TestThePlanRefusesTheSettingsThatTheBridgeRefuses(t *testing.T) {
	t.Parallel()
	binary := providertest.Binary(t)
	for _, row := range []struct {
		setting, value string
		ok             bool
	}{
		{"public_url", "https://scim.example.com", true},
		{"public_url", "https://scim.example.com/", true},
		{"public_url", "http://127.0.0.1:3002", true},
		{"public_url", "https://scim.example.com/scim/v2", false},
		{"public_url", "https://scim.example.com?a=b", false},
		{"public_url", "https://scim.example.com#a", false},
		{"public_url", "https://me@scim.example.com", false},
		{"public_url", "scim.example.com", false},
		{"public_url", "ftp://scim.example.com", false},
		{"account_url", "https://account.example.com", true},
		{"account_url", "https://example.com/account", true},
		{"account_url", "http://127.0.0.9:8600", true},
		{"account_url", "http://[::1]:8600", true},
		{"account_url", "http://localhost:8600", true},
		{"account_url", "http://account.example.com", false},
		{"account_url", "http://10.0.0.1", false},
		{"account_url", "https://me:secret@account.example.com", false},
		{"account_url", "https://account.example.com?a=b", false},
		{"account_url", "account.example.com", false},
		{"tls_domain", "scim.example.com", true},
		{"tls_domain", "SCIM.Example.com.", true},
		{"tls_domain", "bücher.example", true},
		{"tls_domain", "https://scim.example.com", false},
		{"tls_domain", "scim.example.com:443", false},
		{"tls_domain", "*.example.com", false},
		{"tls_domain", "192.0.2.1", false},
		{"tls_domain", "2001:db8::1", false},
		{"tls_domain", "scim", false},
		{"tls_domain", "../../x.com", false},
		{"acme_email", "ops@example.com", true},
		{"acme_email", "ops", false},
		{"acme_email", "a@example.com,b@example.com", false},
		{"acme_email", "mailto:ops@example.com", false},
		{"confirmation_interval", "30s", true},
		{"confirmation_interval", "29s", false},
		{"confirmation_interval", "300", false},
		{"suspension_limit", "max(0, 100%)/30m", true},
		{"suspension_limit", "off", true},
		{"suspension_limit", "10", false},
		{"source_address", "127.0.0.9", true},
		{"source_address", "127.0.0.9/32", false},
		{"source_address", "localhost", false},
		{"trusted_proxies", "10.0.0.0/8", true},
		{"trusted_proxies", "10.1.2.3/8", false},
		{"trusted_proxies", "2001:db8::1", true},
		{"trusted_proxies", "10.0.0.0/33", false},
		{"trusted_proxies", "proxy.example.com", false},
		{"trusted_proxies", "junk", false},
	} {
		t.Run(row.setting+" "+row.value, func(t *testing.T) {
			t.Parallel()
			faults := validate(t, row.setting, row.value)
			if row.ok != (len(faults) == 0) {
				t.Errorf("the plan's faults: %q, want some: %v", faults, !row.ok)
			}
			// The second fault is there so that the bridge never starts.
			flag := "--" + strings.ReplaceAll(row.setting, "_", "-")
			said, err := exec.CommandContext(t.Context(), binary, "serve", "--listen=nowhere",
				"--data-dir="+t.TempDir(), flag+"="+row.value).CombinedOutput()
			if err == nil {
				t.Fatal("the bridge started")
			}
			if refused := strings.Contains(string(said), flag); refused == row.ok {
				t.Errorf("the bridge said: %s", said)
			}
		})
	}
}

// Plain HTTP that other machines can reach must be meant: the plan refuses it
// as the bridge would.
func TestThePlanRefusesPlainHTTPThatTheBridgeRefuses(t *testing.T) {
	t.Parallel()
	binary := providertest.Binary(t)
	for _, row := range []struct {
		name, listen, publicURL, domain string
		insecure, ok                    bool
	}{
		{"every address", ":3002", "", "", false, false},
		{"every IPv4 address", "0.0.0.0:3002", "", "", false, false},
		{"every IPv6 address", "[::]:3002", "", "", false, false},
		{"an address of a network", "10.1.2.3:3002", "", "", false, false},
		{"behind a proxy without HTTPS", ":3002", "http://scim.example.com", "", false, false},
		{"behind a proxy with HTTPS", ":3002", "https://scim.example.com", "", false, true},
		{"with a certificate of its own", ":8443", "", "scim.example.com", false, true},
		{"with a certificate of its own, and a public URL", ":8443", "https://scim.example.com:8443",
			"scim.example.com", false, true},
		{"meant", ":3002", "", "", true, true},
		{"loopback", "127.0.0.9:3002", "", "", false, true},
		{"loopback in IPv6", "[::1]:3002", "", "", false, true},
		{"loopback by name", "localhost:3002", "", "", false, true},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			settings := map[string]tftypes.Value{"insecure_http": tftypes.NewValue(tftypes.Bool, row.insecure)}
			args := []string{"serve", "--confirmation-interval=1s", "--data-dir=" + t.TempDir(),
				"--listen=" + row.listen}
			if row.publicURL != "" {
				settings["public_url"] = tftypes.NewValue(tftypes.String, row.publicURL)
				args = append(args, "--public-url="+row.publicURL)
			}
			if row.domain != "" {
				settings["tls_domain"] = tftypes.NewValue(tftypes.String, row.domain)
				args = append(args, "--tls-domain="+row.domain)
			}
			if row.insecure {
				args = append(args, "--insecure-http")
			}
			faults := validateWith(t, map[string]tftypes.Value{"listen": tftypes.NewValue(tftypes.String,
				row.listen)}, settings)
			if row.ok != (len(faults) == 0) || !row.ok && !strings.Contains(faults[0], "settings.public_url") {
				t.Errorf("the plan's faults: %q, want some: %v", faults, !row.ok)
			}
			// The interval is a second fault, so that the bridge never starts.
			said, err := exec.CommandContext(t.Context(), binary, args...).CombinedOutput()
			if err == nil {
				t.Fatal("the bridge started")
			}
			if refused := strings.Contains(string(said), "can be reached from other machines"); refused == row.ok {
				t.Errorf("the bridge said: %s", said)
			}
		})
	}
	// Where there is a certificate, a public URL without HTTPS contradicts it.
	contradiction := map[string]tftypes.Value{"tls_domain": tftypes.NewValue(tftypes.String, "scim.example.com"),
		"public_url": tftypes.NewValue(tftypes.String, "http://scim.example.com")}
	faults := validateWith(t, nil, contradiction)
	if len(faults) != 1 || !strings.Contains(faults[0], "is plain HTTP") {
		t.Errorf("the plan's faults: %q", faults)
	}
	said, err := exec.CommandContext(t.Context(), binary, "serve", "--confirmation-interval=1s",
		"--data-dir="+t.TempDir(), "--tls-domain=scim.example.com",
		"--public-url=http://scim.example.com").CombinedOutput()
	if err == nil || !strings.Contains(string(said), "is plain HTTP") {
		t.Errorf("the bridge said: %v %s", err, said)
	}
	if faults := validateWith(t, nil, nil); len(faults) > 0 {
		t.Errorf("the default is refused: %q", faults)
	}
}

// validate asks the provider what is wrong with a deployment that has one
// setting, or one of the arguments above the settings.
func validate(t *testing.T, setting, value string) (faults []string) {
	t.Helper()
	given := tftypes.NewValue(tftypes.String, value)
	if setting == "trusted_proxies" {
		given = tftypes.NewValue(tftypes.List{ElementType: tftypes.String}, []tftypes.Value{given})
	}
	return validateWith(t, nil, map[string]tftypes.Value{setting: given})
}

// validateWith asks the provider what is wrong with a deployment.
func validateWith(t *testing.T, process, settings map[string]tftypes.Value) (faults []string) {
	t.Helper()
	server, err := providerserver.NewProtocol6WithError(provider.New())()
	if err != nil {
		t.Fatal(err)
	}
	described, err := server.GetProviderSchema(t.Context(), &tfprotov6.GetProviderSchemaRequest{})
	if err != nil {
		t.Fatal(err)
	}
	whole := described.ResourceSchemas["scimbridge_deployment"].ValueType().(tftypes.Object)
	place := map[string]tftypes.Value{"data_dir": tftypes.NewValue(tftypes.String, "/bridge")}
	maps.Copy(place, process)
	attributes := map[string]tftypes.Value{
		"name":    tftypes.NewValue(tftypes.String, "test"),
		"process": object(whole.AttributeTypes["process"].(tftypes.Object), place),
		"session": tftypes.NewValue(tftypes.String, tftypes.UnknownValue),
	}
	below := map[string]tftypes.Value{}
	for name, value := range settings {
		if _, above := whole.AttributeTypes[name]; above {
			attributes[name] = value
		} else {
			below[name] = value
		}
	}
	attributes["settings"] = object(whole.AttributeTypes["settings"].(tftypes.Object), below)
	config, err := tfprotov6.NewDynamicValue(whole, object(whole, attributes))
	if err != nil {
		t.Fatal(err)
	}
	resp, err := server.ValidateResourceConfig(t.Context(), &tfprotov6.ValidateResourceConfigRequest{
		TypeName: "scimbridge_deployment", Config: &config,
		ClientCapabilities: &tfprotov6.ValidateResourceConfigClientCapabilities{WriteOnlyAttributesAllowed: true},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range resp.Diagnostics {
		faults = append(faults, d.Summary+": "+d.Detail)
	}
	return faults
}

// object has the given attributes; the others are null.
func object(of tftypes.Object, given map[string]tftypes.Value) tftypes.Value {
	all := map[string]tftypes.Value{}
	for name, kind := range of.AttributeTypes {
		all[name] = tftypes.NewValue(kind, nil)
	}
	for name, value := range given {
		all[name] = value
	}
	return tftypes.NewValue(of, all)
}
