package directory

import (
	"context"
	"net/http"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A Member is a person in the account, provisioned or not.
type Member = store.Member

// MemberFilter chooses members.
type MemberFilter = store.MemberFilter

// Members lists members from the oldest to the newest.
func (d *Directory) Members(
	ctx context.Context, f MemberFilter, cursor string, limit int,
) (account.Page[Member], error) {
	f.Address = inputtext.TrimBlanks(f.Address)
	after, err := account.ReadPlace(cursor, store.Place{})
	if err != nil {
		return account.Page[Member]{}, err
	}
	var members []Member
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		members, err = tx.Members(ctx, f, after, limit+1)
		return err
	})
	return account.PageOf(
		members, limit, func(m Member) []any { return store.Place{Time: m.CreatedAt, ID: m.ID}.Key() },
	), err
}

// MemberCount is how many members are in a state, and suspended or not.
type MemberCount = store.MemberCount

// CountMembers counts the members in every state. It reads all of them, which takes a tenth of a second for 100,000.
func (d *Directory) CountMembers(ctx context.Context) (all []MemberCount, err error) {
	var counts []MemberCount
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		counts, err = tx.CountMembers(ctx)
		return err
	})
	for _, state := range []string{store.Invited, store.Pending, store.Active} {
		for _, suspended := range []bool{false, true} {
			n := MemberCount{State: state, Suspended: suspended}
			for _, c := range counts {
				if c.State == state && c.Suspended == suspended {
					n = c
				}
			}
			all = append(all, n)
		}
	}
	return all, err
}

// Member returns a member by id.
func (d *Directory) Member(ctx context.Context, id string) (m Member, err error) {
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		m, err = visibleMember(ctx, tx, id)
		return err
	})
	return m, err
}

func member(ctx context.Context, tx *store.Tx, id string) (Member, error) {
	m, found, err := tx.Member(ctx, id)
	if err == nil && !found {
		return m, account.NotFound("member", id)
	}
	return m, err
}

// visibleMember is member without the rows of people that were not invited,
// which administrators do not see.
func visibleMember(ctx context.Context, tx *store.Tx, id string) (Member, error) {
	m, err := member(ctx, tx, id)
	if err == nil && m.State == store.NotInvited {
		return m, account.NotFound("member", id)
	}
	return m, err
}

// InviteMember invites a person by hand, outside provisioning.
func (d *Directory) InviteMember(ctx context.Context, address, name, role string) (m Member, err error) {
	address = inputtext.TrimBlanks(address)
	if err := checkAddress(address); err != nil {
		return m, account.InvalidValue("/address", "%v", err)
	}
	if name != "" {
		if err := checkName(name); err != nil {
			return m, err
		}
	}
	if err := checkRole(role); err != nil {
		return m, err
	}
	err = d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		switch holder, taken, err := tx.AddressHolder(ctx, address); {
		case err != nil:
			return err
		case taken:
			return account.AlreadyExists(holder.ID,
				"the address %s is a member's, or reserved for one who moves to it", address)
		}
		if m, err = d.insertInvited(ctx, tx, address, name, role); err != nil {
			return err
		}
		if err := d.invite(ctx, tx, &m); err != nil {
			return err
		}
		return d.account.Audit(ctx, tx, "member.invite", m.ID, "role %s", role)
	})
	return m, err
}

func (d *Directory) insertInvited(ctx context.Context, tx *store.Tx, address, name, role string) (Member, error) {
	if name == "" {
		name = address
	}
	now := d.account.Time()
	m := Member{
		ID: d.account.NewID(), Address: address, Name: name, Role: role,
		State: store.Invited, StateSince: now, Version: 1, CreatedAt: now,
	}
	return m, tx.InsertMember(ctx, m)
}

// maxName bounds the name of a member, in characters.
const maxName = 200

// checkName accepts a name that was typed in. Pages and mails show it in the
// middle of a line, so it must not break the line or turn it around.
func checkName(name string) error {
	switch n := utf8.RuneCountInString(name); {
	case name == "":
		return account.InvalidValue("/name", "the name is empty; give one")
	case n > maxName:
		return account.InvalidValue("/name", "the name has %d characters; at most %d are kept", n, maxName)
	case !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool {
		return unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp, unicode.Bidi_Control)
	}):
		return account.InvalidValue("/name", "the name holds control characters; leave them out")
	}
	return nil
}

// checkRole refuses the role that only activating provisioning gives.
func checkRole(role string) error {
	if role == store.RoleProvisionManager {
		return account.InvalidValue("/role", "the Provision Manager is made by activating provisioning")
	}
	return nil
}

// A MemberUpdate changes what is set.
type MemberUpdate struct {
	Suspended  *bool
	Role, Name *string
}

// UpdateMember changes a member by hand.
func (d *Directory) UpdateMember(ctx context.Context, id string, u MemberUpdate, ifMatch string) (m Member, err error) {
	if u.Name != nil {
		if err := checkName(*u.Name); err != nil {
			return m, err
		}
	}
	err = d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if m, err = visibleMember(ctx, tx, id); err != nil {
			return err
		}
		if err := account.CheckVersion(ifMatch, m.Version); err != nil {
			return err
		}
		before := m
		if u.Suspended != nil {
			m.Suspended = *u.Suspended
		}
		if u.Role != nil {
			m.Role = *u.Role
		}
		if u.Name != nil {
			m.Name = *u.Name
		}
		if m == before {
			return nil
		}
		if before.Role == store.RoleProvisionManager {
			return account.Protected(
				m.Address, "%s is the Provision Manager, who changes with the provisioning integration only", m.Address,
			)
		}
		if err := checkRole(m.Role); err != nil {
			return err
		}
		if err := d.endHold(ctx, tx, &m); err != nil {
			return err
		}
		if before.Suspended && !m.Suspended {
			d.admitUnmanaged(&m)
		}
		if err := tx.UpdateMember(ctx, m); err != nil {
			return err
		}
		if err := countAccess(ctx, tx, before, m); err != nil {
			return err
		}
		if err := d.showSuspension(ctx, tx, m); err != nil {
			return err
		}
		if err := d.inviteAgain(ctx, tx, before, m); err != nil {
			return err
		}
		if err := d.account.Audit(ctx, tx, "member.update", id, "%s", changesByHand(before, m)); err != nil {
			return err
		}
		m, err = member(ctx, tx, id)
		return err
	})
	return m, err
}

