package signup

import (
	"context"
	"maps"
	"slices"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/list"
	"github.com/hashicorp/terraform-plugin-framework/list/schema"
	"github.com/hashicorp/terraform-plugin-framework/types"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/identity"
)

type domainList struct{ domainResource }

var _ list.ListResourceWithConfigure = (*domainList)(nil)

// NewDomainList lists the domains that scimbridge_signup_domain can import.
func NewDomainList() list.ListResource { return &domainList{} }

func (r *domainList) ListResourceConfigSchema(_ context.Context, _ list.ListResourceSchemaRequest,
	resp *list.ListResourceSchemaResponse) {
	resp.Schema = schema.Schema{
		MarkdownDescription: "The domains that the account allows for sign-up, in alphabetical order.",
	}
}

func (r *domainList) List(ctx context.Context, req list.ListRequest, stream *list.ListResultsStream) {
	caller, err := r.client.Caller(ctx)
	if err != nil {
		stream.Results = list.ListResultsStreamDiagnostics(diag.Diagnostics{
			r.client.Diagnose("reach the account", err),
		})
		return
	}
	allowed, err := r.client.SignupDomains(ctx)
	if err != nil {
		stream.Results = list.ListResultsStreamDiagnostics(diag.Diagnostics{
			r.client.Diagnose("list the sign-up domains", err),
		})
		return
	}
	names := slices.Sorted(maps.Keys(allowed))
	if req.Limit > 0 && int64(len(names)) > req.Limit {
		names = names[:req.Limit]
	}
	stream.Results = func(push func(list.ListResult) bool) {
		for _, name := range names {
			result := req.NewListResult(ctx)
			result.DisplayName = name
			result.Diagnostics.Append(identity.Set(ctx, result.Identity, caller.AccountId, name)...)
			if req.IncludeResource {
				result.Diagnostics.Append(result.Resource.Set(ctx, toModel(allowed[name], types.BoolNull()))...)
			}
			if !push(result) {
				return
			}
		}
	}
}
