package firewall

import (
	"context"

	"github.com/hashicorp/terraform-plugin-framework-validators/stringvalidator"
	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/schema/validator"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

type ruleList struct{ ruleResource }

var _ list.ListResourceWithConfigure = (*ruleList)(nil)

// NewRuleList lists the rules that scimbridge_firewall_rule can import.
func NewRuleList() list.ListResource { return &ruleList{} }

type ruleListModel struct {
	Action types.String `tfsdk:"action"`
}

func (r *ruleList) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest,
	resp *list.ListResourceSchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The account's firewall rules, managed by Terraform or not, in the order of evaluation.",
		Attributes: map[string]schema.Attribute{
			"action": schema.StringAttribute{
				Optional:            true,
				MarkdownDescription: "Only rules with this action.",
				Validators:          []validator.String{stringvalidator.OneOf(actions...)},
			},
		},
	}
}

func (r *ruleList) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	var config ruleListModel
	diags := req.Config.Get(ctx, &config)
	if diags.HasError() {
		stream.Results = list.ListResultsStreamDiagnostics(diags)
		return
	}
	caller, err := r.client.Caller(ctx)
	if err != nil {
		stream.Results = list.ListResultsStreamDiagnostics(diag.Diagnostics{
			r.client.Diagnose("reach the account", err),
		})
		return
	}
	present, err := r.client.Firewall(ctx)
	if err != nil {
		stream.Results = list.ListResultsStreamDiagnostics(diag.Diagnostics{
			r.client.Diagnose("list the firewall rules", err),
		})
		return
	}
	stream.Results = func(push func(list.ListResult) bool) {
		var pushed int64
		for _, found := range rulesOf(present.Firewall) {
			if req.Limit > 0 && pushed == req.Limit {
				return
			}
			if !config.Action.IsNull() && string(found.Action) != config.Action.ValueString() {
				continue
			}
			pushed++
			if !push(r.result(ctx, req, caller.AccountId, found)) {
				return
			}
		}
	}
}

func (r *ruleList) result(ctx context.Context, req list.ListRequest, account string, found firewall.Rule,
) list.ListResult {
	result := req.NewListResult(ctx)
	result.DisplayName = found.Description
	if result.DisplayName == "" {
		result.DisplayName = describe(found)
	}
	result.Diagnostics.Append(identity.Set(ctx, result.Identity, account, found.ID)...)
	if req.IncludeResource {
		model := ruleResourceModel{ruleModel: toModel(found), AdoptExisting: types.BoolValue(false)}
		result.Diagnostics.Append(result.Resource.Set(ctx, model)...)
	}
	return result
}
