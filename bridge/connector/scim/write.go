package scim

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/scim/schema"
)

// get reads a resource.
func (c *collection) get(ctx context.Context, id string, withReferences bool) (document, error) {
	if id == "" {
		return document{}, c.notFound(id) // there the path would name the whole list
	}
	r := request{method: http.MethodGet, path: c.path(id), query: c.excluding(withReferences), repeatable: true}
	a, _, err := c.call(ctx, r)
	if err = c.confirmMissing(ctx, r, err); err != nil {
		if isMissing(err) {
			c.index.remove(id)
		}
		return document{}, err
	}
	doc, err := c.answered(a, id)
	if withReferences {
		doc.listed = true // an empty list may be left out (RFC 7643 section 2.5)
	}
	return doc, err
}

func (c *collection) notFound(id string) error {
	return &bridge.Error{Code: bridge.NotFound, Detail: fmt.Sprintf("there is no %s %.60q", c.schema.Name, id)}
}

// answered reads the resource in an answer about id.
func (c *collection) answered(a answer, id string) (document, error) {
	doc, err := c.document(a.object, a.header.Get("ETag"))
	if err != nil {
		return doc, &FaultError{Cause: Unreachable, Status: a.status,
			Detail: "the directory behind the bridge sent something else than a resource"}
	}
	switch {
	case doc.id == "":
		doc.id = id // it was asked for by it
	case doc.id == id:
	case strings.EqualFold(doc.id, id):
		return doc, c.notFound(id) // ids are case-exact (RFC 7643 section 3.1)
	default:
		return doc, &FaultError{Cause: Unreachable, Status: a.status,
			Detail: "the directory behind the bridge sent another resource than was asked for"}
	}
	if c == c.groups && len(doc.references) > 0 {
		c.found(canShow, Yes)
	}
	c.remember(doc)
	return doc, nil
}

// confirmMissing makes sure of a 404 that is no SCIM server's: clients create
// again what they read is gone. A proxy's page must not say so, nor a wrong
// address; a server with such pages of its own says it twice, and has its list.
func (c *collection) confirmMissing(ctx context.Context, r request, err error) error {
	refused, ok := errors.AsType[*refusal](err)
	if !ok || refused.status != http.StatusNotFound {
		return err
	}
	if !refused.isSCIM {
		if _, err := c.page(ctx, window{start: 1, count: 1, query: c.excluding(false)}); err != nil {
			return err
		}
		_, _, err := c.call(ctx, request{method: http.MethodGet, path: r.path, repeatable: true})
		if !isRefused(err, http.StatusNotFound) {
			return &FaultError{Cause: Unreachable, Status: http.StatusNotFound,
				Detail: "something else than a SCIM server answered 404 for the directory behind the bridge"}
		}
	}
	return &bridge.Error{Code: bridge.NotFound, Detail: refused.detail}
}

// confirmWrite is confirmMissing for a write to a resource. Some servers fail with 500 at one that is gone.
func (c *collection) confirmWrite(ctx context.Context, id string, r request, err error) error {
	err = c.confirmMissing(ctx, r, err)
	if f, failed := faultOf(err); failed && f.Status == http.StatusInternalServerError {
		if _, gone := c.get(ctx, id, false); isMissing(gone) {
			err = gone
		}
	}
	if isMissing(err) {
		c.index.remove(id)
	}
	return err
}

// named finds the resource of a name.
func (c *collection) named(ctx context.Context, name string) (doc document, found bool, err error) {
	q := c.nameQuery(name)
	r, _, err := c.search(ctx, q)
	if err != nil || len(r.items) == 0 {
		return document{}, false, err
	}
	return r.items[0], true, nil
}

// namedNow is named for what may have been created a moment ago: no index from before counts.
func (c *collection) namedNow(ctx context.Context, name string) (doc document, found bool, err error) {
	doc, found, err = c.named(ctx, name)
	if err != nil || found || c.filters.trust(shapeOf(*c.nameQuery(name).Filter)) == proved || c.index.isTooSmall() {
		return doc, found, err
	}
	return c.listedNow(ctx, name)
}

