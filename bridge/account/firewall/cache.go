package firewall

import "sync"

// A Cache keeps compiled policies by the revision that a transaction sees: while
// the writer makes the next ones, requests are decided by the last that was
// committed. No process uses a revision for a second policy, so the policy of
// one that was rolled back may stay too. The zero value is ready.
type Cache struct {
	mu       sync.Mutex
	policies map[string]Compiled
	oldest   []cachedPolicy
	weight   int
}

type cachedPolicy struct {
	revision string
	weight   int
}

// Policies share what they have in common. How much one has of its own, its
// weight, is counted in rules and their values.
const (
	maxPolicies       = 512 // twice as many as there are writes in a transaction
	maxPoliciesWeight = 1 << 17
)

// Weight is how much of its own a policy has that consists of another one and
// these rules.
func Weight(added ...*Rule) (weight int) {
	for _, r := range added {
		weight += len(r.Match.Values) + 1
	}
	return weight
}

// Get returns the policy of a revision.
func (c *Cache) Get(revision string) (Compiled, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	p, ok := c.policies[revision]
	return p, ok
}

// Put keeps the policy of a revision.
func (c *Cache) Put(revision string, p Compiled, weight int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if _, there := c.policies[revision]; there {
		return
	}
	if c.policies == nil {
		c.policies = make(map[string]Compiled)
	}
	c.policies[revision] = p
	c.oldest = append(c.oldest, cachedPolicy{revision, weight})
	c.weight += weight
	// The two newest stay, however large: one that is committed, one that will be.
	for len(c.oldest) > 2 && (len(c.oldest) > maxPolicies || c.weight > maxPoliciesWeight) {
		delete(c.policies, c.oldest[0].revision)
		c.weight -= c.oldest[0].weight
		c.oldest = c.oldest[1:]
	}
}
