package simulate

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// mostReason is how many characters of an answer to a deletion are shown.
const mostReason = 100

// The kinds of resources that are made.
const (
	usersKind  = "Users"
	groupsKind = "Groups"
)

// A resource is one that was made. path is empty if the answer did not tell it, or never came: then it may be there,
// under its name.
type resource struct {
	kind, name, path string
	located          bool // path is that of the Location alone, which some servers get wrong
	confirmed        bool // the server said that it was made
}

// A Left is a resource that a run made, or may have made, and that could not be removed.
type Left struct {
	Path   string `json:"path,omitempty"` // below the base URL; empty if its id is not known
	Name   string `json:"name"`           // userName or displayName when it was made
	Reason string `json:"reason"`
}

// register keeps in mind what a step made or removed, and returns the path of what it made.
func (p *Player) register(s Step, r reply, answer any, err error) (made string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	done := err == nil && r.status/100 == 2
	kind := strings.TrimPrefix(s.Path, "/")
	switch {
	case s.Method == http.MethodDelete && (done || r.status == http.StatusNotFound):
		p.made = slices.DeleteFunc(p.made, func(one resource) bool { return one.path == s.Path })
		return ""
	case s.Method != http.MethodPost || kind != usersKind && kind != groupsKind:
		return ""
	}
	one := resource{kind: kind, name: nameIn(s.Body), confirmed: done}
	switch id, told := (Path{"id"}).in(answer); {
	case done && told && id != nil:
		one.path = at(kind, fmt.Sprint(id))
	case done && isBelow(kind, r.header.Get("Location")):
		one.path, one.located = "/"+kind+"/"+path.Base(r.header.Get("Location")), true
	case done, err != nil, r.status >= http.StatusInternalServerError && r.status != http.StatusNotImplemented,
		r.retried && r.status == http.StatusConflict: // a server may have written before it said that it is busy
	default:
		return ""
	}
	if !p.keeps && (one.path != "" || one.name != "") {
		p.made = append(p.made, one)
	}
	return one.path
}

// isBelow reports whether a Location is that of a resource of a kind.
func isBelow(kind, location string) bool {
	u, err := url.Parse(location)
	return err == nil && u.RawQuery == "" && path.Base(path.Dir(u.EscapedPath())) == kind
}

// nameIn returns the userName or the displayName in the body of a creation.
func nameIn(body []byte) string {
	var names struct{ UserName, DisplayName string }
	_ = json.Unmarshal(body, &names) // the body is ours
	return cmp.Or(names.UserName, names.DisplayName)
}

// Removed returns how many resources were removed.
func (p *Player) Removed() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.removed
}

// keep sets whether what is made from now on stays.
func (p *Player) keep(keeps bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.keeps = keeps
}

// CleanUp deletes what steps have made and not deleted, groups first, and returns what could not be removed; another
// call tries that again. It removes nothing else: what it has no id of is looked up by its whole name. progress is
// told after each, by one goroutine at a time, and may be nil.
func (p *Player) CleanUp(ctx context.Context, concurrency int, progress func(done, total int)) []Left {
	p.mu.Lock()
	all := p.made
	p.made, p.gaveUp = nil, false
	p.mu.Unlock()
	left := []Left{}
	done := 0
	var mu sync.Mutex
	for _, kind := range []string{groupsKind, usersKind} {
		var g errgroup.Group
		g.SetLimit(cmp.Or(concurrency, DefaultConcurrency))
		for _, one := range slices.Backward(all) {
			if one.kind != kind {
				continue
			}
			g.Go(func() error {
				reason := p.remove(ctx, one)
				mu.Lock()
				defer mu.Unlock()
				p.mu.Lock()
				if reason != "" {
					left = append(left, Left{one.path, one.name, reason})
					p.made = append(p.made, one)
				} else {
					p.removed++
				}
				p.mu.Unlock()
				if done++; progress != nil {
					progress(done, len(all))
				}
				return nil
			})
		}
		_ = g.Wait() // no function returns an error
	}
	slices.SortFunc(left, func(a, b Left) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Name, b.Name))
	})
	return left
}

