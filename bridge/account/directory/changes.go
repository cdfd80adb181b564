package directory

import (
	"context"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// What an event of the audit log changed of a member, as its summary says: whoever asks later why a member is suspended
// must not have to guess by the time.
const (
	suspended      = "suspended"
	suspensionHeld = "suspension held"
	reactivated    = "reactivated"
	roleChanged    = "role"
	nameChanged    = "name"
	otherChanged   = "attributes" // of the person
)

var changeWords = []string{suspended, suspensionHeld, reactivated, roleChanged, nameChanged, otherChanged}

// requestWord is before the id of a bridge's request in a summary.
const requestWord = "request "

// changesByHand says what an administrator changed. There are no names in it.
func changesByHand(before, after store.Member) string {
	var changed []string
	if access := accessChange(before, after); access != "" {
		changed = append(changed, access)
	}
	if before.Role != after.Role {
		changed = append(changed, roleChanged)
	}
	if before.Name != after.Name {
		changed = append(changed, nameChanged)
	}
	return strings.Join(changed, ", ")
}

// changeByRequest says what a request of an identity provider changed, and its id.
func changeByRequest(ctx context.Context, before, after store.Member) string {
	changed := accessChange(before, after)
	if changed == "" {
		changed = otherChanged
	}
	if id := account.CallerFrom(ctx).RequestID; id != "" && !strings.Contains(id, ",") {
		changed += ", " + requestWord + id
	}
	return changed
}

func accessChange(before, after store.Member) string {
	switch {
	case after.Suspended && !before.Suspended:
		return suspended
	case after.SuspensionHeld && !before.SuspensionHeld:
		return suspensionHeld
	case before.LooksSuspended() && !after.LooksSuspended():
		return reactivated
	default:
		return ""
	}
}

// readChange reads the summary of an audit event.
func readChange(c store.MemberChange) MemberChange {
	out := MemberChange{Time: c.Time, Actor: c.Actor, Action: c.Action}
	if c.Action == "hold.approve" && strings.HasPrefix(c.Summary, "suspension of member ") {
		out.Changed = []string{suspended}
		return out
	}
	for _, part := range strings.Split(c.Summary, ", ") {
		if id, found := strings.CutPrefix(part, requestWord); found {
			out.Request = id
		} else if slices.Contains(changeWords, part) {
			out.Changed = append(out.Changed, part)
		}
	}
	return out
}
