package account

import (
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

func TestWhatTheAccountHoldsIsAProblem(t *testing.T) {
	t.Parallel()
	oldest := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, row := range []struct {
		name   string
		answer *api.HoldCount
		count  string // empty for no problem
	}{
		{"an account that does not know holds", nil, ""},
		{"nothing is held", &api.HoldCount{Database: new("sqlite:a.db")}, ""},
		{"a suspension", &api.HoldCount{Suspensions: 1, OldestSince: &oldest}, "1"},
		{"removals", &api.HoldCount{Removals: 2, OldestSince: &oldest}, "2"},
		{"both, and where", &api.HoldCount{
			Suspensions: 1, Removals: 2, OldestSince: &oldest, Database: new("sqlite:a.db"),
		}, "3"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			held := toHeld(row.answer)
			if (held != nil) != (row.count != "") {
				t.Fatalf("held is %+v", held)
			}
			if held == nil {
				return
			}
			r := health.Report{State: health.Healthy}
			held.report(&r)
			if r.State != health.Degraded || len(r.Problems) != 1 {
				t.Fatalf("the report is %+v", r)
			}
			p := r.Problems[0]
			if p.Code != problem.SuspensionsHeld || !p.Since.Equal(oldest) || p.Details["count"] != row.count ||
				p.Details["database"] != value(row.answer.Database) {
				t.Errorf("the problem is %+v", p)
			}
			// The heartbeat brings news only if there are some.
			if again := toHeld(row.answer); !again.equal(held) || held.equal(nil) {
				t.Error("the same is not equal, or equal to nothing")
			}
			more := *held
			if more.Removals++; more.equal(held) {
				t.Error("one more is equal")
			}
		})
	}
}
