package httpkit

import (
	"sync"
	"time"

	"golang.org/x/time/rate"
)

// A Rate allows a burst, and then one more each interval.
type Rate struct {
	Burst int
	Every time.Duration
}

func (r Rate) limiter() *rate.Limiter { return rate.NewLimiter(rate.Every(r.Every), r.Burst) }

// maxNetworks bounds how many networks a Limiter knows apart. All others
// share one allowance: a client with so many networks gains nothing by them.
const maxNetworks = 4096

// A Limiter bounds how often something may happen: for each network, so that
// a flood from one leaves room for the others, and for all of them together.
// Its memory is bounded. The zero value allows nothing; set the rates first.
type Limiter struct {
	PerNetwork, Total Rate

	mu       sync.Mutex
	total    *rate.Limiter
	others   *rate.Limiter
	networks map[Network]*rate.Limiter
	swept    time.Time
}

// Take uses one allowance of the network. It returns 0, or how long the
// network must wait for the next one; then nothing is used.
func (l *Limiter) Take(network Network, now time.Time) (wait time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.networks == nil {
		l.networks = make(map[Network]*rate.Limiter)
		l.total, l.others = l.Total.limiter(), l.PerNetwork.limiter()
	}
	// One that is refused uses nothing, neither of its own nor of what all share.
	var taken []*rate.Reservation
	for _, limiter := range []*rate.Limiter{l.of(network, now), l.total} {
		taken = append(taken, limiter.ReserveN(now, 1))
		wait = max(wait, taken[len(taken)-1].DelayFrom(now))
		if wait > 0 {
			break
		}
	}
	if wait > 0 {
		for _, t := range taken {
			t.CancelAt(now)
		}
	}
	return wait
}

func (l *Limiter) of(network Network, now time.Time) *rate.Limiter {
	if known := l.networks[network]; known != nil {
		return known
	}
	if len(l.networks) >= maxNetworks && now.Sub(l.swept) > time.Second {
		l.swept = now
		for n, known := range l.networks {
			if known.TokensAt(now) >= float64(l.PerNetwork.Burst) {
				delete(l.networks, n) // as good as new
			}
		}
	}
	if len(l.networks) >= maxNetworks {
		return l.others
	}
	fresh := l.PerNetwork.limiter()
	l.networks[network] = fresh
	return fresh
}
