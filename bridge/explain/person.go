package explain

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// PersonFacts are what is known of one person.
type PersonFacts struct {
	Asked string
	Now   time.Time
	// Renamed is set if Asked is a userName that the person had before.
	Renamed bool
	// Person is what provisioning has, and Member what the account has; nil if there is none, or if it is not known.
	Person *bridge.Person
	Member *bridge.Member
	// AccountAway is why the account could not be asked, as a clause; empty if it could.
	AccountAway string
	// MembersHidden is set if the account does not tell who is a member without being provisioned.
	MembersHidden bool
	// AllowedDomains are allowed for sign-up, as far as they were asked for.
	AllowedDomains []string
	Database       string // the account's --database; empty if it is not known
	DataDir        string // the bridge's; empty if it is not known
	Offline        bool   // no bridge runs
	Bridge         string // as the account's changes name this one; empty if it is not known
	// Events are those of the journal about the person, newest first, and JournalSince is how far it goes back.
	Events       []journal.Event
	JournalSince time.Time
	Lookups      *journal.Lookups // may be nil
	// Log has what the log says of requests, by their ids.
	Log map[string]LogLine
}

// A LogLine is what the log has of a request and the journal has not.
type LogLine struct{ Method, Client string }

// Person explains why a person is in the account or is not.
func Person(f PersonFacts) Explanation {
	e := Explanation{Name: f.name(), Requests: requests(f.Events, f.Log, f.groupNames())}
	if f.Person != nil {
		e.ID, e.ExternalID, e.Address = f.Person.ID, f.attributes().ExternalID, f.Person.SignInAddress
	} else if f.Member != nil {
		e.Address = f.Member.Address
	}
	f.tellSaid(&e)
	switch {
	case f.AccountAway != "":
		f.undetermined(&e)
	case f.Person != nil:
		f.provisioned(&e)
	case f.Member != nil:
		f.unprovisioned(&e)
	default:
		f.nobody(&e)
	}
	return e
}

// name is how the texts call the person.
func (f PersonFacts) name() string {
	switch {
	case f.Person != nil:
		return cmp.Or(f.attributes().UserName, f.Asked)
	case f.Member != nil:
		return cmp.Or(f.Member.UserName, f.Member.Address, f.Asked)
	default:
		return f.Asked
	}
}

// attributes are those of the resource that texts are made of.
type attributes struct {
	UserName    string `json:"userName"`
	ExternalID  string `json:"externalId"`
	DisplayName string `json:"displayName"`
}

func (f PersonFacts) attributes() attributes { return attributesOf(f.Person.Attributes) }

func attributesOf(resource json.RawMessage) (a attributes) {
	_ = json.Unmarshal(resource, &a) // a member of another type is left out
	return a
}

func (f PersonFacts) groupNames() map[string]string {
	names := map[string]string{}
	if f.Person != nil {
		for _, g := range f.Person.Groups {
			names[g.ID] = g.Display
		}
	}
	return names
}

// tellSaid tells what the identity provider said.
func (f PersonFacts) tellSaid(e *Explanation) {
	if p := f.Person; p != nil {
		if f.Renamed {
			e.said("It has renamed %s to %s.", f.Asked, f.name())
		}
		state := "active"
		if p.Suspended {
			state = "inactive (active: false)"
		}
		e.said("It is provisioned as %s, SCIM id %s%s, since %s.", state, p.ID, externalID(e.ExternalID),
			moment(p.Created))
		if m := f.Member; m != nil && m.WantedAddress != "" {
			e.said("Its address is to be %s.", m.WantedAddress)
		}
		if groups := names(p.Groups); len(groups) > 0 {
			e.said("It is a member of %s: %s.", count(int64(len(groups)), "group", "groups"), list(groups))
		} else {
			e.said("It is a member of no group.")
		}
	}
	switch w, found := f.lastWrite(); {
	case found && w.Kind == journal.PersonRefused:
		e.said("Its last request about this person failed at %s: %s.", moment(w.Time), failure(w, f.Log))
	case found:
		e.said("Its last request about this person was at %s: %s%s.", moment(w.Time), describe(w, nil), f.request(w))
	case f.JournalSince.IsZero():
		e.said("This bridge's journal is empty.")
	default:
		e.said("This bridge's journal, which goes back to %s, has no request about this person.",
			moment(f.JournalSince))
	}
	if l := f.Lookups; l != nil && l.Count > 0 {
		e.said("It read this person %s, last at %s.", count(l.Count, "time", "times"), moment(l.Last))
	}
}

func externalID(id string) string {
	if id == "" {
		return ""
	}
	return ", externalId " + id
}