// listedNow finds the resource of a name in the whole list, as it is now.
func (c *collection) listedNow(ctx context.Context, name string) (doc document, found bool, err error) {
	q := c.nameQuery(name)
	var r result
	if c.index.isTooSmall() {
		r, err = c.searchHere(ctx, q)
	} else if err = c.readIndex(ctx, c.cfg.Now()); err == nil {
		r, err = c.searchIndex(ctx, q, false)
	}
	if err != nil || len(r.items) == 0 {
		return document{}, false, err
	}
	return r.items[0], true, nil
}

func (c *collection) nameQuery(name string) bridge.Query {
	return bridge.Query{Limit: 1, Filter: &bridge.Predicate{Op: "eq", Path: []string{c.unique}, Value: name}}
}

func (c *collection) nameTaken(name any) error {
	return &bridge.Error{Code: c.taken,
		Detail: fmt.Sprintf("another %s has the %s %.100q", c.schema.Name, c.unique, name)}
}

// maxCreations bounds how often a creation is sent.
const maxCreations = 3

// create creates a resource. Not every server refuses a name that is taken, so
// that it is looked for before; one bridge creates one of a name at a time.
func (c *collection) create(ctx context.Context, attributes map[string]any) (document, error) {
	name, _ := attributes[c.unique].(string)
	unlock, err := c.names.lock(ctx, c.name(attributes))
	if err != nil {
		return document{}, err
	}
	defer unlock()
	if _, found, err := c.named(ctx, name); err != nil {
		return document{}, err
	} else if found {
		return document{}, c.nameTaken(name)
	}
	defer c.index.write()()
	for n := 1; ; n++ {
		a, _, err := c.call(ctx, request{method: http.MethodPost, path: c.schema.Endpoint, body: attributes})
		if err == nil {
			return c.created(ctx, a, attributes)
		}
		if isRefused(err, http.StatusNotFound, http.StatusGone) {
			return document{}, &FaultError{Cause: Unreachable, Status: http.StatusNotFound,
				Detail: "the directory behind the bridge creates nothing at this address: it answered 404"}
		}
		if !isLost(err) {
			return document{}, err
		}
		doc, found, mayStillCome := c.lookForCreated(ctx, name, err)
		switch {
		case found && !sameOrigin(attributes, doc.attributes):
			return document{}, c.nameTaken(name)
		case found:
			return c.take(doc, attributes), nil
		case mayStillCome || n == maxCreations || !sleep(ctx, pauses[n-1]):
			return document{}, err
		}
	}
}

// sameOrigin reports whether what was found under a name may be what was sent:
// another client's has another externalId.
func sameOrigin(sent, found map[string]any) bool {
	return sent["externalId"] == nil || found["externalId"] == nil || found["externalId"] == sent["externalId"]
}

// lookForCreated looks whether a creation had its effect whose answer was lost.
// As long as the far side may still be at it, it must not be sent again.
func (c *collection) lookForCreated(ctx context.Context, name string, lost error,
) (doc document, found, mayStillCome bool) {
	f, _ := faultOf(lost)
	for n, pause := range pauses {
		if !sleep(ctx, pause) {
			return document{}, false, true
		}
		doc, found, err := c.namedNow(ctx, name)
		switch {
		case err != nil:
			return document{}, false, true // that it is not there is not known
		case found:
			return doc, true, false
		case !f.working && n > 0: // its own search may lag behind
			return document{}, false, false
		}
	}
	return document{}, false, f.working
}

// take notes what was written and came back.
func (c *collection) take(doc document, sent map[string]any) document {
	c.noteKept(sent, doc.attributes)
	c.remember(doc)
	return doc
}

// A condition is what a write depends on.
type condition struct {
	tag     string    // If-Match, as the far side writes it
	current *document // what was read to compare it; nil if the far side compares
}

// condition makes ifMatch one of the far side, or compares it here.
func (c *collection) condition(ctx context.Context, id, ifMatch string) (condition, error) {
	if ifMatch == "" {
		return condition{}, nil
	}
	if c.can(canETag) == Yes && !strings.HasPrefix(ifMatch, `"c`) {
		return condition{tag: fromOwnTag(ifMatch)}, nil
	}
	doc, err := c.get(ctx, id, true)
	if err != nil {
		return condition{}, err
	}
	if version := c.version(doc); version != ifMatch {
		return condition{}, &bridge.Error{Code: bridge.VersionMismatch,
			Detail: "the resource has changed since; its version is " + version}
	}
	cond := condition{current: &doc}
	if c.can(canETag) == Yes {
		cond.tag = doc.tag
	}
	return cond, nil
}

