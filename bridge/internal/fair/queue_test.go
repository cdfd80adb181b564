package fair_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/fair"
)

var patient = fair.Patience{Most: time.Minute}

// A crew enters a queue and notes who got in, in order.
type crew struct {
	t     *testing.T
	queue *fair.Queue
	came  int
	in    chan entered
	done  sync.WaitGroup
}

type entered struct {
	n      int // of those that came to wait
	client fair.Client
	place  fair.Place
	err    error
}

func newCrew(t *testing.T, places int) *crew {
	t.Helper()
	c := &crew{t: t, queue: fair.New(places), in: make(chan entered, 1000)}
	t.Cleanup(func() {
		c.queue.Close()
		c.done.Wait()
	})
	return c
}

// hold takes a place that is free.
func (c *crew) hold(client fair.Client) fair.Place {
	c.t.Helper()
	p, err := c.queue.Enter(c.t.Context(), client, fair.Patience{})
	if err != nil {
		c.t.Fatal(err)
	}
	return p
}

// wait has a request wait, and returns when it does.
func (c *crew) wait(ctx context.Context, client fair.Client, p fair.Patience) {
	c.t.Helper()
	before := c.queue.Stats().Waiting
	n := c.came
	c.came++
	c.done.Go(func() {
		place, err := c.queue.Enter(ctx, client, p)
		c.in <- entered{n, client, place, err}
	})
	for deadline := time.Now().Add(time.Minute); c.queue.Stats().Waiting == before; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			c.t.Fatal("the request does not wait")
		}
	}
}

// next returns who gets in next.
func (c *crew) next() entered {
	c.t.Helper()
	select {
	case e := <-c.in:
		return e
	case <-time.After(time.Minute):
		c.t.Fatal("nobody gets in")
		return entered{}
	}
}

func named(name string) fair.Client { return fair.Client{Name: name} }

func TestPlacesAreGivenToTheClientsInTurn(t *testing.T) {
	t.Parallel()
	c := newCrew(t, 1)
	place := c.hold(named("first"))
	for range 8 {
		c.wait(t.Context(), named("many"), patient)
	}
	for range 2 {
		c.wait(t.Context(), named("few"), patient)
	}
	c.wait(t.Context(), named("one"), patient)
	var got []string
	for range 11 {
		place.Leave()
		e := c.next()
		got = append(got, e.client.Name)
		place = e.place
	}
	place.Leave()
	if order := strings.Join(got, " "); order != "many few one many few many many many many many many" {
		t.Errorf("order: %s", order)
	}
}

func TestRequestsOfAClientComeInTheOrderOfArrival(t *testing.T) {
	t.Parallel()
	c := newCrew(t, 1)
	place := c.hold(named("a"))
	for range 5 {
		c.wait(t.Context(), named("a"), patient)
	}
	for i := range 5 {
		place.Leave()
		e := c.next()
		if e.n != i {
			t.Fatalf("the one that came as number %d instead of %d", e.n, i)
		}
		place = e.place
	}
	place.Leave()
}

// Two identity providers have half each, whatever the number of networks that one of them comes from; and of one, its
// networks have the same.
func TestAClientGainsNothingByItsParts(t *testing.T) {
	t.Parallel()
	c := newCrew(t, 1)
	place := c.hold(named("holder"))
	for i := range 40 {
		c.wait(t.Context(), fair.Client{Name: "wide", Part: fmt.Sprint(i % 4)}, patient)
		if i < 20 {
			c.wait(t.Context(), fair.Client{Name: "narrow"}, patient)
		}
	}
	parts, names := map[string]int{}, map[string]int{}
	for range 40 {
		place.Leave()
		e := c.next()
		names[e.client.Name]++
		if e.client.Name == "wide" {
			parts[e.client.Part]++
		}
		place = e.place
	}
	place.Leave()
	if names["wide"] != 20 || names["narrow"] != 20 {
		t.Errorf("of 40: %v", names)
	}
	for part, n := range parts {
		if n != 5 {
			t.Errorf("part %s of the wide client: %d of 20", part, n)
		}
	}
}

