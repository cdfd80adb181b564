package store

import (
	"context"
	"slices"
	"strings"
)

// A groupName is what a person's document shows of a group that the member is in.
type groupName struct {
	Reference        // without an id if the group is not managed: then it is not shown
	folded    string // by which a person's groups are ordered
	version   int64
}

// maxGroupNames bounds the names that a connection keeps.
const maxGroupNames = 1000

// loadGroups fills in the groups of people by the ids in their rows.
func (tx *Tx) loadGroups(ctx context.Context, people []Person) error {
	references := 0
	for i := range people {
		if ids := people[i].groupIDs; ids != "" {
			references += strings.Count(ids, " ") + 1
		}
	}
	if references == 0 {
		return nil
	}
	names := tx.groupNames()
	all := make([]Reference, 0, references)
	var groups []*groupName // of one person
	for i := range people {
		p := &people[i]
		if p.groupIDs == "" {
			continue
		}
		groups = groups[:0]
		for id := range strings.SplitSeq(p.groupIDs, " ") {
			g, known := names[id]
			if !known {
				var err error
				if g, err = tx.groupName(ctx, id); err != nil {
					return err
				}
				if len(names) >= maxGroupNames {
					clear(names)
				}
				names[strings.Clone(id)] = g
			}
			if g.ID != "" {
				groups = append(groups, g)
			}
		}
		if len(groups) > 1 {
			slices.SortFunc(groups, func(a, b *groupName) int { return strings.Compare(a.folded, b.folded) })
		}
		first := len(all)
		for _, g := range groups {
			all = append(all, g.Reference)
			p.GroupNames += g.version
		}
		p.Groups = all[first:len(all):len(all)]
	}
	return nil
}

// groupNames returns the names that were read in the snapshot that tx reads, by the ids of groups.
func (tx *Tx) groupNames() map[string]*groupName {
	c := tx.conn
	if c == tx.store.writer { // a name may change within its transaction
		return make(map[string]*groupName)
	}
	if c.groupNames == nil {
		c.groupNames = make(map[string]*groupName)
	}
	return c.groupNames
}

func (tx *Tx) groupName(ctx context.Context, id string) (*groupName, error) {
	g := &groupName{Reference: Reference{IsGroup: true}}
	err := tx.QueryRow(ctx, `SELECT COALESCE(scim_id, ''), name, name_folded, name_version FROM groups WHERE id = ?`,
		id).Scan(&g.ID, &g.Display, &g.folded, &g.version)
	return g, err
}
