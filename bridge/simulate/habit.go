package simulate

import (
	"net/http"
	"slices"
	"strings"
)

// A Habit is one thing that identity providers ask of a SCIM server. Every step checks one.
type Habit struct {
	// ID is stable: reports are compared by it.
	ID string `json:"id"`
	// Title says in a few words what is asked.
	Title string `json:"title"`
	// RFC is the section that says how it is answered, as "7644 3.5.2.2".
	RFC string `json:"rfc"`
	// Beyond is set if the section does not ask for it, or asks for something else: providers send it nevertheless.
	Beyond bool `json:"beyond_rfc"`
}

// The habits that the dialects name; see habits.
const (
	habitDiscovery     = "discovery"
	habitSearchNone    = "search-none"
	habitSearchPost    = "search-post"
	habitPages         = "pages"
	habitFindUser      = "find-user"
	habitFindEmail     = "find-email"
	habitReadUser      = "read-user"
	habitNotFound      = "not-found"
	habitUnauthorized  = "unauthorized"
	habitCreateUser    = "create-user"
	habitCreateExtra   = "create-extra"
	habitPlainJSON     = "plain-json"
	habitPassword      = "password"
	habitPutUser       = "put-user"
	habitPatchUser     = "patch-user"
	habitPatchText     = "patch-text"
	habitSuspend       = "suspend"
	habitSuspendPut    = "suspend-put"
	habitDelete        = "delete"
	habitFindGroup     = "find-group"
	habitReadGroup     = "read-group"
	habitCreateGroup   = "create-group"
	habitRenameGroup   = "rename-group"
	habitPutGroup      = "put-group"
	habitMembersAdd    = "members-add"
	habitMembersRemove = "members-remove"
	habitMembersList   = "members-remove-list"
	habitMembersEach   = "members-each"
)

// habits are in the order of a report.
var habits = []Habit{
	{ID: habitDiscovery, Title: "What the server can do, its schemas and types", RFC: "7644 4"},
	{ID: habitUnauthorized, Title: "A wrong token: 401 with a SCIM error", RFC: "7644 3.12"},
	{ID: habitNotFound, Title: "An unknown id: 404 with a SCIM error", RFC: "7644 3.12"},
	{ID: habitSearchNone, Title: "A search without a match: 200, an empty list", RFC: "7644 3.4.2"},
	{ID: habitSearchPost, Title: "Search by POST .search", RFC: "7644 3.4.3"},
	{ID: habitPages, Title: "Read all, page by page, each once", RFC: "7644 3.4.2.4"},
	{ID: habitFindUser, Title: "Find a person by userName, in any case", RFC: "7644 3.4.2.2"},
	{ID: "find-external-id", Title: "Find a person by externalId", RFC: "7644 3.4.2.2"},
	{ID: habitFindEmail, Title: "Find a person by emails eq: any address", RFC: "7644 3.4.2.2"},
	{ID: "find-value-path", Title: `Find by emails[type eq "work"].value eq`, RFC: "7644 3.4.2.2", Beyond: true},
	{ID: habitReadUser, Title: "Read a person", RFC: "7644 3.4.1"},
	{ID: habitCreateUser, Title: "Create a person", RFC: "7644 3.3"},
	{ID: habitCreateExtra, Title: "Create with read-only, empty, unknown attributes", RFC: "7644 3.3"},
	{ID: "create-again", Title: "A userName that is there, in any case: 409", RFC: "7644 3.3"},
	{ID: habitPlainJSON, Title: "Content-Type application/json", RFC: "7644 3.8"},
	{ID: habitPassword, Title: "A password is taken and never shown", RFC: "7643 7"},
	{ID: habitPutUser, Title: "Replace a person by PUT", RFC: "7644 3.5.1"},
	{ID: habitPatchUser, Title: "PATCH of attributes by their paths", RFC: "7644 3.5.2.3"},
	{ID: "patch-no-path", Title: "PATCH without a path: a value of attributes", RFC: "7644 3.5.2.3"},
	{ID: "patch-keys", Title: "PATCH without a path: keys that are paths", RFC: "7644 3.5.2.3", Beyond: true},
	{ID: habitPatchText, Title: `PATCH with "op": "Replace", "value": "False"`, RFC: "7644 3.5.2", Beyond: true},
	{ID: "patch-creates", Title: "PATCH of an element that is not there creates it", RFC: "7644 3.5.2.3", Beyond: true},
	{ID: habitSuspend, Title: "Suspend and reactivate by PATCH; still found", RFC: "7643 4.1.1"},
	{ID: habitSuspendPut, Title: "Suspend and reactivate by PUT; still found", RFC: "7643 4.1.1"},
	{ID: habitDelete, Title: "Delete: 204, then 404 and not found", RFC: "7644 3.6"},
	{ID: habitFindGroup, Title: "Find a group by displayName, without members", RFC: "7644 3.9"},
	{ID: habitReadGroup, Title: "A group shows its members", RFC: "7643 4.2"},
	{ID: habitCreateGroup, Title: "Create a group", RFC: "7644 3.3"},
	{ID: habitRenameGroup, Title: "Rename a group by PATCH, with its id in the value", RFC: "7644 3.5.2.3"},
	{ID: habitPutGroup, Title: "Replace a group and its members by PUT", RFC: "7644 3.5.1"},
	{ID: habitMembersAdd, Title: "Add members; again, and none is there twice", RFC: "7644 3.5.2.1"},
	{ID: habitMembersRemove, Title: `Remove by the path members[value eq "..."]`, RFC: "7644 3.5.2.2"},
	{ID: habitMembersList, Title: "Remove the members listed in value, no others", RFC: "7644 3.5.2.2", Beyond: true},
	{ID: "members-replace", Title: "Replace all members, by none too", RFC: "7644 3.5.2.3"},
	{ID: habitMembersEach, Title: "An operation for each member, many in a request", RFC: "7644 3.5.2"},
}

// Habits returns all habits, in the order of a report.
func Habits() []Habit { return slices.Clone(habits) }

// as sets the habit that a step checks, where it is not the one of every such request.
func (s Step) as(habit string) Step {
	s.Habit = habit
	return s
}

// allAs is as for several steps.
func allAs(habit string, steps []Step) []Step {
	for i := range steps {
		steps[i].Habit = habit
	}
	return steps
}

// habit returns the habit that a step checks.
func (s Step) habit() string {
	if s.Habit != "" {
		return s.Habit
	}
	path, query, _ := strings.Cut(s.Path, "?")
	kind, one, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	pick := func(user, group string) string {
		if kind == groupsKind {
			return group
		}
		return user
	}
	switch {
	case kind != usersKind && kind != groupsKind:
		return habitDiscovery
	case one == ".search":
		return habitSearchPost
	case s.Method == http.MethodPost:
		return pick(habitCreateUser, habitCreateGroup)
	case s.Method == http.MethodPut:
		return pick(habitPutUser, habitPutGroup)
	case s.Method == http.MethodPatch:
		return pick(habitPatchUser, habitMembersAdd)
	case s.Method == http.MethodDelete:
		return habitDelete
	case one != "":
		return pick(habitReadUser, habitReadGroup)
	case strings.Contains(query, "filter="):
		return pick(habitFindUser, habitFindGroup)
	default:
		return habitPages
	}
}
