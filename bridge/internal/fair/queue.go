// Package fair bounds how many requests are carried out at once, and shares that out among the clients: whoever sends
// many requests waits behind its own, and not before those of others.
package fair

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"
	"time"
)

// A Client is whose a request is. Clients with the same name share what one client has; within that, what they have
// is shared out among the parts.
type Client struct{ Name, Part string }

// A Queue carries out so many requests at once. A place that becomes free is given to the client that has the fewest,
// of several such to the one that got its last one the longest ago; the requests of a part of a client come in the
// order of arrival. One client alone has seven of eight places, of few all: the rest is for the next one to come, which
// may else wait for requests that take minutes. Nothing is kept of a client without a request. It is safe for
// concurrent use.
type Queue struct {
	most, ofOne int // places, and those that a single client may have

	mu      sync.Mutex
	running int
	closed  bool
	turn    uint64 // counts the places given
	parts   map[Client]*part
	clients map[string]*client
	waiting crowd[*client] // those with a waiting request
	spare   []*part        // for use again
	free    []*client      // for use again

	// pace is the mean time between two places that become free while requests wait, and paced when the last one did.
	pace  time.Duration
	paced time.Time
	stats Stats
}

// Stats are numbers about a queue since it was made.
type Stats struct {
	Running, Waiting int // at the moment
	// Waited counts the requests that have waited, whatever came of it, and WaitedFor is how long, together.
	Waited    int64
	WaitedFor time.Duration
	Refused   map[Reason]int64
}

type client struct {
	name    string
	share   share
	parts   int // with a request
	waiting crowd[*part]
}

type part struct {
	key    Client
	client *client
	share  share
	first  *waiter
	last   *waiter
}

// share is what a client, or a part of it, has of the places.
type share struct {
	running, waiting int
	turn             uint64 // when it got its last place
}

// compare orders shares by who is next.
func (s share) compare(t share) int {
	return cmp.Or(cmp.Compare(s.running, t.running), cmp.Compare(s.turn, t.turn))
}

// A waiter is a request that waits. Its fields are guarded by the queue's lock.
type waiter struct {
	next, previous *waiter
	since          time.Time
	ended          bool          // it was interrupted
	done           chan struct{} // closed when it waits no more
}

// New returns a queue with so many places, at least one.
func New(places int) *Queue {
	places = max(1, places)
	return &Queue{
		most: places, ofOne: places - (places+4)/8,
		parts: map[Client]*part{}, clients: map[string]*client{},
		stats: Stats{Refused: map[Reason]int64{Early: 0, Late: 0, Ended: 0, Left: 0}},
	}
}

// DefaultPlaces is how many requests are carried out at once by default. More than there are processors, since they
// wait for disks and other servers, and writes that come together share one commit; but not many more, since whoever is
// next shares the processors with all that have begun.
func DefaultPlaces() int { return max(32, 8*runtime.GOMAXPROCS(0)) }

// A Patience is how long a request may wait.
type Patience struct {
	// Most is the longest wait.
	Most time.Duration
	// Ask is set for a client that comes back when it is told to: one that is likely to wait longer than Most is
	// refused at once.
	Ask bool
}

// A Reason is why a request got no place, from a closed set.
type Reason string

// The reasons.
const (
	Early Reason = "expected" // it would have waited too long
	Late  Reason = "waited"   // it has waited too long
	Ended Reason = "ended"    // waiting was ended, by Interrupt or Close
	Left  Reason = "left"     // the client has gone
)

// A RefusedError is the error of a request that got no place.
type RefusedError struct {
	Reason Reason
	// After is when it is likely to get one: at least a second, at most a minute, in whole seconds.
	After time.Duration
}

func (r *RefusedError) Error() string {
	return fmt.Sprintf("too many requests are under way (%s); try again in %.0f seconds", r.Reason, r.After.Seconds())
}

