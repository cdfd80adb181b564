package firewall

import (
	"math/bits"
	"net/netip"
	"slices"
)

// A Compiled policy decides in as many steps with ten thousand rules of IP
// ranges as with ten: it looks up the ranges that an address lies in. It never
// changes. With, Without and WithDefault make the next one, which shares with
// it all but the few nodes that differ, so that a change of one rule costs no
// more where there are many.
//
// The zero value has no rules and denies.
type Compiled struct {
	defaultAction Action
	v4, v6        *node
	others        []*Rule // those of other kinds than IP ranges, in their order
	requiredData  []string
	rules         int
}

// Compile makes a policy ready to be asked often. Its rules must be valid and
// have ids of their own.
func (p Policy) Compile() Compiled {
	c := Compiled{defaultAction: p.DefaultAction}
	for i := range p.Rules {
		c = c.With(&p.Rules[i])
	}
	return c
}

// Len is how many rules there are.
func (c Compiled) Len() int { return c.rules }

// RequiredData is what the rules need to know of an address beside itself,
// each once.
func (c Compiled) RequiredData() []string { return c.requiredData }

// Decide returns what the first rule that matches says, or else the default
// action. A policy without a valid default action denies.
func (c Compiled) Decide(s Subject) Decision {
	s.Address = Normalize(s.Address)
	first := c.v4.first(s.Address)
	if s.Address.Is6() {
		first = c.v6.first(s.Address)
	}
	for _, r := range c.others {
		if first != nil && order(first, r) < 0 {
			break
		}
		if r.Match.Matches(s) {
			first = r
			break
		}
	}
	switch {
	case first != nil:
		return Decision{first.Action, first}
	case !c.defaultAction.Valid():
		return Decision{Action: Deny}
	}
	return Decision{Action: c.defaultAction}
}

// DefaultAction is what happens to subjects that no rule matches.
func (c Compiled) DefaultAction() Action { return c.defaultAction }

// WithDefault returns the policy with another default action.
func (c Compiled) WithDefault(a Action) Compiled {
	c.defaultAction = a
	return c
}

// With returns the policy with one rule more. The rule must be valid and
// not change any more.
func (c Compiled) With(r *Rule) Compiled {
	c.rules++
	return c.edit(r, func(n *node, p netip.Prefix) *node { return n.with(p, r) }, insert)
}

// Without returns the policy without a rule that is in it.
func (c Compiled) Without(r *Rule) Compiled {
	c.rules--
	return c.edit(r, func(n *node, p netip.Prefix) *node { return n.without(p, r) }, remove)
}

func (c Compiled) edit(r *Rule, tree func(*node, netip.Prefix) *node, list func([]*Rule, *Rule) []*Rule) Compiled {
	if r.Match.Kind != IPRanges {
		c.others = list(c.others, r)
		c.requiredData = nil
		for _, r := range c.others {
			for _, datum := range r.Match.RequiredData() {
				if !slices.Contains(c.requiredData, datum) {
					c.requiredData = append(c.requiredData, datum)
				}
			}
		}
		return c
	}
	for _, p := range r.Match.prefixes() {
		if p.Addr().Is4() {
			c.v4 = tree(c.v4, p)
		} else {
			c.v6 = tree(c.v6, p)
		}
	}
	return c
}

// A node of a binary trie over the bits of addresses. It stands for a range,
// and what is below it lies within. A node without rules is there to part two
// branches. Nodes never change.
type node struct {
	at       netip.Prefix
	rules    []*Rule // that have this very range, in their order
	branches [2]*node
}

// first is the first of all rules that have the address in a range.
func (n *node) first(a netip.Addr) (first *Rule) {
	for n != nil && n.at.Contains(a) {
		if len(n.rules) > 0 && (first == nil || order(n.rules[0], first) < 0) {
			first = n.rules[0]
		}
		if n.at.IsSingleIP() {
			break
		}
		n = n.branches[bit(a, n.at.Bits())]
	}
	return first
}

func (n *node) with(p netip.Prefix, r *Rule) *node {
	switch {
	case n == nil:
		return &node{at: p, rules: []*Rule{r}}
	case n.at == p:
		return &node{n.at, insert(n.rules, r), n.branches}
	case within(p, n.at):
		changed := *n
		below := &changed.branches[bit(p.Addr(), n.at.Bits())]
		*below = (*below).with(p, r)
		return &changed
	}
	joint := &node{at: common(n.at, p)}
	joint.branches[bit(n.at.Addr(), joint.at.Bits())] = n
	return joint.with(p, r)
}

func (n *node) without(p netip.Prefix, r *Rule) *node {
	switch {
	case n == nil:
		return nil
	case n.at == p:
		return (&node{n.at, remove(n.rules, r), n.branches}).pruned()
	case within(p, n.at):
		changed := *n
		below := &changed.branches[bit(p.Addr(), n.at.Bits())]
		*below = (*below).without(p, r)
		return changed.pruned()
	}
	return n
}

// pruned leaves a node out that has no rules and parts nothing.
func (n *node) pruned() *node {
	switch {
	case len(n.rules) > 0 || n.branches[0] != nil && n.branches[1] != nil:
		return n
	case n.branches[0] != nil:
		return n.branches[0]
	}
	return n.branches[1]
}

// within reports whether p is a smaller range in q.
func within(p, q netip.Prefix) bool { return p.Bits() > q.Bits() && q.Contains(p.Addr()) }

// common is the smallest range that two of one family lie in.
func common(p, q netip.Prefix) netip.Prefix {
	a, b := p.Addr().AsSlice(), q.Addr().AsSlice()
	same := 0
	for i := range a {
		if zeros := bits.LeadingZeros8(a[i] ^ b[i]); zeros < 8 {
			same += zeros
			break
		}
		same += 8
	}
	return netip.PrefixFrom(p.Addr(), min(same, p.Bits(), q.Bits())).Masked()
}

// bit is a bit of an address, counted from the first.
func bit(a netip.Addr, i int) int {
	if a.Is4() {
		b := a.As4()
		return int(b[i/8]>>(7-i%8)) & 1
	}
	b := a.As16()
	return int(b[i/8]>>(7-i%8)) & 1
}

// insert and remove leave the slice that they are given as it is.
func insert(rules []*Rule, r *Rule) []*Rule {
	at, there := slices.BinarySearchFunc(rules, r, order)
	if there { // a range that one rule has twice
		return rules
	}
	return slices.Insert(slices.Clip(rules), at, r)
}

func remove(rules []*Rule, r *Rule) []*Rule {
	at, there := slices.BinarySearchFunc(rules, r, order)
	if !there {
		return rules
	}
	return slices.Concat(rules[:at], rules[at+1:])
}
