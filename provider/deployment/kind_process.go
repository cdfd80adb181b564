package deployment

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"

	"github.com/hashicorp/terraform-plugin-framework/resource/schema"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/planmodifier"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringdefault"
	"github.com/hashicorp/terraform-plugin-framework/resource/schema/stringplanmodifier"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy/process"
)

// defaultListen is for a proxy on the same machine. An address that other machines can
// reach must be configured.
const defaultListen = "127.0.0.1:3002"

func processKind() kind {
	return kind{
		Kind:     process.Kind(),
		argument: processArgument(),
		value:    func(m *targetsModel) *types.Object { return &m.Process },
		validate: validateProcess,
	}
}

func processArgument() schema.SingleNestedAttribute {
	return schema.SingleNestedAttribute{
		MarkdownDescription: "Run the bridge as a detached process on the machine that runs Terraform. Not on Windows.",
		Attributes: map[string]schema.Attribute{
			"listen": schema.StringAttribute{
				Optional: true,
				Computed: true,
				Default:  stringdefault.StaticString(defaultListen),
				MarkdownDescription: "Address to listen on. Default `" + defaultListen + "`. An address that other " +
					"machines can reach, such as `:3002`, needs an HTTPS proxy in front, named by " +
					"`settings.public_url`, or `settings.tls_domain`, or `settings.insecure_http`. With " +
					"`settings.tls_domain`, port 443 of the name must lead there.",
				Validators: []validator.String{textValidator(validListen)},
			},
			"data_dir": schema.StringAttribute{
				Required: true,
				MarkdownDescription: "Absolute path of the bridge's data folder, created if missing. A change " +
					"replaces the deployment. Its log is `bridge.log`, rotated at 16 MiB; three old files are kept. " +
					"Output outside the log, such as a crash, is in `stderr.log`.",
				Validators:    []validator.String{textValidator(process.CheckDataDir)},
				PlanModifiers: []planmodifier.String{stringplanmodifier.RequiresReplace()},
			},
			"binary": schema.StringAttribute{
				Optional: true,
				MarkdownDescription: "Absolute path of the program to run, instead of the one that comes with the " +
					"provider. The program is copied to `data_dir` and run from there. A newer one is a planned " +
					"update in place.",
			},
		},
	}
}

func validListen(text string) error {
	_, port, err := net.SplitHostPort(text)
	if err != nil {
		return fmt.Errorf("listen %q must be host:port, or :port for every interface", text)
	}
	// The bridge accepts the name of a service, but a URL does not.
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("the port of listen %q must be a number from 0 to 65535", text)
	}
	return nil
}

// validateProcess refuses what the bridge would refuse when it starts: plain HTTP that
// other machines can reach, unless insecure_http is set. Unknown values are left to the
// bridge, and so are host names, which it looks up on its machine.
func validateProcess(_ context.Context, argument types.Object, s settingsModel) error {
	listen, ok := argument.Attributes()["listen"].(types.String)
	if !ok || listen.IsNull() || listen.IsUnknown() || !s.servesPlainHTTP() {
		return nil
	}
	host, port, _ := net.SplitHostPort(listen.ValueString())
	if port == "" {
		return nil // refused by validListen
	}
	if addr, err := netip.ParseAddr(host); err == nil && addr.Unmap().IsLoopback() || err != nil && host != "" {
		return nil
	}
	return &deploy.ArgumentError{Argument: "listen", Title: "Plain HTTP that other machines can reach", Err: fmt.Errorf(
		"listen %q can be reached from other machines, and plain HTTP would show them the bearer token. If a proxy "+
			"with HTTPS is in front, set settings.public_url to its address, https://...; for a certificate of the "+
			"bridge's own, set settings.tls_domain; to serve this machine only, listen on %q; to allow plain HTTP, "+
			"set settings.insecure_http = true",
		listen.ValueString(), defaultListen)}
}