func names(references []bridge.Reference) (all []string) {
	for _, r := range references {
		all = append(all, cmp.Or(r.Display, r.ID))
	}
	return all
}

// writes are the events of requests to change the person itself, newest first.
func (f PersonFacts) writes() []journal.Event {
	return slices.DeleteFunc(slices.Clone(f.Events), func(e journal.Event) bool {
		switch e.Kind {
		case journal.PersonCreated, journal.PersonUpdated, journal.PersonDeleted, journal.PersonRefused:
			return false
		default:
			return true
		}
	})
}

func (f PersonFacts) lastWrite() (last journal.Event, found bool) {
	if writes := f.writes(); len(writes) > 0 {
		return writes[0], true
	}
	return last, false
}

// command is one of this program for the bridge's machine.
func command(arguments, dataDir string) string {
	if dataDir != "" {
		arguments += " " + problem.QuoteShell(dataDir)
	}
	return "`scim-bridge " + arguments + "`"
}

func solveFirst(dataDir string, offline bool) string {
	if offline {
		return "Start the bridge: " + command("serve --data-dir", dataDir) + ", with the flags that it has " +
			"otherwise. If it ended by itself, the last lines of its log say why. Then ask again."
	}
	return "Solve that first: " + command("status --local", dataDir) + " on the bridge's machine, or its status " +
		"page, says how. Then ask again."
}

func (f PersonFacts) undetermined(e *Explanation) {
	e.Verdict = Undetermined
	last, found := f.lastWrite()
	switch {
	case !found:
		e.Conclusion = sentence("Whether %s is in is not known now: %s.", []any{f.name(), f.AccountAway})
	case last.Kind == journal.PersonRefused:
		e.Conclusion = sentence("Whether %s is in is not known now: %s. The identity provider's last request about "+
			"it failed at %s.", []any{f.name(), f.AccountAway, moment(last.Time)})
	default:
		e.Conclusion = sentence("Whether %s is in is not known now: %s. The identity provider's last request about "+
			"it was at %s: %s.", []any{f.name(), f.AccountAway, moment(last.Time), describe(last, nil)})
	}
	e.has("It cannot be asked: %s.", f.AccountAway)
	e.toDo("%s", solveFirst(f.DataDir, f.Offline))
}

// provisioned explains a person that the identity provider manages.
func (f PersonFacts) provisioned(e *Explanation) {
	p, m := f.Person, f.Member
	switch {
	case m != nil && m.SuspensionHeld:
		f.held(e)
	case p.Suspended:
		f.suspended(e)
	case p.State == bridge.NotInvited:
		f.notInvited(e)
	case p.State == bridge.Invited:
		f.invited(e)
	case p.State == bridge.Pending:
		e.conclude(Pending, false, "%s is not in yet: it accepted the invitation%s, and waits for a bridge to "+
			"confirm it.", f.name(), f.sinceState(" at "))
		e.awaited("A bridge that is signed in confirms it at its next round, every 5 minutes unless " +
			"--confirmation-interval says otherwise.")
		e.toDo("Nothing, if this is recent. Otherwise solve the bridge's problems, which %s and the status page "+
			"show: a bridge that is not signed in confirms nobody.", command("status --local", f.DataDir))
	default:
		e.conclude(Active, true, "%s is in: it is an active member%s%s.", f.name(), f.sinceState(" since "),
			f.moving())
	}
	f.tellMember(e)
	if !p.Suspended || m != nil && m.SuspensionHeld { // nothing else happens while it is suspended
		f.tellAddress(e)
		f.tellRemovals(e)
	}
	f.tellRefusal(e)
}

// sinceState is since when the member is in its state, if that is known.
func (f PersonFacts) sinceState(preposition string) string {
	if f.Member == nil || f.Member.StateSince.IsZero() {
		return ""
	}
	return preposition + moment(f.Member.StateSince)
}

// moving says that the member is to have another address, if it is.
func (f PersonFacts) moving() string {
	address := f.Person.PendingAddress
	if f.Member != nil && f.Member.Change != nil {
		address = f.Member.Change.Address
	}
	if address == "" {
		return ""
	}
	return "; its new address " + address + " is not in force yet"
}

func (f PersonFacts) invited(e *Explanation) {
	m := f.Member
	expired := m != nil && f.linkExpired()
	switch {
	case m == nil:
		e.conclude(Invited, false, "%s is not in yet: it was invited to %s, and has not accepted.", f.name(),
			f.Person.SignInAddress)
		f.findMail(e, "", f.Person.SignInAddress)
	case expired:
		e.conclude(Invited, false, "%s is not in: it was invited to %s%s and has not accepted, and the link has "+
			"expired.", f.name(), m.Address, f.sinceState(" at "))
		e.awaited("Nothing: no link works.")
		if m.AddressTaken {
			return // of which tellAddress tells: while it is so, no invitation is sent
		}
		f.freshLink(e, m.Address)
		e.toDo("Or switch the person off and on again in the identity provider, so that it sends active: false and " +
			"then active: true: the account then sends a new invitation.")
		return
	default:
		e.conclude(Invited, false, "%s is not in yet: it was invited to %s at %s, and has not accepted.", f.name(),
			m.Address, moment(m.InvitedAt))
		f.openInvitation(e)
	}
}

