package explain

import (
	"cmp"
	"net/http"
	"slices"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/journal"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// GroupFacts are what is known of one group.
type GroupFacts struct {
	Asked string
	Now   time.Time
	// Renamed is set if Asked is a name that the group had before.
	Renamed bool
	// Group is nil if provisioning has none, or if that is not known. Its members are not needed.
	Group   *bridge.Group
	Members int64 // how many people provisioning sees in it
	// Removals are the held ones from it, the oldest first; MoreRemovals is set if there may be others. Suspensions is
	// how many of the account are held: removals of those people belong to their suspensions, and are not listed.
	Removals     []bridge.Hold
	MoreRemovals bool
	Suspensions  int64
	// AccountAway is why the account could not be asked, as a clause; empty if it could.
	AccountAway  string
	DataDir      string          // the bridge's; empty if it is not known
	Offline      bool            // no bridge runs
	Events       []journal.Event // newest first
	JournalSince time.Time
	Log          map[string]LogLine
}

// Group explains why a group is in the account or is not.
func Group(f GroupFacts) Explanation {
	e := Explanation{Name: f.Asked, Requests: requests(f.Events, f.Log, nil)}
	if f.Group != nil {
		a := attributesOf(f.Group.Attributes)
		e.Name, e.ID, e.ExternalID = cmp.Or(a.DisplayName, f.Asked), f.Group.ID, a.ExternalID
	}
	f.tellSaid(&e)
	switch {
	case f.AccountAway != "":
		e.Verdict = Undetermined
		e.Conclusion = sentence("Whether the group %s is in is not known now: %s.", []any{e.Name, f.AccountAway})
		e.has("It cannot be asked: %s.", f.AccountAway)
		e.toDo("%s", solveFirst(f.DataDir, f.Offline))
	case f.Group != nil:
		f.provisioned(&e)
	default:
		f.none(&e)
	}
	return e
}

func (f GroupFacts) tellSaid(e *Explanation) {
	if g := f.Group; g != nil {
		if f.Renamed {
			e.said("It has renamed %s to %s.", f.Asked, e.Name)
		}
		e.said("It is provisioned, SCIM id %s%s, since %s, and has %s.", g.ID, externalID(e.ExternalID),
			moment(g.Created), count(f.Members, "member", "members"))
	}
	switch w, found := f.lastWrite(); {
	case found && w.Kind == journal.GroupRefused:
		e.said("Its last request about this group failed at %s: %s.", moment(w.Time), failure(w, f.Log))
	case found:
		e.said("Its last request about this group was at %s: %s%s.", moment(w.Time), describe(w, nil),
			request(w, f.Log))
	case f.JournalSince.IsZero():
		e.said("This bridge's journal is empty.")
	default:
		e.said("This bridge's journal, which goes back to %s, has no request about this group.", moment(f.JournalSince))
	}
}

func (f GroupFacts) lastWrite() (last journal.Event, found bool) {
	i := slices.IndexFunc(f.Events, func(e journal.Event) bool {
		switch e.Kind {
		case journal.GroupCreated, journal.GroupUpdated, journal.GroupDeleted, journal.GroupRefused:
			return true
		default:
			return false
		}
	})
	if i < 0 {
		return last, false
	}
	return f.Events[i], true
}

func (f GroupFacts) provisioned(e *Explanation) {
	held := int64(len(f.Removals))
	members := count(f.Members, "member", "members")
	if held == 0 {
		e.conclude(Provisioned, true, "The group %s is provisioned, and has %s.", e.Name, members)
	} else {
		e.conclude(RemovalsHeld, true, "The group %s is provisioned, and has %s for the identity provider; %s held, "+
			"because there are more than the account's suspension_limit allows.", e.Name, members, f.removals())
		e.awaited("Somebody must approve or cancel the removals, or the identity provider must add the people again.")
		e.toDo("Approve or cancel them on the bridge's status page, or on the account's machine by `scim-bridge " +
			"account holds`.")
	}
	f.tellHeld(e)
	last, found := f.lastWrite()
	switch {
	case !found:
	case last.Kind == journal.GroupRefused && last.Method == http.MethodPost && last.Code == "group_name_taken":
		e.toDo("The identity provider tried to create this group again, and does not know its SCIM id. Let it match " +
			"the group by its name: link it to the group that there is (Okta), or restart provisioning (Entra ID).")
	case last.Kind == journal.GroupRefused:
		e.toDo("%s", afterRefusal(last))
	case last.Unknown > 0:
		e.remedy(problem.New(problem.MembersUnknown, last.Time, problem.Facts{problem.FactGroup: e.Name}))
	}
}

// removals counts the held removals, with their verb.
func (f GroupFacts) removals() string {
	text := count(int64(len(f.Removals)), "removal is", "removals are")
	if f.MoreRemovals {
		text = "at least " + text
	}
	return text
}

func (f GroupFacts) tellHeld(e *Explanation) {
	for _, h := range f.Removals[:min(len(f.Removals), maxListed)] {
		e.has("%s is still in it: its removal is held since %s%s.", h.UserName, moment(h.Since), byRequest(h))
	}
	if more := len(f.Removals) - maxListed; more > 0 {
		e.has("There are %d more.", more)
	}
	if f.Suspensions > 0 {
		e.has("The account holds %s: whoever of those the identity provider has removed is still in it as well.",
			count(f.Suspensions, "suspension", "suspensions"))
	}
}

// none explains a name that no provisioned group has.
func (f GroupFacts) none(e *Explanation) {
	e.has("No provisioned group has this name, id or externalId.")
	f.tellHeld(e)
	if len(f.Removals) > 0 {
		e.awaited("Somebody must approve or cancel the held removals.")
		e.toDo("Approve or cancel them on the bridge's status page, or on the account's machine by `scim-bridge " +
			"account holds`.")
	}
	last, found := f.lastWrite()
	switch {
	case !found:
		since := ", and this bridge's journal is empty"
		if !f.JournalSince.IsZero() {
			since = " since " + moment(f.JournalSince) + ", when this bridge's journal begins"
		}
		e.conclude(NeverSeen, false, "The group %s is not provisioned, and the identity provider has not sent it%s.",
			e.Name, since)
		e.awaited("The identity provider must push the group.")
		e.toDo("Check in the identity provider that the group is assigned to this application or pushed, and how it " +
			"is spelled. A group of this name that was made in the account by hand is adopted with the first push, " +
			"and a push to a built-in group is refused with 409.")
	case last.Kind == journal.GroupRefused:
		e.conclude(Refused, false, "The group %s is not provisioned: the identity provider's last request about it "+
			"failed at %s, with %s.", e.Name, moment(last.Time), failure(last, f.Log))
		e.toDo("%s", afterRefusal(last))
	case last.Kind == journal.GroupDeleted:
		e.conclude(Deleted, false, "The group %s is not provisioned: the identity provider deleted it at %s%s. The "+
			"account keeps the group, without the members that provisioning put in.", e.Name, moment(last.Time),
			request(last, f.Log))
		e.toDo("To provision it again, push it again in the identity provider: creating it adopts the group by its " +
			"name.")
	default:
		e.conclude(Gone, false, "The group %s is not provisioned: the identity provider sent it at %s%s, and it is "+
			"not there any more.", e.Name, moment(last.Time), request(last, f.Log))
		e.toDo("Ask by the group's present name, if it was renamed. If the account was restored from a backup, make " +
			"the identity provider send everything again: restart its provisioning.")
	}
}
