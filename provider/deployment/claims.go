package deployment

import (
	"sync"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// claims records the places that the deployments of a run use, by the owner of the
// resource (client.OwnerOf). The zero value is ready to use.
type claims struct {
	mu      sync.Mutex
	byOwner map[string]claim
	// managed are the places of the deployments that this run has read.
	managed map[string]bool
	// away are the targets that could not be asked in this run.
	away map[string]bool
	// applying is set with the first apply of the run.
	applying bool
}

type claim struct {
	name   string // for people
	target deploy.Target
}

// add records a deployment's place and returns its conflicts with other deployments of
// the run.
func (c *claims) add(owner string, wanted claim) (conflicts []error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.byOwner == nil {
		c.byOwner = map[string]claim{}
	}
	for by, other := range c.byOwner {
		if by == owner {
			continue
		}
		if err := wanted.target.Conflict(wanted.name, other.target, other.name); err != nil {
			conflicts = append(conflicts, err)
		}
	}
	c.byOwner[owner] = wanted
	return conflicts
}

// manage records that the state has a deployment at the target's place.
func (c *claims) manage(t deploy.Target) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.managed == nil {
		c.managed = map[string]bool{}
	}
	c.managed[t.Place()] = true
}

// isManaged reports whether this run has read a deployment at the target's place.
func (c *claims) isManaged(t deploy.Target) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.managed[t.Place()]
}

// apply records that the run applies.
func (c *claims) apply() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.applying = true
}

// isApplying reports whether something was applied in this run.
func (c *claims) isApplying() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.applying
}

// noteAway records that a target cannot be asked, and reports whether that is new in this run.
func (c *claims) noteAway(err *deploy.AwayError) (isNew bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away == nil {
		c.away = map[string]bool{}
	}
	isNew = !c.away[err.API]
	c.away[err.API] = true
	return isNew
}
