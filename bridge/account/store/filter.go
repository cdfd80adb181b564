package store

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// A FilterError refuses a Predicate or a sort path.
type FilterError struct{ Detail string }

func (e *FilterError) Error() string { return e.Detail }

func filterErrorf(format string, args ...any) error {
	return &FilterError{fmt.Sprintf(format, args...)}
}

// The bounds of a filter. SQLite takes expressions up to a depth of 1000, and
// a condition on an attribute takes some ten levels.
const (
	maxFilterDepth = 50
	maxFilterTerms = 500
)

// A compiler turns predicates into SQL. Whatever comes from outside becomes a
// parameter; the text is made of this file's words alone.
type compiler struct {
	*dialect
	text  strings.Builder
	args  []any
	terms int
	names int // of tables that json_each made
}

func (c *compiler) add(text string, args ...any) {
	c.text.WriteString(text)
	c.args = append(c.args, args...)
}

// A scope is what paths are relative to: a resource, or an element of one of
// its multi-valued attributes.
type scope struct {
	columns   map[string]column     // attributes that have columns, by their dotted path
	relations map[string][]relation // multi-valued attributes that have tables
	// hint is a table that lists some values of a multi-valued attribute, and
	// answers conditions that only a listed value can fulfil.
	hints map[string]relation
	// doc is the JSON document with everything else; nil if there is none.
	doc jsonDoc
}

// A column holds one attribute; NULL means that it is absent.
type column struct {
	exact  string // SQL
	folded string // SQL; empty if it has to be computed
	isTime bool
}

// A relation holds the elements of a multi-valued attribute, one a row.
type relation struct {
	in    string // SQL up to where the condition on the row goes
	where scope
}

// compile adds the condition to the statement. It may turn out NULL, which
// counts as false to WHERE, AND and OR; so only a NOT has to make it false
// before it turns it round. (Doing so everywhere would hide every column from
// its index.)
func (c *compiler) compile(p bridge.Predicate, s scope, depth int) error {
	if c.terms++; c.terms > maxFilterTerms {
		return filterErrorf("the filter has more than %d conditions; ask in several requests", maxFilterTerms)
	}
	if depth > maxFilterDepth {
		return filterErrorf("the filter is nested more than %d levels deep", maxFilterDepth)
	}
	switch p.Op {
	case "and", "or":
		return c.junction(p, s, depth)
	case "not":
		if len(p.Terms) != 1 {
			return filterErrorf("not takes one term, and has %d", len(p.Terms))
		}
		c.add(not)
		err := c.compile(p.Terms[0], s, depth+1)
		c.add(endNot)
		return err
	case "any":
		if len(p.Terms) != 1 {
			return filterErrorf("any takes one term, and has %d", len(p.Terms))
		}
		return c.any(p, s, depth)
	case "eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr":
		return c.comparison(p, s)
	}
	return filterErrorf("there is no operator %q", p.Op)
}

const not, endNot = "NOT COALESCE(", ", FALSE)"

func (c *compiler) junction(p bridge.Predicate, s scope, depth int) error {
	if len(p.Terms) == 0 {
		return filterErrorf("%s takes terms, and has none", p.Op)
	}
	for i, term := range p.Terms {
		if i == 0 {
			c.add("(")
		} else {
			c.add(" " + strings.ToUpper(p.Op) + " ")
		}
		// A chain that a parser made into a tree stays a chain here.
		next := depth + 1
		if term.Op == p.Op {
			next = depth
		}
		if err := c.compile(term, s, next); err != nil {
			return err
		}
	}
	c.add(")")
	return nil
}

// any adds a condition on the elements of a multi-valued attribute.
func (c *compiler) any(p bridge.Predicate, s scope, depth int) error {
	name := strings.Join(p.Path, ".")
	relations := s.relations[name]
	if hint, there := s.hints[name]; there && provesValue(p.Terms[0]) {
		relations = []relation{hint}
	}
	if relations != nil {
		for i, r := range relations {
			if i == 0 {
				c.add("(")
			} else {
				c.add(" OR ")
			}
			c.add(r.in + " AND ")
			if err := c.compile(p.Terms[0], r.where, depth+1); err != nil {
				return err
			}
			c.add(")")
		}
		c.add(")")
		return nil
	}
	if s.doc == nil {
		c.add("FALSE")
		return nil
	}
	path, err := c.jsonPath(p.Path)
	if err != nil {
		return err
	}
	c.names++
	element := jsonElement(fmt.Sprintf("e%d", c.names))
	// What is not an array, because the identity provider sent it so, counts
	// as an array of one.
	c.add(
		"EXISTS (SELECT 1 FROM json_each(CASE COALESCE("+s.doc.typeOf(c.dialect)+", 'null') WHEN 'null' THEN '[]' "+
			"WHEN 'array' THEN ",
		path,
	)
	c.add(s.doc.text(c.dialect), path)
	c.add(" ELSE '[' || "+s.doc.text(c.dialect)+" || ']' END) "+string(element)+" WHERE ", path)
	if err := c.compile(p.Terms[0], scope{doc: element}, depth+1); err != nil {
		return err
	}
	c.add(")")
	return nil
}

