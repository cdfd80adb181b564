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

// ownerKey is the key in private state of a resource's owner id. A request does not have
// the resource's address.
const ownerKey = "owner"

// OwnerOf returns the id by which a run distinguishes resources of a type. It is generated
// when the resource is first planned.
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

// Claims records which resources of a run manage which objects of a list at the account:
// one resource all of them, or several resources one each. Terraform plans resources
// concurrently and in any order, so each claim returns its conflict with earlier ones.
//
// Resources of other configurations are not known. The zero value is ready to use.
type Claims struct {
	mu      sync.Mutex
	all     string          // the owner of the first planned resource for all objects
	removes bool            // it removes objects that it does not list
	listed  map[string]bool // the objects that it lists
	singles int             // planned resources for one object
	managed map[string]bool // their objects
	leaving map[string]bool // objects of resources that are destroyed
	seen    map[string]bool // objects in a state
}

// A Conflict is a conflict of two resources. At most one of its fields is set.
type Conflict struct {
	TwoLists      bool   // two resources manage all objects
	WouldRemove   bool   // one manages all objects and removes another's
	DoublyManaged string // objects listed by one and managed by another: "a, b"
	WouldDelete   string // objects listed by one and destroyed with another: "a, b"
}

// ClaimAll is called for a resource that manages all objects; owner is its OwnerOf.
func (c *Claims) ClaimAll(owner string, removes bool, listed []string) Conflict {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.all != "" && c.all != owner {
		return Conflict{TwoLists: true}
	}
	c.all, c.removes, c.listed = owner, removes, setOf(listed)
	if removes && c.singles > 0 {
		return Conflict{WouldRemove: true}
	}
	if twice := both(c.listed, c.managed); twice != "" {
		return Conflict{DoublyManaged: twice}
	}
	return Conflict{WouldDelete: both(c.listed, c.leaving)}
}

// ClaimOne is called for a resource that manages one object. The name is empty for a new
// object that has none yet.
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

// Release is called for a resource for one object that will be destroyed.
func (c *Claims) Release(name string) Conflict {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.leaving, name)
	if c.listed[name] {
		return Conflict{WouldDelete: name}
	}
	return Conflict{}
}

// Knows reports whether a resource of this run manages an object, or did before.
func (c *Claims) Knows(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.managed[name] || c.leaving[name] || c.listed[name] || c.seen[name]
}

// Manages reports whether a planned resource manages an object.
func (c *Claims) Manages(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.managed[name] || c.listed[name]
}

// Saw is called for an object that Read found.
func (c *Claims) Saw(name string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	add(&c.seen, name)
}

// InState reports whether Read found an object in this run. Then it is replaced, or
// another resource releases it.
func (c *Claims) InState(name string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.seen[name] || c.leaving[name]
}

// Singles records the resources of a run that manage one object each, by the account's
// identity of the object. The zero value is ready to use.
type Singles struct {
	mu sync.Mutex
	by map[string]string // the resource's owner id
}

// Claim is called for a planned resource that manages an object; owner is its OwnerOf. It
// reports whether another resource manages it too.
func (s *Singles) Claim(owner, object string) (twice bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.by == nil {
		s.by = make(map[string]string)
	}
	if other, claimed := s.by[object]; claimed {
		return other != owner
	}
	s.by[object] = owner
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

// both returns the intersection of two sets, sorted.
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
