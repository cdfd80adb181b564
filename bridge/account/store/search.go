package store

import (
	"context"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// A Search asks for one page of people or groups.
type Search struct {
	Filter     *bridge.Predicate // nil for all
	SortBy     []string          // nil sorts by creation
	Descending bool
	Offset     int64
	After      []any // with SortBy nil: the page behind the resource with this Key
	Limit      int   // 0 counts only
}

// Key is the person's place in the order of creation.
func (p Person) Key() []any { return []any{p.Position, p.ID} }

// Key is the group's place in the order of creation.
func (g Group) Key() []any { return []any{Micros(g.CreatedAt), g.ID} }

// personTag is the entity tag of a person, as package account makes it.
const personTag = `('"' || p.version || COALESCE((SELECT '.' || sum(g.name_version) FROM memberships s
	JOIN groups g ON g.id = s.group_id WHERE s.member_id = p.member_id AND g.scim_id IS NOT NULL), '') || '"')`

// peopleScope is where a filter on people finds its attributes.
var peopleScope = scope{
	columns: map[string]column{
		"id":                {exact: "p.id", folded: "p.id"}, // ids have no upper case
		"userName":          {exact: "p.user_name", folded: "p.user_name_folded"},
		"externalId":        {exact: "p.external_id"},
		"displayName":       {exact: "p.display_name", folded: "p.display_name_folded"},
		"meta.created":      {exact: "p.created_at", isTime: true},
		"meta.lastModified": {exact: "p.modified_at", isTime: true},
		"meta.version":      {exact: personTag},
		"meta.resourceType": {exact: "'User'", folded: "'user'"},
	},
	relations: map[string][]relation{
		"groups": {{
			in: "p.member_id IN (SELECT s.member_id FROM memberships s JOIN groups g ON g.id = s.group_id WHERE " +
				"g.scim_id IS NOT NULL",
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
		"meta.version":      {exact: `('"' || g.version || '"')`},
		"meta.resourceType": {exact: "'Group'", folded: "'group'"},
	},
	relations: map[string][]relation{
		"members": {{
			in: "g.id IN (SELECT s.group_id FROM memberships s JOIN people p ON p.member_id = s.member_id WHERE TRUE",
			where: scope{columns: map[string]column{
				"value": {exact: "p.id", folded: "p.id"},
				"display": {
					exact:  "COALESCE(p.display_name, p.user_name)",
					folded: "COALESCE(p.display_name_folded, p.user_name_folded)",
				},
				"type": {exact: "'User'", folded: "'user'"},
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

// A kind is how one kind of resource is searched.
type kind[T any] struct {
	scope scope
	id    string
	key   string // the columns of a Key
	up    string // ORDER BY creation
	down  string
	from  string                // the resources alone; a filter's condition follows
	list  string                // the columns that are read of them
	names func(*dialect) string // what is read beside them of those that a filter finds, or nil
	read  func(ctx context.Context, tx *Tx, query string, args ...any) ([]T, error)
	total func(context.Context, *Tx) (int64, error) // how many there are, without a filter
}

const (
	fromPeople = ` FROM people p WHERE TRUE`
	fromGroups = ` FROM groups g WHERE g.scim_id IS NOT NULL`
)

var peopleKind = kind[Person]{
	scope: peopleScope, id: "p.id", key: "(p.position, p.id)", up: "p.position", down: "p.position DESC",
	from: fromPeople, list: personColumns, names: func(d *dialect) string { return d.groupNames },
	read: func(ctx context.Context, tx *Tx, query string, args ...any) ([]Person, error) {
		return tx.people(ctx, 1, query, args...)
	},
	total: func(ctx context.Context, tx *Tx) (int64, error) { return tx.countPeople(ctx) },
}

var groupsKind = kind[Group]{
	scope: groupsScope, id: "g.id", key: "(g.created_at, g.id)", up: "g.created_at, g.id",
	down: "g.created_at DESC, g.id DESC",
	from: fromGroups, list: groupColumns,
	read: func(ctx context.Context, tx *Tx, query string, args ...any) ([]Group, error) {
		return All(ctx, tx, scanGroup, query, args...)
	},
	total: func(ctx context.Context, tx *Tx) (total int64, err error) {
		return total, tx.QueryRow(ctx, `SELECT count(*)`+fromGroups).Scan(&total)
	},
}

// SearchPeople returns one page of people, and how many match in all.
func (tx *Tx) SearchPeople(ctx context.Context, s Search) (total int64, people []Person, err error) {
	if s.Filter == nil && s.SortBy == nil && s.After == nil && !s.Descending && s.Limit > 0 {
		total, people, err = tx.pageOfPeople(ctx, s.Offset, s.Limit)
	} else {
		total, people, err = search(ctx, tx, s, peopleKind)
	}
	if err == nil {
		err = tx.loadGroups(ctx, people)
	}
	return total, people, err
}

// SearchGroups returns one page of managed groups, and how many match in all.
func (tx *Tx) SearchGroups(ctx context.Context, s Search) (total int64, groups []Group, err error) {
	return search(ctx, tx, s, groupsKind)
}

func search[T any](ctx context.Context, tx *Tx, s Search, k kind[T]) (total int64, page []T, err error) {
	filter := compiler{dialect: tx.store.engine.dialect()}
	if s.Filter != nil {
		filter.add(" AND ")
		if err := filter.compile(*s.Filter, k.scope, 1); err != nil {
			return 0, nil, err
		}
	}
	count := func() (int64, error) {
		if s.Filter == nil {
			return k.total(ctx, tx)
		}
		counts, err := All(ctx, tx, func(row Scanner) (n int64, err error) { return n, row.Scan(&n) },
			`SELECT count(*)`+k.from+filter.text.String(), filter.args...)
		if err != nil {
			return 0, err
		}
		return counts[0], nil
	}
	first := s.Offset == 0 && s.After == nil
	if s.Limit == 0 || !first {
		if total, err = count(); err != nil || s.Limit == 0 || total == 0 {
			return total, nil, err
		}
	}
	list, err := k.page(filter, s)
	if err != nil {
		return 0, nil, err
	}
	page, err = k.read(ctx, tx, list.text.String(), list.args...)
	if err != nil || !first {
		return total, page, err
	}
	if len(page) < s.Limit {
		return int64(len(page)), page, nil // these are all that match
	}
	total, err = count()
	return total, page, err
}

// page makes the statement for one page of what filter matches. Whatever has
// to be passed over or sorted is so by id alone, before the rest is read.
func (k kind[T]) page(filter compiler, s Search) (*compiler, error) {
	order := func(c *compiler) error {
		c.add(" ORDER BY ")
		if err := c.order(s, k.scope); err != nil {
			return err
		}
		if s.Descending {
			c.add(k.down)
		} else {
			c.add(k.up)
		}
		return nil
	}
	c := compiler{dialect: filter.dialect}
	inner := s.Offset > 0 || s.SortBy != nil
	c.add("SELECT " + k.list)
	if k.names != nil && s.Filter != nil { // mostly finds one or none; on a page of all most have the same
		c.add(k.names(c.dialect))
	}
	if c.add(k.from); inner {
		c.add(" AND " + k.id + " IN (SELECT " + k.id + k.from)
	}
	c.add(filter.text.String(), filter.args...)
	if s.After != nil {
		direction := " > "
		if s.Descending {
			direction = " < "
		}
		c.add(" AND "+k.key+direction+"(?, ?)", s.After...)
	}
	if err := order(&c); err != nil {
		return nil, err
	}
	c.add(" LIMIT ? OFFSET ?", s.Limit, s.Offset)
	if !inner {
		return &c, nil
	}
	c.add(")")
	return &c, order(&c)
}

// order adds what to sort by before the time of creation. A row without a value
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
	path, err := c.jsonPath(s.SortBy)
	if err != nil {
		return err
	}
	first, err := c.jsonPath(s.SortBy[:1])
	if err != nil {
		return err
	}
	element := append([]string{}, s.SortBy[1:]...)
	if len(element) == 0 {
		element = []string{"value"}
	}
	within, err := c.jsonPath(element)
	if err != nil {
		return err
	}
	primary, err := c.jsonPath([]string{"primary"})
	if err != nil {
		return err
	}
	// A multi-valued attribute is sorted by its primary element, else by its first.
	doc := string(sc.doc.(jsonColumn))
	key := `(CASE json_type(` + doc + `, ?) WHEN 'array' THEN
		(SELECT fold(json_extract(x.value, ?)) FROM json_each(` + doc + `, ?) x WHERE x.type = 'object'
			ORDER BY COALESCE(json_type(x.value, ?), '') = 'true' DESC, x.key LIMIT 1)
		ELSE fold(json_extract(` + doc + `, ?)) END)` + c.bytes
	args := []any{first, within, first, primary, path}
	c.add(key+" IS NULL"+direction+", ", args...)
	c.add(key+direction+", ", args...)
	return nil
}
