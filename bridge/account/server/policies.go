package server

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

func (h administration) GetTwoFactorPolicy(
	ctx context.Context, _ api.GetTwoFactorPolicyRequestObject,
) (api.GetTwoFactorPolicyResponseObject, error) {
	p, err := h.account.TwoFactorPolicy(ctx)
	if err != nil {
		return nil, err
	}
	out := toTwoFactorPolicy(p)
	return api.GetTwoFactorPolicy200JSONResponse{
		Body: out, Headers: api.GetTwoFactorPolicy200ResponseHeaders{ETag: &out.Etag},
	}, nil
}

func (h administration) SetTwoFactorPolicy(
	ctx context.Context, r api.SetTwoFactorPolicyRequestObject,
) (api.SetTwoFactorPolicyResponseObject, error) {
	p, err := h.account.SetTwoFactorPolicy(ctx, r.Body.Enforced, value(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	out := toTwoFactorPolicy(p)
	return api.SetTwoFactorPolicy200JSONResponse{
		Body: out, Headers: api.SetTwoFactorPolicy200ResponseHeaders{ETag: &out.Etag},
	}, nil
}

func toTwoFactorPolicy(p account.TwoFactorPolicy) api.TwoFactorPolicy {
	return api.TwoFactorPolicy{
		Enforced: p.Enforced(), EnforcedAt: optionalTime(p.EnforcedAt), Etag: account.ETag(p.Version),
	}
}