// openInvitation tells what an invitation waits for whose link works.
func (f PersonFacts) openInvitation(e *Explanation) {
	m := f.Member
	e.awaited("%s the person must open the link in the invitation, which works until %s.", mailFirst(m.Mail),
		moment(m.InvitedUntil))
	f.findMail(e, m.Mail, m.Address)
}

// mailFirst begins a sentence with what must happen before the person can open a link.
func mailFirst(mail bridge.LinkMail) string {
	switch mail {
	case bridge.MailWaiting:
		return "The account has not sent the mail yet. When it has,"
	case bridge.MailFailed:
		return "The mail was refused by the mail server, or could not be sent in time. When it was sent again,"
	case bridge.MailSent:
		return "The mail server took the mail:"
	default:
		return "If the mail was sent,"
	}
}

// freshLink says how to send a link in the place of one that has expired.
func (f PersonFacts) freshLink(e *Explanation, address string) {
	e.toDo("%s on the account's machine sends a mail with a fresh link%s.", f.resend(address), f.placeholder())
}

// findMail says what to do about the mail with a link that works.
func (f PersonFacts) findMail(e *Explanation, mail bridge.LinkMail, address string) {
	switch mail {
	case bridge.MailWaiting:
		e.toDo("%s on the account's machine says why the mail waits%s.", f.mailCommand(""), f.placeholder())
	case bridge.MailFailed:
		e.toDo("%s on the account's machine says why the mail failed%s. When the cause is gone, %s sends it again.",
			f.mailCommand(" --state failed"), f.placeholder(), f.resend(address))
	case bridge.MailSent:
		e.toDo("Ask the person to look for the mail to %s, also among unwanted ones. The account's outbox has it: "+
			"%s on the account's machine%s.", address, f.mailCommand(" --json"), f.placeholder())
	default:
		e.toDo("%s on the account's machine says whether the mail to %s was sent%s. If it was, ask the person to look "+
			"for it, also among unwanted ones.", f.mailCommand(" --json"), address, f.placeholder())
	}
}

// linkExpired reports whether an invited member has no link that works.
func (f PersonFacts) linkExpired() bool {
	return f.Member.InvitedUntil.IsZero() || !f.Now.Before(f.Member.InvitedUntil)
}

// mailCommand is the command that lists the account's mails.
func (f PersonFacts) mailCommand(flags string) string {
	return "`scim-bridge account mail --database " + f.database() + flags + "`"
}

// resend is the command that sends what a member waits for at an address, with a fresh link if the old one is over.
func (f PersonFacts) resend(address string) string {
	return "`scim-bridge account mail resend --database " + f.database() + " " + problem.QuoteShell(address) + "`"
}

func (f PersonFacts) database() string {
	return problem.QuoteShell(cmp.Or(f.Database, problem.DatabasePlaceholder))
}

// placeholder says what the placeholder in a command stands for.
func (f PersonFacts) placeholder() string {
	if f.Database != "" {
		return ""
	}
	return " (" + problem.DatabasePlaceholder + " is a placeholder for the value of the account service's --database)"
}

func (f PersonFacts) notInvited(e *Explanation) {
	switch m := f.Member; {
	case m != nil && m.AddressTaken:
		f.addressTaken(e)
		e.conclude(NotInvited, false, "%s is not in: it was not invited, since another member has the address %s.",
			f.name(), m.WantedAddress)
		return
	case m != nil && m.WantedAddress != "":
		e.conclude(NotInvited, false, "%s is not in: it was not invited, since another member had the address %s when "+
			"the identity provider sent it last, and nobody has it now.", f.name(), m.WantedAddress)
		f.sendAgain(e, "it is then invited")
		return
	}
	e.conclude(NotInvited, false, "%s is not in: it was not invited, since the identity provider names no e-mail "+
		"address that could be.", f.name())
	e.remedy(problem.New(problem.AddressMissing, f.Now, problem.Facts{problem.FactUserName: f.name()}))
	e.awaited("The identity provider must send an e-mail address.")
}

// remedy takes what helps from the catalogue.
func (e *Explanation) remedy(p problem.Problem) {
	e.toDo("%s", p.Remedy)
	if p.Terraform != "" {
		e.Terraform = p.Terraform
	}
}

