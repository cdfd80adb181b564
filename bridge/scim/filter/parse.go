package filter

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// Bounds on what one request may make the bridge and the account do.
const (
	maxLength      = 32 << 10
	maxDepth       = 32
	maxComparisons = 500
)

// Parse reads a filter. Its error is a *schema.Error that says where the
// filter is wrong.
func Parse(text string) (Expression, error) {
	p := parser{text: text, kind: schema.InvalidFilter, what: "filter"}
	if err := p.start(); err != nil {
		return nil, err
	}
	e, err := p.or(0)
	if err == nil {
		err = p.end()
	}
	if err == nil {
		return e, nil
	}
	if name, ok := bareName(text); ok {
		return name, nil
	}
	return nil, err
}

// ParsePath reads the path of a PATCH operation.
func ParsePath(text string) (Path, error) {
	p := parser{text: text, kind: schema.InvalidPath, what: "path"}
	if err := p.start(); err != nil {
		return Path{}, err
	}
	attribute, err := p.attribute()
	if err != nil {
		return Path{}, err
	}
	path := Path{Attribute: attribute}
	if p.token.text == "[" {
		if path.Filter, err = p.brackets(0); err != nil {
			return Path{}, err
		}
		if path.Sub, err = p.suffix(); err != nil {
			return Path{}, err
		}
	}
	return path, p.end()
}

// A token is a bracket, a quoted string or a word; at the end its text is empty.
type token struct {
	at     int
	text   string
	quoted bool
}

// A parser descends recursively, one token ahead.
type parser struct {
	text        string
	kind        schema.Kind
	what        string
	token       token
	next        int // offset behind token
	comparisons int
}

func (p *parser) start() error {
	if len(p.text) > maxLength {
		return schema.Errorf(p.kind, "the %s is longer than %d bytes", p.what, maxLength)
	}
	if !utf8.ValidString(p.text) || strings.ContainsRune(p.text, 0) {
		return schema.Errorf(p.kind, "the %s is not valid UTF-8 text", p.what)
	}
	return p.advance()
}

// fault is an error that names what was wanted where the parser stands.
func (p *parser) fault(wanted string) error {
	got := fmt.Sprintf("%q", truncate(p.token.text))
	if p.token.text == "" && !p.token.quoted {
		got = "the end"
	}
	return schema.Errorf(p.kind, "%s: character %d: wanted %s, got %s", p.what, p.token.at+1, wanted, got)
}

func truncate(s string) string {
	const most = 40
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}

const delimiters = "()[]\" \t\r\n"

func (p *parser) advance() error {
	for p.next < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.next]) >= 0 {
		p.next++
	}
	p.token = token{at: p.next}
	if p.next == len(p.text) {
		return nil
	}
	rest := p.text[p.next:]
	switch rest[0] {
	case '(', ')', '[', ']':
		p.token.text = rest[:1]
	case '"':
		end := closingQuote(rest)
		if end < 0 {
			hint := ""
			if strings.HasSuffix(rest, `\"`) {
				hint = `; a backslash before a quote belongs to the string, write \\`
			}
			return schema.Errorf(p.kind, "%s: character %d: the string has no closing quote%s", p.what, p.next+1, hint)
		}
		p.token.text, p.token.quoted = rest[:end+1], true
	case '\'':
		if end := closingApostrophe(rest); end > 0 {
			p.token.text, p.token.quoted = rest[:end+1], true
			break
		}
		fallthrough
	default:
		end := strings.IndexAny(rest, delimiters)
		if end < 0 {
			end = len(rest)
		}
		p.token.text = rest[:end]
	}
	p.next += len(p.token.text)
	return nil
}

// closingQuote finds the quote that ends the JSON string at the start of s, or -1.
func closingQuote(s string) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i
		}
	}
	return -1
}

// closingApostrophe finds the quote that ends a string in single quotes at the
// start of s, or -1. RFC 7644 does not know them, but OData does, and they can
// mean nothing else. A quote in the middle of a word is an apostrophe; a
// doubled one is too, as in OData and SQL.
func closingApostrophe(s string) int {
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == '\\':
			i++
		case s[i] != '\'':
		case i+1 == len(s) || strings.IndexByte(" \t\r\n)]", s[i+1]) >= 0:
			return i
		case s[i+1] == '\'':
			i++
		}
	}
	return -1
}

