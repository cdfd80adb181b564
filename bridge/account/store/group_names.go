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

// maxGroupNames bounds the names that are kept of a snapshot.
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
	names := tx.names
	if names == nil {
		names = make(map[string]*groupName)
	}
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

func (tx *Tx) groupName(ctx context.Context, id string) (*groupName, error) {
	g := &groupName{Reference: Reference{IsGroup: true}}
	err := tx.QueryRow(ctx, `SELECT COALESCE(scim_id, ''), name, name_folded, name_version FROM groups WHERE id = ?`,
		id).Scan(&g.ID, &g.Display, &g.folded, &g.version)
	return g, err
}
