package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/moby/moby/client"
)

// freshFor is how long an outage is not tried again.
const freshFor = 30 * time.Second

// Outages records which engines did not answer in a run, so that a plan over many
// deployments waits only once for each. The zero value is ready to use.
type Outages struct {
	mu    sync.Mutex
	hosts map[string]*contact
}

// A contact is the first connection to an engine.
type contact struct {
	done chan struct{} // closed when err and at are set
	err  *Error
	at   time.Time
}

// attempt connects to a host. While the first connection is made, others to the same host
// wait for its result.
func (o *Outages) attempt(ctx context.Context, host string, connect func() (*client.Client, error)) (*client.Client,
	error,
) {
	if o == nil {
		return connect()
	}
	mine, first := o.contact(host)
	if first {
		c, err := connect()
		away, _ := errors.AsType[*Error](err)
		o.finish(host, mine, away, err == nil || away != nil)
		return c, err
	}
	select {
	case <-mine.done:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	if mine.err != nil {
		return nil, fmt.Errorf("not tried again, since earlier in this run the container engine at %s could not be "+
			"reached",
			host)
	}
	return connect()
}

func (o *Outages) contact(host string) (c *contact, first bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if c = o.hosts[host]; c != nil && !c.isOver() {
		return c, false
	}
	if o.hosts == nil {
		o.hosts = map[string]*contact{}
	}
	c = &contact{done: make(chan struct{})}
	o.hosts[host] = c
	return c, true
}

// isOver reports whether an outage was too long ago to be still one.
func (c *contact) isOver() bool {
	select {
	case <-c.done:
		return c.err != nil && time.Since(c.at) > freshFor
	default:
		return false
	}
}

// finish records the result of a first connection. One that was interrupted decides
// nothing: the next is the first again.
func (o *Outages) finish(host string, c *contact, away *Error, decided bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	c.err, c.at = away, time.Now()
	close(c.done)
	if !decided {
		delete(o.hosts, host)
	}
}
