package store

import (
	"context"
	"strings"
)

// A Search asks for one page of people or groups.
type Search struct {
	Filter     *Predicate // nil for all
	SortBy     []string   // nil sorts by creation
	Descending bool
	Offset     int64
	After      *Place // with SortBy nil: the page behind this place
	Limit      int    // 0 counts only
}

// peopleScope is where a filter on people finds its attributes.
var peopleScope = scope{
	columns: map[string]column{
		"id":                {exact: "p.id", folded: "p.id"}, // ids have no upper case
		"userName":          {exact: "p.user_name", folded: "p.user_name_folded"},
		"externalId":        {exact: "p.external_id"},
		"displayName":       {exact: "p.display_name", folded: "p.display_name_folded"},
		"meta.created":      {exact: "p.created_at", isTime: true},
		"meta.lastModified": {exact: "p.modified_at", isTime: true},
		"meta.resourceType": {exact: "'User'", folded: "'user'"},
	},
	relations: map[string][]relation{
		"groups": {{
			in: "p.member_id IN (SELECT s.member_id FROM memberships s JOIN groups g ON g.id = s.group_id WHERE g.scim_id IS NOT NULL",
			where: scope{columns: map[string]column{
				"value":   {exact: "g.scim_id", folded: "g.scim_id"},
				"display": {exact: "g.name", folded: "g.name_folded"},
				"type":    {exact: "'Group'", folded: "'group'"},
			}},
		}},
	},
	hints: map[string]relation{
		"emails": {
			in: "p.id IN (SELECT e.person_id FROM person_emails e WHERE TRUE",
			where: scope{columns: map[string]column{
				"value": {exact: "e.value", folded: "e.value_folded"},
				"type":  {exact: "e.type", folded: "e.type_folded"},
			}},
		},
	},
	doc: jsonColumn("p.attributes"),
}

// groupsScope is where a filter on groups finds its attributes.
var groupsScope = scope{
	columns: map[string]column{
		"id":                {exact: "g.scim_id", folded: "g.scim_id"},
		"externalId":        {exact: "g.external_id"},
		"displayName":       {exact: "g.name", folded: "g.name_folded"},
		"meta.created":      {exact: "g.created_at", isTime: true},
		"meta.lastModified": {exact: "g.modified_at", isTime: true},
		"meta.resourceType": {exact: "'Group'", folded: "'group'"},
	},
	relations: map[string][]relation{
		"members": {{
			in: "g.id IN (SELECT s.group_id FROM memberships s JOIN people p ON p.member_id = s.member_id WHERE TRUE",
			where: scope{columns: map[string]column{
				"value":   {exact: "p.id", folded: "p.id"},
				"display": {exact: "COALESCE(p.display_name, p.user_name)", folded: "COALESCE(p.display_name_folded, p.user_name_folded)"},
				"type":    {exact: "'User'", folded: "'user'"},
			}},
		}, {
			in: "g.id IN (SELECT n.group_id FROM nestings n JOIN groups h ON h.id = n.child_id WHERE TRUE",
			where: scope{columns: map[string]column{
				"value":   {exact: "h.scim_id", folded: "h.scim_id"},
				"display": {exact: "h.name", folded: "h.name_folded"},
				"type":    {exact: "'Group'", folded: "'group'"},
			}},
		}},
	},
	doc: jsonColumn("g.attributes"),
}

// The statements that count, which a filter's condition follows.
const (
	countPeople = `SELECT count(*) FROM people p WHERE TRUE`
	countGroups = `SELECT count(*) FROM groups g WHERE g.scim_id IS NOT NULL`
)

// SearchPeople returns one page of people, and how many match in all.
func (tx *Tx) SearchPeople(ctx context.Context, s Search) (total int64, people []Person, err error) {
	total, people, err = search(ctx, tx, s, peopleScope, "p.created_at", "p.id", scanPerson,
		countPeople, `SELECT `+personColumns+personTables+`WHERE TRUE`)
	if err == nil {
		err = tx.loadGroups(ctx, people)
	}
	return total, people, err
}

// SearchGroups returns one page of managed groups, and how many match in all.
func (tx *Tx) SearchGroups(ctx context.Context, s Search) (total int64, groups []Group, err error) {
	return search(ctx, tx, s, groupsScope, "g.created_at", "g.id", scanGroup,
		countGroups, `SELECT `+groupColumns+` FROM groups g WHERE g.scim_id IS NOT NULL`)
}

func search[T any](ctx context.Context, tx *Tx, s Search, sc scope, created, id string, scan func(Scanner) (T, error), count, list string) (total int64, page []T, err error) {
	var filter compiler
	if s.Filter != nil {
		filter.add(" AND ")
		if err := filter.compile(*s.Filter, sc, 1); err != nil {
			return 0, nil, err
		}
	}
	if err := tx.QueryRow(ctx, count+filter.text.String(), filter.args...).Scan(&total); err != nil {
		return 0, nil, err
	}
	if s.Limit == 0 || total == 0 {
		return total, nil, nil
	}
	if s.After != nil {
		direction := ">"
		if s.Descending {
			direction = "<"
		}
		filter.add(" AND ("+created+", "+id+") "+direction+" (?, ?)", Micros(s.After.Time), s.After.ID)
	}
	filter.add(" ORDER BY ")
	if err := filter.order(s, sc); err != nil {
		return 0, nil, err
	}
	direction := ""
	if s.Descending {
		direction = " DESC"
	}
	filter.add(created+direction+", "+id+direction+" LIMIT ? OFFSET ?", s.Limit, s.Offset)
	page, err = All(ctx, tx, scan, list+filter.text.String(), filter.args...)
	return total, page, err
}

// order adds what to sort by before the time of creation. Who has no value
// comes last, or first if the order is descending (RFC 7644, section 3.4.2.3).
func (c *compiler) order(s Search, sc scope) error {
	if s.SortBy == nil {
		return nil
	}
	direction := ""
	if s.Descending {
		direction = " DESC"
	}
	if col, there := sc.columns[strings.Join(s.SortBy, ".")]; there {
		key := col.folded
		if key == "" {
			key = col.exact
		}
		c.add(key + " IS NULL" + direction + ", " + key + direction + ", ")
		return nil
	}
	path, err := jsonPath(s.SortBy)
	if err != nil {
		return err
	}
	first, err := jsonPath(s.SortBy[:1])
	if err != nil {
		return err
	}
	element := append([]string{}, s.SortBy[1:]...)
	if len(element) == 0 {
		element = []string{"value"}
	}
	within, err := jsonPath(element)
	if err != nil {
		return err
	}
	// A multi-valued attribute is sorted by its primary element, else by its first.
	doc := string(sc.doc.(jsonColumn))
	key := `(CASE json_type(` + doc + `, ?) WHEN 'array' THEN
		(SELECT fold(json_extract(x.value, ?)) FROM json_each(` + doc + `, ?) x WHERE x.type = 'object'
			ORDER BY COALESCE(json_extract(x.value, '$.primary'), FALSE) DESC, x.key LIMIT 1)
		ELSE fold(json_extract(` + doc + `, ?)) END)`
	args := []any{first, within, first, path}
	c.add(key+" IS NULL"+direction+", ", args...)
	c.add(key+direction+", ", args...)
	return nil
}
