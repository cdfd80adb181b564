package store

import (
	"context"
	"encoding/json"
	"fmt"
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
	if err := tx.learnNames(ctx, people, names); err != nil {
		return err
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
			g := names[id]
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

// learnNames adds the names of people's groups that are not among names: those that came with the people, and with one
// statement all others.
func (tx *Tx) learnNames(ctx context.Context, people []Person, names map[string]*groupName) error {
	if len(names) >= maxGroupNames {
		clear(names)
	}
	var unknown []string
	for i := range people {
		p := &people[i]
		if err := readNames(p.groupNames, names); err != nil {
			return err
		}
		p.groupNames = ""
		for id := range strings.SplitSeq(p.groupIDs, " ") {
			if _, known := names[id]; !known && id != "" {
				id = strings.Clone(id)
				names[id], unknown = nil, append(unknown, id)
			}
		}
	}
	if len(unknown) == 0 {
		return nil
	}
	in, ids := among(unknown)
	found, err := All(ctx, tx, func(row Scanner) (id string, err error) {
		g := &groupName{Reference: Reference{IsGroup: true}}
		if err = row.Scan(&id, &g.ID, &g.Display, &g.folded, &g.version); err == nil {
			names[id] = g
		}
		return id, err
	}, `SELECT id, COALESCE(scim_id, ''), name, name_folded, name_version FROM groups WHERE id`+in, ids)
	if err == nil && len(found) < len(unknown) {
		err = ErrNoRow
	}
	if err != nil {
		for _, id := range unknown {
			delete(names, id)
		}
	}
	return err
}

// groupNames is a column behind personColumns: the names of the person's groups, where that is better than to ask for
// them apart. It is for few people.
func (tx *Tx) groupNames() string { return tx.store.engine.dialect().groupNames }

// readNames reads what groupNames selects: a JSON array of objects.
func readNames(text string, names map[string]*groupName) error {
	if text == "" {
		return nil
	}
	var groups []struct {
		ID, ScimID, Name, Folded string
		Version                  int64
	}
	if err := json.Unmarshal([]byte(text), &groups); err != nil {
		return fmt.Errorf("reading the names of a person's groups: %w", err)
	}
	for _, g := range groups {
		names[g.ID] = &groupName{Reference{ID: g.ScimID, Display: g.Name, IsGroup: true}, g.Folded, g.Version}
	}
	return nil
}
