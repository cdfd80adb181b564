package server

import (
	"context"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
)

func (h administration) GetProvisioning(
	ctx context.Context, _ api.GetProvisioningRequestObject,
) (api.GetProvisioningResponseObject, error) {
	p, err := h.account.Provisioning(ctx)
	if err != nil {
		return nil, err
	}
	out := toProvisioning(p)
	return api.GetProvisioning200JSONResponse{
		Body: out, Headers: api.GetProvisioning200ResponseHeaders{ETag: &out.Etag},
	}, nil
}

func (h administration) ActivateProvisioning(
	ctx context.Context, r api.ActivateProvisioningRequestObject,
) (api.ActivateProvisioningResponseObject, error) {
	p, err := h.account.ActivateProvisioning(ctx, account.Activation{
		ManagerEmail: r.Body.ManagerEmail, IdP: value(r.Body.Idp), SuspensionLimit: value(r.Body.SuspensionLimit),
		Enrolment: fromEnrolment(r.Body.Enrolment), Session: r.Body.Session,
	})
	if err != nil {
		return nil, err
	}
	out := toProvisioning(p)
	return api.ActivateProvisioning201JSONResponse{
		Body: out, Headers: api.ActivateProvisioning201ResponseHeaders{ETag: &out.Etag},
	}, nil
}

func (h administration) UpdateProvisioning(
	ctx context.Context, r api.UpdateProvisioningRequestObject,
) (api.UpdateProvisioningResponseObject, error) {
	p, err := h.account.UpdateProvisioning(ctx, r.Body.Idp, r.Body.SuspensionLimit, value(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	h.releaseHolds(ctx)
	out := toProvisioning(p)
	return api.UpdateProvisioning200JSONResponse{
		Body: out, Headers: api.UpdateProvisioning200ResponseHeaders{ETag: &out.Etag},
	}, nil
}

// releaseTimeout is how long the answer to an update waits for the holds that a higher
// limit releases. Clients repeat a request that takes longer than 15 seconds.
const releaseTimeout = 8 * time.Second

// releaseHolds approves what a higher limit allows, so that a client which reads the
// holds after the answer finds them released unless they are very many. It does not end
// with the request, since the limit is raised already. What fails or is left then is for
// Config.LimitRaised: the limit is set, and so is the answer.
func (h administration) releaseHolds(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseTimeout)
	defer cancel()
	_, _ = h.directory.ReleaseHolds(ctx)
}

func (h administration) RotateProvisioning(
	ctx context.Context, r api.RotateProvisioningRequestObject,
) (api.RotateProvisioningResponseObject, error) {
	p, err := h.account.RotateProvisioning(ctx, account.Rotation{
		Enrolment: fromEnrolment(r.Body.Enrolment), Session: r.Body.Session,
		Overlap: time.Duration(r.Body.Overlap) * time.Second, ManagerEmail: value(r.Body.ManagerEmail),
	}, value(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	out := toProvisioning(p)
	return api.RotateProvisioning200JSONResponse{
		Body: out, Headers: api.RotateProvisioning200ResponseHeaders{ETag: &out.Etag},
	}, nil
}

func (h administration) ChangeManager(
	ctx context.Context, r api.ChangeManagerRequestObject,
) (api.ChangeManagerResponseObject, error) {
	in := account.ManagerChange{Email: value(r.Body.Email), Verifier: value(r.Body.Verifier)}
	if r.Body.Kdf != nil {
		in.KDF = new(fromKDF(*r.Body.Kdf))
	}
	p, err := h.account.ChangeManager(ctx, in, value(r.Params.IfMatch))
	if err != nil {
		return nil, err
	}
	out := toProvisioning(p)
	return api.ChangeManager200JSONResponse{
		Body: out, Headers: api.ChangeManager200ResponseHeaders{ETag: &out.Etag},
	}, nil
}

func (h administration) DeactivateProvisioning(
	ctx context.Context, r api.DeactivateProvisioningRequestObject,
) (api.DeactivateProvisioningResponseObject, error) {
	if err := h.account.DeactivateProvisioning(ctx, value(r.Params.IfMatch)); err != nil {
		return nil, err
	}
	return api.DeactivateProvisioning204Response{}, nil
}

func (h administration) ListBridges(
	ctx context.Context, r api.ListBridgesRequestObject,
) (api.ListBridgesResponseObject, error) {
	page, err := h.bridges(ctx, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return api.ListBridges200JSONResponse(page), nil
}

func (h administration) ListBridgesForBridge(
	ctx context.Context, r api.ListBridgesForBridgeRequestObject,
) (api.ListBridgesForBridgeResponseObject, error) {
	page, err := h.bridges(ctx, r.Params.Cursor, r.Params.Limit)
	if err != nil {
		return nil, err
	}
	return api.ListBridgesForBridge200JSONResponse(page), nil
}

func (h administration) bridges(ctx context.Context, from *api.Cursor, most *api.Limit) (api.BridgePage, error) {
	cursor, limit, err := paging(from, most)
	if err != nil {
		return api.BridgePage{}, err
	}
	page, err := h.account.Bridges(ctx, cursor, limit)
	return api.BridgePage{Items: toAll(page.Items, toBridge), NextCursor: optional(page.Next)}, err
}

func toProvisioning(p account.Provisioning) api.Provisioning {
	out := api.Provisioning{
		Active: p.Active, NextEpoch: p.NextEpoch,
		LastContact: optionalTime(p.LastContact), LastRefusal: toRefusal(p.LastRefusal),
	}
	if !p.Active {
		out.Etag = tagOf(p.Version, out)
		return out
	}
	out.Id, out.ManagerEmail, out.Idp, out.SuspensionLimit = &p.ID, &p.ManagerEmail, optional(p.IdP), optional(
		p.SuspensionLimit,
	)
	out.Epoch, out.SessionEpoch, out.Session = &p.Epoch, &p.SessionEpoch, &p.Session
	out.Generations = new(toAll(p.Generations, toGeneration))
	out.Usable, out.UnusableReason = new(p.Unusable == ""), optional(p.Unusable)
	out.ActivatedAt = optionalTime(p.ActivatedAt)
	out.Etag = tagOf(p.Version, out)
	return out
}

func toGeneration(g account.Generation) api.Generation {
	return api.Generation{Epoch: g.Epoch, CreatedAt: g.CreatedAt, ExpiresAt: optionalTime(g.ExpiresAt)}
}

func toRefusal(r *account.Refusal) *api.Refusal {
	if r == nil {
		return nil
	}
	return &api.Refusal{
		Time: r.Time, Code: api.RefusalCode(r.Code), Address: r.Address, RuleId: optional(r.RuleID),
		Instance: optional(r.Instance),
		AnonymousIps: optionalList(toAll(r.Anonymous, func(kind string) api.AnonymousIP {
			return api.AnonymousIP(kind)
		})),
	}
}

func toBridge(b account.Bridge) api.Bridge {
	return api.Bridge{
		Instance: b.Instance, Version: b.Version, Revision: b.Revision, Address: b.Address,
		FirstSeen: b.FirstSeen, LastContact: b.LastContact, State: b.State, Problems: b.Problems, Live: b.Live,
		LastRefusal: toRefusal(b.LastRefusal),
	}
}

func fromEnrolment(e api.Enrolment) account.Enrolment {
	return account.Enrolment{Epoch: e.Epoch, KDF: fromKDF(e.Kdf), Verifier: e.Verifier}
}

func fromKDF(k api.KDF) signin.KDF {
	return signin.KDF{Algorithm: string(k.Algorithm), Iterations: k.Iterations, Salt: k.Salt}
}