// unquote returns the value of a quoted token. Its escapes are JSON's. A backslash
// that begins none is meant as one, and so is one before b, f, n, r or t
// unless the attribute may have lines: no name has a line break, but
// DOMAIN\name has a backslash in many a directory.
func unquote(token string, lines bool) (string, bool) {
	quote, body := token[0], token[1:len(token)-1]
	escapes := quote != '"'
	for i := range len(body) {
		if body[i] < ' ' {
			return "", false // JSON has escapes for control characters
		}
		escapes = escapes || body[i] == '\\'
	}
	if !escapes {
		return body, true
	}
	var b strings.Builder
	for i := 0; i < len(body); i++ {
		rest := body[i:]
		if rest[0] != '\\' && (rest[0] != quote || len(rest) < 2 || rest[1] != quote) {
			b.WriteByte(rest[0])
			continue
		}
		text, length := unescape(rest, lines)
		b.WriteString(text)
		i += length - 1
	}
	s := b.String()
	return s, !strings.ContainsRune(s, 0)
}

// unescape returns what the escape or doubled quote at the start of s means,
// and its length.
func unescape(s string, lines bool) (string, int) {
	next := s[1] // no string ends in a backslash that is not escaped
	switch next {
	case '"', '\'', '\\', '/': // the second is SQL's
		return s[1:2], 2
	case 'u':
		length := 6
		if len(s) >= 12 && s[6] == '\\' && s[7] == 'u' {
			length = 12 // half of a pair of surrogates, perhaps
		}
		for ; length >= 6; length -= 6 {
			var text string
			if len(s) >= length && json.Unmarshal([]byte(`"`+s[:length]+`"`), &text) == nil {
				return text, length
			}
		}
	case 'b', 'f', 'n', 'r', 't':
		if i := strings.IndexByte("bfnrt", next); lines {
			return "\b\f\n\r\t"[i : i+1], 2
		}
	}
	return s[:1], 1
}

func (p *parser) end() error {
	if p.token.text != "" {
		return p.fault("the end")
	}
	return nil
}

func (p *parser) isWord(word string) bool {
	return !p.token.quoted && strings.EqualFold(p.token.text, word)
}

func (p *parser) or(depth int) (Expression, error) {
	return p.terms("or", depth, p.and, func(terms []Expression) Expression { return Or(terms) })
}

func (p *parser) and(depth int) (Expression, error) {
	return p.terms("and", depth, p.term, func(terms []Expression) Expression { return And(terms) })
}

