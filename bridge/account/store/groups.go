package store

import (
	"context"
	"time"
)

// A Group is a group of the account. ScimID is empty while it is unmanaged,
// and new each time that it becomes managed.
type Group struct {
	ID, ScimID, Name, ExternalID string
	Attributes                   string // JSON, as it is served
	BuiltIn                      bool
	ManagedCount                 int64 // managed people and groups in it
	Version                      int64
	CreatedAt, ModifiedAt        time.Time
	HasHolds                     bool // there are holds on removals from it
}

const groupColumns = `g.id, COALESCE(g.scim_id, ''), g.name, COALESCE(g.external_id, ''), g.attributes, g.built_in,
	g.managed_count, g.version, g.created_at, g.modified_at,
	EXISTS (SELECT 1 FROM holds h WHERE h.group_id = g.id)`

func scanGroup(row Scanner) (g Group, err error) {
	return g, row.Scan(&g.ID, &g.ScimID, &g.Name, &g.ExternalID, &g.Attributes, &g.BuiltIn,
		&g.ManagedCount, &g.Version, (*Time)(&g.CreatedAt), (*Time)(&g.ModifiedAt), &g.HasHolds)
}

// Group returns the group with this id of the account.
func (tx *Tx) Group(ctx context.Context, id string) (Group, bool, error) {
	return One(ctx, tx, scanGroup, `SELECT `+groupColumns+` FROM groups g WHERE g.id = ?`, id)
}

// ManagedGroup returns the group with this SCIM id.
func (tx *Tx) ManagedGroup(ctx context.Context, scimID string) (Group, bool, error) {
	return One(ctx, tx, scanGroup, `SELECT `+groupColumns+` FROM groups g WHERE g.scim_id = ?`, scimID)
}

// GroupByName returns the group of this name, without regard to case.
func (tx *Tx) GroupByName(ctx context.Context, name string) (Group, bool, error) {
	return One(ctx, tx, scanGroup, `SELECT `+groupColumns+` FROM groups g WHERE g.name_folded = ?`, Fold(name))
}

// InsertGroup adds g, empty and at version 1.
func (tx *Tx) InsertGroup(ctx context.Context, g Group) error {
	if g.Attributes == "" {
		g.Attributes = "{}"
	}
	return tx.Send(
		ctx,
		`INSERT INTO groups
			(id, scim_id, name, name_folded, external_id, attributes, built_in, created_at, modified_at)
		VALUES (?, NULLIF(?, ''), ?, ?, NULLIF(?, ''), ?, ?, ?, ?)`,
		g.ID,
		g.ScimID,
		g.Name,
		Fold(g.Name),
		g.ExternalID,
		g.Attributes,
		g.BuiltIn,
		Micros(g.CreatedAt),
		Micros(g.ModifiedAt),
	)
}

// UpdateGroup writes g as its next version; ManagedCount is left alone.
func (tx *Tx) UpdateGroup(ctx context.Context, g Group) error {
	return tx.Send(ctx, `UPDATE groups
		SET scim_id = NULLIF(?, ''), name_version = name_version + CASE WHEN name <> ? THEN 1 ELSE 0 END,
			name = ?, name_folded = ?, external_id = NULLIF(?, ''), attributes = ?,
			created_at = ?, modified_at = ?, version = version + 1
		WHERE id = ?`,
		g.ScimID, g.Name, g.Name, Fold(g.Name), g.ExternalID, g.Attributes, Micros(g.CreatedAt),
		Micros(g.ModifiedAt), g.ID)
}

// BumpGroupsOf makes the next version of every managed group that a member is
// in, because it shows the member's name, which has changed.
func (tx *Tx) BumpGroupsOf(ctx context.Context, memberID string) error {
	return tx.Send(ctx, `UPDATE groups SET version = version + 1
		WHERE scim_id IS NOT NULL AND id IN (SELECT group_id FROM memberships WHERE member_id = ?)`, memberID)
}

// BumpGroupsAround does so for the groups that a group is nested in.
func (tx *Tx) BumpGroupsAround(ctx context.Context, groupID string) error {
	return tx.Send(ctx, `UPDATE groups SET version = version + 1
		WHERE id IN (SELECT group_id FROM nestings WHERE child_id = ?)`, groupID)
}
