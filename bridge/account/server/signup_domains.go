package server

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
)

func (h directoryHandlers) ListSignupDomains(
	ctx context.Context, r api.ListSignupDomainsRequestObject,
) (api.ListSignupDomainsResponseObject, error) {
	cursor, limit, err := paging(r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	page, err := h.directory.SignupDomains(ctx, cursor, limit)
	if err != nil {
		return nil, err
	}
	return api.ListSignupDomains200JSONResponse{
		Items: toAll(page.Items, toSignupDomain), NextCursor: optional(page.Next),
	}, nil
}

func (h directoryHandlers) GetSignupDomain(
	ctx context.Context, r api.GetSignupDomainRequestObject,
) (api.GetSignupDomainResponseObject, error) {
	d, err := h.directory.SignupDomain(ctx, r.Domain)
	if err != nil {
		return nil, err
	}
	out := toSignupDomain(d)
	return api.GetSignupDomain200JSONResponse{
		Body: out, Headers: api.GetSignupDomain200ResponseHeaders{ETag: &out.Etag},
	}, nil
}

func (h directoryHandlers) CreateSignupDomain(
	ctx context.Context, r api.CreateSignupDomainRequestObject,
) (api.CreateSignupDomainResponseObject, error) {
	d, err := h.directory.CreateSignupDomain(ctx, r.Body.Domain)
	if err != nil {
		return nil, err
	}
	out := toSignupDomain(d)
	return api.CreateSignupDomain201JSONResponse{
		Body: out, Headers: api.CreateSignupDomain201ResponseHeaders{ETag: &out.Etag},
	}, nil
}

func (h directoryHandlers) DeleteSignupDomain(
	ctx context.Context, r api.DeleteSignupDomainRequestObject,
) (api.DeleteSignupDomainResponseObject, error) {
	if err := h.directory.DeleteSignupDomain(ctx, r.Domain, value(r.Params.IfMatch)); err != nil {
		return nil, err
	}
	return api.DeleteSignupDomain204Response{}, nil
}

func toSignupDomain(d directory.SignupDomain) api.SignupDomain {
	return api.SignupDomain{Domain: d.Domain, CreatedAt: d.CreatedAt, Etag: directory.DomainETag(d)}
}
