package directory

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A Person is a member as provisioning sees it.
type Person = store.Person

// PersonETag is the entity tag of a person, whose document shows its row and the
// names of its groups.
func PersonETag(p Person) string {
	if p.GroupNames == 0 {
		return account.ETag(p.Version)
	}
	return account.ETagWith(p.Version, strconv.FormatInt(p.GroupNames, 10))
}

// checkPersonTag is account.CheckVersion for a person. The whole tag counts: the
// document that the client has may show another name of a group.
func checkPersonTag(ifMatch string, p Person) error {
	have := PersonETag(p)
	if ifMatch == "" || ifMatch == "*" || slices.ContainsFunc(strings.Split(ifMatch, ","), func(tag string) bool {
		return strings.TrimSpace(tag) == have
	}) {
		return nil
	}
	return account.VersionMismatch(have)
}

// PersonInput is what a person is created from or replaced by.
type PersonInput struct {
	Attributes json.RawMessage
	// SignInAddress is the address to invite or to move to; empty if there is none.
	SignInAddress string
}

// read checks the input, and removes the blanks around the address.
func (in *PersonInput) read() (attributes, error) {
	in.SignInAddress = inputtext.TrimBlanks(in.SignInAddress)
	attrs, err := readPerson(in.Attributes)
	if err != nil {
		return attrs, err
	}
	if attrs.userName == "" {
		return attrs, account.InvalidValue("/attributes/userName", "userName is missing or empty; a person needs one")
	}
	if in.SignInAddress != "" {
		if err := checkAddress(in.SignInAddress); err != nil {
			return attrs, account.InvalidValue("/sign_in_address", "%v", err)
		}
	}
	return attrs, nil
}

// Person returns a person by SCIM id.
func (d *Directory) Person(ctx context.Context, id string) (p Person, err error) {
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		p, err = person(ctx, tx, id)
		return err
	})
	return p, err
}

func person(ctx context.Context, tx *store.Tx, id string) (Person, error) {
	p, found, err := tx.Person(ctx, id)
	if err == nil && !found {
		return p, account.NotFound("person", id)
	}
	return p, err
}

func personAndMember(ctx context.Context, tx *store.Tx, id string) (Person, Member, error) {
	p, m, found, err := tx.PersonAndMember(ctx, id)
	if err == nil && !found {
		return p, m, account.NotFound("person", id)
	}
	return p, m, err
}

// CreatePerson provisions a person. The unmanaged member that had the userName
// last, or else the one that has the address, is adopted and reactivated;
// otherwise a new member is invited, unless the person is inactive or has no
// address that is free.
func (d *Directory) CreatePerson(ctx context.Context, in PersonInput) (p Person, err error) {
	attrs, err := in.read()
	if err != nil {
		return p, err
	}
	err = d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		known, err := tx.IsKnown(ctx, attrs.userName, in.SignInAddress)
		if err != nil {
			return err
		}
		var m store.Member
		var adopted bool
		if known { // not most new people
			m, adopted, err = adoptable(ctx, tx, attrs.userName, in.SignInAddress)
		}
		if err != nil {
			return err
		}
		now, before := d.account.Time(), m
		if !adopted {
			m = store.Member{
				ID: d.account.NewID(), Role: store.RoleMember,
				State: store.NotInvited, StateSince: now, CreatedAt: now, Suspended: !attrs.active,
			}
		}
		// The id is new also for an adopted member, so that a late retry on
		// the one before stays 404.
		p = Person{ID: d.account.NewID(), MemberID: m.ID, CreatedAt: now, ModifiedAt: now}
		d.setInput(&p, attrs, in.SignInAddress)
		settled, err := d.settle(ctx, tx, &p, m, attrs, !known)
		if err != nil {
			return err
		}
		if err := tx.InsertPerson(ctx, &p); err != nil {
			return err
		}
		if err := tx.InsertEmails(ctx, p.ID, attrs.emails); err != nil {
			return err
		}
		if adopted {
			// Memberships that were made by hand count from now on.
			if err := tx.CountMember(ctx, m.ID, +1, now); err != nil {
				return err
			}
			if p, err = person(ctx, tx, p.ID); err != nil {
				return err
			}
		}
		changed := changeByRequest(ctx, before, settled)
		return d.account.Audit(ctx, tx, "person.create", p.ID, "member %s, %s", m.ID, changed)
	})
	return p, err
}