func (f PersonFacts) addressTaken(e *Explanation) {
	address := f.Member.WantedAddress
	e.awaited("The identity provider must give this person an address that nobody else has, or the other member "+
		"another one than %s.", address)
	e.remedy(problem.New(problem.AddressMissing, f.Now, problem.Facts{
		problem.FactReason: "address_taken", problem.FactUserName: f.name(), problem.FactEmail: address,
	}))
	e.toDo("%s says who has it. If no identity provider manages the member that has it, and it is this person, make "+
		"the identity provider send this person again: that adopts the member, unless it is an owner, an "+
		"administrator or the Provision Manager. If it is somebody else, it must get another address in the account.",
		command("explain "+problem.QuoteShell(address), f.DataDir))
}

// sendAgain says how to let the account look again.
func (f PersonFacts) sendAgain(e *Explanation, then string) {
	e.awaited("The identity provider must send this person again.")
	e.toDo("Make the identity provider send this person again, any change will do: %s.", then)
}

// tellMember tells what the account has.
func (f PersonFacts) tellMember(e *Explanation) {
	m := f.Member
	if m == nil {
		state := strings.ReplaceAll(string(f.Person.State), "_", " ")
		if f.Person.Suspended {
			state += ", suspended"
		}
		e.has("A member that is %s%s.", state, signsInWith(f.Person.SignInAddress))
		return
	}
	state := strings.ReplaceAll(string(m.State), "_", " ")
	switch {
	case m.Suspended:
		state += ", suspended"
	case m.SuspensionHeld:
		state += ", not suspended"
	}
	if m.State == bridge.NotInvited {
		e.has("No member: the person is stored, and not invited.")
	} else {
		e.has("A member that is %s%s, since %s.", state, signsInWith(m.Address), moment(m.StateSince))
	}
	if m.Protected {
		e.has("It is an owner, an administrator or the Provision Manager of the account: provisioning never suspends " +
			"it, and refuses to with 409.")
	}
	for _, c := range m.Changes[:min(len(m.Changes), maxChanges)] {
		e.has("%s by %s at %s%s.", action(c), actor(c.Actor), moment(c.Time), changed(c))
	}
}

// maxChanges is how many changes of the account are told.
const maxChanges = 3

func signsInWith(address string) string {
	if address == "" {
		return ""
	}
	return " and signs in with " + address
}

// action says what an audit event is about.
func action(c bridge.MemberChange) string {
	switch c.Action {
	case "person.create":
		return "Created by provisioning, or adopted,"
	case "person.replace":
		return "Changed by provisioning"
	case "person.delete":
		return "Deleted by provisioning"
	case "person.confirm":
		return "Confirmed"
	case "member.invite":
		return "Invited by hand"
	case "member.update":
		return "Changed by hand"
	case "member.accept":
		return "Invitation accepted"
	case "member.address.confirm":
		return "New address confirmed"
	case "mail.resend":
		return "Invitation or confirmation sent again"
	case "hold.create":
		return "Suspension or removal held"
	case "hold.approve":
		return "Held suspension or removal approved"
	case "hold.cancel":
		return "Held suspension or removal cancelled"
	default:
		return c.Action
	}
}

// changed says what a change was, if the account says that.
func changed(c bridge.MemberChange) string {
	if len(c.Changed) == 0 {
		return ""
	}
	return " (" + strings.Join(c.Changed, ", ") + ")"
}

// tellAddress tells of an address that the person is to have and has not.
func (f PersonFacts) tellAddress(e *Explanation) {
	m := f.Member
	if m == nil {
		if address := f.Person.PendingAddress; address != "" {
			e.awaited("Its address is to become %s: the person must confirm that, or the domain be allowed for "+
				"sign-up first.", address)
		}
		return
	}
	switch c := m.Change; {
	case c != nil && !c.Sent:
		e.awaited("Its address is to become %s since %s: no confirmation e-mail is sent, because the domain %s is "+
			"not allowed for sign-up. It signs in with %s until then.", c.Address, moment(c.Since), c.Domain, m.Address)
		e.remedy(problem.New(problem.SignupDomainMissing, c.Since, problem.Facts{
			problem.FactUserName: f.name(), problem.FactDomain: c.Domain,
		}))
	case c != nil && !c.Until.IsZero() && !f.Now.Before(c.Until):
		e.awaited("Its address is to become %s since %s; the person has not confirmed it, and the link has expired. "+
			"It signs in with %s until then.", c.Address, moment(c.Since), m.Address)
		f.freshLink(e, c.Address)
		e.toDo("Or make the identity provider send this person again, any change will do: the confirmation e-mail is " +
			"then sent again.")
	case c != nil:
		e.awaited("Its address is to become %s since %s. %s the person must open the link in it, which works until "+
			"%s. It signs in with %s until then.", c.Address, moment(c.Since), mailFirst(c.Mail), moment(c.Until),
			m.Address)
		f.findMail(e, c.Mail, c.Address)
	case m.AddressTaken && m.State != bridge.NotInvited:
		e.awaited("Its address is to become %s, which another member has. It signs in with %s.", m.WantedAddress,
			m.Address)
		f.addressTaken(e)
	case m.WantedAddress != "" && (m.State == bridge.Active || m.State == bridge.Pending) &&
		inputtext.Fold(m.WantedAddress) != inputtext.Fold(m.Address):
		e.has("It was to have the address %s. Another member had that when the identity provider sent this person "+
			"last, and nobody else has it now.", m.WantedAddress)
		f.sendAgain(e, "the change of the address then begins")
	}
}

