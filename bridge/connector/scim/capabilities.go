package scim

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// Support is whether the far side can do something.
type Support string

// The answers.
const (
	Unknown Support = "unknown"
	Yes     Support = "yes"
	No      Support = "no"
	// Partly is a filter that finds, or is taken, for some attributes alone.
	Partly Support = "partly"
)

// Capabilities are what the far side can do, as far as is known by now: what it
// was seen to do counts more than what its ServiceProviderConfig says.
type Capabilities struct {
	Filter  Support
	Patch   Support
	ETag    Support // it says so
	Sort    Support // it says so
	Bulk    Support // it says so
	Paging  Support // the second page is another one than the first
	Totals  Support // totalResults counts all, not those of the page
	Exclude Support // it takes excludedAttributes
	Put     Support // of people
	Members Support // groups are shown with their members
}

// State is what is known of the far side.
type State struct {
	Capabilities Capabilities
	// Trouble is why the last request failed; nil if it did not.
	Trouble *Trouble
	// Lacks are what was asked for and the far side cannot do, by what it is, at most 20.
	Lacks []Trouble
	// NotKept are the attributes that the far side was sent and did not keep, in
	// alphabetical order, at most 100.
	NotKept []NotKept
	// Asked is when the far side was asked last, successfully or not.
	Asked time.Time
}

// A Trouble is why the far side does not do what it is asked.
type Trouble struct {
	Cause  Cause
	Detail string // a clause; has no secret
	Status int    // of the answer; 0 without one
	Since  time.Time

	byWrite bool
}

// A NotKept is an attribute that was sent and does not come back.
type NotKept struct {
	Resource  string // "User" or "Group"
	Attribute string // "nickName", or with the URI of an extension
	// Changed is set if it comes back with another value, or with a part of its
	// values.
	Changed bool
	Since   time.Time
}

const (
	maxNotKept = 100
	maxLacks   = 20
)

// State returns what is known of the far side. It asks nobody.
func (d *Directory) State() State {
	d.mu.Lock()
	defer d.mu.Unlock()
	s := d.state
	s.NotKept, s.Lacks = slices.Clone(s.NotKept), slices.Clone(s.Lacks)
	for _, c := range []*Support{
		&s.Capabilities.Patch, &s.Capabilities.ETag, &s.Capabilities.Sort, &s.Capabilities.Bulk, &s.Capabilities.Paging,
		&s.Capabilities.Totals, &s.Capabilities.Exclude, &s.Capabilities.Put, &s.Capabilities.Members,
	} {
		*c = cmp.Or(*c, Unknown)
	}
	s.Capabilities.Filter = both(d.people.filters.support(), d.groups.filters.support())
	return s
}

func both(a, b Support) Support {
	switch {
	case a == b || b == Unknown:
		return a
	case a == Unknown:
		return b
	}
	return Partly
}

// can returns what is known of a capability.
func (d *Directory) can(of func(*Capabilities) *Support) Support {
	d.mu.Lock()
	defer d.mu.Unlock()
	return cmp.Or(*of(&d.state.Capabilities), Unknown)
}

// found notes what was seen of a capability.
func (d *Directory) found(of func(*Capabilities) *Support, is Support) {
	d.mu.Lock()
	defer d.mu.Unlock()
	*of(&d.state.Capabilities) = is
}

func canPatch(c *Capabilities) *Support   { return &c.Patch }
func canETag(c *Capabilities) *Support    { return &c.ETag }
func canSort(c *Capabilities) *Support    { return &c.Sort }
func canPage(c *Capabilities) *Support    { return &c.Paging }
func canCount(c *Capabilities) *Support   { return &c.Totals }
func canExclude(c *Capabilities) *Support { return &c.Exclude }
func canPut(c *Capabilities) *Support     { return &c.Put }
func canShow(c *Capabilities) *Support    { return &c.Members }

// note remembers whether the far side answers as a SCIM server does. A refusal is such an answer.
func (d *Directory) note(r request, err error) {
	now := d.cfg.Now()
	f, failed := faultOf(err)
	d.mu.Lock()
	defer d.mu.Unlock()
	d.state.Asked = now
	before := d.state.Trouble
	switch {
	case !failed && before == nil:
	case !failed && before.byWrite && before.Cause == TokenRefused && !r.isWrite():
		// The token may read, which it was not refused for.
	case !failed && before.Cause == RateLimited && d.limits.remaining() > 0:
		// It was sent before the far side asked to be left alone.
	case !failed:
		d.state.Trouble = nil
		d.cfg.Log.Info("the far side answers again")
	case before != nil && before.Cause == f.Cause:
		t := *before // a State that was returned keeps its own
		t.Detail, t.Status = f.Error(), f.Status
		d.state.Trouble = &t
	default:
		d.state.Trouble = &Trouble{Cause: f.Cause, Detail: f.Error(), Status: f.Status, Since: now,
			byWrite: r.isWrite()}
		d.cfg.Log.Warn("the far side does not answer as it should", "cause", string(f.Cause), "detail", f.Error())
	}
}

