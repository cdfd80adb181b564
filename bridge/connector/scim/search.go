package scim

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/filter"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// The bounds of a search: of its page, and of the resources kept to sort them here.
const (
	maxLimit  = 1000
	maxSorted = 20_000
)

// A result is a part of what a search finds.
type result struct {
	total int64
	items []document
}

// search answers a query; a cursor is an offset.
func (c *collection) search(ctx context.Context, q bridge.Query) (r result, next string, err error) {
	if q.Cursor != "" {
		offset, err := strconv.ParseInt(q.Cursor, 10, 64)
		if err != nil || offset < 0 {
			return r, "", &bridge.Error{Code: bridge.InvalidCursor,
				Detail: "the cursor is not one of this server's; begin again without it"}
		}
		q.Offset = offset
	}
	q.Limit, q.Offset = min(max(q.Limit, 0), maxLimit), max(q.Offset, 0)
	c.ready(ctx)
	if q.Filter == nil {
		r, err = c.searchAll(ctx, q)
	} else {
		p := c.trimFilter(*q.Filter, "")
		q.Filter = &p
		r, err = c.searchFor(ctx, q)
	}
	if err == nil && q.WithMembers {
		r.items, err = c.withReferences(ctx, r.items)
	}
	if end := q.Offset + int64(len(r.items)); err == nil && len(r.items) > 0 && end < r.total {
		next = strconv.FormatInt(end, 10)
	}
	return r, next, err
}

// searchAll answers a query without a filter.
func (c *collection) searchAll(ctx context.Context, q bridge.Query) (result, error) {
	if c.can(canCount) == Unknown || c.can(canPage) == Unknown {
		c.probeCounts(ctx) // there may be enough of them by now
	}
	if c.isSortedHere(q) || c.can(canCount) == No || c.can(canPage) == No {
		return c.searchHere(ctx, q)
	}
	r, err := c.ask(ctx, q, c.excluding(q.WithMembers))
	return cut(r, q), err
}

// isSortedHere reports whether the far side cannot sort as it is asked to.
func (c *collection) isSortedHere(q bridge.Query) bool {
	return q.SortBy != nil && c.can(canSort) != Yes
}

// ask lets the far side answer. It reads on while pages are smaller than what was asked for.
func (c *collection) ask(ctx context.Context, q bridge.Query, query url.Values) (result, error) {
	if query == nil {
		query = url.Values{}
	}
	if q.Filter != nil {
		query.Set("filter", filterText(*q.Filter))
	}
	if q.SortBy != nil {
		query.Set("sortBy", attributePath(q.SortBy))
		query.Set("sortOrder", map[bool]string{true: "descending", false: "ascending"}[q.Descending])
	}
	var r result
	seen := make(map[string]bool)
	for {
		// One is asked for also by a query that only counts: what it is shows whether the filter counts.
		at, count := q.Offset+int64(len(r.items)), max(q.Limit-len(r.items), 1)
		l, err := c.page(ctx, window{start: at + 1, count: count, query: query})
		if err != nil {
			return r, err
		}
		r.total = max(l.total, int64(len(r.items)))
		if len(l.resources) == 0 && at > 0 && len(r.items) > 0 {
			r.total = at // there are fewer than it says
		}
		before := len(r.items)
		for _, object := range l.resources {
			doc, err := c.document(object, "")
			if err == nil && doc.id != "" && !seen[doc.id] {
				seen[doc.id] = true
				r.items = append(r.items, doc)
			}
		}
		if len(r.items) == before || len(r.items) >= q.Limit || q.Offset+int64(len(r.items)) >= r.total {
			break
		}
	}
	return r, nil
}

