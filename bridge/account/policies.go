package account

import (
	"context"
	"sync"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// policies are the policy in the form that is evaluated, by the revision that
// a transaction sees: while the writer makes the next ones, requests are judged
// by the last that was committed. A revision names what it names for
// ever, in every process, and so also what is rolled back may be kept.
type policies struct {
	mu     sync.Mutex
	by     map[string]firewall.Compiled
	oldest []keptPolicy
	weight int
}

type keptPolicy struct {
	revision string
	weight   int
}

// Policies share what they have in common. How much one has of its own, its
// weight, is counted in ranges.
const (
	maxPolicies       = 512 // twice as many as there are writes in a transaction
	maxPoliciesWeight = 1 << 17
)

func (p *policies) get(revision string) (firewall.Compiled, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.by[revision]
	return c, ok
}

func (p *policies) put(revision string, c firewall.Compiled, weight int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if _, there := p.by[revision]; there {
		return
	}
	if p.by == nil {
		p.by = make(map[string]firewall.Compiled)
	}
	p.by[revision] = c
	p.oldest = append(p.oldest, keptPolicy{revision, weight})
	p.weight += weight
	// The two newest stay, however large: one that is committed, one that will be.
	for len(p.oldest) > 2 && (len(p.oldest) > maxPolicies || p.weight > maxPoliciesWeight) {
		delete(p.by, p.oldest[0].revision)
		p.weight -= p.oldest[0].weight
		p.oldest = p.oldest[1:]
	}
}

// compiled is the policy that row stands for. It is read and parsed whole only
// if nobody here has seen this revision: after a start, and when
// another process wrote it.
func (a *Account) compiled(ctx context.Context, tx *store.Tx, row store.Firewall) (firewall.Compiled, error) {
	if c, ok := a.policies.get(row.Revision); ok {
		return c, nil
	}
	f, err := a.readFirewall(ctx, tx)
	if err != nil {
		return firewall.Compiled{}, err
	}
	weight := 0
	for _, r := range f.Rules {
		weight += len(r.IPRanges) + 1
	}
	c := f.policy().Compile()
	a.policies.put(row.Revision, c, weight)
	return c, nil
}
