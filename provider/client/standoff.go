package client

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// A standoff limits how long refused creations wait for the run to destroy the existing
// objects. Most such objects do not belong to this run. So all creations share one wait,
// which lasts only while requests are made that may delete an object.
type standoff struct {
	mu      sync.Mutex
	began   time.Time // of the first refusal
	freeing int       // current requests that may delete an object
	freed   time.Time // when the last of them ended
}

// quiet is the time after the last such request in which another one is expected: a
// destruction without dependencies has begun by then.
const quiet = 3 * time.Second

// frees reports whether a request may delete an object that another resource creates.
func frees(method string) bool {
	return method == http.MethodDelete || method == http.MethodPatch || method == http.MethodPut
}

// begin is called before a request that may delete an object, and end after it.
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

// wait returns how much longer a refused creation waits; most limits the whole wait.
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

// AwaitNote waits for a note in this run, and reports whether it was recorded. It waits as
// long as a refused creation: a resource that was renamed without a moved block is
// destroyed and created in one run, in any order.
func (c *Client) AwaitNote(ctx context.Context, what string) bool {
	for pause := shortestPause; !c.Noted(what); pause = min(2*pause, longestPause) {
		if pause > c.standoff.wait(c.conflictTimeout/3) {
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

// A Handover records objects that one resource of a run releases and another one adopts,
// in any order. The zero value is ready to use.
type Handover struct {
	mu    sync.Mutex
	taken map[string]bool
	going map[string]bool
}

// Take reports whether a resource may adopt an existing object: not while another resource
// destroys it, nor after another has adopted or created it.
func (h *Handover) Take(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.going[id] || h.taken[id] {
		return false
	}
	add(&h.taken, id)
	return true
}

// Made is called for an object that a resource of this run has created.
func (h *Handover) Made(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	add(&h.taken, id)
}

// Taken reports whether a resource of this run has created or adopted an object.
func (h *Handover) Taken(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.taken[id]
}

// Destroy reports whether a resource may destroy its object: not if another one has
// adopted it.
func (h *Handover) Destroy(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.taken[id] {
		return false
	}
	add(&h.going, id)
	return true
}

// Destroyed is called after the destruction, with or without success.
func (h *Handover) Destroyed(id string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.going, id)
}