// remove deletes a resource, and returns why it may still be there.
func (p *Player) remove(ctx context.Context, one resource) (reason string) {
	paths := []string{one.path}
	if one.path == "" || one.located {
		found, reason := p.lookUp(ctx, one)
		switch {
		case len(found) > 0, one.path == "" && reason == "":
			paths = found
		case one.path == "":
			return reason
		}
	}
	for _, path := range paths {
		if reason := p.removePath(ctx, path); reason != "" {
			return reason
		}
	}
	return ""
}

// lookUpAfter is how long a creation without an answer may go on.
const lookUpAfter = 200 * time.Millisecond

// mostPages is how many pages of a kind are read to find a name.
const mostPages = 100

// lookUp returns the paths of the resources of a name: by a filter, and since not every server finds every name so,
// page by page.
func (p *Player) lookUp(ctx context.Context, one resource) (paths []string, reason string) {
	if !one.confirmed && ctx.Err() == nil {
		select { // the server may still be at it
		case <-time.After(lookUpAfter):
		case <-ctx.Done():
		}
	}
	attribute := "userName"
	if one.kind == groupsKind {
		attribute = "displayName"
	}
	filter := quoted(get("/"+one.kind+"?filter="+eq(attribute, one.name)), one.name)
	if paths, _, _ = p.named(ctx, filter, one, attribute); len(paths) > 0 {
		return paths, ""
	}
	start := 1
	for range mostPages {
		page := get(fmt.Sprintf("/%s?startIndex=%d&count=100", one.kind, start))
		paths, list, reason := p.named(ctx, page, one, attribute)
		if reason != "" || len(paths) > 0 {
			return paths, reason
		}
		start += len(list.Resources)
		switch {
		case len(list.Resources) > 0 && start <= list.TotalResults:
		case one.confirmed:
			return nil, "it was created without an id, and is not found by its name"
		default:
			return nil, ""
		}
	}
	return nil, fmt.Sprintf("its creation told no id, and its name is not among the first %d", start-1)
}

// A page is an answer to a search.
type page struct {
	TotalResults int
	Resources    []map[string]any
}

// named returns the paths of the resources of a name in an answer.
func (p *Player) named(ctx context.Context, search Step, one resource, attribute string) (
	paths []string, list page, reason string,
) {
	const unknown = "its creation told no id, and it cannot be looked up: "
	r, err := p.persist(ctx, search)
	switch {
	case err != nil:
		return nil, page{}, unknown + p.shown(err.Error(), mostReason)
	case r.status != http.StatusOK || json.Unmarshal(r.body, &list) != nil:
		return nil, page{}, fmt.Sprintf("%sstatus %d", unknown, r.status)
	}
	for _, found := range list.Resources {
		name, _ := found[attribute].(string)
		if id, told := found["id"]; told && strings.EqualFold(name, one.name) {
			paths = append(paths, at(one.kind, fmt.Sprint(id)))
		}
	}
	return paths, list, ""
}

// removePath deletes what is at a path, and looks whether it is gone: some servers only switch people off, and some
// refuse to delete what is not there otherwise than with 404.
func (p *Player) removePath(ctx context.Context, path string) (reason string) {
	gone := func(status int) bool { return status == http.StatusNotFound || status == http.StatusGone }
	deleted, err := p.persist(ctx, Step{Method: http.MethodDelete, Path: path})
	switch {
	case err != nil:
		return p.shown(err.Error(), mostReason)
	case gone(deleted.status):
		return ""
	}
	look, err := p.persist(ctx, Step{Method: http.MethodGet, Path: path})
	switch {
	case err == nil && gone(look.status):
		return ""
	case deleted.status/100 != 2:
		said := fmt.Sprintf("DELETE was answered %d %s", deleted.status, deleted.body)
		return p.shown(strings.TrimSpace(said), mostReason)
	case err == nil && look.status == http.StatusOK:
		return fmt.Sprintf("it is still there after DELETE was answered %d", deleted.status)
	default:
		return ""
	}
}

// persist sends a step that does no harm if it is repeated, a few times.
func (p *Player) persist(ctx context.Context, s Step) (r reply, err error) {
	for range 3 {
		if r, err = p.send(ctx, s); err == nil && r.status < http.StatusInternalServerError || ctx.Err() != nil {
			return r, err
		}
		select {
		case <-time.After(500 * time.Millisecond):
		case <-ctx.Done():
			return r, ctx.Err()
		}
	}
	return r, err
}