// Requests may take minutes: what is shared out is the places, and not how often one is given.
func TestAClientWithLongRequestsDoesNotGetMorePlaces(t *testing.T) {
	t.Parallel()
	c := newCrew(t, 4)
	var first []fair.Place
	for range 3 {
		first = append(first, c.hold(named("long")))
	}
	for range 5 {
		c.wait(t.Context(), named("long"), patient)
	}
	short := c.hold(named("short")) // the place that one client alone does not get
	for range 20 {
		c.wait(t.Context(), named("short"), patient)
	}
	for i := range 10 { // the long requests stay
		short.Leave()
		e := c.next()
		if e.client.Name != "short" {
			t.Fatalf("the %d-th place went to a client that has three", i)
		}
		short = e.place
	}
	first[0].Leave()
	if e := c.next(); e.client.Name != "short" {
		t.Error("a place went to the client that has two, instead of the one that has one")
	}
}

func TestOneClientAloneLeavesAPlaceForTheNext(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ places, alone int }{{1, 1}, {3, 3}, {4, 3}, {8, 7}, {32, 28}, {100, 87}} {
		c := newCrew(t, row.places)
		for range row.alone {
			c.hold(named("alone"))
		}
		if _, err := c.queue.Enter(t.Context(), named("alone"), fair.Patience{}); err == nil {
			t.Errorf("of %d places one client has more than %d", row.places, row.alone)
		}
		if row.alone < row.places {
			c.hold(named("other"))
		}
	}
}

func TestAClientThatLeavesWhileItWaitsLosesNoPlace(t *testing.T) {
	t.Parallel()
	c := newCrew(t, 1)
	place := c.hold(named("holder"))
	ctx, cancel := context.WithCancel(t.Context())
	c.wait(ctx, named("gone"), patient)
	c.wait(t.Context(), named("gone"), patient)
	c.wait(t.Context(), named("there"), patient)
	cancel()
	if e := c.next(); !errors.Is(e.err, context.Canceled) {
		t.Fatalf("%v instead of the context's error", e.err)
	}
	for range 2 {
		place.Leave()
		e := c.next()
		if e.err != nil {
			t.Fatal(e.err)
		}
		place = e.place
	}
	place.Leave()
	if s := c.queue.Stats(); s.Running+s.Waiting != 0 || s.Refused[fair.Left] != 1 {
		t.Errorf("%+v", s)
	}
}

func TestWhoWaitsTooLongIsToldWhenToComeBack(t *testing.T) {
	t.Parallel()
	c := newCrew(t, 1)
	c.hold(named("holder"))
	for range 3 {
		c.wait(t.Context(), named("a"), patient)
	}
	_, err := c.queue.Enter(t.Context(), named("a"), fair.Patience{Most: time.Millisecond})
	refusal, ok := errors.AsType[*fair.RefusedError](err)
	if !ok || refusal.Reason != fair.Late || refusal.After < time.Second || refusal.After > time.Minute {
		t.Errorf("%v", err)
	}
}

// A place became free each 40 ms or so, and six are before it: within 100 ms it would not get one.
func TestWhoWouldWaitTooLongIsRefusedAtOnceIfItComesBack(t *testing.T) {
	t.Parallel()
	c := newCrew(t, 1)
	place := c.hold(named("a"))
	for range 80 {
		c.wait(t.Context(), named("a"), patient)
	}
	for range 30 {
		time.Sleep(40 * time.Millisecond)
		place.Leave()
		place = c.next().place
	}
	_, err := c.queue.Enter(t.Context(), named("a"), fair.Patience{Most: 100 * time.Millisecond, Ask: true})
	refusal, ok := errors.AsType[*fair.RefusedError](err)
	if !ok || refusal.Reason != fair.Early {
		t.Fatalf("%v", err)
	}
	if refusal.After < time.Second || refusal.After > 30*time.Second {
		t.Errorf("to come back after %s", refusal.After)
	}
	// Another client would have its turn soon, and waits.
	c.wait(t.Context(), named("b"), fair.Patience{Most: 10 * time.Second, Ask: true})
	place.Leave()
	if e := c.next(); e.client.Name != "b" || e.err != nil {
		t.Errorf("%+v", e)
	}
	// Nobody is refused at once who is the first to wait: what was measured before may not hold any more, and would be
	// measured no more.
	c.queue.Interrupt()
	_, err = c.queue.Enter(t.Context(), named("a"), fair.Patience{Most: time.Millisecond, Ask: true})
	if refusal, ok = errors.AsType[*fair.RefusedError](err); !ok || refusal.Reason != fair.Late {
		t.Errorf("%v", err)
	}
}

