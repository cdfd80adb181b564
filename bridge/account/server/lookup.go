package server

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
)

func (h directoryHandlers) LookUpMembers(
	ctx context.Context, r api.LookUpMembersRequestObject,
) (api.LookUpMembersResponseObject, error) {
	details := value(r.Body.Details)
	found, err := h.directory.LookUpMembers(ctx, r.Body.Names, details)
	if err != nil {
		return nil, err
	}
	out := api.MembersFound{
		Items: []api.FoundMember{}, AllowedDomains: append([]string{}, found.AllowedDomains...),
		Database: optional(found.Database),
	}
	for _, m := range found.Members {
		out.Items = append(out.Items, toFoundMember(m, details))
	}
	return api.LookUpMembers200JSONResponse(out), nil
}

func toFoundMember(m directory.FoundMember, details bool) api.FoundMember {
	out := api.FoundMember{
		Id: m.ID, Address: optional(m.Address), Role: api.Role(m.Role), State: api.FoundMemberState(m.State),
		StateSince: m.StateSince, Suspended: m.Suspended, SuspensionHeld: m.SuspensionHeld, SignedUp: m.SignedUp,
		CreatedAt: m.CreatedAt, PersonId: optional(m.PersonID), UserName: optional(m.UserName),
		LastUserName: optional(m.LastUserName), WantedAddress: optional(m.WantedAddress),
	}
	if m.Managed() {
		out.WantedSince, out.AddressTaken = optionalTime(m.WantedSince), &m.WantedBlocked
	}
	if until := directory.InvitedUntil(m.Member); !until.IsZero() {
		out.InvitedAt, out.InvitedUntil = &m.InvitedAt, &until
	}
	if c := m.Change; c.Address != "" {
		out.AddressChange = &api.AddressChange{
			Address: c.Address, Domain: c.Domain, Since: c.Since, Sent: c.TokenHash != "",
			Until: optionalTime(directory.ChangeUntil(c)),
		}
	}
	if details {
		out.Holds, out.Changes = new(toAll(m.Holds, ToHold)), new(toAll(m.Changes, toMemberChange))
	}
	return out
}

func toMemberChange(c directory.MemberChange) api.MemberChange {
	return api.MemberChange{Time: c.Time, Actor: c.Actor, Action: c.Action}
}