// searchFor answers a query with a filter.
func (c *collection) searchFor(ctx context.Context, q bridge.Query) (result, error) {
	if id, ok := idIn(*q.Filter); ok {
		return c.searchID(ctx, id, q)
	}
	shape := shapeOf(*q.Filter)
	trusted := c.filters.trust(shape)
	if trusted != refused && trusted != blind && !c.isSortedHere(q) && c.can(canPage) != No {
		r, err := c.ask(ctx, q, c.excluding(q.WithMembers || mentions(*q.Filter, c.list)))
		switch {
		case isFilterRefused(err):
			c.trustFilter(shape, refused)
		case err != nil:
			return r, err
		case slices.ContainsFunc(r.items, func(doc document) bool { return !filter.Match(*q.Filter, c.matched(doc)) }):
			c.trustFilter(shape, refused) // it takes the filter and does not mind it
		case len(r.items) > 0:
			if trusted == untried {
				c.prove(ctx, shape, *q.Filter, r.items[0].id)
			}
			return cut(r, q), nil
		case r.total > 0 && q.Offset > 0: // beyond the end
			return r, nil
		case trusted == proved || c.proveBySample(ctx, shape, *q.Filter):
			// A search index of the far side may not have yet what was just written.
			if hint, err := c.searchIndex(ctx, q, false); err != nil || hint.total > 0 {
				return hint, err
			}
			return r, nil
		}
	}
	if _, ok := c.keyIn(*q.Filter); ok && !c.index.isTooSmall() {
		return c.searchIndex(ctx, q, true)
	}
	return c.searchHere(ctx, q)
}

// cut leaves nothing of a query that only counts.
func cut(r result, q bridge.Query) result {
	r.items = r.items[:min(len(r.items), q.Limit)]
	return r
}

// isFilterRefused reports whether the far side does not take the filter.
func isFilterRefused(err error) bool {
	return isRefused(err, http.StatusBadRequest, http.StatusUnprocessableEntity, http.StatusNotImplemented,
		http.StatusMethodNotAllowed, http.StatusRequestEntityTooLarge, http.StatusRequestURITooLong)
}

// idIn returns the only id that a resource which fulfils the predicate can have, if it tells.
func idIn(p bridge.Predicate) (string, bool) {
	switch p.Op {
	case "eq":
		id, ok := p.Value.(string)
		return id, ok && slices.Equal(p.Path, []string{"id"})
	case "and":
		for _, term := range p.Terms {
			if id, ok := idIn(term); ok {
				return id, true
			}
		}
	}
	return "", false
}

// searchID answers a query for one id by reading the resource.
func (c *collection) searchID(ctx context.Context, id string, q bridge.Query) (result, error) {
	doc, err := c.get(ctx, id, q.WithMembers || mentions(*q.Filter, c.list))
	switch {
	case isMissing(err):
		return result{}, nil
	case err != nil:
		return result{}, err
	case !filter.Match(*q.Filter, c.matched(doc)):
		return result{}, nil
	}
	return pick([]document{doc}, q), nil
}

// pick is the part of what was found that is asked for.
func pick(found []document, q bridge.Query) result {
	total := int64(len(found))
	from := min(q.Offset, total)
	return result{total: total, items: found[from:min(from+int64(q.Limit), total)]}
}

// prove asks for a resource that is there, of which p is true, to see whether filters of this shape
// find what is there. Only then an empty answer to one counts. Texts that are compared
// without regard to case are asked for in another one.
func (c *collection) prove(ctx context.Context, shape string, p bridge.Predicate, id string) {
	l, err := c.page(ctx, window{start: 1, count: 1, query: url.Values{"filter": {filterText(otherCase(p))}}})
	switch {
	case isFilterRefused(err):
		c.trustFilter(shape, refused)
	case err != nil: // next time
	case slices.ContainsFunc(l.resources, func(object map[string]any) bool {
		doc, err := c.document(object, "")
		return err == nil && filter.Match(p, c.matched(doc))
	}):
		c.trustFilter(shape, proved)
	default:
		// Whoever was deleted or changed meanwhile is rightly not found.
		if doc, err := c.get(ctx, id, mentions(p, c.list)); err == nil && filter.Match(p, c.matched(doc)) {
			c.trustFilter(shape, blind)
		}
	}
}