// A Place is held by a request until Leave.
type Place struct {
	// Waited reports whether the request has waited for it: what was decided about it before may have changed.
	Waited bool

	queue *Queue
	part  *part
}

// Enter waits for a place, which must be left. The error is a *RefusedError, or ctx's.
func (q *Queue) Enter(ctx context.Context, c Client, p Patience) (Place, error) {
	q.mu.Lock()
	at := q.join(c)
	if q.running < q.most && at.client.share.running < q.ofOne {
		q.give(at)
		q.mu.Unlock()
		return Place{false, q, at}, nil
	}
	now := time.Now()
	if q.closed {
		q.forget(at)
		return Place{}, q.refuse(Ended, time.Second)
	}
	// Nobody is refused who is the first to wait, since the pace is only measured while somebody does.
	if after := q.expected(at, now); p.Ask && after > p.Most && len(q.waiting) > 0 {
		q.forget(at)
		return Place{}, q.refuse(Early, after)
	}
	w := &waiter{since: now, done: make(chan struct{})}
	q.enqueue(at, w)
	q.mu.Unlock()

	timeout := time.NewTimer(p.Most)
	defer timeout.Stop()
	reason := Late
	select {
	case <-w.done:
	case <-timeout.C:
	case <-ctx.Done():
		reason = Left
	}
	return q.awoken(ctx, at, w, reason)
}

// awoken ends the wait of a request that has a place by now, or is told to wait no more, or wants to wait no more.
func (q *Queue) awoken(ctx context.Context, at *part, w *waiter, reason Reason) (Place, error) {
	q.mu.Lock()
	now := time.Now()
	q.stats.Waited++
	q.stats.WaitedFor += now.Sub(w.since)
	select {
	case <-w.done:
		if w.ended { // at may be another client's by now
			return Place{}, q.refuse(Ended, time.Second)
		}
		q.mu.Unlock()
		return Place{true, q, at}, nil
	default:
	}
	q.remove(at, w)
	after := q.expected(at, now)
	q.forget(at)
	err := q.refuse(reason, after)
	if reason == Left {
		return Place{}, ctx.Err()
	}
	return Place{}, err
}

// refuse returns the refusal of a request, and unlocks.
func (q *Queue) refuse(reason Reason, after time.Duration) error {
	defer q.mu.Unlock()
	q.stats.Refused[reason]++
	const longest = time.Minute
	seconds := (after + time.Second - 1).Truncate(time.Second)
	return &RefusedError{reason, min(max(seconds, time.Second), longest)}
}

// Leave gives the place to the next request.
func (p Place) Leave() {
	q := p.queue
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running--
	p.part.share.running--
	p.part.client.share.running--
	q.forget(p.part)
	q.measure()
	q.hand()
}

// Interrupt ends the waiting of all requests.
func (q *Queue) Interrupt() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for len(q.waiting) > 0 {
		at := q.waiting[0].waiting[0]
		w := at.first
		q.remove(at, w)
		q.forget(at)
		w.ended = true
		close(w.done)
	}
}

// Close is Interrupt; from then on no request waits.
func (q *Queue) Close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.Interrupt()
}

// Stats returns the numbers of the moment.
func (q *Queue) Stats() Stats {
	q.mu.Lock()
	defer q.mu.Unlock()
	s := q.stats
	s.Running = q.running
	for _, c := range q.waiting {
		s.Waiting += c.share.waiting
	}
	s.Refused = maps.Clone(q.stats.Refused)
	return s
}

// hand gives free places to who is next.
func (q *Queue) hand() {
	for q.running < q.most {
		c := q.waiting.least(func(c *client) share { return c.share }, q.ofOne)
		if c == nil {
			return
		}
		at := c.waiting.least(func(p *part) share { return p.share }, q.most)
		w := at.first
		q.remove(at, w)
		q.give(at)
		close(w.done)
	}
}

