package health_test

import (
	"slices"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

func TestABridgeIsAsItsWorstPart(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, row := range []struct {
		name   string
		states []string
		age    time.Duration // of the first report
		want   string
	}{
		{"every part is well", []string{health.Healthy, health.Healthy}, 0, health.Healthy},
		{"one part is degraded", []string{health.Healthy, health.Degraded}, 0, health.Degraded},
		{"sealed is worse than degraded", []string{health.Sealed, health.Degraded}, 0, health.Sealed},
		{"unhealthy is worse than sealed", []string{health.Sealed, health.Unhealthy}, 0, health.Unhealthy},
		{"an unknown part makes nothing worse", []string{health.Unknown, health.Degraded}, 0, health.Degraded},
		{"a bridge without parts is well", nil, 0, health.Healthy},
		{"a report holds until it expires", []string{health.Healthy}, time.Minute, health.Healthy},
		{"an expired report is unhealthy", []string{health.Healthy}, time.Minute + 1, health.Unhealthy},
		{"an expired report of an unknown part, too", []string{health.Unknown}, time.Hour, health.Unhealthy},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := health.Checker{
				Now:     func() time.Time { return now },
				Overlap: func() *health.Overlap { return nil },
			}
			for i, state := range row.states {
				made := now
				if i == 0 {
					made = now.Add(-row.age)
				}
				c.Checks = append(c.Checks, func() health.Report {
					return health.Report{Source: "part", Time: made, Expires: made.Add(time.Minute), State: state}
				})
			}
			if got := c.Health(); got.State != row.want || len(got.Reports) != len(row.states) {
				t.Errorf("the bridge is %s with %d reports, want %s", got.State, len(got.Reports), row.want)
			}
		})
	}
}

func TestCodesAreListedOnce(t *testing.T) {
	t.Parallel()
	now := time.Now()
	got := health.Codes([]problem.Problem{
		problem.New(problem.Sealed, now, nil), problem.New(problem.Overloaded, now, nil),
		problem.New(problem.Sealed, now, nil),
	})
	if want := []string{string(problem.Sealed), string(problem.Overloaded)}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