// noteLack remembers what the far side cannot do, once.
func (d *Directory) noteLack(f *FaultError) {
	d.mu.Lock()
	defer d.mu.Unlock()
	known := slices.ContainsFunc(d.state.Lacks, func(t Trouble) bool { return t.Detail == f.Detail })
	if known || len(d.state.Lacks) >= maxLacks {
		return
	}
	d.state.Lacks = append(d.state.Lacks,
		Trouble{Cause: f.Cause, Detail: f.Detail, Status: f.Status, Since: d.cfg.Now()})
	d.cfg.Log.Warn("the far side cannot do what is asked", "detail", f.Detail)
}

// learnAgain is how long what was learned counts, and retryLearning what failed.
const (
	learnAgain    = time.Hour
	retryLearning = 10 * time.Second
)

// ready makes sure that the far side was asked what it can do. It does not
// matter whether it answered: what it can do is then seen by and by.
func (d *Directory) ready(ctx context.Context) {
	d.mu.Lock()
	learned := d.learned
	d.mu.Unlock()
	if !learned.IsZero() && d.cfg.Now().Before(learned) {
		return
	}
	d.learn(ctx)
}

// learn asks the far side what it can do. It changes nothing there.
func (d *Directory) learn(ctx context.Context) {
	select {
	case d.learning <- struct{}{}:
		defer func() { <-d.learning }()
	case <-ctx.Done():
		return
	}
	d.mu.Lock()
	due := d.learned.IsZero() || !d.cfg.Now().Before(d.learned)
	d.mu.Unlock()
	if !due { // somebody else did while this waited
		return
	}
	next := learnAgain
	if !d.readConfig(ctx) || !d.probeLists(ctx) {
		next = retryLearning
	}
	for _, c := range []*collection{d.people, d.groups} {
		c.filters.forget()
		c.idTrust.forget()
	}
	d.mu.Lock()
	d.learned = d.cfg.Now().Add(next)
	d.mu.Unlock()
}

// readConfig reads the ServiceProviderConfig. A far side without one is no fault.
func (d *Directory) readConfig(ctx context.Context) bool {
	a, err := d.attempt(ctx, request{method: http.MethodGet, path: "/ServiceProviderConfig"})
	if err != nil {
		f, failed := faultOf(err)
		return !failed || f.Status >= 200 && f.Status < 300
	}
	for _, c := range []struct {
		name string
		of   func(*Capabilities) *Support
	}{
		{"etag", canETag}, {"sort", canSort}, {"bulk", func(c *Capabilities) *Support { return &c.Bulk }},
		{"patch", canPatch},
	} {
		part, _ := member(a.object, c.name).(map[string]any)
		supported, said := member(part, "supported").(bool)
		if !said || d.can(c.of) == No && c.name == "patch" { // it was seen not to
			continue
		}
		d.found(c.of, map[bool]Support{true: Yes, false: No}[supported])
	}
	return true
}

// probeLists looks at the far side's lists. It reports whether there was an answer.
func (d *Directory) probeLists(ctx context.Context) bool {
	if !d.people.probeCounts(ctx) {
		return false
	}
	if d.can(canExclude) == Unknown {
		_, err := d.groups.page(ctx, window{start: 1, count: 1, query: url.Values{"excludedAttributes": {"members"}}})
		switch {
		case err == nil:
			d.found(canExclude, Yes)
		case isRefused(err, http.StatusBadRequest, http.StatusNotImplemented):
			d.found(canExclude, No)
		}
	}
	return true
}

// probeCounts looks at the first two resources, to see whether pages and totals
// are right. Fewer do not tell.
func (c *collection) probeCounts(ctx context.Context) bool {
	one, err := c.page(ctx, window{start: 1, count: 1})
	if err != nil {
		return false
	}
	two, err := c.page(ctx, window{start: 2, count: 1})
	if err != nil {
		_, failed := faultOf(err)
		return !failed
	}
	if len(one.resources) == 0 || len(two.resources) == 0 {
		return true
	}
	switch {
	case idOf(one.resources[0]) == idOf(two.resources[0]):
		c.found(canPage, No)
	case len(one.resources) == 1:
		c.found(canPage, Yes)
	}
	// A server that counts the page says 1 here.
	c.found(canCount, map[bool]Support{true: Yes, false: No}[one.counted >= 2 && one.counted == two.counted])
	return true
}

// noteKept compares what was sent with what came back, and notes what is missing, once.
func (c *collection) noteKept(sent, got map[string]any) {
	for _, lost := range compareKept(sent, got) {
		lost.Resource = c.schema.Name
		c.noteNotKept(lost)
	}
}

func (d *Directory) noteNotKept(n NotKept) {
	n.Since = d.cfg.Now()
	d.mu.Lock()
	defer d.mu.Unlock()
	order := func(a, b NotKept) int {
		return cmp.Or(strings.Compare(a.Resource, b.Resource), strings.Compare(a.Attribute, b.Attribute))
	}
	i, known := slices.BinarySearchFunc(d.state.NotKept, n, order)
	if known || len(d.state.NotKept) >= maxNotKept {
		return
	}
	d.state.NotKept = slices.Insert(slices.Clone(d.state.NotKept), i, n)
	d.cfg.Log.Warn("the far side does not keep an attribute as it was sent", "resource", n.Resource,
		"attribute", n.Attribute, "changed", n.Changed)
}
