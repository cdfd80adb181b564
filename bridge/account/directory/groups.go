package directory

import (
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A Group is a group as provisioning sees it. Its ID is the SCIM id.
type Group struct {
	ID         string
	Attributes string // JSON, as it is served
	Version    int64
	CreatedAt  time.Time
	ModifiedAt time.Time
	// MemberCount counts managed people and groups.
	MemberCount int64
	// Members is nil unless they were asked for.
	Members []Reference
	// UnknownMembers are the ids in the request that no person or group has.
	UnknownMembers []string
}

// A Reference points from a group to a member, or from a person to a group.
type Reference = store.Reference

// GroupInput is what a create says.
type GroupInput struct {
	Attributes json.RawMessage
	Members    []string
}

// GroupUpdate is a change of a group.
type GroupUpdate struct {
	Attributes json.RawMessage // nil keeps them
	// Replace sets the members before Add and Remove are applied; nil keeps
	// them, an empty list removes them all. A list of unknown ids only is
	// refused.
	Replace     *[]string
	Add, Remove []string
	// Instead are lists of those in Add that replace members in Remove. A list
	// of unknown ids only is refused.
	Instead [][]string
}

// Group returns a managed group by its SCIM id.
func (d *Directory) Group(ctx context.Context, id string, withMembers bool) (g Group, err error) {
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, err := managedGroup(ctx, tx, id)
		if err != nil {
			return err
		}
		g, err = toGroup(ctx, tx, row, withMembers)
		return err
	})
	return g, err
}

func managedGroup(ctx context.Context, tx *store.Tx, id string) (store.Group, error) {
	row, found, err := tx.ManagedGroup(ctx, id)
	if err == nil && !found {
		return row, account.NotFound("group", id)
	}
	return row, err
}

func toGroup(ctx context.Context, tx *store.Tx, row store.Group, withMembers bool) (Group, error) {
	groups, err := toGroups(ctx, tx, []store.Group{row}, withMembers)
	if err != nil {
		return Group{}, err
	}
	return groups[0], nil
}

func toGroups(ctx context.Context, tx *store.Tx, rows []store.Group, withMembers bool) ([]Group, error) {
	groups, ids := make([]Group, len(rows)), make([]string, len(rows))
	for i, row := range rows {
		ids[i] = row.ID
		groups[i] = Group{
			ID: row.ScimID, Attributes: row.Attributes, Version: row.Version,
			CreatedAt: row.CreatedAt, ModifiedAt: row.ModifiedAt, MemberCount: row.ManagedCount,
		}
	}
	if !withMembers {
		return groups, nil
	}
	members, err := tx.GroupMembers(ctx, ids)
	for i := range groups {
		groups[i].Members = append([]Reference{}, members[ids[i]]...)
	}
	return groups, err
}

// CreateGroup provisions a group, adopting an unmanaged one of the same name.
func (d *Directory) CreateGroup(ctx context.Context, in GroupInput) (g Group, err error) {
	attrs, err := readGroup(in.Attributes)
	if err != nil {
		return g, err
	}
	err = d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, adopted, err := groupToAdopt(ctx, tx, attrs.displayName)
		if err != nil {
			return err
		}
		now := d.account.Time()
		row.Name, row.ExternalID, row.Attributes = attrs.displayName, attrs.externalID, attrs.text
		// New also for an adopted group, so that a late retry on the id
		// before stays 404.
		row.ScimID, row.CreatedAt, row.ModifiedAt = d.account.NewID(), now, now
		if adopted {
			err = tx.UpdateGroup(ctx, row)
		} else {
			row.ID = d.account.NewID()
			err = tx.InsertGroup(ctx, row)
		}
		if err != nil {
			return err
		}
		row.Version++
		unknown, _, err := d.changeMembers(ctx, tx, &row, GroupUpdate{Add: in.Members})
		if err != nil {
			return err
		}
		if err := d.account.Audit(ctx, tx, "group.provision", row.ScimID, "group %s", row.ID); err != nil {
			return err
		}
		g, err = toGroup(ctx, tx, row, true)
		g.UnknownMembers = unknown
		return err
	})
	return g, err
}

