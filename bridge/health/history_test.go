package health_test

import (
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

func TestAHistoryKnowsSinceWhenAPartIsAsItIs(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	var h health.History
	note := func(after time.Duration, state string, problems ...problem.Problem) health.Past {
		h.Note(health.Health{
			RetrievedAt: start.Add(after),
			Reports:     []health.Report{{Source: "account", State: state, Problems: problems}},
		})
		return h.Of("account")
	}
	if p := h.Of("account"); p.State != "" || p.Last != nil {
		t.Errorf("before anything is known: %+v", p)
	}
	note(0, health.Healthy)
	if p := note(time.Minute, health.Healthy); !p.Since.Equal(start) || p.Last != nil {
		t.Errorf("healthy for a minute: %+v", p)
	}
	older := problem.New(problem.FirewallDisabled, start, nil)
	away := problem.New(problem.AccountUnreachable, start.Add(2*time.Minute), nil)
	if p := note(2*time.Minute, health.Unhealthy, away, older); !p.Since.Equal(start.Add(2*time.Minute)) ||
		p.Last == nil || p.Last.Code != problem.AccountUnreachable {
		t.Errorf("with two problems: %+v", p)
	}
	p := note(3*time.Minute, health.Healthy)
	if !p.Since.Equal(start.Add(3*time.Minute)) || p.Last == nil || p.Last.Code != problem.AccountUnreachable ||
		!p.Seen.Equal(start.Add(2*time.Minute)) {
		t.Errorf("healthy again, the last problem is %+v", p)
	}
	if late := note(time.Minute, health.Unhealthy); late.State != health.Healthy {
		t.Errorf("what was collected earlier counts: %+v", late)
	}
}
