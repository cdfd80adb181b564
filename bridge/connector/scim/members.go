package scim

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// firstBatch is how many members are changed in one request, until the far side takes no such number.
const firstBatch = 100

// A memberSet is who joins and who leaves a group.
type memberSet struct {
	add, remove []string
	// before are the members that were read; nil if they were not.
	before []string
}

// A memberChange is a kind of change whose effect was seen or not.
type memberChange string

const (
	joining memberChange = "add"
	leaving memberChange = "remove"
)

// memberSet works out who joins and who leaves, and the unknown ids. It refuses
// a list without a single known id: see bridge.GroupChange.
func (d *Directory) memberSet(ctx context.Context, id string, change bridge.GroupChange, cond condition,
) (set memberSet, unknown []string, err error) {
	if cond.current != nil {
		set.before = idsOf(cond.current.references)
	}
	isUnproved := len(change.Remove) > 0 && !d.isTrusted(leaving) // see checkEffect
	if (change.Replace != nil || isUnproved) && set.before == nil {
		if set.before, err = d.members(ctx, id, change.Replace != nil); err != nil {
			return set, nil, err
		}
	}
	want := distinct(change.Add)
	if change.Replace != nil {
		want = distinct(slices.Concat(*change.Replace, change.Add))
	}
	// Those who are in are known.
	candidates := without(want, set.before)
	set.add, unknown, err = d.sortOut(ctx, candidates)
	if err != nil {
		return set, nil, err
	}
	if err := checkLists(change, unknown); err != nil {
		return set, nil, err
	}
	set.add, unknown = without(set.add, change.Remove), without(unknown, change.Remove)
	set.remove = distinct(change.Remove)
	if change.Replace != nil {
		set.remove = without(set.before, without(want, change.Remove))
	}
	if len(set.before) > 0 || set.before != nil && d.can(canShow) == Yes {
		set.remove = intersection(set.remove, set.before)
	}
	return set, unknown, nil
}

// checkLists refuses lists in which nobody is known: they would empty the group.
func checkLists(change bridge.GroupChange, unknown []string) error {
	isUnknown := setOf(unknown)
	lists := slices.Clone(change.Instead)
	if change.Replace != nil {
		list := *change.Replace
		if len(list) == 0 {
			list = change.Add
		}
		lists = append(lists, list)
	}
	for _, list := range lists {
		if len(list) > 0 && !slices.ContainsFunc(list, func(id string) bool { return !isUnknown[id] }) {
			ids := distinct(list)
			return &bridge.Error{Code: bridge.MembersUnknown, IDs: ids[:min(len(ids), maxListed)],
				Detail: "no person or group has any of these ids: " + inputtext.QuoteSome(ids) + "; the members stay " +
					"as they are. Send the ids that this server gave, or an empty list to empty the group"}
		}
	}
	return nil
}

// maxListed bounds the unknown ids in an error.
const maxListed = 100

// lookedUp is how many ids are looked up one by one; for more the lists are read.
const lookedUp = 25

// sortOut parts ids into those that the far side has, of people or of groups,
// and unknown ones. Servers differ in what they do with the latter: they refuse the
// whole change, pass them over, or keep members that do not exist.
func (d *Directory) sortOut(ctx context.Context, ids []string) (known, unknown []string, err error) {
	rest := d.unseen(ids)
	for _, c := range []*collection{d.people, d.groups} {
		if len(rest) <= lookedUp || c.index.isTooSmall() {
			continue
		}
		l, err := c.page(ctx, window{start: 1, count: 1, query: c.excluding(false)})
		if err != nil {
			return nil, nil, err
		}
		if l.total/int64(c.count()) > int64(len(rest)) {
			continue // to read the list takes longer
		}
		if err := c.readIndex(ctx, d.cfg.Now()); err != nil {
			return nil, nil, err
		}
		rest = d.unseen(rest)
	}
	found, err := d.lookUp(ctx, rest)
	if err != nil {
		return nil, nil, err
	}
	unknown = without(rest, found)
	return without(ids, unknown), unknown, nil
}

// unseen returns the ids that the indexes do not have.
func (d *Directory) unseen(ids []string) []string {
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool {
		return d.people.index.hasID(id) || d.groups.index.hasID(id)
	})
}