// groupToAdopt finds the unmanaged group of a name, and refuses a name that
// is not free.
func groupToAdopt(ctx context.Context, tx *store.Tx, name string) (store.Group, bool, error) {
	row, found, err := tx.GroupByName(ctx, name)
	if err != nil || !found {
		return store.Group{}, false, err
	}
	return row, true, checkGroupFree(row)
}

func checkGroupFree(row store.Group) error {
	switch {
	case row.BuiltIn:
		return account.Protected(
			row.Name,
			"%q is a built-in group of the account, which provisioning neither adopts nor fills; "+
				"use another displayName",
			row.Name,
		)
	case row.ScimID != "":
		e := groupNameTaken(row.Name)
		e.ExistingID = row.ScimID
		return e
	}
	return nil
}

func groupNameTaken(name string) *account.Error {
	return account.Conflict(api.ErrorCodeGroupNameTaken, "Group name taken",
		"another group has the displayName %q", name)
}

// UpdateGroup changes attributes and members together.
func (d *Directory) UpdateGroup(
	ctx context.Context, id string, u GroupUpdate, ifMatch string, withMembers bool,
) (g Group, err error) {
	var attrs attributes
	if u.Attributes != nil {
		if attrs, err = readGroup(u.Attributes); err != nil {
			return g, err
		}
	}
	err = d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, err := managedGroup(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := account.CheckVersion(ifMatch, row.Version); err != nil {
			return err
		}
		changed := false
		if u.Attributes != nil {
			same, _ := attrs.compare(row.Attributes)
			changed = !same
		}
		if changed {
			if err := d.changeGroup(ctx, tx, &row, attrs); err != nil {
				return err
			}
		}
		unknown, moved, err := d.changeMembers(ctx, tx, &row, u)
		if err != nil {
			return err
		}
		if changed || moved {
			if err := d.account.Audit(ctx, tx, "group.update", id, ""); err != nil {
				return err
			}
		}
		g, err = toGroup(ctx, tx, row, withMembers)
		g.UnknownMembers = unknown
		return err
	})
	return g, err
}

// changeGroup gives a group, and row, other attributes, its name among them.
func (d *Directory) changeGroup(ctx context.Context, tx *store.Tx, row *store.Group, attrs attributes) error {
	if store.Fold(attrs.displayName) != store.Fold(row.Name) {
		other, found, err := tx.GroupByName(ctx, attrs.displayName)
		if err != nil {
			return err
		}
		if found {
			if err := checkGroupFree(other); err != nil {
				return err
			}
			// An unmanaged one is in the way too: two cannot become one.
			return groupNameTaken(other.Name)
		}
	}
	renamed := row.Name != attrs.displayName
	row.Name, row.ExternalID, row.Attributes, row.ModifiedAt = attrs.displayName, attrs.externalID, attrs.text,
		d.account.Time()
	err := tx.UpdateGroup(ctx, *row)
	if row.Version++; err != nil || !renamed {
		return err
	}
	return tx.BumpGroupsAround(ctx, row.ID) // which show the name
}

// changeMembers applies the members in u, and changes row as it does the group's. It returns the unknown ids, and
// reports whether anything changed.
func (d *Directory) changeMembers(
	ctx context.Context, tx *store.Tx, row *store.Group, u GroupUpdate,
) (unknown []string, changed bool, err error) {
	if both := intersection(u.Add, u.Remove); len(both) > 0 {
		e := account.InvalidValue("/remove_members", "%q is to be added and to be removed; decide for one", both[0])
		e.IDs = both
		return nil, false, e
	}
	joining := u.Add
	if u.Replace != nil {
		joining = slices.Concat(*u.Replace, u.Add)
	}
	if slices.Contains(joining, row.ScimID) {
		return nil, false, account.InvalidValue("/add_members", "the group %q cannot be a member of itself", row.Name)
	}
	if joining = without(joining, nil); len(joining) > 0 {
		if unknown, err = tx.UnknownIDs(ctx, joining); err != nil {
			return nil, false, err
		}
	}
	if err := u.checkReplacement(unknown); err != nil {
		return nil, false, err
	}
	joining, unknown = without(joining, u.Remove), without(unknown, u.Remove)
	var added, removed int64
	if u.Replace != nil {
		removed, err = d.leave(ctx, tx, *row, store.LeavingOthers(row.ID, joining))
	} else if len(u.Remove) > 0 {
		removed, err = d.leave(ctx, tx, *row, store.LeavingMembers(row.ID, u.Remove))
	}
	if err != nil {
		return nil, false, err
	}
	if len(joining) > 0 {
		if added, err = d.join(ctx, tx, *row, joining); err != nil {
			return nil, false, err
		}
	}
	if added == 0 && removed == 0 {
		return unknown, false, nil
	}
	row.ManagedCount += added - removed
	row.Version++
	row.ModifiedAt = d.account.Time()
	return unknown, true, tx.CountInGroup(ctx, row.ID, added-removed, row.ModifiedAt)
}