// tellRemovals tells which removals from groups are held.
func (f PersonFacts) tellRemovals(e *Explanation) {
	if f.Member == nil {
		return
	}
	for _, h := range f.Member.Holds {
		if !h.Removal {
			continue
		}
		e.has("It is still in the group %s: its removal is held since %s%s.", h.GroupName, moment(h.Since),
			byRequest(h))
		if !f.Member.SuspensionHeld {
			e.awaited("Somebody must approve or cancel the removal from %s.", h.GroupName)
			e.toDo("%s", f.decide(h.ID))
		}
	}
}

// byRequest says by which request something is held.
func byRequest(h bridge.Hold) string {
	var by []string
	if h.IdP != "" {
		by = append(by, "the identity provider "+h.IdP)
	}
	if h.RequestID != "" {
		by = append(by, "request "+h.RequestID)
	}
	if h.Client != "" {
		by = append(by, "client "+h.Client)
	}
	if len(by) == 0 {
		return ""
	}
	return " (" + strings.Join(by, ", ") + ")"
}

// decide says how to decide a hold.
func (f PersonFacts) decide(id string) string {
	return "Approve or cancel it on the bridge's status page, or on the account's machine: `scim-bridge account " +
		"holds approve --database " + f.database() + " " + id + "`, or `cancel` instead of " +
		"`approve`" + f.placeholder() + "."
}

// hold returns the hold on the suspension.
func (f PersonFacts) hold() (h bridge.Hold, found bool) {
	i := slices.IndexFunc(f.Member.Holds, func(h bridge.Hold) bool { return !h.Removal })
	if i < 0 {
		return h, false
	}
	return f.Member.Holds[i], true
}

// held explains a member whose suspension, or deletion, is held.
func (f PersonFacts) held(e *Explanation) {
	m := f.Member
	what := "suspension"
	if m.PersonID == "" {
		what = "deletion"
	}
	h, found := f.hold()
	since := ""
	if found {
		since = " since " + moment(h.Since)
	}
	in := m.State == bridge.Active
	e.conclude(SuspensionHeld, in, "%s %s: the identity provider's %s of it is held%s, because it is beyond the "+
		"account's suspension_limit.", f.name(), inState(m), what, since)
	if found {
		e.has("Its %s is held%s%s.", what, since, byRequest(h))
	}
	e.awaited("Somebody must approve or cancel the %s, or the identity provider must take it back.", what)
	if found {
		e.toDo("%s", f.decide(h.ID))
	}
	if m.PersonID == "" {
		e.toDo("If it was a mistake, assign the person again in the identity provider: creating it again takes the " +
			"hold back.")
	} else {
		e.toDo("If it was a mistake, correct it in the identity provider: sending active: true takes the hold back.")
	}
}

// inState says whether a member that is not suspended is in.
func inState(m *bridge.Member) string {
	switch m.State {
	case bridge.Active:
		return "is in"
	case bridge.Pending:
		return "waits to be confirmed"
	default:
		return "is invited"
	}
}

// suspended explains a provisioned member that is suspended.
func (f PersonFacts) suspended(e *Explanation) {
	by, byHand := f.suspendedBy()
	e.conclude(Suspended, false, "%s is not in: it is suspended, %s.", f.name(), by)
	if f.MembersHidden {
		e.In = nil
		e.Conclusion = sentence("%s is suspended for the identity provider, %s. The account does not tell more of its "+
			"members: it may hold the suspension, and the person then has access until that is approved.",
			[]any{f.name(), by})
		e.toDo("Look at the held suspensions on the bridge's status page.")
	}
	if f.Person.State == bridge.NotInvited { // there is no member to reactivate
		e.awaited("The identity provider must send active: true: the person is then invited, if it has an e-mail " +
			"address that is free.")
		e.toDo("If the person shall be in, switch it on or assign it again in the identity provider.")
		return
	}
	e.awaited("The identity provider must send active: true, or an administrator of the account must reactivate it.")
	if byHand {
		e.toDo("Ask the administrator why. To let the person in, reactivate the member in the account, or switch it " +
			"off and on again in the identity provider, so that it sends active: true.")
		return
	}
	e.toDo("If the person shall be in, switch it on or assign it again in the identity provider, so that it sends " +
		"active: true. Nothing needs to be done at the bridge.")
}

