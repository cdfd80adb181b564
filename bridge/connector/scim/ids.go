package scim

import (
	"context"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync/atomic"
)

// idTrust is how far the ids in answers to creations are trusted.
type idTrust struct{ state atomic.Int32 }

const (
	idsUnproved int32 = iota
	idsProved         // the far side answered by one
	idsRefuted        // one was not that of what was created
)

// proved notes that an id was right, or that there is no way to know. One that was wrong weighs more.
func (t *idTrust) proved() { t.state.CompareAndSwap(idsUnproved, idsProved) }

func (t *idTrust) refuted() { t.state.Store(idsRefuted) }

func (t *idTrust) forget() { t.state.Store(idsUnproved) }

func (t *idTrust) isProved() bool { return t.state.Load() == idsProved }

// placeholders are what programs write for an id that they do not have.
var placeholders = []string{
	"", "undefined", "null", "nil", "<nil>", "none", "nan", "[object object]", "00000000-0000-0000-0000-000000000000",
}

func isPlaceholder(id string) bool {
	return slices.Contains(placeholders, strings.ToLower(strings.TrimSpace(id)))
}

// idsIn returns the ids that the answer to a creation names, each once: in the resource, in the address of it (RFC 7644
// section 3.3), and in the address inside it. isDoubtful is set if they contradict each other, are none, or are the id
// of another resource.
func (c *collection) idsIn(a answer, sent map[string]any) (ids []string, isDoubtful bool) {
	meta, _ := member(a.object, "meta").(map[string]any)
	for _, id := range []string{idOf(a.object), c.idAt(a.header.Get("Location")), c.idAt(text(meta, "location"))} {
		switch {
		case id == "":
		case isPlaceholder(id):
			isDoubtful = true
		case !slices.Contains(ids, id):
			ids = append(ids, id)
		}
	}
	if len(ids) != 1 {
		return ids, true
	}
	isAnothers := c.index.hasID(ids[0]) && !c.index.has(ids[0], newKey(c.unique, text(sent, c.unique)))
	return ids, isDoubtful || isAnothers
}

// idAt is the id in the address of a resource. Where the address points does
// not matter: proxies leave those of the servers behind them in answers, and nothing is asked for there.
func (c *collection) idAt(location string) string {
	u, err := url.Parse(location)
	if err != nil || location == "" {
		return ""
	}
	parent, segment := path.Split(strings.TrimSuffix(u.EscapedPath(), "/"))
	if !strings.EqualFold(path.Base(parent), c.schema.Endpoint[1:]) {
		return ""
	}
	id, err := url.PathUnescape(segment)
	if err != nil {
		return ""
	}
	return id
}

// created returns what a creation made. Not every answer says 201, has the
// resource, or names an id by which the far side then answers: scimgateway says
// "undefined" when its own search does not find what it created. An id that is
// handed on is kept by the identity provider, and each later request fails by a wrong one.
//
// An id costs a request more only while there is a reason for it: the answer
// is doubtful by itself (see idsIn) or lacks the resource; no creation of this
// kind of resource was read back in the last hour (see learnAgain); or an id
// was wrong in that time. If it is not the id of what was sent, that is looked
// for by its name.
func (c *collection) created(ctx context.Context, a answer, sent map[string]any) (document, error) {
	ids, isDoubtful := c.idsIn(a, sent)
	doc, err := c.document(a.object, a.header.Get("ETag"))
	isWhole := err == nil && doc.attributes[c.unique] != nil
	if isWhole && !isDoubtful && c.idTrust.isProved() {
		doc.id = ids[0]
		return c.take(doc, sent), nil
	}
	for _, id := range ids {
		back, err := c.get(ctx, id, true)
		switch {
		case err == nil && (c.isOf(back, sent) || isWhole && !isDoubtful && c.isRenamed(back, doc, sent)):
			c.idTrust.proved()
			return c.take(back, sent), nil
		case !isMissing(err) && !isPassing(err): // it is something else's
			isDoubtful = true
		}
	}
	back, found, err := c.lookForNamed(ctx, sent)
	switch {
	case found:
		if len(ids) > 0 && !slices.Contains(ids, back.id) {
			c.idTrust.refuted()
			c.cfg.Log.Warn("the far side answered a creation with an id by which it does not answer",
				"resource", c.schema.Name)
		}
		return c.take(back, sent), nil
	case isWhole && !isDoubtful: // nothing says that the id is wrong: it is not to be seen yet
		if err == nil {
			c.idTrust.proved()
		}
		doc.id = ids[0]
		return c.take(doc, sent), nil
	case err != nil:
		return document{}, err
	}
	f := missing("the directory behind the bridge created a %s, but answered without an id by which it can be asked "+
		"for, and does not list it by its %s", c.schema.Name, c.unique)
	f.Status = a.status
	return document{}, f
}

// isPassing reports whether a failure says nothing about what was asked for.
func isPassing(err error) bool {
	f, failed := faultOf(err)
	return failed && (f.Status == 0 || f.Status == http.StatusTooManyRequests || f.Status >= 500)
}

// isOf reports whether a resource may be what was sent.
func (c *collection) isOf(doc document, sent map[string]any) bool {
	return c.name(doc.attributes) == c.name(sent) && sameOrigin(sent, doc.attributes)
}

// isRenamed reports whether a resource is what was sent under a name that the far side gave it, as its answer says.
func (c *collection) isRenamed(doc, answered document, sent map[string]any) bool {
	return c.name(doc.attributes) == c.name(answered.attributes) && sameOrigin(sent, doc.attributes)
}

// lookForNamed looks for what was created by its name, which was nobody's
// before: by a filter, and at last in the whole list. A search of the far side may lag behind.
func (c *collection) lookForNamed(ctx context.Context, sent map[string]any) (doc document, found bool, err error) {
	name := text(sent, c.unique)
	for _, pause := range pauses[:len(pauses)-1] {
		doc, found, err = c.namedNow(ctx, name)
		if err != nil || found && c.isSound(doc, sent) {
			return doc, found, err
		}
		if !sleep(ctx, pause) {
			break
		}
	}
	doc, found, err = c.listedNow(ctx, name)
	return doc, found && c.isSound(doc, sent), err
}

// isSound reports whether what was found is what was sent, with an id that may be one.
func (c *collection) isSound(doc document, sent map[string]any) bool {
	return !isPlaceholder(doc.id) && c.isOf(doc, sent)
}