// join puts people and groups into a group, and returns how many come. It ends the
// holds on removals of these people.
func (d *Directory) join(ctx context.Context, tx *store.Tx, row store.Group, scimIDs []string) (int64, error) {
	added, restored, err := tx.AddToGroup(ctx, row, scimIDs, d.account.Time())
	if err != nil || restored == 0 {
		return added, err
	}
	return added, d.account.Audit(ctx, tx, "hold.cancel", row.ID, "%d removals; the members are in again", restored)
}

// checkReplacement refuses to replace members by a list of unknown ids only: an
// identity provider that lost its ids, or sends those of another server, would
// empty every group. To empty it and add such a list is the same in two steps.
func (u GroupUpdate) checkReplacement(unknown []string) error {
	isUnknown := set(unknown)
	allUnknown := func(ids []string) bool {
		return len(ids) > 0 && !slices.ContainsFunc(ids, func(id string) bool { return !isUnknown[id] })
	}
	if u.Replace != nil {
		ids := *u.Replace
		if len(ids) == 0 {
			ids = u.Add
		}
		if allUnknown(ids) {
			return membersUnknown("/replace_members", ids)
		}
	}
	if err := u.checkInstead(); err != nil {
		return err
	}
	if i := slices.IndexFunc(u.Instead, allUnknown); i >= 0 {
		return membersUnknown("/replacements", u.Instead[i])
	}
	return nil
}

// checkInstead refuses ids in Instead that are not in Add: only those in Add are
// looked up.
func (u GroupUpdate) checkInstead() error {
	if len(u.Instead) == 0 {
		return nil
	}
	if missing := without(slices.Concat(u.Instead...), u.Add); len(missing) > 0 {
		return account.InvalidValue("/replacements",
			"%.60q is not among add_members; add there what replaces a member", missing[0])
	}
	return nil
}

func membersUnknown(field string, ids []string) *account.Error {
	ids = without(ids, nil)
	e := &account.Error{
		Status: http.StatusUnprocessableEntity,
		Code:   api.ErrorCodeMembersUnknown,
		Title:  "Members unknown",
		Detail: "no person or group has any of these ids: " + inputtext.QuoteSome(ids) + "; the members stay as they " +
			"are. Send the ids that this server gave, or an empty list to empty the group",
	}
	e.Field, e.IDs = field, ids[:min(len(ids), maxIDsListed)]
	return e
}

// maxIDsListed bounds the unknown ids that an answer lists.
const maxIDsListed = 100

func set(ids []string) map[string]bool {
	in := make(map[string]bool, len(ids))
	for _, id := range ids {
		in[id] = true
	}
	return in
}

func intersection(a, b []string) []string {
	in := set(b)
	return slices.DeleteFunc(slices.Clone(a), func(id string) bool { return !in[id] })
}