// suspendedBy says by whom a member was suspended, and whether that was by hand.
func (f PersonFacts) suspendedBy() (by string, byHand bool) {
	if c, found := f.suspension(); found {
		return f.suspendedWith(c)
	}
	since, proven := f.suspendedSince()
	if c, found := f.unknownChange(); found && !proven {
		since += "; " + actor(c.Actor) + " changed the member in the account at " + moment(c.Time) +
			", and the account does not say what"
	}
	return since, false
}

// suspension returns the change of the account that suspended the member, if the account says what each since then was.
func (f PersonFacts) suspension() (c bridge.MemberChange, found bool) {
	if f.Member == nil {
		return c, false
	}
	for _, c := range f.Member.Changes {
		switch {
		case slices.Contains(c.Changed, bridge.ChangedToSuspended):
			return c, true
		case slices.Contains(c.Changed, bridge.ChangedToReactivated), c.Changed == nil && maySuspend(c):
			return c, false
		}
	}
	return c, false
}

// maySuspend reports whether a change of which the account does not say more may have suspended the member.
func maySuspend(c bridge.MemberChange) bool {
	switch c.Action {
	case "member.update", "person.create", "person.replace", "person.delete", "hold.approve":
		return true
	default:
		return false
	}
}

// unknownChange returns the latest change by hand of which the account does not say what it was.
func (f PersonFacts) unknownChange() (c bridge.MemberChange, found bool) {
	if f.Member == nil {
		return c, false
	}
	i := slices.IndexFunc(f.Member.Changes, func(c bridge.MemberChange) bool {
		return c.Action == "member.update" && c.Changed == nil
	})
	if i < 0 {
		return c, false
	}
	return f.Member.Changes[i], true
}

// suspendedWith says with which change of the account a member was suspended.
func (f PersonFacts) suspendedWith(c bridge.MemberChange) (by string, byHand bool) {
	at := " at " + moment(c.Time)
	switch {
	case c.Action == "hold.approve" && !isBridge(c.Actor):
		return "since " + actor(c.Actor) + " approved the held suspension" + at, false
	case c.Action == "hold.approve":
		return "since the held suspension was approved" + at + ", by " + actor(c.Actor), false
	case !isBridge(c.Actor):
		return "in the account by hand: " + actor(c.Actor) + " suspended the member" + at, true
	}
	request := ""
	if c.Request != "" {
		i := slices.IndexFunc(f.Events, func(e journal.Event) bool {
			return e.Request == c.Request && e.Active != nil && !*e.Active
		})
		if i >= 0 {
			return "since " + sent(f.Events[i]) + " at " + moment(f.Events[i].Time) + f.request(f.Events[i]), false
		}
		request = " (request " + c.Request + ", which this bridge's journal does not have)"
	}
	return "since a request of the identity provider" + at + ", by " + actor(c.Actor) + request, false
}

// suspendedSince says since when a member is suspended, as far as the journal knows, and whether that is certain.
func (f PersonFacts) suspendedSince() (since string, proven bool) {
	// The first after which it was inactive, and the last before that, which left it active.
	var first, before *journal.Event
	for _, w := range f.writes() {
		if w.Active == nil || w.Kind == journal.PersonRefused {
			continue
		}
		if *w.Active {
			before = &w
			break
		}
		first = &w
	}
	const others = "by another bridge's request, or in the account by hand"
	saidSo := first != nil && said(first.SentActive, false)
	switch {
	case first == nil && before == nil:
		return "by a request that this bridge's journal does not have: an older one, or another bridge's, or in the " +
			"account by hand", false
	case first == nil:
		return "since later than " + moment(before.Time) + ", when the identity provider last sent it here as " +
			"active: " + others, false
	case saidSo && (first.Kind == journal.PersonCreated || before != nil && !f.mayBeOthers(*before)):
		return "since " + sent(*first) + " at " + moment(first.Time) + f.request(*first), true
	case saidSo:
		return "since " + moment(first.Time) + " at the latest, when " + sent(*first) + f.request(*first) +
			", or from before: " + others, false
	default:
		return "since " + moment(first.Time) + " at the latest: it was inactive after a request that is not known to " +
			"have said so" + f.request(*first) + ", by a request before it, " + others, false
	}
}