// endHold ends the hold on a member's suspension if the member was suspended by hand,
// or got a role that provisioning must not suspend.
func (d *Directory) endHold(ctx context.Context, tx *store.Tx, m *store.Member) error {
	switch {
	case !m.SuspensionHeld:
		return nil
	case m.Suspended:
		_, err := d.approveSuspension(ctx, tx, m)
		return err
	case m.Protected():
		return d.cancelSuspension(ctx, tx, m)
	}
	return nil
}

// bumpPerson makes the next version of a managed member's person, which shows
// the member's state.
func bumpPerson(ctx context.Context, tx *store.Tx, m Member) error {
	if !m.Managed() {
		return nil
	}
	return tx.BumpPerson(ctx, m.PersonID)
}

// inviteAgain sends a new invitation to a member that never accepted one and is
// reactivated or provisioned now, unless the last one is still open, which then may be so for longer than before.
func (d *Directory) inviteAgain(ctx context.Context, tx *store.Tx, before, m Member) error {
	returns := before.LooksSuspended() && !m.LooksSuspended() || !before.Managed() && m.Managed()
	switch {
	case !returns || before.State != store.Invited:
		return nil
	case d.isInvited(m):
		return tx.SetMailsExpiry(ctx, m.ID, invitationEnds(m))
	}
	return d.invite(ctx, tx, &m)
}

// Invitation returns the member that the token of an invitation invites.
func (d *Directory) Invitation(ctx context.Context, token string) (m Member, err error) {
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		m, err = d.memberByInvitation(ctx, tx, token)
		return err
	})
	return m, err
}

// AcceptInvitation accepts an invitation for the person that followed its link;
// repeating it is harmless. A managed member then waits until the bridge confirms
// it, and one whose deletion is held until that is decided. Another unmanaged one is
// active at once: an administrator invited it, or its domain is allowed.
func (d *Directory) AcceptInvitation(ctx context.Context, token string) (m Member, err error) {
	err = d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if m, err = d.memberByInvitation(ctx, tx, token); err != nil || m.State != store.Invited {
			return err
		}
		if err := tx.SpendInvitation(ctx, m.ID); err != nil {
			return err
		}
		next := store.Active
		if m.Managed() || m.SuspensionHeld {
			next = store.Pending
		}
		if m, err = d.advance(ctx, tx, m, next); err != nil {
			return err
		}
		how := ""
		if m.SignedUp {
			how = "signed up"
		}
		return d.account.Audit(asPerson(ctx, m.ID), tx, "member.accept", m.ID, "%s", how)
	})
	return m, err
}

func (d *Directory) memberByInvitation(ctx context.Context, tx *store.Tx, token string) (Member, error) {
	m, found, err := tx.MemberByInvitation(ctx, account.HashLink(token))
	if err != nil {
		return m, err
	}
	if !found || !d.isInvited(m) {
		return Member{}, linkUnknown()
	}
	return unsuspended(m, nil)
}

// unsuspended refuses a link of a member that was suspended after it was sent.
func unsuspended(m Member, err error) (Member, error) {
	if err == nil && m.Suspended {
		return Member{}, &account.Error{Status: http.StatusForbidden, Code: api.ErrorCodeSuspended, Title: "Suspended",
			Detail: "your access is suspended, so the link does nothing; ask your administrator"}
	}
	return m, err
}

// advance takes a member to its next state.
func (d *Directory) advance(ctx context.Context, tx *store.Tx, m Member, state string) (Member, error) {
	m.State, m.StateSince = state, d.account.Time()
	if err := tx.UpdateMember(ctx, m); err != nil {
		return m, err
	}
	if err := bumpPerson(ctx, tx, m); err != nil {
		return m, err
	}
	return member(ctx, tx, m.ID)
}

// ConfirmPerson confirms a person that accepted the invitation; repeating it is
// harmless.
func (d *Directory) ConfirmPerson(ctx context.Context, id string) error {
	return d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		p, m, err := personAndMember(ctx, tx, id)
		if err != nil {
			return err
		}
		switch m.State {
		case store.Active:
			return nil
		case store.Pending:
			if _, err := d.advance(ctx, tx, m, store.Active); err != nil {
				return err
			}
			return d.account.Audit(ctx, tx, "person.confirm", id, "member %s", m.ID)
		}
		return account.Conflict(
			api.ErrorCodeNotAccepted, "Not accepted",
			"%q has not accepted the invitation yet, so there is nothing to confirm",
			p.UserName,
		)
	})
}

// asPerson makes the person the author of what follows.
func asPerson(ctx context.Context, memberID string) context.Context {
	c := account.CallerFrom(ctx)
	return account.WithCaller(ctx, account.Caller{Kind: account.ByPerson, ID: memberID, Address: c.Address})
}

func linkUnknown() *account.Error {
	return &account.Error{Status: http.StatusNotFound, Code: codeLinkUnknown, Title: "Link unknown",
		Detail: "the link was used already, was replaced by a newer one, has expired, or is incomplete; " +
			"look for a newer mail"}
}
