package client

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// A standoff bounds how long creations wait for the run to destroy the existing
// objects for which the account refuses them. Most such objects are not of this
// run. So the creations wait together, a hundred as long as one, and only while
// requests are made that may free an object.
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

// begin is called before a request that may free an object; end is called after it.
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

// wait returns how much longer a refused creation waits; most bounds the whole wait.
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

// AwaitNote waits until something is noted in this run, and reports whether it
// was. It waits as long as a refused creation does: a resource that got another
// name without a moved block is destroyed and created in one run, in any order.
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

// Made is called for an object that a resource of this run has made.
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

// Destroyed is called when the destruction has ended, with or without success.
func (h *Handover) Destroyed(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.going, id)
}