// mayBeOthers reports whether somebody else may have suspended the member since a request: the account has a change of
// which it does not say what it was, or does not tell of changes.
func (f PersonFacts) mayBeOthers(since journal.Event) bool {
	if f.Member == nil {
		return true
	}
	return slices.ContainsFunc(f.Member.Changes, func(c bridge.MemberChange) bool {
		return c.Time.After(since.Time) && c.Changed == nil && maySuspend(c) && c.Actor != f.Bridge
	})
}

// sent says what the request of an event said.
func sent(e journal.Event) string {
	switch {
	case !said(e.SentActive, false):
		return "the identity provider's request"
	case e.Kind == journal.PersonCreated:
		return "the identity provider created it with active: false"
	default:
		return "the identity provider sent active: false"
	}
}

func said(value *bool, want bool) bool { return value != nil && *value == want }

func isBridge(name string) bool { return strings.HasPrefix(name, "bridge:") }

// actor says who made a change in the account.
func actor(name string) string {
	switch {
	case isBridge(name):
		return "the bridge " + strings.TrimPrefix(name, "bridge:")
	case name == "person":
		return "the person"
	case name == "machine":
		return "a command on the account's machine"
	default:
		return "an administrator"
	}
}

// request names the request of an event, and where it came from if the log has that.
func (f PersonFacts) request(e journal.Event) string { return request(e, f.Log) }

func request(e journal.Event, log map[string]LogLine) string {
	switch client := log[e.Request].Client; {
	case e.Request == "":
		return ""
	case client == "":
		return " (request " + e.Request + ")"
	default:
		return " (request " + e.Request + ", from " + client + ")"
	}
}

// unprovisioned explains a member that no identity provider manages.
func (f PersonFacts) unprovisioned(e *Explanation) {
	m := f.Member
	f.tellUnprovisioned(e)
	deletion, deleted := f.deletion()
	switch {
	case m.Protected:
		in := m.State == bridge.Active && !m.Suspended
		e.conclude(Protected, in, "%s is an owner, an administrator or the Provision Manager of the account, which "+
			"provisioning never adopts, changes or suspends.", f.name())
		e.toDo("Nothing, if it shall stay so: remove it from the identity provider's assignment, or its requests go " +
			"on being refused with 409. To provision it, an administrator of the account must make it an ordinary " +
			"member first.")
		return
	case m.SuspensionHeld:
		f.held(e)
		return
	case m.Suspended && (deleted || m.LastUserName != ""):
		at := ""
		if deleted {
			at = " at " + moment(deletion.Time) + f.request(deletion)
		}
		e.conclude(NotProvisioned, false, "%s is not in: the identity provider deleted it%s, and the member is "+
			"suspended.", f.name(), at)
		e.toDo("If the person shall be in, assign it again in the identity provider: creating it adopts this member " +
			"and reactivates it.")
	case m.Suspended:
		e.conclude(NotProvisioned, false, "%s is not in: it is a member that was suspended by hand, and is not "+
			"provisioned.", f.name())
		e.toDo("Reactivate it in the account, or assign it in the identity provider: creating it adopts this member " +
			"and reactivates it.")
	case m.State == bridge.Active && (deleted || m.LastUserName != ""):
		at := ""
		if deleted {
			at = " at " + moment(deletion.Time) + f.request(deletion)
		}
		e.conclude(NotProvisioned, true, "%s is in, and not provisioned: the identity provider deleted it%s, and an "+
			"administrator let it stay, or reactivated it.", f.name(), at)
		e.toDo("If the person shall not be in, suspend the member in the account. To manage it again, assign it in " +
			"the identity provider: creating it adopts this member.")
	case m.State == bridge.Active:
		e.conclude(NotProvisioned, true, "%s is in, and not provisioned: no identity provider manages this member.",
			f.name())
		e.toDo("To manage it, assign it in the identity provider: creating it with this address adopts the member.")
	default:
		how := "invited by hand"
		if m.SignedUp {
			how = "it asked for an invitation by the sign-up link"
		}
		if f.linkExpired() {
			f.expiredByHand(e, how)
			break
		}
		e.conclude(NotProvisioned, false, "%s is not in yet: %s, and has not accepted. It is not provisioned.",
			f.name(), how)
		f.openInvitation(e)
	}
	f.tellRefusal(e)
}