// replace writes a resource as a whole. members are a group's; nil for a person.
func (c *collection) replace(ctx context.Context, id string, attributes map[string]any, members []string,
	ifMatch string,
) (document, error) {
	if id == "" {
		return document{}, c.notFound(id)
	}
	c.ready(ctx)
	unlock, err := c.ids.lock(ctx, id)
	if err != nil {
		return document{}, err
	}
	defer unlock()
	cond, err := c.condition(ctx, id, ifMatch)
	if err != nil {
		return document{}, err
	}
	free, err := c.checkName(ctx, id, attributes)
	if err != nil {
		return document{}, err
	}
	defer free()
	return c.put(ctx, id, attributes, members, cond)
}

// checkName refuses a name that another resource has; the caller must call
// free when it has written.
func (c *collection) checkName(ctx context.Context, id string, attributes map[string]any) (free func(), err error) {
	name, _ := attributes[c.unique].(string)
	if c.index.has(id, newKey(c.unique, name)) {
		return func() {}, nil
	}
	free, err = c.names.lock(ctx, c.name(attributes))
	if err != nil {
		return nil, err
	}
	other, found, err := c.named(ctx, name)
	if err == nil && found && other.id != id {
		err = c.nameTaken(name)
	}
	if err != nil {
		free()
		return nil, err
	}
	return free, nil
}

func (c *collection) put(ctx context.Context, id string, attributes map[string]any, members []string, cond condition,
) (document, error) {
	body := maps.Clone(attributes)
	body["id"] = id
	if c.schema == schema.Group {
		body["members"] = toMembers(members)
	}
	if c.can(canPut) == No && c.schema == schema.User {
		return c.patchPerson(ctx, id, attributes, cond)
	}
	r := request{method: http.MethodPut, path: c.path(id), body: body, ifMatch: cond.tag, repeatable: cond.tag == ""}
	a, _, err := c.call(ctx, r)
	if cannot(err) && c.schema == schema.User && c.can(canPatch) != No {
		c.found(canPut, No)
		return c.patchPerson(ctx, id, attributes, cond)
	}
	if err = c.confirmWrite(ctx, id, r, err); err != nil {
		return document{}, err
	}
	return c.written(ctx, id, a, attributes)
}

// written reads the answer to a write, or the resource if the answer does not have it whole.
func (c *collection) written(ctx context.Context, id string, a answer, sent map[string]any) (document, error) {
	doc, err := c.document(a.object, a.header.Get("ETag"))
	if err != nil || doc.id != id || doc.attributes[c.unique] == nil {
		if doc, err = c.get(ctx, id, true); err != nil {
			return document{}, err
		}
	}
	return c.take(doc, sent), nil
}

// patchPerson changes a person by PATCH so that it has these attributes and no others.
func (c *collection) patchPerson(ctx context.Context, id string, attributes map[string]any, cond condition,
) (document, error) {
	current := cond.current
	if current == nil {
		doc, err := c.get(ctx, id, false)
		if err != nil {
			return document{}, err
		}
		current = &doc
	}
	if len(c.changes(current.attributes, attributes)) == 0 {
		return c.get(ctx, id, true)
	}
	a, err := c.patchAttributes(ctx, id, current.attributes, attributes, cond.tag)
	if err != nil {
		return document{}, err
	}
	return c.written(ctx, id, a, attributes)
}

// patchAttributes changes a resource's attributes by PATCH. Attributes that no schema knows are kept by some servers,
// and others refuse all of the change for them: these get the rest of it.
func (c *collection) patchAttributes(ctx context.Context, id string, from, to map[string]any, tag string,
) (answer, error) {
	operations := c.changes(from, to)
	a, err := c.patch(ctx, id, operations, tag)
	if !isRefused(err, http.StatusBadRequest, http.StatusUnprocessableEntity) {
		return a, err
	}
	known := c.changes(c.ofSchemas(from), c.ofSchemas(to))
	switch len(known) {
	case len(operations):
		return a, err
	case 0:
		return answer{}, nil
	}
	return c.patch(ctx, id, known, tag)
}

