package client

import "reflect"

// What the parts of one run of the provider tell each other, since no schema
// has a place for it. Terraform starts a plan and an apply with a client each.

// EphemeralToken begins the note on a bearer token that was made in this run
// and will be another one in the next; its fingerprint follows.
const EphemeralToken = "ephemeral token "

// Note remembers something for the rest of the run.
func (c *Client) Note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes[what] = true
}

// Noted tells whether it was noted in this run.
func (c *Client) Noted(what string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.notes[what]
}

// Once is the one *T of the run, zero when it is first asked for.
func Once[T any](c *Client) *T {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := reflect.TypeFor[T]()
	one, ok := c.once[key].(*T)
	if !ok {
		one = new(T)
		c.once[key] = one
	}
	return one
}