// terms reads terms joined by a word. A term of the same kind in parentheses
// is spliced in, so that printing and parsing again changes nothing.
func (p *parser) terms(word string, depth int, read func(int) (Expression, error),
	join func([]Expression) Expression) (Expression, error) {
	var terms []Expression
	for {
		term, err := read(depth)
		if err != nil {
			return nil, err
		}
		terms = append(terms, splice(word, term)...)
		if !p.isWord(word) {
			break
		}
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	if len(terms) == 1 {
		return terms[0], nil
	}
	return join(terms), nil
}

func splice(word string, term Expression) []Expression {
	switch t := term.(type) {
	case And:
		if word == "and" {
			return t
		}
	case Or:
		if word == "or" {
			return t
		}
	}
	return []Expression{term}
}

func (p *parser) term(depth int) (Expression, error) {
	if depth >= maxDepth {
		return nil, schema.Errorf(p.kind, "the %s is nested deeper than %d", p.what, maxDepth)
	}
	if p.isWord("not") {
		if err := p.advance(); err != nil {
			return nil, err
		}
		if p.token.text != "(" {
			return nil, p.fault(`"(" after not`)
		}
		inner, err := p.parentheses(depth + 1)
		return Not{Term: inner}, err
	}
	if p.token.text == "(" {
		return p.parentheses(depth + 1)
	}
	return p.comparison(depth)
}

func (p *parser) parentheses(depth int) (Expression, error) { return p.enclosed(")", depth) }

func (p *parser) brackets(depth int) (Expression, error) { return p.enclosed("]", depth) }

func (p *parser) enclosed(closing string, depth int) (Expression, error) {
	if err := p.advance(); err != nil {
		return nil, err
	}
	inner, err := p.or(depth)
	if err != nil {
		return nil, err
	}
	if p.token.text != closing {
		return nil, p.fault(fmt.Sprintf(`"and", "or" or %q`, closing))
	}
	if closing == "]" {
		return inner, nil // the suffix must follow without a space; see suffix
	}
	return inner, p.advance()
}

// attribute reads attribute notation and leaves the parser behind it.
func (p *parser) attribute() (schema.Path, error) {
	if p.token.quoted || p.token.text == "" {
		return schema.Path{}, p.fault("an attribute")
	}
	path, err := schema.ParsePath(p.token.text)
	if err != nil {
		return schema.Path{}, p.fault("an attribute")
	}
	return path, p.advance()
}

// suffix reads what follows a closing bracket, on which the parser stands:
// nothing, or a dot and a sub-attribute.
func (p *parser) suffix() (string, error) {
	attached := p.next < len(p.text) && p.text[p.next] == '.'
	if err := p.advance(); err != nil || !attached {
		return "", err
	}
	path, err := schema.ParsePath(p.token.text[1:])
	if err != nil || path.URI != "" || path.Sub != "" {
		return "", p.fault("a sub-attribute")
	}
	return path.Name, p.advance()
}

func (p *parser) comparison(depth int) (Expression, error) {
	if p.comparisons++; p.comparisons > maxComparisons {
		return nil, schema.Errorf(p.kind, "the %s has more than %d comparisons", p.what, maxComparisons)
	}
	path, err := p.attribute()
	if err != nil {
		return nil, err
	}
	if p.token.text != "[" {
		return p.operation(path)
	}
	inner, err := p.brackets(depth + 1)
	if err != nil {
		return nil, err
	}
	sub, err := p.suffix()
	if err != nil {
		return nil, err
	}
	if sub == "" {
		if !p.isOperator() {
			return Elements{Path: path, Filter: inner}, nil
		}
		sub = "value"
	}
	// Outside the grammar, but Entra ID's documented matching filters, with and
	// without the sub-attribute.
	compare, err := p.operation(schema.Path{Name: sub})
	if err != nil {
		return nil, err
	}
	return Elements{Path: path, Filter: append(And(splice("and", inner)), compare)}, nil
}

var operators = []string{"eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "pr"}

func (p *parser) isOperator() bool {
	return !p.token.quoted && slices.Contains(operators, strings.ToLower(p.token.text))
}

func (p *parser) operation(path schema.Path) (Expression, error) {
	if !p.isOperator() {
		return nil, p.fault("an operator (" + strings.Join(operators, ", ") + ")")
	}
	op := strings.ToLower(p.token.text)
	if err := p.advance(); err != nil {
		return nil, err
	}
	if op == "pr" {
		return Compare{Path: path, Op: op}, nil
	}
	value, err := p.literal(hasLines(path))
	if err != nil {
		return nil, err
	}
	return Compare{Path: path, Op: op, Value: value}, nil
}

const anyLiteral = `a string in double quotes, a number, true, false or null`

// hasLines reports whether an attribute's text may have line breaks: a postal
// address, of all attributes that RFC 7643 has.
func hasLines(path schema.Path) bool {
	name := path.Name
	if path.Sub != "" {
		name = path.Sub
	}
	return strings.EqualFold(name, "formatted") || strings.EqualFold(name, "streetAddress")
}

// otherQuote reports whether a text begins with another kind of quote. Taken for
// a word it would find nothing.
func otherQuote(text string) bool {
	first, _ := utf8.DecodeRuneInString(text)
	return strings.ContainsRune("'`“”„‘’‚«»{\\", first)
}

// literal reads a value and leaves the parser behind it.
func (p *parser) literal(lines bool) (any, error) {
	if p.token.quoted {
		s, ok := unquote(p.token.text, lines)
		if !ok {
			return nil, p.fault(anyLiteral)
		}
		return s, p.advance()
	}
	if !p.isBareWord() || otherQuote(p.token.text) {
		return nil, p.fault(anyLiteral)
	}
	start, end := p.token.at, p.next
	for p.isBareWord() {
		end = p.next
		if err := p.advance(); err != nil {
			return nil, err
		}
	}
	return parseBare(p.text[start:end]), nil
}

// isBareWord reports whether the parser stands on a word that does not continue
// the filter. Words are taken for strings, although RFC 7644 wants quotes around
// them: WSO2 Identity Server asks for userName Eq bjensen, and so do examples
// in RFC 9865.
func (p *parser) isBareWord() bool {
	return !p.token.quoted && p.token.text != "" && !strings.ContainsAny(p.token.text, "()[]") && !p.isWord("and") &&
		!p.isWord("or")
}

// parseBare returns what words without quotes mean.
func parseBare(words string) any {
	switch strings.ToLower(words) {
	case "true":
		return true
	case "false":
		return false
	case "null":
		return nil
	}
	if json.Valid([]byte(words)) { // no quotes and no brackets: a number
		return json.Number(words)
	}
	return words
}

// bareName reads a filter that is nothing but attribute eq words, where the
// words are a name with "and" or "or" in it. Clients that leave the quotes out
// do so for groups called Research and Development too.
func bareName(text string) (Expression, bool) {
	p := parser{text: text, kind: schema.InvalidFilter, what: "filter"}
	if p.start() != nil || p.isWord("not") {
		return nil, false
	}
	path, err := p.attribute()
	if err != nil || !p.isWord("eq") || p.advance() != nil || !p.isBareWord() {
		return nil, false
	}
	name := strings.TrimSpace(text[p.token.at:])
	words := strings.Fields(name)
	last := parser{token: token{text: words[len(words)-1]}}
	operator := func(word string) bool { return slices.Contains(operators, strings.ToLower(word)) }
	if strings.ContainsAny(name, `"()[]'{`) || otherQuote(name) || !last.isBareWord() ||
		slices.ContainsFunc(words, operator) {
		return nil, false
	}
	return Compare{Path: path, Op: "eq", Value: name}, true
}
