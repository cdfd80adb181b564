package scim

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/patch"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// Sizes of a page.
const (
	defaultCount = 100
	maxCount     = 1000
)

// parameters are what a client may ask of a search or of an answer, from the
// query of the URL or from a SearchRequest (RFC 7644 section 3.4.3).
type parameters struct {
	attributes, excluded []string
	filter               string
	sortBy, sortOrder    string
	startIndex, count    *int64
	countIs              string // what came as count, if it is no number
	// cursor is nil for paging by index; empty asks for the first page by cursor.
	cursor *string
}

// parametersOf reads the URL's query.
func parametersOf(r *http.Request) (parameters, error) {
	var p parameters
	if r.URL.RawQuery == "" {
		return p, nil
	}
	query, err := parseQuery(r.URL.RawQuery)
	if err != nil {
		return p, schema.Errorf(schema.InvalidValue, "the query is not properly percent-encoded")
	}
	for name, values := range query {
		if err := p.set(name, strings.Join(values, ",")); err != nil {
			return p, err
		}
	}
	return p, p.fault()
}

// parseQuery is [url.ParseQuery] with three differences: a semicolon is an
// ordinary character (RFC 3986 section 3.4), each value shows how its blanks are
// written (see unescape), and an ampersand within a string of a filter is part of
// it, since groups are called R&D and not every client encodes that.
func parseQuery(raw string) (url.Values, error) {
	query := make(url.Values)
	for raw != "" {
		pair, rest, _ := strings.Cut(raw, "&")
		name, value, _ := strings.Cut(pair, "=")
		if strings.EqualFold(name, "filter") && len(pair) > len(name) {
			value, rest = cutFilter(raw[len(name)+1:])
		}
		raw = rest
		if pair == "" {
			continue
		}
		name, err := url.QueryUnescape(name)
		if err != nil {
			return nil, err
		}
		if value, err = unescape(value); err != nil {
			return nil, err
		}
		query[name] = append(query[name], value)
	}
	return query, nil
}

// cutFilter parts what follows "filter=" in a query at the first ampersand
// that is in no string.
func cutFilter(raw string) (filter, rest string) {
	inString, escaped := false, false
	for i := 0; i < len(raw); i++ {
		at, c := i, raw[i]
		if c == '%' && i+2 < len(raw) {
			if b, err := hex.DecodeString(raw[i+1 : i+3]); err == nil {
				c, i = b[0], i+2
			}
		}
		switch {
		case escaped:
			escaped = false
		case raw[at] == '&' && !inString:
			return raw[:at], raw[at+1:]
		case c == '"':
			inString = !inString
		case c == '\\':
			escaped = inString
		}
	}
	return raw, ""
}

// unescape decodes a value of a query. In a form + is a blank, in a URL (RFC
// 3986) it is itself, and clients write both. The first blank of a filter
// stands behind an attribute's name, in which no + can be: it shows which of
// the two this client means. Addresses with a tag and times with an offset
// depend on it.
func unescape(value string) (string, error) {
	plus, blank := strings.IndexByte(value, '+'), strings.Index(value, "%20")
	if blank >= 0 && blank < plus {
		return url.PathUnescape(value)
	}
	return url.QueryUnescape(value)
}

// fault reports a count that is no number, which has a scimType of its own in
// paging by cursor (RFC 9865 section 2.1).
func (p *parameters) fault() error {
	switch {
	case p.countIs == "":
		return nil
	case p.cursor != nil:
		return schema.Errorf(invalidCount, "count must be a whole number, not %q", truncate(p.countIs))
	}
	return schema.Errorf(schema.InvalidValue, "count must be a whole number, not %q", truncate(p.countIs))
}

// set takes one parameter of a URL; names are in any case, unknown ones are
// passed over.
func (p *parameters) set(name, value string) (err error) {
	switch strings.ToLower(name) {
	case "attributes":
		p.attributes = splitList(value)
	case "excludedattributes":
		p.excluded = splitList(value)
	case "filter":
		p.filter = value
	case "sortby":
		p.sortBy = value
	case "sortorder":
		p.sortOrder = value
	case "startindex":
		p.startIndex, err = integer(name, value)
	case "count":
		if p.count, err = integer(name, value); err != nil {
			p.countIs, err = value, nil
		}
	case "cursor":
		p.cursor = &value
	}
	return err
}

