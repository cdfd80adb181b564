package client

import (
	"net/http"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
)

// However many creations meet something that exists, the run waits once.
func TestARunWaitsOnceForWhatExists(t *testing.T) {
	t.Parallel()
	exists := &Error{Status: http.StatusConflict, Problem: api.Problem{Code: "already_exists"}}
	for _, row := range []struct {
		name      string
		freeing   time.Duration // a destruction is on its way, so long
		creations int
		within    time.Duration
	}{
		{"while nothing is destroyed", 0, 121, quiet},
		{"while something is, and a moment longer", 2 * time.Second, 10, 2*time.Second + quiet},
		{"but for no longer than a third of the timeout", time.Hour, 10, DefaultConflictTimeout / 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				c := &Client{conflictTimeout: DefaultConflictTimeout}
				if row.freeing > 0 {
					end := c.standoff.begin()
					time.AfterFunc(row.freeing, end)
				}
				began := time.Now()
				slots := make(chan struct{}, 10) // as Terraform works
				var all sync.WaitGroup
				for range row.creations {
					slots <- struct{}{}
					all.Go(func() {
						defer func() { <-slots }()
						if _, err := RetryConflicts(t.Context(), c, func() (Nothing, error) {
							return Nothing{}, exists
						}); err == nil {
							t.Error("no error")
						}
					})
				}
				all.Wait()
				if took := time.Since(began); took > row.within || took < row.within-time.Second {
					t.Errorf("waited %s, want about %s", took, row.within)
				}
			})
		})
	}
}

func TestAnObjectIsHandedOverInAnyOrder(t *testing.T) {
	t.Parallel()
	var h Handover
	if !h.Take("a") || h.Destroy("a") {
		t.Error("what was taken over is destroyed")
	}
	if !h.Destroy("b") || h.Take("b") {
		t.Error("what is being destroyed is taken over")
	}
	h.Destroyed("b")
	if !h.Take("b") {
		t.Error("an object that was created again cannot be adopted")
	}
	if h.Take("a") {
		t.Error("two resources take over one object")
	}
	h.Made("c")
	if h.Take("c") || !h.Taken("c") {
		t.Error("what one resource has made is taken over by another")
	}
}

func TestTwoResourcesOfOneObjectAreFound(t *testing.T) {
	t.Parallel()
	var s Singles
	for range 2 { // a resource that is replaced is planned twice
		if s.Claim("mark", "a") {
			t.Error("a resource stands against itself")
		}
	}
	if s.Claim("other", "b") || !s.Claim("other", "a") {
		t.Error("the second of two is not found")
	}
}
