package filter

import (
	"encoding/json"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// An Expression is a filter. Its String is a filter that parses to the same
// Expression.
type Expression interface {
	String() string
	expression()
}

// And holds if all its terms do; there are at least two.
type And []Expression

// Or holds if one of its terms does; there are at least two.
type Or []Expression

// Not holds if its term does not.
type Not struct{ Term Expression }

// Compare compares an attribute with a value.
type Compare struct {
	Path  schema.Path
	Op    string // eq ne co sw ew gt ge lt le pr, in lower case
	Value any    // string, json.Number, bool or nil; nil for pr
}

// Elements holds if one element of a multi-valued attribute fulfils a filter.
type Elements struct {
	Path   schema.Path
	Filter Expression
}

func (And) expression()      {}
func (Or) expression()       {}
func (Not) expression()      {}
func (Compare) expression()  {}
func (Elements) expression() {}

func (e And) String() string {
	texts := make([]string, len(e))
	for i, term := range e {
		texts[i] = term.String()
		if _, ok := term.(Or); ok {
			texts[i] = "(" + texts[i] + ")"
		}
	}
	return strings.Join(texts, " and ")
}

func (e Or) String() string {
	texts := make([]string, len(e))
	for i, term := range e {
		texts[i] = term.String()
	}
	return strings.Join(texts, " or ")
}

func (e Not) String() string { return "not (" + e.Term.String() + ")" }

func (e Compare) String() string {
	if e.Op == "pr" {
		return e.Path.String() + " pr"
	}
	// Only the four kinds of literal get here, and they all marshal.
	literal, _ := json.Marshal(e.Value)
	return e.Path.String() + " " + e.Op + " " + longEscapes.Replace(string(literal))
}

// longEscapes writes control characters in the one way that Parse does not
// take for a backslash and a letter.
var longEscapes = strings.NewReplacer(`\\`, `\\`, `\b`, `\u0008`, `\f`, `\u000c`, `\n`, `\u000a`, `\r`, `\u000d`,
	`\t`, `\u0009`)

func (e Elements) String() string { return e.Path.String() + "[" + e.Filter.String() + "]" }

// A Path is where a PATCH operation applies: an attribute, or those elements
// of it that fulfil Filter, or a sub-attribute of either.
type Path struct {
	Attribute schema.Path
	Filter    Expression // nil for none
	// Sub follows a Filter; without one it is part of Attribute.
	Sub string
}

func (p Path) String() string {
	s := p.Attribute.String()
	if p.Filter != nil {
		s += "[" + p.Filter.String() + "]"
	}
	if p.Sub != "" {
		s += "." + p.Sub
	}
	return s
}
