package functions

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework/function"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

type cidrContains struct{}

// NewCIDRContains is the function cidr_contains.
func NewCIDRContains() function.Function { return cidrContains{} }

func (cidrContains) Metadata(_ context.Context, _ function.MetadataRequest, resp *function.MetadataResponse) {
	resp.Name = "cidr_contains"
}

func (cidrContains) Definition(_ context.Context, _ function.DefinitionRequest, resp *function.DefinitionResponse) {
	resp.Definition = function.Definition{
		Summary: "Whether an IP range holds an address or another range",
		MarkdownDescription: "Reports whether a range contains an address or another range, as firewall rules read " +
			"them: an address is a range of one, and host bits are an error. An IPv4 range contains no IPv6 address, " +
			"and the other way round.",
		Parameters: []function.Parameter{
			function.StringParameter{Name: "range", MarkdownDescription: "The range, for instance `192.0.2.0/24`."},
			function.StringParameter{Name: "address", MarkdownDescription: "The address or range to look for."},
		},
		Return: function.BoolReturn{},
	}
}

func (cidrContains) Run(ctx context.Context, req function.RunRequest, resp *function.RunResponse) {
	var outer, inner string
	if resp.Error = req.Arguments.Get(ctx, &outer, &inner); resp.Error != nil {
		return
	}
	o, err := firewall.ParseRange(outer)
	if err != nil {
		resp.Error = function.NewArgumentFuncError(0, err.Error())
		return
	}
	i, err := firewall.ParseRange(inner)
	if err != nil {
		resp.Error = function.NewArgumentFuncError(1, err.Error())
		return
	}
	resp.Error = resp.Result.Set(ctx, o.Bits() <= i.Bits() && o.Contains(i.Addr()))
}