// provesValue reports whether p holds only for elements whose value is a
// string, and reads no sub-attributes but those that person_emails has.
func provesValue(p bridge.Predicate) bool {
	switch p.Op {
	case "and":
		return slices.ContainsFunc(p.Terms, provesValue) &&
			!slices.ContainsFunc(p.Terms, func(t bridge.Predicate) bool {
				return len(t.Path) != 1 || t.Path[0] != "value" && t.Path[0] != "type"
			})
	case "eq", "co", "sw", "ew":
		text, isText := p.Value.(string)
		return isText && text != "" && slices.Equal(p.Path, []string{"value"})
	}
	return false
}

// comparison adds a condition on one attribute.
func (c *compiler) comparison(p bridge.Predicate, s scope) error {
	// "Comparing an absent attribute is false, but for ne."
	if p.Op == "ne" {
		p.Op = "eq"
		c.add(not)
		err := c.comparison(p, s)
		c.add(endNot)
		return err
	}
	name := strings.Join(p.Path, ".")
	if relations, there := s.relations[name]; there {
		c.onRelations(p, relations)
		return nil
	}
	if col, there := s.columns[name]; there {
		return c.onColumn(p, col)
	}
	if s.doc == nil {
		c.onAbsent(p)
		return nil
	}
	path, err := c.jsonPath(p.Path)
	if err != nil {
		return err
	}
	return c.onJSON(p, s.doc, path)
}

// onRelations compares a multi-valued attribute as a whole, which can only be
// there or not.
func (c *compiler) onRelations(p bridge.Predicate, relations []relation) {
	switch {
	case p.Op == "pr":
		c.add("(")
	case p.Op == "eq" && p.Value == nil:
		c.add("NOT (")
	default:
		c.add("FALSE")
		return
	}
	for i, r := range relations {
		if i > 0 {
			c.add(" OR ")
		}
		c.add(r.in + ")")
	}
	c.add(")")
}

// onAbsent compares an attribute that no such element has.
func (c *compiler) onAbsent(p bridge.Predicate) {
	if p.Op == "eq" && p.Value == nil {
		c.add("TRUE")
		return
	}
	c.add("FALSE")
}

func (c *compiler) onColumn(p bridge.Predicate, col column) error {
	switch {
	case p.Op == "pr":
		c.add("(" + col.exact + " IS NOT NULL AND " + col.exact + " <> '')")
		return nil
	case p.Value == nil:
		return c.onNull(p, col.exact+" IS NULL")
	case col.isTime:
		return c.onTime(p, col.exact)
	}
	value, isText := p.Value.(string)
	if !isText {
		c.add("FALSE")
		return nil
	}
	folded := col.folded
	if folded == "" {
		folded = "fold(" + col.exact + ")"
	}
	c.add("(")
	if p.CaseExact && p.Op == "eq" && col.folded != "" && col.folded != col.exact {
		c.add(col.folded+" = ? AND ", Fold(value)) // the index is on the folded text
	}
	if p.CaseExact {
		c.onText(p.Op, col.exact, nil, value)
	} else {
		c.onText(p.Op, folded, nil, Fold(value))
	}
	c.add(")")
	return nil
}

// onNull compares with null, which is the same as being absent.
func (c *compiler) onNull(p bridge.Predicate, absent string, args ...any) error {
	if p.Op != "eq" {
		return filterErrorf("%s cannot compare with null; use eq, ne or pr", p.Op)
	}
	c.add("("+absent+")", args...)
	return nil
}

func (c *compiler) onTime(p bridge.Predicate, expr string) error {
	text, _ := p.Value.(string)
	at, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return filterErrorf(
			"%s is compared with a time like 2026-01-31T12:00:00Z, not with %v", strings.Join(p.Path, "."), p.Value,
		)
	}
	op, there := ordering[p.Op]
	if !there {
		return filterErrorf("%s cannot be used on a time", p.Op)
	}
	c.add("("+expr+op+"?)", at.UnixMicro())
	return nil
}

// ordering are the operators that SQL has too.
var ordering = map[string]string{"eq": " = ", "gt": " > ", "ge": " >= ", "lt": " < ", "le": " <= "}

// onText compares the text that expr, with its own parameters, stands for.
func (c *compiler) onText(op, expr string, args []any, value string) {
	if sql, there := ordering[op]; there {
		c.add(expr+sql+"?", append(args, value)...)
		return
	}
	if value == "" {
		c.add(expr+" IS NOT NULL", args...) // every text begins with, ends with and contains nothing
		return
	}
	switch op {
	case "co":
		c.add("instr("+expr+", ?) > 0", append(args, value)...)
	case "ew":
		c.add(fmt.Sprintf(c.endsWith, expr), append(args, value, value)...)
	case "sw":
		// A range, so that an index serves it. U+10FFFF ends it: no text has
		// that noncharacter but to hide from filters.
		c.add("("+expr+" >= ? AND ", append(slices.Clone(args), value)...)
		c.add(expr+" < ?)", append(args, value+"\U0010FFFF")...)
	}
}

