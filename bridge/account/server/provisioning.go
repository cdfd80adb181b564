package server

import (
	"context"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
)

func (h administration) GetProvisioning(ctx context.Context, _ api.GetProvisioningRequestObject) (api.GetProvisioningResponseObject, error) {
	p, err := h.account.Provisioning(ctx)
	if err != nil {
		return nil, err
	}
	out := provisioning(p)
	return api.GetProvisioning200JSONResponse{Body: out, Headers: api.GetProvisioning200ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h administration) ActivateProvisioning(ctx context.Context, r api.ActivateProvisioningRequestObject) (api.ActivateProvisioningResponseObject, error) {
	p, err := h.account.ActivateProvisioning(ctx, account.Activation{
		ManagerEmail: r.Body.ManagerEmail, IdP: text(r.Body.Idp), SuspensionLimit: text(r.Body.SuspensionLimit),
		Enrolment: enrolment(r.Body.Enrolment), Session: r.Body.Session,
	})
	if err != nil {
		return nil, err
	}
	out := provisioning(p)
	return api.ActivateProvisioning201JSONResponse{Body: out, Headers: api.ActivateProvisioning201ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h administration) UpdateProvisioning(ctx context.Context, r api.UpdateProvisioningRequestObject) (api.UpdateProvisioningResponseObject, error) {
	p, err := h.account.UpdateProvisioning(ctx, r.Body.Idp, r.Body.SuspensionLimit, text(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	out := provisioning(p)
	return api.UpdateProvisioning200JSONResponse{Body: out, Headers: api.UpdateProvisioning200ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h administration) RotateProvisioning(ctx context.Context, r api.RotateProvisioningRequestObject) (api.RotateProvisioningResponseObject, error) {
	p, err := h.account.RotateProvisioning(ctx, account.Rotation{
		Enrolment: enrolment(r.Body.Enrolment), Session: r.Body.Session,
		Overlap: time.Duration(r.Body.Overlap) * time.Second, ManagerEmail: text(r.Body.ManagerEmail),
	}, text(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	out := provisioning(p)
	return api.RotateProvisioning200JSONResponse{Body: out, Headers: api.RotateProvisioning200ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h administration) ChangeManager(ctx context.Context, r api.ChangeManagerRequestObject) (api.ChangeManagerResponseObject, error) {
	in := account.ManagerChange{Email: text(r.Body.Email), Verifier: text(r.Body.Verifier)}
	if r.Body.Kdf != nil {
		in.KDF = new(derivation(*r.Body.Kdf))
	}
	p, err := h.account.ChangeManager(ctx, in, text(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	out := provisioning(p)
	return api.ChangeManager200JSONResponse{Body: out, Headers: api.ChangeManager200ResponseHeaders{ETag: &out.Etag}}, nil
}

func (h administration) DeactivateProvisioning(ctx context.Context, r api.DeactivateProvisioningRequestObject) (api.DeactivateProvisioningResponseObject, error) {
	if err := h.account.DeactivateProvisioning(ctx, text(r.Params.IfMatch)); err != nil {
		return nil, err
	}
	return api.DeactivateProvisioning204Response{}, nil
}

func (h administration) ListBridges(ctx context.Context, r api.ListBridgesRequestObject) (api.ListBridgesResponseObject, error) {
	cursor, limit, err := paging(r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	page, err := h.account.Bridges(ctx, cursor, limit)
	if err != nil {
		return nil, err
	}
	return api.ListBridges200JSONResponse{Items: each(page.Items, toBridge), NextCursor: optional(page.Next)}, nil
}

func provisioning(p account.Provisioning) api.Provisioning {
	out := api.Provisioning{
		Active: p.Active, NextEpoch: p.NextEpoch,
		LastContact: moment(p.LastContact), LastRefusal: refusal(p.LastRefusal),
	}
	if !p.Active {
		out.Etag = tagOf(p.Version, out)
		return out
	}
	out.Id, out.ManagerEmail, out.Idp, out.SuspensionLimit = &p.ID, &p.ManagerEmail, optional(p.IdP), optional(p.SuspensionLimit)
	out.Epoch, out.SessionEpoch, out.Session = &p.Epoch, &p.SessionEpoch, &p.Session
	out.Generations = new(each(p.Generations, generation))
	out.Usable, out.UnusableReason = new(p.Unusable == ""), optional(p.Unusable)
	out.ActivatedAt = moment(p.ActivatedAt)
	out.Etag = tagOf(p.Version, out)
	return out
}

func generation(g account.Generation) api.Generation {
	return api.Generation{Epoch: g.Epoch, CreatedAt: g.CreatedAt, ExpiresAt: moment(g.ExpiresAt)}
}

func refusal(r *account.Refusal) *api.Refusal {
	if r == nil {
		return nil
	}
	return &api.Refusal{
		Time: r.Time, Code: api.RefusalCode(r.Code), Address: r.Address, RuleId: optional(r.RuleID), Instance: optional(r.Instance),
		AnonymousIps: list(each(r.Anonymous, func(kind string) api.AnonymousIP { return api.AnonymousIP(kind) })),
	}
}

func toBridge(b account.Bridge) api.Bridge {
	return api.Bridge{
		Instance: b.Instance, Version: b.Version, Revision: b.Revision, Address: b.Address,
		FirstSeen: b.FirstSeen, LastContact: b.LastContact, State: b.State, Problems: b.Problems, Live: b.Live,
		LastRefusal: refusal(b.LastRefusal),
	}
}

func enrolment(e api.Enrolment) account.Enrolment {
	return account.Enrolment{Epoch: e.Epoch, KDF: derivation(e.Kdf), Verifier: e.Verifier}
}

func derivation(k api.KDF) signin.KDF {
	return signin.KDF{Algorithm: string(k.Algorithm), Iterations: k.Iterations, Salt: k.Salt}
}