// expiredByHand explains an invitation that no identity provider sent, and whose link has expired.
func (f PersonFacts) expiredByHand(e *Explanation, how string) {
	e.conclude(NotProvisioned, false, "%s is not in: %s, has not accepted, and the link has expired. It is not "+
		"provisioned.", f.name(), how)
	e.awaited("Nothing: no link works.")
	f.freshLink(e, f.Member.Address)
	if f.Member.SignedUp {
		e.toDo("Or let the person ask for another invitation at the account's sign-up link.")
	}
	e.toDo("Or suspend the member in the account and reactivate it, or assign it in the identity provider, which " +
		"adopts this member: either sends another invitation.")
}

func (f PersonFacts) tellUnprovisioned(e *Explanation) {
	m := f.Member
	state := strings.ReplaceAll(string(m.State), "_", " ")
	if m.Suspended {
		state += ", suspended"
	}
	e.has("A member that is %s%s, since %s, and that is not provisioned.", state, signsInWith(m.Address),
		moment(m.StateSince))
	if m.LastUserName != "" {
		e.has("An identity provider managed it before, as %s.", m.LastUserName)
	}
	for _, c := range m.Changes[:min(len(m.Changes), maxChanges)] {
		e.has("%s by %s at %s%s.", action(c), actor(c.Actor), moment(c.Time), changed(c))
	}
}

// deletion returns the latest deletion.
func (f PersonFacts) deletion() (d journal.Event, found bool) {
	for _, w := range f.writes() {
		if w.Kind == journal.PersonDeleted {
			return w, true
		}
	}
	return d, false
}

// tellRefusal tells what to do about a refusal if that was the last request.
func (f PersonFacts) tellRefusal(e *Explanation) {
	last, found := f.lastWrite()
	switch {
	case !found || last.Kind != journal.PersonRefused:
	case f.Person != nil && last.Method == http.MethodPost && last.Code == "user_name_taken":
		e.toDo("The identity provider tried to create this person again, and does not know its SCIM id. Let it match " +
			"the person by its userName: restart its provisioning (Entra ID), or remove the assignment and assign " +
			"the person again (Okta).")
	default:
		e.toDo("%s", afterRefusal(last))
	}
}

// nobody explains a name that the account has for nobody.
func (f PersonFacts) nobody(e *Explanation) {
	e.has("Nobody that is provisioned has this userName, e-mail address, id or externalId.")
	if f.MembersHidden {
		e.has("This account does not tell who is a member without being provisioned.")
	} else {
		e.has("No member has it as an address.")
	}
	last, found := f.lastWrite()
	switch {
	case !found:
		f.neverSeen(e)
	case last.Kind == journal.PersonRefused:
		e.conclude(Refused, false, "%s is not in: the identity provider's last request about it failed at %s, with %s.",
			f.name(), moment(last.Time), failure(last, f.Log))
		e.toDo("%s", afterRefusal(last))
	case last.Kind == journal.PersonDeleted:
		e.conclude(Deleted, false, "%s is not in: the identity provider deleted it at %s%s.", f.name(),
			moment(last.Time), f.request(last))
		e.toDo("If the person shall be in, assign it again in the identity provider. If it is in under another " +
			"address, ask by that: a SCIM id ends with the deletion.")
	default:
		e.conclude(Gone, false, "%s is not in: the identity provider sent it at %s%s, and the account does not have "+
			"it any more.", f.name(), moment(last.Time), f.request(last))
		e.toDo("Ask by the person's present userName, if it was renamed. If the account was restored from a backup, " +
			"make the identity provider send everybody again: restart its provisioning.")
	}
}

func (f PersonFacts) neverSeen(e *Explanation) {
	since := ", and this bridge's journal is empty"
	if !f.JournalSince.IsZero() {
		since = " since " + moment(f.JournalSince) + ", when this bridge's journal begins"
	}
	e.conclude(NeverSeen, false, "%s is not in: nobody has it, and the identity provider has not sent it%s.", f.name(),
		since)
	e.awaited("The identity provider must send the person.")
	e.toDo("Check in the identity provider that the person is assigned to this application and in the scope of its " +
		"provisioning, and which userName it sends: the journal finds requests by userName alone.")
	e.toDo("%s shows whether the identity provider comes at all. If the account has other bridges, ask there, too: "+
		"each has a journal of its own.", command("journal --kind traffic --since 3h", f.DataDir))
	if i := strings.LastIndexByte(f.Asked, '@'); i >= 0 && !f.MembersHidden {
		domain := inputtext.TrimBlanks(f.Asked[i+1:])
		allowed := "not allowed"
		if len(f.AllowedDomains) > 0 { // it was the only one asked for
			allowed = "allowed"
		}
		e.has("The domain %s is %s for sign-up. That matters only to people who sign up by the link, or whose "+
			"address changes: who is provisioned is invited at any domain.", domain, allowed)
	}
}