// onJSON compares an attribute inside a document. A value of another type
// than the filter's is not equal to it, nor before or after it.
func (c *compiler) onJSON(p bridge.Predicate, doc jsonDoc, path string) error {
	kind, value := doc.typeOf(c.dialect), doc.valueOf(c.dialect)
	args := doc.args(path)
	twice := slices.Concat(args, args)
	if p.Op == "pr" {
		c.add("(COALESCE("+kind+", 'null') <> 'null' AND COALESCE("+value+", '') NOT IN ('', '[]', '{}'))", twice...)
		return nil
	}
	switch v := p.Value.(type) {
	case nil:
		return c.onNull(p, "COALESCE("+kind+", 'null') = 'null'", args...)
	case bool:
		if p.Op != "eq" {
			return filterErrorf("%s cannot compare with a boolean; use eq or ne", p.Op)
		}
		c.add("("+kind+" = ?)", append(args, fmt.Sprint(v))...)
		return nil
	case float64, json.Number:
		number, err := asNumber(v)
		op, there := ordering[p.Op]
		if err != nil || !there {
			return filterErrorf("%s cannot compare with the number %v", p.Op, v)
		}
		c.add("("+kind+" IN ('integer', 'real') AND "+fmt.Sprintf(c.number, value)+op+"?)", append(twice, number)...)
		return nil
	case string:
		c.add("("+kind+" = 'text' AND ", args...)
		if at, err := time.Parse(time.RFC3339, v); err == nil && p.Op != "eq" && ordering[p.Op] != "" {
			c.add("instant("+value+")"+ordering[p.Op]+"?", append(args, at.UnixMicro())...)
		} else if p.CaseExact {
			c.onText(p.Op, value+c.bytes, args, v)
		} else {
			c.onText(p.Op, "fold("+value+")"+c.bytes, args, Fold(v))
		}
		c.add(")")
		return nil
	default:
		return filterErrorf("a filter compares with a string, a number, a boolean or null, not with %T", v)
	}
}

// asNumber keeps integers exact.
func asNumber(v any) (any, error) {
	switch v := v.(type) {
	case float64:
		if v == math.Trunc(v) && math.Abs(v) < 1<<53 {
			return int64(v), nil
		}
		return v, nil
	case json.Number:
		if i, err := v.Int64(); err == nil {
			return i, nil
		}
		return v.Float64()
	}
	return nil, fmt.Errorf("%T is no number", v)
}

// A jsonDoc is a JSON document in SQL. The three expressions take the path
// as their parameters, as args gives them.
type jsonDoc interface {
	typeOf(*dialect) string
	valueOf(*dialect) string
	text(*dialect) string
	args(path string) []any
}

// jsonColumn is a column with a JSON object.
type jsonColumn string

func (d jsonColumn) typeOf(*dialect) string  { return "json_type(" + string(d) + ", ?)" }
func (d jsonColumn) valueOf(*dialect) string { return "json_extract(" + string(d) + ", ?)" }
func (d jsonColumn) text(in *dialect) string { return fmt.Sprintf(in.get, string(d)) }
func (d jsonColumn) args(path string) []any  { return []any{path} }

// jsonElement is a row of json_each. Its value is JSON only if it is an
// object or an array; the path without names means the element itself.
type jsonElement string

func (e jsonElement) typeOf(in *dialect) string {
	return fmt.Sprintf("(CASE WHEN ? = '%[2]s' THEN %[1]s.type WHEN %[1]s.type = 'object' "+
		"THEN json_type(%[1]s.value, ?) END)", string(e), in.path(nil))
}

func (e jsonElement) valueOf(in *dialect) string {
	return fmt.Sprintf("(CASE WHEN ? = '%[2]s' THEN %[1]s.value WHEN %[1]s.type = 'object' "+
		"THEN json_extract(%[1]s.value, ?) END)", string(e), in.path(nil))
}

func (e jsonElement) text(in *dialect) string {
	return fmt.Sprintf("(CASE WHEN %s.type = 'object' THEN %s ELSE 'null' END)", string(e),
		fmt.Sprintf(in.get, string(e)+".value"))
}

func (jsonElement) args(path string) []any { return []any{path, path} }

// jsonPath is an attribute's path as the engine writes it.
func (d *dialect) jsonPath(path []string) (string, error) {
	names := make([]string, len(path))
	for i, name := range path {
		if name == "" || strings.ContainsAny(name, "\"\\\x00") {
			return "", filterErrorf("%q is not an attribute's name", name)
		}
		names[i] = `"` + name + `"`
	}
	return d.path(names), nil
}