// ReplacePerson replaces a person, and suspends, reactivates, invites or moves
// the member accordingly.
func (d *Directory) ReplacePerson(
	ctx context.Context, id string, in PersonInput, ifMatch string,
) (p Person, err error) {
	attrs, err := in.read()
	if err != nil {
		return p, err
	}
	err = d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		var m Member
		if p, m, err = personAndMember(ctx, tx, id); err != nil {
			return err
		}
		if err := checkPersonTag(ifMatch, p); err != nil {
			return err
		}
		if store.Fold(attrs.userName) != store.Fold(p.UserName) {
			if err := checkUserName(ctx, tx, attrs.userName); err != nil {
				return err
			}
		}
		attrs := attrs // this function may be called again
		if !attrs.setsActive && m.LooksSuspended() {
			// A suspended person stays suspended unless the client sets active.
			if err := attrs.setActive(false); err != nil {
				return err
			}
		}
		before, seat := p, m
		same, sameEmails := attrs.compare(p.Attributes)
		if same {
			attrs.text = p.Attributes
		} else {
			p.ModifiedAt = d.account.Time()
		}
		if !sameEmails {
			if err := tx.SetEmails(ctx, p.ID, attrs.emails); err != nil {
				return err
			}
		}
		d.setInput(&p, attrs, in.SignInAddress)
		if attrs.active && m.State == store.NotInvited {
			if m, err = d.adoptLate(ctx, tx, &p, m); err != nil {
				return err
			}
		}
		settled, err := d.settle(ctx, tx, &p, m, attrs, false)
		if err != nil {
			return err
		}
		if samePerson(before, p) {
			return nil
		}
		if err := tx.UpdatePerson(ctx, before, p); err != nil {
			return err
		}
		p.Version++
		if memberDisplay(before) != memberDisplay(p) {
			if err := tx.BumpGroupsOf(ctx, p.MemberID); err != nil {
				return err
			}
		}
		if p.MemberID != seat.ID {
			if err := tx.DeleteSeat(ctx, seat.ID); err != nil {
				return err
			}
			if p, err = person(ctx, tx, id); err != nil { // the member that was adopted may be in groups
				return err
			}
		}
		return d.account.Audit(ctx, tx, "person.replace", id, "%s", changeByRequest(ctx, m, settled))
	})
	return p, err
}

// memberDisplay is members[].display of a person in groups.
func memberDisplay(p Person) string { return cmp.Or(p.DisplayName, p.UserName) }

// samePerson reports whether two states of a person look the same to a client.
func samePerson(a, b Person) bool {
	a.Groups, b.Groups = nil, nil
	return reflect.DeepEqual(a, b)
}

// DeletePerson ends provisioning for a person: the member is suspended, keeps
// the memberships made by hand, and can be adopted again.
func (d *Directory) DeletePerson(ctx context.Context, id, ifMatch string) error {
	return d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		p, m, err := personAndMember(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := checkPersonTag(ifMatch, p); err != nil {
			return err
		}
		if err := checkProtected(m, "suspended"); err != nil {
			return err
		}
		seat := m.State == store.NotInvited // never invited: there is no member to keep
		before := m
		if !seat && !m.LooksSuspended() {
			if err := d.suspend(ctx, tx, &p, &m); err != nil {
				return err
			}
		}
		if err := tx.CountMember(ctx, m.ID, -1, d.account.Time()); err != nil {
			return err
		}
		if err := d.deprovision(ctx, tx, p, m); err != nil {
			return err
		}
		for _, step := range []func() error{
			func() error { return tx.DeletePerson(ctx, id) },
			func() error { return tx.ForgetLastUserName(ctx, p.UserName) },
			func() error {
				changed := changeByRequest(ctx, before, m)
				return d.account.Audit(ctx, tx, "person.delete", id, "member %s, %s", m.ID, changed)
			},
		} {
			if err := step(); err != nil {
				return err
			}
		}
		if seat {
			return tx.DeleteSeat(ctx, m.ID)
		}
		m.PersonID, m.LastUserName = "", store.Fold(p.UserName)
		if err := countAccess(ctx, tx, before, m); err != nil {
			return err
		}
		return tx.UpdateMember(ctx, m)
	})
}

// deprovision removes the memberships that provisioning made of a member, and ends the
// links in its mails, or holds that together with its suspension.
func (d *Directory) deprovision(ctx context.Context, tx *store.Tx, p Person, m store.Member) error {
	if m.SuspensionHeld {
		h, err := d.newHold(ctx, tx)
		if err != nil {
			return err
		}
		h.MemberID, h.PersonID, h.UserName = m.ID, p.ID, p.UserName
		return tx.HoldProvisioned(ctx, h)
	}
	// Nobody who is suspended loses anything by it, so the limit does not count it.
	if err := tx.RemoveProvisioned(ctx, m.ID); err != nil {
		return err
	}
	if _, err := d.carryOutRemovals(ctx, tx, m.ID); err != nil {
		return err
	}
	return d.endLinks(ctx, tx, m.ID)
}

// setInput sets what the identity provider sent.
func (d *Directory) setInput(p *Person, attrs attributes, address string) {
	p.UserName, p.ExternalID, p.DisplayName = attrs.userName, attrs.externalID, attrs.displayName
	p.Attributes = attrs.text
	if p.WantedAddress != address || p.WantedSince.IsZero() {
		p.WantedAddress, p.WantedSince = address, d.account.Time()
	}
}