func TestInterruptedRequestsComeBackAndClosedQueuesKeepNobodyWaiting(t *testing.T) {
	t.Parallel()
	c := newCrew(t, 2)
	first, second := c.hold(named("a")), c.hold(named("a"))
	ended := func(what string, err error) {
		t.Helper()
		refusal, ok := errors.AsType[*fair.RefusedError](err)
		if !ok || refusal.Reason != fair.Ended || refusal.After != time.Second {
			t.Errorf("%s: %v", what, err)
		}
	}
	for range 3 {
		c.wait(t.Context(), named("a"), patient)
		c.wait(t.Context(), named("b"), patient)
	}
	c.queue.Interrupt()
	for range 6 {
		ended("interrupted", c.next().err)
	}
	c.wait(t.Context(), named("a"), patient) // a new request waits
	c.queue.Close()
	ended("closed", c.next().err)
	_, err := c.queue.Enter(t.Context(), named("b"), patient)
	ended("after closing", err)
	first.Leave()
	c.hold(named("b")).Leave() // a free place is still given
	second.Leave()
	if s := c.queue.Stats(); s.Running+s.Waiting != 0 || s.Refused[fair.Ended] != 8 {
		t.Errorf("%+v", s)
	}
}

// Whatever happens at once, there are never more under way than there are places, and all places come back.
func TestNoPlaceIsLostOrGivenTwice(t *testing.T) {
	t.Parallel()
	const places = 5
	q := fair.New(places)
	var inside, most, served atomic.Int64
	var workers sync.WaitGroup
	for worker := range 40 {
		workers.Go(func() {
			random := rand.New(rand.NewPCG(uint64(worker), 1)) //nolint:gosec // for a test
			for range 300 {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(random.IntN(3000))*time.Microsecond)
				c := fair.Client{Name: fmt.Sprint(worker % 7), Part: fmt.Sprint(worker % 3)}
				place, err := q.Enter(ctx, c, fair.Patience{
					Most: time.Duration(random.IntN(2000)) * time.Microsecond, Ask: worker%2 == 0,
				})
				cancel()
				if err != nil {
					continue
				}
				now := inside.Add(1)
				for old := most.Load(); now > old && !most.CompareAndSwap(old, now); old = most.Load() {
				}
				time.Sleep(time.Duration(random.IntN(200)) * time.Microsecond)
				inside.Add(-1)
				served.Add(1)
				place.Leave()
				if random.IntN(100) == 0 {
					q.Interrupt()
				}
			}
		})
	}
	workers.Wait()
	if most.Load() > places || served.Load() < 100 {
		t.Errorf("%d under way at most, %d in all", most.Load(), served.Load())
	}
	if s := q.Stats(); s.Running != 0 || s.Waiting != 0 {
		t.Errorf("%+v", s)
	}
	for i := range places { // of one client each, which none is refused
		if _, err := q.Enter(t.Context(), named(fmt.Sprint("c", i)), fair.Patience{}); err != nil {
			t.Errorf("place %d: %v", i, err)
		}
	}
}

// Of two that send as much as they can, each by a different number of connections, each gets half.
func TestConnectionsGainNothing(t *testing.T) {
	t.Parallel()
	q := fair.New(4)
	var served sync.Map
	var workers sync.WaitGroup
	var total atomic.Int64
	for name, connections := range map[string]int{"flood": 64, "quiet": 4} {
		n := new(atomic.Int64)
		served.Store(name, n)
		for range connections {
			workers.Go(func() {
				for total.Load() < 2000 {
					place, err := q.Enter(t.Context(), named(name), patient)
					if err != nil {
						t.Error(err)
						return
					}
					time.Sleep(200 * time.Microsecond)
					n.Add(1)
					total.Add(1)
					place.Leave()
				}
			})
		}
	}
	workers.Wait()
	quiet, _ := served.Load("quiet")
	if n := quiet.(*atomic.Int64).Load(); n < 700 {
		t.Errorf("the one with 4 connections got %d of %d", n, total.Load())
	}
}

func BenchmarkUncontended(b *testing.B) {
	q, c := fair.New(32), fair.Client{Name: "Okta SCIM Client 1.0.0", Part: "192.0.2.1"}
	b.ReportAllocs()
	for b.Loop() {
		place, err := q.Enter(context.Background(), c, patient)
		if err != nil {
			b.Fatal(err)
		}
		place.Leave()
	}
}

func BenchmarkContended(b *testing.B) {
	q := fair.New(4)
	b.ReportAllocs()
	b.SetParallelism(32)
	var n atomic.Int64
	b.RunParallel(func(pb *testing.PB) {
		c := named(fmt.Sprint(n.Add(1) % 8))
		for pb.Next() {
			place, err := q.Enter(context.Background(), c, patient)
			if err != nil {
				b.Fatal(err)
			}
			place.Leave()
		}
	})
}