// without returns a without what is in b, each id once.
func without(a, b []string) []string {
	seen := set(b)
	return slices.DeleteFunc(slices.Clone(a), func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

// DeleteGroup ends provisioning for a group: it keeps the members put in by
// hand, and can be adopted again.
func (d *Directory) DeleteGroup(ctx context.Context, id, ifMatch string) error {
	return d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, err := managedGroup(ctx, tx, id)
		if err != nil {
			return err
		}
		if err := account.CheckVersion(ifMatch, row.Version); err != nil {
			return err
		}
		now := d.account.Time()
		if _, err := d.leave(ctx, tx, row, store.LeavingProvisioned(row.ID)); err != nil {
			return err
		}
		if err := tx.ReleaseGroup(ctx, row.ID, now); err != nil {
			return err
		}
		row.ScimID, row.ExternalID, row.Attributes, row.ModifiedAt = "", "", "{}", now
		if err := tx.UpdateGroup(ctx, row); err != nil {
			return err
		}
		return d.account.Audit(ctx, tx, "group.release", id, "group %s", row.ID)
	})
}

// A GroupSummary is a group as an administrator sees it, managed or not.
type GroupSummary struct {
	store.Group
	MemberCount int
}

// GroupFilter chooses groups.
type GroupFilter = store.GroupFilter

// Groups lists groups from the oldest to the newest.
func (d *Directory) Groups(
	ctx context.Context, f GroupFilter, cursor string, limit int,
) (account.Page[GroupSummary], error) {
	f.Name = inputtext.TrimBlanks(f.Name)
	after, err := account.ReadPlace(cursor, store.Place{})
	if err != nil {
		return account.Page[GroupSummary]{}, err
	}
	var groups []GroupSummary
	err = d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		rows, err := tx.Groups(ctx, f, after, limit+1)
		if err != nil {
			return err
		}
		ids := make([]string, len(rows))
		for i, row := range rows {
			ids[i] = row.ID
		}
		counts, err := tx.MemberCounts(ctx, ids)
		for _, row := range rows {
			groups = append(groups, GroupSummary{row, counts[row.ID]})
		}
		return err
	})
	return account.PageOf(groups, limit, GroupSummary.Key), err
}

// CreateGroupByHand makes a group by hand, outside provisioning.
func (d *Directory) CreateGroupByHand(ctx context.Context, name string) (g GroupSummary, err error) {
	if name = inputtext.TrimBlanks(name); name == "" {
		return g, account.InvalidValue("/name", "the name is empty; a group needs one")
	}
	now := d.account.Time()
	g.Group = store.Group{ID: d.account.NewID(), Name: name, CreatedAt: now, ModifiedAt: now}
	err = d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		other, found, err := tx.GroupByName(ctx, name)
		if err != nil {
			return err
		}
		if found {
			return account.AlreadyExists(other.ID, "there is a group %q already", other.Name)
		}
		if err := tx.InsertGroup(ctx, g.Group); err != nil {
			return err
		}
		return d.account.Audit(ctx, tx, "group.create", g.ID, "")
	})
	return g, err
}

// GroupMembers lists a group's members, managed or not, from the oldest to the newest.
func (d *Directory) GroupMembers(ctx context.Context, groupID, cursor string, limit int) (account.Page[Member], error) {
	err := d.account.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		return checkGroup(ctx, tx, groupID)
	})
	if err != nil {
		return account.Page[Member]{}, err
	}
	return d.Members(ctx, MemberFilter{GroupID: groupID}, cursor, limit)
}

// checkGroup refuses an id that no group of the account has.
func checkGroup(ctx context.Context, tx *store.Tx, id string) error {
	_, found, err := tx.Group(ctx, id)
	if err == nil && !found {
		return account.NotFound("group", id)
	}
	return err
}

// AddGroupMember puts a member into a group by hand; harmless when already in.
func (d *Directory) AddGroupMember(ctx context.Context, groupID, memberID string) error {
	return d.account.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := checkGroup(ctx, tx, groupID); err != nil {
			return err
		}
		m, err := visibleMember(ctx, tx, memberID)
		if err != nil {
			return err
		}
		added, err := tx.AddByHand(ctx, groupID, memberID)
		if err != nil || !added {
			return err
		}
		if m.Managed() {
			if err := tx.CountInGroup(ctx, groupID, 1, d.account.Time()); err != nil {
				return err
			}
			if err := bumpPerson(ctx, tx, m); err != nil {
				return err
			}
		}
		return d.account.Audit(ctx, tx, "group.member.add", groupID, "member %s", memberID)
	})
}