// settle changes the member m as the identity provider asks, and writes m if
// that is a change, or adds it if it is new. It returns the member as it is then. The caller writes the person, and
// tells whether it is known that no other member has the address.
func (d *Directory) settle(
	ctx context.Context, tx *store.Tx, p *Person, m store.Member, attrs attributes, isFree bool,
) (store.Member, error) {
	before := m
	m.PersonID, m.UserName, m.Name, m.LastUserName = p.ID, p.UserName, attrs.personName(), ""
	if err := d.settleActive(ctx, tx, p, &m, attrs.active); err != nil {
		return m, err
	}
	if err := d.settleAddress(ctx, tx, p, &m, isFree); err != nil {
		return m, err
	}
	// No link goes to an address that the identity provider has corrected, even
	// if the right one is not free yet.
	if attrs.active && !p.WantedBlocked {
		if err := d.inviteAgain(ctx, tx, before, m); err != nil {
			return m, err
		}
	}
	p.State, p.Suspended, p.Address, p.PendingAddress = m.State, m.LooksSuspended(), m.Address, m.PendingAddress
	if m == before {
		return m, nil
	}
	if err := countAccess(ctx, tx, before, m); err != nil {
		return m, err
	}
	if m.Version == 0 {
		return m, tx.InsertMember(ctx, m)
	}
	return m, tx.UpdateMember(ctx, m)
}

// checkUserName refuses a userName that a person has.
func checkUserName(ctx context.Context, tx *store.Tx, userName string) error {
	id, err := tx.PersonID(ctx, userName)
	if err != nil || id == "" {
		return err
	}
	p, err := person(ctx, tx, id)
	if err != nil {
		return err
	}
	e := account.Conflict(api.ErrorCodeUserNameTaken, "User name taken", "another person has the userName %q", userName)
	if p.Suspended {
		// To an identity provider that looks for active people this one does
		// not exist; it must hear what to do instead.
		e.Detail = fmt.Sprintf(
			"the userName %q is that of a person who is suspended, with the id %q: to let that person in again, "+
				"set active to true there; to give the name to another, "+
				"change that person's userName or delete it first",
			userName,
			id,
		)
	}
	e.ExistingID = id
	return e
}

// adoptable finds the unmanaged member that a new person adopts: by the last
// userName first, then by sign-in address. It refuses a userName that a person has.
func adoptable(ctx context.Context, tx *store.Tx, userName, address string) (m store.Member, found bool, err error) {
	if err := checkUserName(ctx, tx, userName); err != nil {
		return m, false, err
	}
	byName, named, err := tx.MemberByLastUserName(ctx, userName)
	if err != nil {
		return m, false, err
	}
	var byAddress store.Member
	var addressed bool
	if address != "" {
		byAddress, addressed, err = tx.MemberByAddress(ctx, address)
		if err != nil {
			return m, false, err
		}
		// A managed member keeps its address.
		addressed = addressed && !byAddress.Managed()
	}
	if named && addressed && byName.ID != byAddress.ID {
		e := account.Conflict(
			api.ErrorCodeUserNameTaken,
			"User name taken",
			"the userName %q was last %s's and the address %s is %s's, who are two members; "+
				"change one of them in the identity provider",
			userName,
			byName.Address,
			address,
			byAddress.Name,
		)
		e.IDs = []string{byName.ID, byAddress.ID}
		return m, false, e
	}
	switch {
	case named:
		return byName, true, checkProtected(byName, "adopted")
	case addressed:
		return byAddress, true, checkProtected(byAddress, "adopted")
	}
	return m, false, nil
}

// adoptLate lets a person that could not be invited so far adopt the unmanaged
// member that has the address which the identity provider names now. The
// memberships of the person's own row move along.
func (d *Directory) adoptLate(ctx context.Context, tx *store.Tx, p *Person, seat store.Member) (store.Member, error) {
	if p.WantedAddress == "" {
		return seat, nil
	}
	m, found, err := tx.MemberByAddress(ctx, p.WantedAddress)
	if err != nil || !found || m.Managed() {
		return seat, err
	}
	if err := checkProtected(m, "adopted"); err != nil {
		return seat, err
	}
	now := d.account.Time()
	p.MemberID, p.ModifiedAt = m.ID, now
	if err := tx.CountMember(ctx, seat.ID, -1, now); err != nil {
		return seat, err
	}
	if err := tx.MoveMemberships(ctx, seat.ID, m.ID); err != nil {
		return seat, err
	}
	return m, tx.CountMember(ctx, m.ID, +1, now)
}

// checkProtected refuses to let provisioning do something to an owner, an
// administrator or the Provision Manager.
func checkProtected(m store.Member, done string) error {
	if !m.Protected() {
		return nil
	}
	what := map[string]string{
		store.RoleOwner:            "an owner",
		store.RoleAdministrator:    "an administrator",
		store.RoleProvisionManager: "the Provision Manager",
	}[m.Role]
	return account.Protected(
		m.Address,
		"%s is %s of the account, who is never %s by provisioning; an administrator of the account can do it by hand",
		m.Address, what, done,
	)
}
