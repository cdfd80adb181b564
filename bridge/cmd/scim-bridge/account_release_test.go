package main

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/hashicorp/go-hclog"
)

func TestWhenHoldsAreReleased(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		fail bool
		wake bool
		in   time.Duration // after the first time
	}{
		{"soon after a failure", true, false, releaseRetry},
		{"seldom if nothing happens", false, false, sweepInterval},
		{"at once when the limit was raised", false, true, 0},
		{"at once when the limit was raised after a failure", true, true, 0},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var times []time.Time
				r := newHoldReleaser(func(context.Context) (int, error) {
					times = append(times, time.Now())
					if row.fail {
						return 0, errors.New("broken")
					}
					return 0, nil
				}, hclog.NewNullLogger())
				start := time.Now()
				stop := r.start(t.Context())
				synctest.Wait()
				if row.wake {
					r.wake()
				}
				time.Sleep(row.in)
				synctest.Wait()
				stop()
				if len(times) != 2 || !times[0].Equal(start) || !times[1].Equal(start.Add(row.in)) {
					t.Errorf("from %s on, released at %s; want at the start and %s later", start, times, row.in)
				}
			})
		})
	}
}

// A limit that is raised while holds are released is not forgotten, nor is a client held up.
func TestALimitThatIsRaisedMeanwhileIsSeen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		n, release := 0, make(chan struct{})
		r := newHoldReleaser(func(context.Context) (int, error) {
			n++
			<-release
			return 0, nil
		}, hclog.NewNullLogger())
		stop := r.start(t.Context())
		synctest.Wait()
		for range 10 {
			r.wake()
		}
		close(release)
		synctest.Wait()
		stop()
		if n != 2 {
			t.Errorf("released %d times, want 2", n)
		}
	})
}

// The database is closed after that.
func TestReleasingEndsBeforeTheServer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ended := false
		r := newHoldReleaser(func(ctx context.Context) (int, error) {
			<-ctx.Done()
			time.Sleep(time.Second) // a transaction is rolled back
			ended = true
			return 0, ctx.Err()
		}, hclog.NewNullLogger())
		stop := r.start(t.Context())
		synctest.Wait()
		if stop(); !ended {
			t.Error("it goes on")
		}
	})
}