// lookUp asks for ids one by one, and returns those that are there.
func (d *Directory) lookUp(ctx context.Context, ids []string) ([]string, error) {
	found := make([]bool, len(ids))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(d.cfg.Concurrency)
	for i, id := range ids {
		group.Go(func() error {
			_, err := d.people.get(ctx, id, false)
			if isMissing(err) {
				_, err = d.groups.get(ctx, id, false)
			}
			switch {
			case isMissing(err):
				return nil
			case isRefused(err, http.StatusBadRequest, http.StatusUnprocessableEntity):
				return nil // it does not have the form of an id there
			}
			found[i] = err == nil
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	var there []string
	for i, id := range ids {
		if found[i] {
			there = append(there, id)
		}
	}
	return there, nil
}

// members reads the members of a group. One whose members are replaced must not be
// taken for empty because the far side does not show them.
func (d *Directory) members(ctx context.Context, id string, replaced bool) ([]string, error) {
	doc, err := d.groups.get(ctx, id, true)
	if err != nil {
		return nil, err
	}
	if replaced && len(doc.references) == 0 && d.can(canShow) == No {
		return nil, missing("the directory behind the bridge does not show the members of groups, so that they " +
			"cannot be replaced; add and remove them")
	}
	return idsOf(doc.references), nil
}

// changeMembers puts people and groups into a group, then takes others out, in
// batches: at no time somebody is out who stays. It returns the ids that turned out unknown.
func (d *Directory) changeMembers(ctx context.Context, id string, set memberSet, tag string,
) (unknown []string, err error) {
	if d.can(canPatch) == No {
		return nil, d.putMembers(ctx, id, set, tag)
	}
	unknown, err = d.eachBatch(ctx, id, joining, set.add, tag)
	if len(set.add) > 0 {
		tag = "" // ours was the last change
	}
	if err == nil {
		_, err = d.eachBatch(ctx, id, leaving, set.remove, tag)
	}
	if cannot(err) {
		set.add = without(set.add, unknown)
		return unknown, d.putMembers(ctx, id, set, "")
	}
	if err != nil {
		return nil, err
	}
	set.add = without(set.add, unknown)
	return unknown, d.checkEffect(ctx, id, set)
}

// eachBatch sends a change in batches, smaller ones if the far side does not take them.
func (d *Directory) eachBatch(ctx context.Context, id string, change memberChange, ids []string, tag string,
) (unknown []string, err error) {
	sorted := false
	for len(ids) > 0 {
		batch := ids[:min(len(ids), d.batchSize())]
		_, err := d.groups.patch(ctx, id, memberOperations(change, batch), tag)
		switch {
		case err == nil:
			ids, tag, sorted = ids[len(batch):], "", false
			continue
		case !isMissing(err) && !isRefused(err, http.StatusBadRequest, http.StatusConflict,
			http.StatusUnprocessableEntity, http.StatusRequestEntityTooLarge):
			return unknown, err
		}
		refused := err
		if !sorted && !isRefused(err, http.StatusRequestEntityTooLarge) {
			// Somebody may be in already, or be out, or be gone: servers take that as a fault. So may the group be.
			sorted = true
			rest, gone, err := d.stillToDo(ctx, id, change, batch)
			if err != nil {
				return unknown, err
			}
			if len(rest) < len(batch) {
				unknown = append(unknown, gone...)
				ids = slices.Concat(rest, ids[len(batch):])
				continue
			}
		}
		if len(batch) == 1 {
			if isMissing(refused) { // the group is there, or sorting out had said so
				refused = missing("the directory behind the bridge does not find a member of a group that it has")
			}
			return unknown, refused
		}
		d.setBatchSize(len(batch) / 2)
	}
	return unknown, nil
}

// stillToDo returns the members of a refused batch for which the change is still to be made, and those that are gone.
func (d *Directory) stillToDo(ctx context.Context, id string, change memberChange, batch []string,
) (rest, gone []string, err error) {
	doc, err := d.groups.get(ctx, id, true)
	if err != nil {
		return nil, nil, err
	}
	if change == leaving {
		if len(doc.references) == 0 && d.can(canShow) != Yes {
			return batch, nil, nil // they may not be shown
		}
		return intersection(batch, idsOf(doc.references)), nil, nil
	}
	rest = without(batch, idsOf(doc.references))
	there, err := d.lookUp(ctx, rest)
	if err != nil {
		return nil, nil, err
	}
	gone = without(rest, there)
	for _, id := range gone {
		d.people.index.remove(id)
		d.groups.index.remove(id)
	}
	return there, gone, nil
}

func (d *Directory) batchSize() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.batch
}

func (d *Directory) setBatchSize(n int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.batch = max(n, 1)
}

// memberOperations are the operations of a PATCH. One to remove names its member in the path: by the RFC, one with a
// list of values would empty the group (RFC 7644 section 3.5.2.2).
func memberOperations(change memberChange, ids []string) []any {
	if change == joining {
		return []any{map[string]any{"op": "add", "path": "members", "value": toMembers(ids)}}
	}
	operations := make([]any, len(ids))
	for i, id := range ids {
		operations[i] = map[string]any{"op": "remove", "path": "members[value eq " + literal(id) + "]"}
	}
	return operations
}

func toMembers(ids []string) []any {
	members := make([]any, len(ids))
	for i, id := range ids {
		members[i] = map[string]any{"value": id}
	}
	return members
}

// checkEffect looks whether a change of members had its effect, until that was
// seen once: servers answer 204 to operations that they do not understand.
// Then the members are written as a whole.
func (d *Directory) checkEffect(ctx context.Context, id string, set memberSet) error {
	if (len(set.add) == 0 || d.isTrusted(joining)) && (len(set.remove) == 0 || d.isTrusted(leaving)) {
		return nil
	}
	doc, err := d.groups.get(ctx, id, true)
	if err != nil {
		return err
	}
	now := idsOf(doc.references)
	if len(set.add) > 0 && len(now) == 0 && d.isMember(ctx, id, set.add[0]) {
		d.found(canShow, No)
		return nil
	}
	missed, stayed := without(set.add, now), intersection(set.remove, now)
	// Those who were in and do not leave must still be in. Without them nothing is proved: it may take out all.
	remain := without(set.before, set.remove)
	lost := without(remain, now)
	if len(missed)+len(stayed)+len(lost) > 0 {
		d.cfg.Log.Warn("the far side does not change members as it is asked; they are written as a whole", "id", id,
			"not_added", len(missed), "not_removed", len(stayed), "lost", len(lost))
		set.before = distinct(slices.Concat(set.before, now))
		if err := d.putMembers(ctx, id, set, ""); err != nil {
			return err
		}
		d.found(canPatch, No) // from now on groups are written as a whole
		return nil
	}
	d.trust(len(set.add) > 0, len(set.remove) > 0 && len(remain) > 0)
	return nil
}

// isMember reports whether somebody turns out to be in a group without looking at the group's members.
func (d *Directory) isMember(ctx context.Context, group, id string) bool {
	doc, err := d.people.get(ctx, id, true)
	if err == nil && slices.Contains(idsOf(doc.references), group) {
		return true
	}
	l, err := d.groups.page(ctx, window{start: 1, count: 1, query: url.Values{
		"filter": {"id eq " + literal(group) + " and members eq " + literal(id)},
	}})
	return err == nil && len(l.resources) == 1 && idOf(l.resources[0]) == group
}

func (d *Directory) isTrusted(change memberChange) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.trusted[change]
}

func (d *Directory) trust(add, remove bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.trusted[joining] = d.trusted[joining] || add
	d.trusted[leaving] = d.trusted[leaving] || remove
}

// putMembers reads a group and sends it back as a whole with other members.
func (d *Directory) putMembers(ctx context.Context, id string, set memberSet, tag string) error {
	doc, err := d.groups.get(ctx, id, true)
	if err != nil {
		return err
	}
	want := without(distinct(slices.Concat(set.before, idsOf(doc.references), set.add)), set.remove)
	if tag == "" && d.can(canETag) == Yes {
		tag = doc.tag // so that nobody's change is lost who wrote meanwhile
	}
	if _, err := d.groups.put(ctx, id, doc.attributes, want, condition{tag: tag}); err != nil {
		return err
	}
	now, err := d.groups.get(ctx, id, true)
	if err != nil {
		return err
	}
	is := idsOf(now.references)
	if len(without(set.add, is))+len(intersection(set.remove, is)) > 0 {
		return missing("the directory behind the bridge did not change the members of a group as it was asked to")
	}
	return nil
}

func idsOf(references []bridge.Reference) []string {
	ids := make([]string, len(references))
	for i, r := range references {
		ids[i] = r.ID
	}
	return ids
}

func setOf(lists ...[]string) map[string]bool {
	in := make(map[string]bool)
	for _, list := range lists {
		for _, id := range list {
			in[id] = true
		}
	}
	return in
}

func distinct(ids []string) []string { return without(ids, nil) }

// without returns a without what is in b, each once.
func without(a, b []string) []string {
	seen := setOf(b)
	return slices.DeleteFunc(slices.Clone(a), func(id string) bool {
		again := seen[id]
		seen[id] = true
		return again
	})
}

func intersection(a, b []string) []string {
	in := setOf(b)
	return slices.DeleteFunc(slices.Clone(a), func(id string) bool { return !in[id] })
}

// equalJSON reports whether two decoded values are the same.
func equalJSON(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errors.Join(errX, errY) == nil && strings.Compare(string(x), string(y)) == 0
}
