package client

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// A standoff is how long creations that the account refuses for what exists
// wait for the run to destroy it: what exists is far more often somebody
// else's than about to go. They wait together, so that a run that meets a
// hundred such objects waits as long as for one; and only as long as something
// happens that may free what they want.
type standoff struct {
	mu      sync.Mutex
	began   time.Time // with the first refusal
	freeing int       // requests on their way that may free something
	freed   time.Time // when the last of those ended
}

// quiet is how long after the last such request nothing more is expected: a
// destruction that depends on nothing has begun by then.
const quiet = 3 * time.Second

// frees reports whether a request may free what another resource is to make.
func frees(method string) bool {
	return method == http.MethodDelete || method == http.MethodPatch || method == http.MethodPut
}

// begin is said of a request that may free something; call the result at its end.
func (s *standoff) begin() (end func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.freeing++
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.freeing--
		s.freed = time.Now()
	}
}

// wait is how much longer a refused creation waits, at most.
func (s *standoff) wait(most time.Duration) time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if s.began.IsZero() {
		s.began = now
	}
	left := most - now.Sub(s.began)
	if s.freeing > 0 {
		return left
	}
	last := s.began
	if s.freed.After(last) {
		last = s.freed
	}
	return min(left, quiet-now.Sub(last))
}

// AwaitNote reports whether something is noted in this run, and waits for it as
// long as the run waits for what exists: a resource that got another name
// without a moved block is destroyed and made in one run, in any order.
func (c *Client) AwaitNote(ctx context.Context, what string) bool {
	for pause := shortestPause; !c.Noted(what); pause = min(2*pause, longestPause) {
		if pause > c.standoff.wait(c.patience/3) {
			return false
		}
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return false
		}
	}
	return true
}

// A Handover records which resource has an object that one gives up and another one
// takes over in the same run, in whatever order Terraform comes to them. The
// zero value is ready.
type Handover struct {
	mu    sync.Mutex
	taken map[string]bool
	going map[string]bool
}

// Take reports whether a resource may take over an object that exists: not
// while another destroys it, nor after another has taken or made it.
func (h *Handover) Take(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.going[id] || h.taken[id] {
		return false
	}
	add(&h.taken, id)
	return true
}

// Made is said of an object that a resource of this run has made.
func (h *Handover) Made(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	add(&h.taken, id)
}

// Taken reports whether a resource of this run has made or taken over an object.
func (h *Handover) Taken(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.taken[id]
}

// Destroy reports whether a resource may destroy its object: not when another
// one has taken it over.
func (h *Handover) Destroy(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken[id] {
		return false
	}
	add(&h.going, id)
	return true
}

// Destroyed is said when that has ended.
func (h *Handover) Destroyed(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.going, id)
}
