package scim

import (
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// filterText writes a predicate as a filter of RFC 7644 section 3.4.2.2.
func filterText(p bridge.Predicate) string { return writeFilter(p, literal) }

// shapeOf is a predicate without its values: what a far side can do with one
// value it can with another, unless that has syntax in it.
func shapeOf(p bridge.Predicate) string {
	return writeFilter(p, func(value any) string {
		s, _ := value.(string)
		return "?" + syntaxIn(s)
	})
}

// syntaxIn returns what of a text could be taken for a part of the filter around it. Servers that cut a filter up
// without regard to its quotes find nothing by such a text, and say so with 200: scimgateway does for brackets and
// for " and ".
func syntaxIn(text string) string {
	var found string
	text = inputtext.Fold(text)
	for _, part := range []string{"(", ")", "[", "]", `"`, `\`, " and ", " or ", " not "} {
		if strings.Contains(text, part) {
			found += part
		}
	}
	return found
}

func writeFilter(p bridge.Predicate, value func(any) string) string {
	switch p.Op {
	case "and", "or":
		terms := make([]string, len(p.Terms))
		for i, term := range p.Terms {
			terms[i] = writeFilter(term, value)
			if term.Op == "and" || term.Op == "or" {
				terms[i] = "(" + terms[i] + ")"
			}
		}
		return strings.Join(terms, " "+p.Op+" ")
	case "not":
		return "not (" + writeFilter(p.Terms[0], value) + ")"
	case "any":
		term := p.Terms[0]
		if len(term.Terms) == 0 && len(term.Path) == 1 && term.Op != "ne" {
			// emails.value eq "x" is understood by more servers than emails[value eq "x"]. With ne it would be another
			// filter, which also finds resources without emails.
			term.Path = append(slices.Clone(p.Path), term.Path...)
			return writeFilter(term, value)
		}
		return attributePath(p.Path) + "[" + writeFilter(term, value) + "]"
	case "pr":
		return attributePath(p.Path) + " pr"
	}
	return attributePath(p.Path) + " " + p.Op + " " + value(p.Value)
}

// attributePath writes keys in attribute notation (RFC 7644 section 3.10). No
// keys are an element of a multi-valued attribute itself.
func attributePath(keys []string) string {
	if len(keys) == 0 {
		return "value"
	}
	path := keys[0]
	for i, key := range keys[1:] {
		if strings.Contains(keys[i], ":") {
			path += ":" + key
			continue
		}
		path += "." + key
	}
	return path
}

// literal writes a value as JSON does, and nothing in it as an HTML page would.
func literal(value any) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return "null" // the values of a predicate can be encoded
	}
	return longEscapes.Replace(strings.TrimSuffix(b.String(), "\n"))
}

// longEscapes writes control characters in the one way that no server takes for a backslash and a letter, as in
// DOMAIN\name.
var longEscapes = strings.NewReplacer(`\\`, `\\`, `\b`, `\u0008`, `\f`, `\u000c`, `\n`, `\u000a`, `\r`, `\u000d`,
	`\t`, `\u0009`)

// trimFilter takes the blanks away from what is compared with attributes that
// are kept without; those that may lie inside the attribute count.
func (c *collection) trimFilter(p bridge.Predicate, list string) bridge.Predicate {
	at := strings.Join(p.Path, ".")
	if list != "" {
		at = list + "." + at
	}
	blankless := at == c.unique || c.schema == schema.User && (at == "emails.value" || at == "groups.display")
	if s, ok := p.Value.(string); ok && blankless {
		switch p.Op {
		case "co":
		case "sw":
			p.Value = inputtext.TrimBlanksLeft(s)
		case "ew":
			p.Value = inputtext.TrimBlanksRight(s)
		default:
			p.Value = inputtext.TrimBlanks(s)
		}
	}
	if p.Op == "any" {
		list = at
	}
	terms := slices.Clone(p.Terms)
	for i := range terms {
		terms[i] = c.trimFilter(terms[i], list)
	}
	p.Terms = terms
	return p
}

// A key is one value of an attribute that the index knows.
type key struct{ attribute, value string }

// keysOf are a resource's keys.
func (c *collection) keysOf(attributes map[string]any) []key {
	var keys []key
	for _, name := range []string{c.unique, "externalId"} {
		if s, ok := attributes[name].(string); ok && s != "" {
			keys = append(keys, newKey(name, s))
		}
	}
	emails, _ := attributes["emails"].([]any)
	for _, element := range emails {
		email, _ := element.(map[string]any)
		if s, ok := email["value"].(string); ok && s != "" && c.schema == schema.User {
			keys = append(keys, newKey("emails", s))
		}
	}
	return keys
}

func newKey(attribute, value string) key {
	return key{attribute, inputtext.Fold(inputtext.TrimBlanks(value))}
}

// keyIn returns a key that each resource has which fulfils the predicate, if it tells one.
func (c *collection) keyIn(p bridge.Predicate) (key, bool) {
	switch p.Op {
	case "eq":
		s, ok := p.Value.(string)
		if ok && s != "" && len(p.Path) == 1 && (p.Path[0] == c.unique || p.Path[0] == "externalId") {
			return newKey(p.Path[0], s), true
		}
	case "any":
		if c.schema == schema.User && slices.Equal(p.Path, []string{"emails"}) {
			if s, ok := equalText(p.Terms[0], "value"); ok {
				return newKey("emails", s), true
			}
		}
	case "and":
		for _, term := range p.Terms {
			if k, ok := c.keyIn(term); ok {
				return k, true
			}
		}
	}
	return key{}, false
}

// equalText returns the text with which a predicate compares an attribute, if it cannot hold otherwise.
func equalText(p bridge.Predicate, attribute string) (string, bool) {
	switch p.Op {
	case "eq":
		s, ok := p.Value.(string)
		return s, ok && s != "" && slices.Equal(p.Path, []string{attribute})
	case "and":
		for _, term := range p.Terms {
			if s, ok := equalText(term, attribute); ok {
				return s, true
			}
		}
	}
	return "", false
}

// mentions reports whether a predicate is about an attribute.
func mentions(p bridge.Predicate, attribute string) bool {
	return len(p.Path) > 0 && p.Path[0] == attribute ||
		slices.ContainsFunc(p.Terms, func(term bridge.Predicate) bool { return mentions(term, attribute) })
}

// filters is which filters the far side takes.
type filters struct {
	mu     sync.Mutex
	shapes map[string]trust
}

// trust is how far a shape of filters is trusted.
type trust int

const (
	untried trust = iota
	// refused: the far side says no, or ignores the filter.
	refused
	// blind: it does not find what is there.
	blind
	// proved: it has found what is there, in another case too where case does not count.
	proved
)

// maxShapes bounds the memory of them.
const maxShapes = 200

func newFilters() *filters { return &filters{shapes: make(map[string]trust)} }

func (f *filters) trust(shape string) trust {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.shapes[shape]
}

func (f *filters) set(shape string, t trust) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.shapes[shape]; known || len(f.shapes) < maxShapes {
		f.shapes[shape] = t
	}
}

// forget lets all be tried again.
func (f *filters) forget() {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.shapes)
}

// support sums it up.
func (f *filters) support() Support {
	f.mu.Lock()
	defer f.mu.Unlock()
	yes, no := 0, 0
	for _, t := range f.shapes {
		switch t {
		case proved:
			yes++
		case refused, blind:
			no++
		case untried:
		}
	}
	switch {
	case yes+no == 0:
		return Unknown
	case no == 0:
		return Yes
	case yes == 0:
		return No
	}
	return Partly
}