// trustFilter notes how far a shape of filters is trusted.
func (c *collection) trustFilter(shape string, t trust) {
	c.filters.set(shape, t)
	if t != proved {
		c.cfg.Log.Debug("the far side does not answer a filter as it should", "resource", c.schema.Name,
			"filter", shape, "takes", t == blind)
	}
}

// proveBySample proves a shape by a resource that is there: a filter that finds nobody proves nothing by itself. It
// reports whether that was so.
func (c *collection) proveBySample(ctx context.Context, shape string, p bridge.Predicate) bool {
	k, ok := c.keyIn(p)
	if !ok {
		return false
	}
	there, value := c.sampleOf(ctx, k)
	if there == nil {
		return false
	}
	p = withValue(p, k.value, value)
	doc, err := c.get(ctx, there.id, false) // it may be gone
	if err != nil || !filter.Match(p, c.matched(doc)) {
		c.sample.CompareAndSwap(there, nil)
		return false
	}
	c.prove(ctx, shape, p, there.id)
	trusted := c.filters.trust(shape)
	if trusted == untried { // it is gone by now
		c.sample.CompareAndSwap(there, nil)
	}
	return trusted == proved
}

// sampleOf returns a resource that was there lately, and its value of a key's attribute, which proves what the key's
// would; nil if none has one.
func (c *collection) sampleOf(ctx context.Context, like key) (*document, string) {
	syntax := syntaxIn(like.value)
	of := func(doc *document) string {
		for _, k := range c.keysOf(doc.attributes) {
			if k.attribute == like.attribute && syntaxIn(k.value) == syntax {
				return k.value
			}
		}
		return ""
	}
	if there := c.sample.Load(); there != nil && of(there) != "" {
		return there, of(there)
	}
	if syntax != "" {
		return nil, "" // there is hardly one
	}
	const some = 20
	l, err := c.page(ctx, window{start: 1, count: some, query: c.excluding(false)})
	if err != nil {
		return nil, ""
	}
	for _, object := range l.resources {
		doc, err := c.document(object, "")
		if err == nil && doc.id != "" && of(&doc) != "" {
			c.sample.Store(&doc)
			return &doc, of(&doc)
		}
	}
	return nil, ""
}

// withValue replaces the value of a key in a predicate.
func withValue(p bridge.Predicate, old, value string) bridge.Predicate {
	if s, ok := p.Value.(string); ok && newKey("", s).value == old {
		p.Value = value
	}
	terms := slices.Clone(p.Terms)
	for i := range terms {
		terms[i] = withValue(terms[i], old, value)
	}
	p.Terms = terms
	return p
}

// remember keeps a resource that is there, of those lately seen one with many names.
func (c *collection) remember(doc document) {
	keys := c.keysOf(doc.attributes)
	c.index.put(doc.id, keys)
	if before := c.sample.Load(); before == nil || len(keys) >= len(c.keysOf(before.attributes)) {
		c.sample.Store(&doc)
	}
}

// otherCase changes the case of the texts in a predicate, where it does not count.
func otherCase(p bridge.Predicate) bridge.Predicate {
	if s, ok := p.Value.(string); ok && !p.CaseExact {
		if upper := strings.ToUpper(s); upper != s && inputtext.Fold(upper) == inputtext.Fold(s) {
			p.Value = upper
		} else if lower := strings.ToLower(s); inputtext.Fold(lower) == inputtext.Fold(s) {
			p.Value = lower
		}
	}
	terms := slices.Clone(p.Terms)
	for i := range terms {
		terms[i] = otherCase(terms[i])
	}
	p.Terms = terms
	return p
}

