package server

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

func (h administration) StartSignIn(
	ctx context.Context, r api.StartSignInRequestObject,
) (api.StartSignInResponseObject, error) {
	handshake, err := h.account.StartSignIn(
		ctx, r.Body.AccountId, r.Body.Email, r.Body.Epoch, httpkit.RequestFrom(ctx).Client,
	)
	if err != nil {
		return nil, err
	}
	return api.StartSignIn200JSONResponse{
		HandshakeId: handshake.ID, B: handshake.B,
		Kdf: api.KDF{
			Algorithm: api.KDFAlgorithm(handshake.KDF.Algorithm), Iterations: handshake.KDF.Iterations,
			Salt: handshake.KDF.Salt,
		},
	}, nil
}

func (h administration) FinishSignIn(
	ctx context.Context, r api.FinishSignInRequestObject,
) (api.FinishSignInResponseObject, error) {
	in, err := h.account.FinishSignIn(ctx, r.Body.HandshakeId, r.Body.A, r.Body.Proof, account.BridgeIdentity{
		Instance: r.Body.Bridge.Instance, Version: r.Body.Bridge.Version, Revision: r.Body.Bridge.Revision,
	}, httpkit.RequestFrom(ctx).Client)
	if in.Proved {
		httpkit.RequestFrom(ctx).Caller = account.Caller{Kind: account.ByBridge, ID: r.Body.Bridge.Instance}.String()
		httpkit.Admit(ctx)
	}
	if err != nil {
		return nil, err
	}
	return api.FinishSignIn200JSONResponse{
		Proof: in.Proof, SessionToken: in.Token.Reveal(), ExpiresAt: in.ExpiresAt, Address: in.Address.String(),
		Generations: toAll(in.Generations, toGeneration),
	}, nil
}

func (h administration) SendHeartbeat(
	ctx context.Context, r api.SendHeartbeatRequestObject,
) (api.SendHeartbeatResponseObject, error) {
	answer, err := h.account.Heartbeat(ctx, account.Heartbeat{
		Revision: r.Body.Revision, State: string(r.Body.State), Problems: r.Body.Problems,
	})
	if err != nil {
		return nil, err
	}
	return api.SendHeartbeat200JSONResponse(ToHeartbeatAnswer(answer)), nil
}

// ToHeartbeatAnswer is answer as the API tells it.
func ToHeartbeatAnswer(answer account.HeartbeatAnswer) api.HeartbeatAnswer {
	out := api.HeartbeatAnswer{
		Address: answer.Address.String(), Generations: toAll(answer.Generations, toGeneration),
		FirewallEnforced: answer.Disabled == nil, SuspensionLimit: optional(answer.SuspensionLimit),
	}
	holds := toHoldCount(answer.Holds)
	holds.Database = optional(answer.Database)
	out.Holds = &holds
	if disabled := answer.Disabled; disabled != nil {
		out.FirewallDisabledUntil, out.Database = optionalTime(disabled.Until), optional(disabled.Database)
		if disabled.Unknown == nil {
			blocked := toAll(disabled.WouldBlock, toDetails)
			out.WouldBlock = &blocked
		}
	}
	return out
}

func (h administration) SignOut(ctx context.Context, _ api.SignOutRequestObject) (api.SignOutResponseObject, error) {
	if err := h.account.SignOut(ctx); err != nil {
		return nil, err
	}
	return api.SignOut204Response{}, nil
}