func (q *Queue) give(at *part) {
	q.turn++
	q.running++
	at.share.running++
	at.client.share.running++
	at.share.turn, at.client.share.turn = q.turn, q.turn
}

func (q *Queue) enqueue(at *part, w *waiter) {
	if at.last == nil {
		at.first = w
		at.client.waiting = append(at.client.waiting, at)
	} else {
		at.last.next, w.previous = w, at.last
	}
	at.last = w
	at.share.waiting++
	if len(q.waiting) == 0 {
		q.paced = w.since
	}
	if at.client.share.waiting++; at.client.share.waiting == 1 {
		q.waiting = append(q.waiting, at.client)
	}
}

// remove takes a request out of its queue.
func (q *Queue) remove(at *part, w *waiter) {
	if w.previous == nil {
		at.first = w.next
	} else {
		w.previous.next = w.next
	}
	if w.next == nil {
		at.last = w.previous
	} else {
		w.next.previous = w.previous
	}
	w.next, w.previous = nil, nil
	if at.share.waiting--; at.share.waiting == 0 {
		at.client.waiting.drop(at)
	}
	if at.client.share.waiting--; at.client.share.waiting == 0 {
		q.waiting.drop(at.client)
	}
	if len(q.waiting) == 0 {
		q.paced = time.Time{}
	}
}

// measure notes that a place has become free.
func (q *Queue) measure() {
	if len(q.waiting) == 0 {
		return
	}
	now := time.Now()
	if !q.paced.IsZero() {
		const weight = 16
		q.pace += (now.Sub(q.paced) - q.pace) / weight
	}
	q.paced = now
}

// expected returns how long a new request of a client is likely to wait: for those before it, whose turn comes with
// every so many places that become free as there are clients.
func (q *Queue) expected(at *part, now time.Time) time.Duration {
	pace := q.pace
	if !q.paced.IsZero() {
		pace = max(pace, now.Sub(q.paced)) // nothing has become free for so long
	}
	clients := len(q.waiting)
	if at.client.share.waiting == 0 {
		clients++
	}
	return pace * time.Duration(clients*(at.client.share.waiting+1))
}

// join returns the part of a client's request.
func (q *Queue) join(key Client) *part {
	if at := q.parts[key]; at != nil {
		return at
	}
	c := q.clients[key.Name]
	if c == nil {
		c = pop(&q.free)
		c.name = key.Name
		q.clients[key.Name] = c
	}
	c.parts++
	at := pop(&q.spare)
	at.key, at.client = key, c
	q.parts[key] = at
	return at
}

// forget forgets a part that has no request any more.
func (q *Queue) forget(at *part) {
	if at.share.running+at.share.waiting > 0 {
		return
	}
	c := at.client
	delete(q.parts, at.key)
	*at = part{}
	q.spare = push(q.spare, at)
	if c.parts--; c.parts == 0 {
		delete(q.clients, c.name)
		*c = client{waiting: c.waiting[:0]}
		q.free = push(q.free, c)
	}
}

// spares is how many parts and clients are kept for use again.
const spares = 16

func push[T any](all []*T, v *T) []*T {
	if len(all) < spares {
		all = append(all, v)
	}
	return all
}

func pop[T any](all *[]*T) *T {
	n := len(*all)
	if n == 0 {
		return new(T)
	}
	v := (*all)[n-1]
	*all = (*all)[:n-1]
	return v
}

// A crowd is who waits, in the order of arrival.
type crowd[T comparable] []T

// least returns who is next of those that have fewer places than most; the zero value if nobody is.
func (r crowd[T]) least(of func(T) share, most int) (next T) {
	var lowest share
	found := false
	for _, v := range r {
		if s := of(v); s.running < most && (!found || s.compare(lowest) < 0) {
			next, lowest, found = v, s, true
		}
	}
	return next
}

func (r *crowd[T]) drop(v T) {
	i := slices.Index(*r, v)
	*r = slices.Delete(*r, i, i+1)
}
