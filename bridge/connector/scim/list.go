package scim

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"
)

// A window asks for a part of the far side's list.
type window struct {
	start int64 // the first one is 1
	count int
	query url.Values // what else; may be nil
}

// A listing is a page of the far side's, as it sent it.
type listing struct {
	counted   int64 // totalResults
	total     int64 // the same, or as many as there are at least
	resources []map[string]any
}

// page asks for one page.
func (c *collection) page(ctx context.Context, w window) (listing, error) {
	query := url.Values{"startIndex": {strconv.FormatInt(w.start, 10)}, "count": {strconv.Itoa(w.count)}}
	for name, values := range w.query {
		query[name] = values
	}
	a, _, err := c.call(ctx, request{method: http.MethodGet, path: c.schema.Endpoint, query: query, repeatable: true})
	if isRefused(err, http.StatusNotFound) {
		// There is always a list: this is a wrong address, and nobody is gone.
		return listing{}, &FaultError{Cause: Unreachable, Status: http.StatusNotFound,
			Detail: "the directory behind the bridge has no " + c.schema.Endpoint + " at this address: it answered 404"}
	}
	if err != nil {
		return listing{}, err
	}
	resources, hasList := member(a.object, "Resources").([]any)
	count, hasTotal := member(a.object, "totalResults").(json.Number)
	if s, isText := member(a.object, "totalResults").(string); isText {
		count, hasTotal = json.Number(s), true
	}
	if !hasList && !hasTotal {
		return listing{}, &FaultError{Cause: Unreachable, Status: a.status,
			Detail: "something else than a SCIM server answers for the directory behind the bridge: it sends no list"}
	}
	var l listing
	l.counted, _ = count.Int64()
	for _, r := range resources {
		if object, ok := r.(map[string]any); ok {
			l.resources = append(l.resources, object)
		}
	}
	l.total = max(l.counted, 0)
	if len(l.resources) > 0 {
		l.total = max(l.total, w.start-1+int64(len(l.resources)))
	}
	return l, nil
}

// maxReadings is how often a list is read that changes meanwhile.
const maxReadings = 3

var errListMoves = errors.New("the list changes while it is read")

// all reads the whole list. It calls begin before each reading, and visit for
// each resource of it, once. Pages overlap by one resource, which shows whether
// the list has moved: somebody who was deleted on an earlier page would make
// another one be passed over.
func (c *collection) all(ctx context.Context, query url.Values, begin func(), visit func(document) error) error {
	var err error
	for range maxReadings {
		begin()
		if err = c.readThrough(ctx, query, visit); !errors.Is(err, errListMoves) {
			return err
		}
	}
	return &FaultError{Cause: Unreachable, err: err,
		Detail: "the list of the directory behind the bridge changes faster than it can be read"}
}

func (c *collection) readThrough(ctx context.Context, query url.Values, visit func(document) error) error {
	seen := make(map[string]bool)
	var first, last string // ids
	var total int64
	isOrdered, isConstant, overlap := true, true, 0
	for start, pages := int64(1), 0; ; pages++ {
		l, err := c.page(ctx, window{start: start, count: c.count(), query: query})
		if err != nil {
			return err
		}
		n, fresh := len(l.resources), 0
		for _, r := range l.resources {
			doc, err := c.document(r, "")
			if err != nil || doc.id == "" || seen[doc.id] {
				continue
			}
			fresh++
			seen[doc.id] = true
			if err := visit(doc); err != nil {
				return err
			}
		}
		begins := ""
		if n > 0 {
			begins = idOf(l.resources[0])
		}
		switch {
		case pages == 0:
			first, total = begins, l.counted
		case n > 0 && fresh == 0 && begins == first && begins != last: // it sends the first page again
			c.found(canPage, No)
			return c.onlyPage(int64(len(seen)), total)
		case overlap > 0 && begins != last:
			isOrdered = false
		}
		isConstant = isConstant && l.counted == total
		// The end is a page with nothing new; or the last one by the total, if that is right.
		if fresh == 0 || c.can(canCount) == Yes && start-1+int64(n) >= l.total {
			if pages > 0 && isOrdered && isConstant && int64(len(seen)) == total {
				c.found(canCount, Yes)
			}
			break
		}
		last, overlap = idOf(l.resources[n-1]), min(n-1, 1)
		start += int64(n - overlap)
	}
	if isOrdered || isConstant && int64(len(seen)) == total {
		return nil
	}
	return errListMoves
}

// count is how many resources are asked for at a time when all are read.
func (c *collection) count() int {
	const whole = 5 // groups that come with all their members
	if c == c.groups && c.can(canExclude) == No {
		return whole
	}
	return c.pageSize
}

// onlyPage is the end of a list that has no further pages.
func (c *collection) onlyPage(seen, total int64) error {
	if seen >= total {
		return nil
	}
	return missing("the directory behind the bridge shows %d of its %d %s, and no further pages", seen, total,
		c.schema.Endpoint[1:])
}

// excluding is the query by which groups come without members, if the far side takes it.
func (c *collection) excluding(withReferences bool) url.Values {
	if c == c.people || withReferences || c.can(canExclude) == No {
		return nil
	}
	return url.Values{"excludedAttributes": {"members"}}
}
