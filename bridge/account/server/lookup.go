package server

import (
	"context"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
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
		Id: m.ID, Address: optional(m.Address), Protected: m.Protected(), State: api.FoundMemberState(m.State),
		StateSince: m.StateSince, Suspended: m.Suspended, SuspensionHeld: m.SuspensionHeld, SignedUp: m.SignedUp,
		CreatedAt: m.CreatedAt, PersonId: optional(m.PersonID), UserName: optional(m.UserName),
		LastUserName: optional(m.LastUserName), WantedAddress: optional(m.WantedAddress),
		FoundBy: toAll(m.FoundBy, toFoundBy), Mail: optional(api.LinkMail(m.InvitationMail)),
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
			Until: optionalTime(directory.ChangeUntil(c)), Mail: optional(api.LinkMail(m.ChangeMail)),
		}
	}
	if details {
		out.Holds, out.Changes = new(toAll(m.Holds, ToHold)), new(toAll(m.Changes, toMemberChange))
	}
	return out
}

func toMemberChange(c directory.MemberChange) api.MemberChange {
	out := api.MemberChange{
		Time: c.Time, Actor: actorKind(c.Actor), Action: c.Action, RequestId: optional(c.Request),
	}
	if c.Changed != nil {
		out.Changed = new(toAll(c.Changed, func(what string) api.MemberChangeChanged {
			return api.MemberChangeChanged(what)
		}))
	}
	return out
}

// actorKind says who made a change, as far as a bridge may know: which administrators there are is not its business.
func actorKind(actor string) string {
	switch kind, _, _ := strings.Cut(actor, ":"); account.CallerKind(kind) {
	case account.ByBridge:
		return actor
	case account.ByPerson:
		return "person"
	case account.ByMachine:
		return "machine"
	default:
		return "administrator"
	}
}

func toFoundBy(f directory.FoundBy) api.FoundBy {
	return api.FoundBy{Name: f.Name, As: api.FoundByAs(f.As)}
}
