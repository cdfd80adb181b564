package client

import "reflect"

// What the resources of one run share beside their schemas. Terraform makes a
// client for the plan, and another one for the apply.

// EphemeralToken begins the note on a bearer token that was made in this run
// and will be another one in the next; its fingerprint follows.
const EphemeralToken = "ephemeral token "

// Note notes something for the rest of the run.
func (c *Client) Note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes[what] = true
}

// Noted reports whether it was noted in this run.
func (c *Client) Noted(what string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.notes[what]
}

// PerRun returns the one *T of the run, zero when it is first asked for.
func PerRun[T any](c *Client) *T {
	c.mu.Lock()
	defer c.mu.Unlock()
	key := reflect.TypeFor[T]()
	one, ok := c.perRun[key].(*T)
	if !ok {
		one = new(T)
		c.perRun[key] = one
	}
	return one
}