func splitList(value string) []string {
	var items []string
	for item := range strings.SplitSeq(value, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}

// integer reads a whole number, which languages with one kind of number write
// as 1.0 or 1e2; one beyond the bounds is taken as the bound.
func integer(name, value string) (*int64, error) {
	value = strings.TrimSpace(value)
	if value == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(value, 10, 64)
	if err == nil || errors.Is(err, strconv.ErrRange) {
		return &n, nil
	}
	f, err := strconv.ParseFloat(value, 64)
	switch {
	case err != nil || f != math.Trunc(f) || math.IsInf(f, 0):
		return nil, schema.Errorf(schema.InvalidValue, "%s must be a whole number", name)
	case f >= 1<<63:
		n = math.MaxInt64
	case f < -1<<63:
		n = math.MinInt64
	default:
		n = int64(f)
	}
	return &n, nil
}

// searchRequest reads a SearchRequest: a URL's parameters as a JSON object.
func searchRequest(body map[string]any) (parameters, error) {
	var p parameters
	for name, value := range body {
		var text string
		switch v := value.(type) {
		case nil:
			continue
		case string:
			text = v
		case json.Number:
			text = v.String()
		case []any:
			texts := make([]string, 0, len(v))
			for _, element := range v {
				one, ok := element.(string)
				if !ok {
					return p, schema.Errorf(schema.InvalidValue, "%s must be a list of strings", name)
				}
				texts = append(texts, one)
			}
			text = strings.Join(texts, ",")
		default:
			return p, schema.Errorf(schema.InvalidValue, "%s has a value of the wrong type", name)
		}
		if err := p.set(name, text); err != nil {
			return p, err
		}
	}
	return p, p.fault()
}

// parameters reads what a search asks for, from where its method has it.
func (x *exchange) parameters() (parameters, error) {
	if x.r.Method != http.MethodPost {
		return parametersOf(x.r)
	}
	body, err := x.decodeObject(maxBody)
	if err != nil {
		return parameters{}, err
	}
	return searchRequest(body)
}

// projection reads which attributes the answer shall show.
func (x *exchange) projection(r *schema.Resource) (schema.Projection, error) {
	p, err := parametersOf(x.r)
	if err != nil {
		return schema.Projection{}, err
	}
	return schema.NewProjection(r, p.attributes, p.excluded)
}

func (x *exchange) decodePatch(limit int64) ([]patch.Operation, error) {
	body, err := x.decodeObject(limit)
	if err != nil {
		return nil, err
	}
	return patch.Parse(body)
}

// start is the 1-based index of the first result; less than 1 means 1
// (RFC 7644 section 3.4.2.4).
func (p parameters) start() int64 {
	if p.startIndex == nil {
		return 1
	}
	return max(1, *p.startIndex)
}

// limit is how many results a page has; less than 0 means 0.
func (p parameters) limit() int {
	if p.count == nil {
		return defaultCount
	}
	return int(min(max(0, *p.count), maxCount))
}

// from is p for the page at a cursor.
func (p parameters) from(cursor string) parameters {
	p.cursor = &cursor
	return p
}

// query translates the parameters for a kind of resource.
func (p parameters) query(r *schema.Resource) (bridge.Query, error) {
	q := bridge.Query{Offset: p.start() - 1, Limit: p.limit()}
	if p.cursor != nil {
		q.Offset, q.Cursor = 0, *p.cursor
	}
	if strings.TrimSpace(p.filter) != "" {
		e, err := filter.Parse(p.filter)
		if err != nil {
			return q, err
		}
		predicate, err := filter.Compile(e, r)
		if err != nil {
			return q, err
		}
		q.Filter = &predicate
	}
	if p.sortBy != "" {
		path, err := schema.ParsePath(p.sortBy)
		if err != nil {
			return q, schema.Errorf(schema.InvalidValue, "sortBy: %s", err)
		}
		q.SortBy = sortKeys(r.Resolve(path))
	}
	switch strings.ToLower(p.sortOrder) {
	case "", "ascending", "asc":
	case "descending", "desc":
		q.Descending = true
	default:
		return q, schema.Errorf(schema.InvalidValue, "sortOrder must be ascending or descending")
	}
	return q, nil
}

// sortKeys leads to what is compared: of a complex attribute its value
// (RFC 7644 section 3.4.2.3).
func sortKeys(t schema.Target) []string {
	keys := t.Keys()
	if t.Sub == "" && t.Attribute.Sub("value") != nil {
		keys = append(keys, "value")
	}
	return keys
}