// searchIndex answers a query by the ids that the index has for its key. With
// complete, nobody is said not to be there before the index has everybody.
func (c *collection) searchIndex(ctx context.Context, q bridge.Query, complete bool) (result, error) {
	k, ok := c.keyIn(*q.Filter)
	if !ok {
		return result{}, nil
	}
	asked := c.cfg.Now()
	found, err := c.indexed(ctx, k, q)
	if err != nil || len(found) > 0 || !complete {
		return pick(found, q), err
	}
	if err := c.refresh(ctx, asked); err != nil {
		return result{}, err
	}
	found, err = c.indexed(ctx, k, q)
	return pick(found, q), err
}

// indexed reads what the index has for a key, and puts right what it no longer has.
func (c *collection) indexed(ctx context.Context, k key, q bridge.Query) ([]document, error) {
	var found []document
	for _, id := range c.index.get(k) {
		doc, err := c.get(ctx, id, q.WithMembers || mentions(*q.Filter, c.list))
		switch {
		case isMissing(err): // get has taken it out
		case err != nil:
			return nil, err
		case filter.Match(*q.Filter, c.matched(doc)):
			found = append(found, doc)
		}
	}
	if q.SortBy != nil {
		sortDocuments(found, q)
	}
	return found, nil
}

// Bounds of reading a whole list for the index.
const (
	longestReading = 5 * time.Minute
	// uncounted is how old the index may be that says somebody is not there, if the far side cannot say how many
	// there are.
	uncounted = 3 * time.Second
)

// refresh makes sure that the index has everybody who was there at a time. One
// that is not too old has, as long as the number of resources is what it should be.
func (c *collection) refresh(ctx context.Context, asked time.Time) error {
	began, total := c.index.since()
	age := asked.Sub(began)
	switch {
	case began.IsZero() || age > c.cfg.IndexAge:
	case !began.Before(asked):
		return nil
	case c.can(canCount) == Yes:
		l, err := c.page(ctx, window{start: 1, count: 1, query: c.excluding(false)})
		if err != nil || c.index.counts(l.total, total) {
			return err
		}
	case age <= uncounted && total > int64(c.pageSize): // a list of one page costs no more than to count it
		return nil
	}
	return c.readIndex(ctx, asked)
}

// readIndex reads the whole list, unless that was begun after asked. It goes on
// when ctx ends, for those that come next.
func (c *collection) readIndex(ctx context.Context, asked time.Time) error {
	select {
	case c.index.scanning <- struct{}{}:
	case <-ctx.Done():
		return c.stillReading()
	}
	if began, _ := c.index.since(); !began.Before(asked) {
		<-c.index.scanning
		return nil
	}
	done := make(chan error, 1)
	c.reading.Go(func() {
		defer func() { <-c.index.scanning }()
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), longestReading)
		defer cancel()
		ended := make(chan struct{})
		defer close(ended)
		go func() {
			select {
			case <-c.closed:
				cancel()
			case <-ended:
			}
		}()
		done <- c.fillIndex(ctx)
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return c.stillReading()
	}
}

// stillReading is the error for a request that ends before the list is read.
func (c *collection) stillReading() error {
	if wait := c.limits.remaining(); wait > 0 { // so long nothing is read
		return &FaultError{Cause: RateLimited, RetryAfter: wait,
			Detail: "the directory behind the bridge takes no more requests for now"}
	}
	return &FaultError{Cause: Unreachable,
		Detail: "the list of the directory behind the bridge is still being read; it has no filter for this"}
}

var errTooMany = errors.New("the index is full")

func (c *collection) fillIndex(ctx context.Context) error {
	began := c.cfg.Now()
	var read entries
	c.index.begin()
	err := c.all(ctx, c.excluding(false), func() { read = newEntries() }, func(doc document) error {
		if len(read.byID) >= c.index.most {
			return errTooMany
		}
		read.set(doc.id, c.index.hashes(c.keysOf(doc.attributes)))
		if c.sample.Load() == nil {
			c.sample.Store(&doc)
		}
		return nil
	})
	total := int64(len(read.byID))
	c.index.finish(read, began, total, err != nil, errors.Is(err, errTooMany))
	if errors.Is(err, errTooMany) {
		c.cfg.Log.Warn("the far side has more resources than the index; searches read the whole list",
			"resource", c.schema.Name, "most", c.index.most)
		return missing("the directory behind the bridge has too many %s to be searched without filters",
			c.schema.Endpoint[1:])
	}
	return err
}

