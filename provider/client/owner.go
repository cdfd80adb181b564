package client

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"slices"
	"strings"
	"sync"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// ownerKey is where private state keeps what tells one resource from another
// of its type: no request says the address.
const ownerKey = "owner"

// OwnerOf is the resource's mark, made when it is first seen: by it, two
// resources that would own the same whole are told apart within a run.
func OwnerOf(ctx context.Context, private Private, diags *diag.Diagnostics) (owner string) {
	stored, d := private.GetKey(ctx, ownerKey)
	diags.Append(d...)
	if json.Unmarshal(stored, &owner) == nil && owner != "" {
		return owner
	}
	owner = rand.Text()
	value, _ := json.Marshal(owner) // a string always marshals
	diags.Append(private.SetKey(ctx, ownerKey, value)...)
	return owner
}

// Owners is who manages what of a list in one run: one resource the whole, or
// several an object each. Terraform plans resources in any order and some at a
// time: each says what it manages and learns, in the same step, what stands
// against it, so that the second of two sees the first.
//
// What another configuration manages stays unseen. The zero value is ready.
type Owners struct {
	mu      sync.Mutex
	whole   string          // the mark of the resource for the whole that was planned first
	removes bool            // it removes what it does not list
	listed  map[string]bool // by it
	singles int             // resources for one object that stay or are made
	managed map[string]bool // by one of those each
	leaving map[string]bool // with one that is destroyed
	seen    map[string]bool // in a state
}

// A Clash is what stands against managing something; at most one of its fields
// is set.
type Clash struct {
	Wholes bool   // another resource manages the whole too
	Undone bool   // one manages the whole and removes what another manages
	Twice  string // listed by the whole and managed by another: "a, b"
	Lost   string // listed by the whole and destroyed with another: "a, b"
}

// Whole is said by a resource that manages the whole; mark is its OwnerOf.
func (o *Owners) Whole(mark string, removes bool, listed []string) Clash {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.whole != "" && o.whole != mark {
		return Clash{Wholes: true}
	}
	o.whole, o.removes, o.listed = mark, removes, setOf(listed)
	if removes && o.singles > 0 {
		return Clash{Undone: true}
	}
	if twice := both(o.listed, o.managed); twice != "" {
		return Clash{Twice: twice}
	}
	return Clash{Lost: both(o.listed, o.leaving)}
}

// One is said by a resource that manages one object; "" is one that is to be
// made and has no name yet.
func (o *Owners) One(name string) Clash {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.singles++
	if name != "" {
		add(&o.managed, name)
	}
	switch {
	case o.removes:
		return Clash{Undone: true}
	case o.listed[name]:
		return Clash{Twice: name}
	}
	return Clash{}
}

// Leave is said by a resource for one object that is to be destroyed.
func (o *Owners) Leave(name string) Clash {
	o.mu.Lock()
	defer o.mu.Unlock()
	add(&o.leaving, name)
	if o.listed[name] {
		return Clash{Lost: name}
	}
	return Clash{}
}

// Knows reports whether an object is some resource's, or was until this run.
func (o *Owners) Knows(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.managed[name] || o.leaving[name] || o.listed[name] || o.seen[name]
}

// Manages reports whether an object is planned to be some resource's.
func (o *Owners) Manages(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.managed[name] || o.listed[name]
}

// Saw is said of an object that was read for a state.
func (o *Owners) Saw(name string) {
	o.mu.Lock()
	defer o.mu.Unlock()
	add(&o.seen, name)
}

// InState reports whether an object is in a state of this run, as far as it
// was read: then it is replaced, or another resource gives it up.
func (o *Owners) InState(name string) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.seen[name] || o.leaving[name]
}

// Singles are the resources of one run that manage an object each, by what
// tells one object from another at the account. The zero value is ready.
type Singles struct {
	mu sync.Mutex
	by map[string]string // the resource's mark
}

// Claim is said by a resource that is planned to manage an object; mark is its
// OwnerOf. It reports whether another one is, too.
func (s *Singles) Claim(mark, object string) (twice bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = make(map[string]string)
	}
	if other, claimed := s.by[object]; claimed {
		return other != mark
	}
	s.by[object] = mark
	return false
}

func add(set *map[string]bool, name string) {
	if *set == nil {
		*set = make(map[string]bool)
	}
	(*set)[name] = true
}

func setOf(names []string) map[string]bool {
	set := make(map[string]bool, len(names))
	for _, name := range names {
		set[name] = true
	}
	return set
}

// both lists, sorted, what is in both sets.
func both(a, b map[string]bool) string {
	var names []string
	for name := range a {
		if b[name] {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}
