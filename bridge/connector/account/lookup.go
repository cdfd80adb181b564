package account

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// LookUpMembers implements bridge.Members.
func (c *Connector) LookUpMembers(ctx context.Context, names []string, details bool) (bridge.MembersFound, error) {
	in := api.MemberLookup{Names: names}
	if details {
		in.Details = &details
	}
	found, _, err := call[api.MembersFound](ctx, c, request{repeatable: true, optional: true,
		send: func(ctx context.Context, account *api.Client, auth api.RequestEditorFn) (*http.Response, error) {
			return account.LookUpMembers(ctx, in, auth)
		}})
	if isMissing(err) || bridge.CodeOf(err) == bridge.NotFound {
		return bridge.MembersFound{}, fmt.Errorf("looking up members: %w", errors.ErrUnsupported)
	}
	return bridge.MembersFound{
		Items: each(found.Items, fromMember), AllowedDomains: found.AllowedDomains,
		Database: inputtext.ShortLine(value(found.Database), maxDetail),
	}, err
}

func fromMember(m api.FoundMember) bridge.Member {
	out := bridge.Member{
		ID: m.Id, Address: value(m.Address), Protected: m.Protected, State: bridge.MemberState(m.State),
		StateSince: m.StateSince, Suspended: m.Suspended, SuspensionHeld: m.SuspensionHeld, SignedUp: m.SignedUp,
		Created: m.CreatedAt, PersonID: value(m.PersonId), UserName: value(m.UserName),
		LastUserName: value(m.LastUserName), WantedAddress: value(m.WantedAddress), WantedSince: value(m.WantedSince),
		AddressTaken: value(m.AddressTaken), InvitedAt: value(m.InvitedAt), InvitedUntil: value(m.InvitedUntil),
		Mail: bridge.LinkMail(value(m.Mail)),
		FoundBy: each(m.FoundBy, func(f api.FoundBy) bridge.FoundBy {
			return bridge.FoundBy{Name: f.Name, As: bridge.NameKind(f.As)}
		}),
		Holds: each(value(m.Holds), fromHold), Changes: each(value(m.Changes), fromMemberChange),
	}
	if a := m.AddressChange; a != nil {
		out.Change = &bridge.AddressChange{
			Address: a.Address, Domain: a.Domain, Since: a.Since, Sent: a.Sent, Until: value(a.Until),
			Mail: bridge.LinkMail(value(a.Mail)),
		}
	}
	return out
}

func fromMemberChange(c api.MemberChange) bridge.MemberChange {
	out := bridge.MemberChange{Time: c.Time, Actor: c.Actor, Action: c.Action, Request: value(c.RequestId)}
	for _, what := range value(c.Changed) {
		out.Changed = append(out.Changed, string(what))
	}
	return out
}