// searchHere reads the whole list and answers from it.
func (c *collection) searchHere(ctx context.Context, q bridge.Query) (result, error) {
	needs := q.WithMembers || q.Filter != nil && mentions(*q.Filter, c.list) ||
		len(q.SortBy) > 0 && q.SortBy[0] == c.list
	var r result
	end := q.Offset + int64(q.Limit)
	if q.SortBy != nil && end > maxSorted {
		return r, missing("the directory behind the bridge does not sort, and only the first %d are sorted here",
			maxSorted)
	}
	err := c.all(ctx, c.excluding(needs), func() { r = result{} }, func(doc document) error {
		if q.Filter != nil && !filter.Match(*q.Filter, c.matched(doc)) {
			return nil
		}
		r.total++
		switch {
		case q.SortBy != nil:
			r.items = append(r.items, doc)
			if len(r.items) > int(2*end)+maxLimit { // only the first ones are asked for
				sortDocuments(r.items, q)
				r.items = r.items[:end]
			}
		case r.total > q.Offset && r.total <= end:
			r.items = append(r.items, doc)
		}
		return nil
	})
	if err != nil {
		return result{}, err
	}
	if q.SortBy != nil {
		sortDocuments(r.items, q)
		r.items = pick(r.items, q).items
	}
	return r, nil
}

// sortDocuments sorts as RFC 7644 section 3.4.2.3 has it; those without a value come last, or first if descending.
func sortDocuments(docs []document, q bridge.Query) {
	caseExact := slices.Contains([]string{"id", "externalId", "version"}, q.SortBy[len(q.SortBy)-1])
	keys := make(map[string]string, len(docs))
	for _, doc := range docs {
		keys[doc.id] = sortKey(doc, q.SortBy, caseExact)
	}
	slices.SortStableFunc(docs, func(a, b document) int {
		x, y := keys[a.id], keys[b.id]
		order := cmp.Compare(x, y)
		if x == "" || y == "" {
			order = -order
		}
		if q.Descending {
			return -order
		}
		return order
	})
}

func sortKey(doc document, path []string, caseExact bool) string {
	switch strings.Join(path, ".") {
	case "id":
		return doc.id
	case "meta.created":
		return timeKey(doc.created)
	case "meta.lastModified":
		return timeKey(doc.modified)
	}
	var value any = doc.attributes
	for _, name := range path {
		if list, ok := value.([]any); ok {
			value = primary(list)
		}
		object, _ := value.(map[string]any)
		value = object[name]
	}
	switch v := value.(type) {
	case string:
		if caseExact {
			return v
		}
		return inputtext.Fold(v)
	case bool:
		return strconv.FormatBool(v)
	case json.Number:
		return v.String()
	}
	return ""
}

func timeKey(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format("2006-01-02T15:04:05.000000000Z")
}

// primary is the element by which a multi-valued attribute is sorted.
func primary(list []any) any {
	for _, element := range list {
		if object, ok := element.(map[string]any); ok && object["primary"] == true {
			return element
		}
	}
	if len(list) == 0 {
		return nil
	}
	return list[0]
}

// withReferences reads the groups again that a page shows without their
// members. A far side that shows the list at all shows it in pages, too.
func (c *collection) withReferences(ctx context.Context, docs []document) ([]document, error) {
	for i, doc := range docs {
		if c.schema != schema.Group || doc.listed {
			continue
		}
		whole, err := c.get(ctx, doc.id, true)
		if isMissing(err) {
			continue // it is gone meanwhile
		}
		if err != nil {
			return nil, err
		}
		docs[i] = whole
	}
	return docs, nil
}
