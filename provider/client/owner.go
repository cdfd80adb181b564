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

// ownerKey is where private state keeps a resource's mark. A request does not
// have the resource's address.
const ownerKey = "owner"

// OwnerOf returns the mark by which a run tells one resource from another of its
// type. It is made when the resource is first seen.
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

// Claims record which resources of one run manage which objects of a list at the
// account: one resource all of them, or several resources one each. Terraform
// plans resources in any order, several at a time. So a claim also returns its
// conflict: the second of two resources sees the first.
//
// Resources of other configurations are not known. The zero value is ready.
type Claims struct {
	mu      sync.Mutex
	all     string          // the mark of the resource for all that was planned first
	removes bool            // it removes what it does not list
	listed  map[string]bool // by it
	singles int             // resources for one object that stay or are made
	managed map[string]bool // by one of those each
	leaving map[string]bool // with one that is destroyed
	seen    map[string]bool // in a state
}

// A Conflict is why two resources cannot both have what they claim; at most one
// of its fields is set.
type Conflict struct {
	TwoLists      bool   // two resources manage all
	WouldRemove   bool   // one manages all and removes what another manages
	DoublyManaged string // listed by one and managed by another: "a, b"
	WouldDelete   string // listed by one and destroyed with another: "a, b"
}

// ClaimAll is called for a resource that manages all; mark is its OwnerOf.
func (c *Claims) ClaimAll(mark string, removes bool, listed []string) Conflict {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all != "" && c.all != mark {
		return Conflict{TwoLists: true}
	}
	c.all, c.removes, c.listed = mark, removes, setOf(listed)
	if removes && c.singles > 0 {
		return Conflict{WouldRemove: true}
	}
	if twice := both(c.listed, c.managed); twice != "" {
		return Conflict{DoublyManaged: twice}
	}
	return Conflict{WouldDelete: both(c.listed, c.leaving)}
}

// ClaimOne is called for a resource that manages one object; "" is one that is
// to be made and has no name yet.
func (c *Claims) ClaimOne(name string) Conflict {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.singles++
	if name != "" {
		add(&c.managed, name)
	}
	switch {
	case c.removes:
		return Conflict{WouldRemove: true}
	case c.listed[name]:
		return Conflict{DoublyManaged: name}
	}
	return Conflict{}
}

// Release is called for a resource for one object that is to be destroyed.
func (c *Claims) Release(name string) Conflict {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.leaving, name)
	if c.listed[name] {
		return Conflict{WouldDelete: name}
	}
	return Conflict{}
}

// Knows reports whether an object is some resource's, or was until this run.
func (c *Claims) Knows(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.managed[name] || c.leaving[name] || c.listed[name] || c.seen[name]
}

// Manages reports whether an object is planned to be some resource's.
func (c *Claims) Manages(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.managed[name] || c.listed[name]
}

// Saw is called for an object that was read for a state.
func (c *Claims) Saw(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.seen, name)
}

// InState reports whether an object is in a state of this run, as far as it
// was read: then it is replaced, or another resource gives it up.
func (c *Claims) InState(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[name] || c.leaving[name]
}

// Singles are the resources of one run that manage an object each, by what
// tells one object from another at the account. The zero value is ready.
type Singles struct {
	mu sync.Mutex
	by map[string]string // the resource's mark
}

// Claim is called for a resource that is planned to manage an object; mark is its
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
