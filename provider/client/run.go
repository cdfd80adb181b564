package client

import "reflect"

// The data that the resources of a run share. Terraform configures one client for the plan
// and another one for the apply.

// EphemeralToken is the prefix of the note on a bearer token that was generated in this
// run; its fingerprint follows.
const EphemeralToken = "ephemeral token "

// Note records a note for the rest of the run.
func (c *Client) Note(what string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.notes[what] = true
}

// Noted reports whether the note was recorded in this run.
func (c *Client) Noted(what string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.notes[what]
}

// PerRun returns the run's *T, which is zero the first time.
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