// ofSchemas are the attributes that the schemas of the RFC know.
func (c *collection) ofSchemas(attributes map[string]any) map[string]any {
	known := maps.Clone(attributes)
	maps.DeleteFunc(known, func(name string, _ any) bool {
		return c.schema.Attribute(name) == nil && c.schema.Extension(name) == nil
	})
	return known
}

const patchURI = "urn:ietf:params:scim:api:messages:2.0:PatchOp"

// patch sends operations, which must be harmless to repeat.
func (c *collection) patch(ctx context.Context, id string, operations []any, tag string) (answer, error) {
	r := request{method: http.MethodPatch, path: c.path(id), ifMatch: tag, repeatable: tag == "",
		body: map[string]any{"schemas": []string{patchURI}, "Operations": operations}}
	a, _, err := c.call(ctx, r)
	err = c.confirmWrite(ctx, id, r, err)
	switch {
	case err == nil:
		c.found(canPatch, Yes)
	case cannot(err):
		c.found(canPatch, No)
	}
	return a, err
}

// changes are the operations that make one resource's attributes another's, in the order of their names.
func (c *collection) changes(from, to map[string]any) []any {
	var operations []any
	for _, name := range slices.Sorted(maps.Keys(to)) {
		if name == "schemas" || equalJSON(from[name], to[name]) {
			continue
		}
		before, _ := from[name].(map[string]any)
		parts, isComplex := to[name].(map[string]any)
		switch {
		case isComplex && strings.Contains(name, ":"):
			operations = append(operations, changesOf(name, ":", before, parts)...)
		case isComplex && before != nil:
			operations = append(operations, changesOf(name, ".", before, parts)...)
		case c.schema.Attribute(name) == nil:
			// A path that no schema knows is an error, and an attribute that no schema knows is kept or not.
			operations = append(operations, map[string]any{"op": "replace", "value": map[string]any{name: to[name]}})
		default:
			operations = append(operations, map[string]any{"op": "replace", "path": name, "value": to[name]})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(from)) {
		if _, stays := to[name]; !stays && name != "schemas" {
			operations = append(operations, map[string]any{"op": "remove", "path": name})
		}
	}
	return operations
}

// changesOf are the operations on the parts of an extension or of a complex attribute. A part that is not in a new
// value stays (RFC 7644 section 3.5.2.3).
func changesOf(path, separator string, from, to map[string]any) []any {
	var operations []any
	for _, name := range slices.Sorted(maps.Keys(to)) {
		before, _ := from[name].(map[string]any)
		parts, isComplex := to[name].(map[string]any)
		switch {
		case equalJSON(from[name], to[name]):
		case isComplex && before != nil:
			operations = append(operations, changesOf(path+separator+name, ".", before, parts)...)
		default:
			operations = append(operations,
				map[string]any{"op": "replace", "path": path + separator + name, "value": to[name]})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(from)) {
		if _, stays := to[name]; !stays {
			operations = append(operations, map[string]any{"op": "remove", "path": path + separator + name})
		}
	}
	return operations
}

// delete deletes a resource. That one which was known is gone after an answer was lost is what was wanted.
func (c *collection) delete(ctx context.Context, id, ifMatch string) error {
	if id == "" {
		return c.notFound(id)
	}
	c.ready(ctx)
	unlock, err := c.ids.lock(ctx, id)
	if err != nil {
		return err
	}
	defer unlock()
	cond, err := c.condition(ctx, id, ifMatch)
	if err != nil {
		return err
	}
	defer c.index.write()()
	r := request{method: http.MethodDelete, path: c.path(id), ifMatch: cond.tag, repeatable: true}
	wasThere := c.index.hasID(id)
	_, lost, err := c.call(ctx, r)
	err = c.confirmWrite(ctx, id, r, err)
	if err != nil && !isMissing(err) {
		return err
	}
	c.index.remove(id)
	if lost && wasThere {
		return nil
	}
	return err
}
