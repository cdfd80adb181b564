package server_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/directory"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/server"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// limit sets the suspension limit as Terraform does.
func (c *conversation) limit(t *testing.T, text string) {
	t.Helper()
	r, err := apitest.Read[api.Provisioning](c.UpdateProvisioning(t.Context(), nil,
		api.ProvisioningUpdate{SuspensionLimit: &text}))
	ok(t, err)
	if r.Value == nil {
		t.Fatalf("setting the limit %q: %s", text, r.Body)
	}
}

// suspend suspends a person as a request of an identity provider.
func suspend(t *testing.T, bridge *api.Client, p api.Person, request string) {
	t.Helper()
	withID := func(_ context.Context, r *http.Request) error {
		r.Header.Set("X-Request-Id", request)
		return nil
	}
	r, err := apitest.Read[api.Person](bridge.ReplacePerson(t.Context(), p.Id, nil, personInput(
		strings.Replace(string(p.Attributes), "}", `,"active":false}`, 1), deref(p.SignInAddress)), withID))
	ok(t, err)
	if r.Value == nil || !r.Value.Suspended {
		t.Fatalf("suspending: %s", r.Body)
	}
}

func (c *conversation) holds(t *testing.T) api.HoldPage {
	t.Helper()
	r, err := apitest.Read[api.HoldPage](c.ListHolds(t.Context(), nil))
	ok(t, err)
	if r.Value == nil {
		t.Fatalf("listing holds: %s", r.Body)
	}
	return *r.Value
}

func (c *conversation) suspended(t *testing.T, p api.Person) bool {
	t.Helper()
	m, err := apitest.Read[api.Member](c.GetMember(t.Context(), deref(p.MemberId)))
	ok(t, err)
	return m.Value.Suspended
}

// Administrators and bridges see and decide the same holds.
func TestHoldsOverHTTP(t *testing.T) {
	t.Parallel()
	c := converse(t)
	bridge := c.bridge(t)
	c.limit(t, "max(0, 0%)/1h")
	var people []api.Person
	for i := range 4 {
		people = append(people, provision(t, bridge, fmt.Sprintf("p%d@example.com", i)))
		suspend(t, bridge, people[i], fmt.Sprintf("REQUEST%d", i))
		c.clock.advance(time.Second)
	}
	page := c.holds(t)
	equal(t, "suspensions", page.Count.Suspensions, 4)
	equal(t, "removals", page.Count.Removals, 0)
	equal(t, "the oldest", *page.Count.OldestSince, page.Items[0].Since)
	equal(t, "as of the newest", page.AsOf, page.Items[3].Since)
	first := page.Items[0]
	equal(t, "the person", first.PersonId, people[0].Id)
	equal(t, "the request", deref(first.RequestId), "REQUEST0")
	equal(t, "the client", first.Client, "bridge:bridge-1")
	answer, err := apitest.Read[api.HeartbeatAnswer](bridge.SendHeartbeat(t.Context(), api.Heartbeat{
		Revision: "r1", State: "healthy", Problems: []string{},
	}))
	ok(t, err)
	equal(t, "the heartbeat's count", answer.Value.Holds.Suspensions, 4)

	metrics := c.raw(t, "GET", "/metrics", "").Text
	for _, want := range []string{
		`scimbridge_account_holds{kind="suspension"} 4`, `scimbridge_account_holds{kind="removal"} 0`,
		fmt.Sprintf("scimbridge_account_holds_oldest_timestamp_seconds %g", float64(first.Since.Unix())),
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("the metrics do not have %s", want)
		}
	}

	decided, err := apitest.Read[api.HoldsDecided](c.DecideHolds(t.Context(), api.HoldDecision{
		Decision: api.Approve, Ids: &[]string{first.Id},
	}))
	ok(t, err)
	equal(t, "decided", decided.Value.Decided, 1)
	equal(t, "the first is suspended", c.suspended(t, people[0]), true)
	again, err := apitest.Read[api.HoldsDecided](c.DecideHolds(t.Context(), api.HoldDecision{
		Decision: api.Approve, Ids: &[]string{first.Id},
	}))
	ok(t, err)
	equal(t, "the status of a second time", again.Status, 404)

	// The bridge, for its status page.
	list, err := apitest.Read[api.HoldPage](bridge.ListHoldsForBridge(t.Context(),
		&api.ListHoldsForBridgeParams{Limit: new(1)}))
	ok(t, err)
	equal(t, "the next", list.Value.Items[0].PersonId, people[1].Id)
	cancelled, err := apitest.Read[api.HoldsDecided](bridge.DecideHoldsForBridge(t.Context(), api.HoldDecision{
		Decision: api.Cancel, Ids: &[]string{list.Value.Items[0].Id, "x"},
	}))
	ok(t, err)
	equal(t, "cancelled", cancelled.Value.Decided, 1)
	equal(t, "gone", strings.Join(cancelled.Value.Gone, " "), "x")
	shown, err := apitest.Read[api.Person](bridge.GetPerson(t.Context(), people[1].Id))
	ok(t, err)
	equal(t, "the second is active", shown.Value.Suspended, false)
	until := page.Items[2].Since
	all, err := apitest.Read[api.HoldsDecided](bridge.DecideHoldsForBridge(t.Context(), api.HoldDecision{
		Decision: api.Approve, AllUntil: &until,
	}))
	ok(t, err)
	equal(t, "all until then", all.Value.Decided, 1)
	equal(t, "the third is suspended", c.suspended(t, people[2]), true)
	equal(t, "the last is not", c.suspended(t, people[3]), false)

	events, err := apitest.Read[api.AuditEventPage](c.ListAuditEvents(t.Context(), nil))
	ok(t, err)
	actions := map[string]int{}
	for _, e := range events.Value.Items {
		actions[e.Action+" by "+strings.Split(e.Actor, ":")[0]]++
	}
	for what, n := range map[string]int{
		"hold.create by bridge": 4, "hold.approve by token": 1, "hold.cancel by bridge": 1, "hold.approve by bridge": 1,
	} {
		equal(t, "audited: "+what, actions[what], n)
	}
}

func TestRaisingTheLimitOverHTTP(t *testing.T) {
	t.Parallel()
	c := converse(t)
	bridge := c.bridge(t)
	c.limit(t, "max(1, 0%)/1h")
	for i := range 4 {
		suspend(t, bridge, provision(t, bridge, fmt.Sprintf("p%d@example.com", i)), "R")
	}
	for _, step := range []struct {
		limit string
		held  int
	}{{"max(0, 0%)/1h", 3}, {"max(2, 0%)/1h", 2}, {"off", 0}} {
		c.limit(t, step.limit)
		equal(t, "held after "+step.limit, len(c.holds(t).Items), step.held)
	}
	for _, text := range []string{"ten", "max(1, 101%)/1h", "max(1, 1%)/1d", "off "} {
		r, err := apitest.Read[api.Provisioning](c.UpdateProvisioning(t.Context(), nil,
			api.ProvisioningUpdate{SuspensionLimit: &text}))
		ok(t, err)
		equal(t, "the code for "+text, codeOf(r.Problem), "invalid_value")
		equal(t, "the field for "+text, deref(r.Problem.Details.Field), "/suspension_limit")
	}
	equal(t, "the limit", deref(c.provisioning(t).SuspensionLimit), "off")
}

// holdMany lets a directory hold so many suspensions, more than one transaction
// releases.
func (c *conversation) holdMany(t *testing.T, n int) {
	t.Helper()
	people := directory.New(c.account)
	for i := range n {
		name := fmt.Sprintf("p%d@example.com", i)
		in := directory.PersonInput{Attributes: json.RawMessage(`{"userName":"` + name + `"}`), SignInAddress: name}
		p, err := people.CreatePerson(t.Context(), in)
		ok(t, err)
		in.Attributes = json.RawMessage(`{"userName":"` + name + `","active":false}`)
		_, err = people.ReplacePerson(t.Context(), p.ID, in, "")
		ok(t, err)
	}
	equal(t, "held", c.holds(t).Count.Suspensions, int64(n))
}

// update is a request for another limit.
func (c *conversation) update(t *testing.T, limit string) *http.Request {
	t.Helper()
	r, err := api.NewUpdateProvisioningRequest(c.url, nil, api.ProvisioningUpdate{SuspensionLimit: &limit})
	ok(t, err)
	return r
}

// activation is a request for an integration with a limit.
func (c *conversation) activation(t *testing.T, limit, key string) *http.Request {
	t.Helper()
	_, enrolment := c.enrol(t)
	params := new(api.ActivateProvisioningParams)
	if key != "" {
		params.IdempotencyKey = &key
	}
	r, err := api.NewActivateProvisioningRequest(c.url, params, api.Activation{
		ManagerEmail: manager, Enrolment: enrolment, Session: "sealed", SuspensionLimit: &limit,
	})
	ok(t, err)
	return r
}

// serve answers a request of the administrator as a server that calls raised.
func (c *conversation) serve(r *http.Request, raised func()) *httptest.ResponseRecorder {
	r.Header.Set("Authorization", "Bearer "+c.admin)
	r.RemoteAddr = home + ":1"
	answer := httptest.NewRecorder()
	server.New(server.Config{
		Account: c.account, Logger: hclog.NewNullLogger(), LimitRaised: raised,
	}).ServeHTTP(answer, r)
	return answer
}

// A client that leaves after the limit was raised would find nothing to change when it
// comes again.
func TestRaisingTheLimitDoesNotEndWithTheRequest(t *testing.T) {
	t.Parallel()
	c := converse(t)
	c.activate(t)
	c.limit(t, "max(0, 0%)/1h")
	c.holdMany(t, 150)
	ctx, leave := context.WithCancel(t.Context())
	defer leave()
	r := c.update(t, "off")
	c.clock.mu.Lock()
	c.clock.ticks, c.clock.alarm = 60, leave // while holds are approved, which reads it at least once each
	c.clock.mu.Unlock()
	c.serve(r.WithContext(ctx), nil)
	if ctx.Err() == nil {
		t.Fatal("the client did not leave")
	}
	equal(t, "the limit", deref(c.provisioning(t).SuspensionLimit), "off")
	equal(t, "held", c.holds(t).Count.Suspensions, 0)
}

// Whatever sets a limit releases what the one before did not, if that was stopped.
func TestWhatARaisedLimitHasLeftIsReleasedByTheNextRequest(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		do   func(t *testing.T, c *conversation)
		held int64
	}{
		{"the same limit again", func(t *testing.T, c *conversation) { t.Helper(); c.limit(t, "off") }, 0},
		{"the name of the identity provider", func(t *testing.T, c *conversation) {
			t.Helper()
			_, err := apitest.Read[api.Provisioning](c.UpdateProvisioning(t.Context(), nil,
				api.ProvisioningUpdate{Idp: new("Okta")}))
			ok(t, err)
		}, 0},
		{"the limit of before", func(t *testing.T, c *conversation) { t.Helper(); c.limit(t, "max(0, 0%)/1h") }, 3},
		{"one between the two", func(t *testing.T, c *conversation) { t.Helper(); c.limit(t, "max(2, 0%)/1h") }, 1},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := converse(t)
			c.activate(t)
			c.limit(t, "max(0, 0%)/1h")
			c.holdMany(t, 3)
			// As a server leaves it that is killed when it has raised the limit.
			ok(t, c.account.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Exec(ctx, `UPDATE integration SET suspension_limit = 'off'`)
				return err
			}))
			row.do(t, c)
			equal(t, "held", c.holds(t).Count.Suspensions, row.held)
		})
	}
}

// Terraform makes the integration anew with a higher limit, or with the same, and always
// with an Idempotency-Key. The whole request is one transaction then, for which every
// other writer waits: holds are released after it.
func TestActivatingWithAHigherLimitReleasesHolds(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		limit string
		key   string
		held  int64
	}{
		{"off", "", 0}, {"off", "k", 0}, {"max(2, 0%)/1h", "k", 1}, {"max(0, 0%)/1h", "k", 3},
		{"max(0, 0%)/30m", "k", 3},
	} {
		t.Run(row.limit+row.key, func(t *testing.T) {
			t.Parallel()
			c := converse(t)
			c.activate(t)
			c.limit(t, "max(0, 0%)/1h")
			c.holdMany(t, 3)
			_, err := apitest.Read[struct{}](c.DeactivateProvisioning(t.Context(), nil))
			ok(t, err)
			// Without an integration there is no limit that was raised.
			_, err = directory.New(c.account).ReleaseHolds(t.Context())
			ok(t, err)
			equal(t, "held in between", c.holds(t).Count.Suspensions, 3)
			raised := 0
			answer := c.serve(c.activation(t, row.limit, row.key), func() {
				raised++
				equal(t, "held when the request has ended", c.holds(t).Count.Suspensions, 3)
				_, err := directory.New(c.account).ReleaseHolds(t.Context())
				ok(t, err)
			})
			equal(t, "the answer", answer.Code, http.StatusCreated)
			equal(t, "times that the limit was raised", raised, 1)
			equal(t, "held", c.holds(t).Count.Suspensions, row.held)
		})
	}
}

// The limit is set, and what it allows is released later: a client that is told of a
// failure would repeat what is done.
func TestALimitIsSetAlsoIfNothingCanBeReleased(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		request func(t *testing.T, c *conversation) *http.Request
		status  int
	}{
		{"a new limit", func(t *testing.T, c *conversation) *http.Request {
			t.Helper()
			c.activate(t)
			c.limit(t, "max(0, 0%)/1h")
			c.holdMany(t, 3)
			return c.update(t, "off")
		}, http.StatusOK},
		{"an activation", func(t *testing.T, c *conversation) *http.Request {
			t.Helper()
			return c.activation(t, "off", "")
		}, http.StatusCreated},
		{"an activation with an Idempotency-Key", func(t *testing.T, c *conversation) *http.Request {
			t.Helper()
			return c.activation(t, "off", "k")
		}, http.StatusCreated},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			c := converse(t)
			r := row.request(t, c)
			ok(t, c.account.Store.Write(t.Context(), func(ctx context.Context, tx *store.Tx) error {
				_, err := tx.Exec(ctx, `ALTER TABLE withdrawals RENAME TO broken`)
				return err
			}))
			raised := 0
			answer := c.serve(r, func() { raised++ })
			equal(t, "the answer", answer.Code, row.status)
			equal(t, "times that the limit was raised", raised, 1)
			equal(t, "the limit", deref(c.provisioning(t).SuspensionLimit), "off")
			_, err := directory.New(c.account).ReleaseHolds(t.Context())
			equal(t, "that releasing fails", err != nil, true)
		})
	}
}

// Clients repeat a request that takes long.
func TestTheAnswerToAnUpdateDoesNotWaitForEveryHold(t *testing.T) {
	t.Parallel()
	c := converse(t)
	c.activate(t)
	c.limit(t, "max(0, 0%)/1h")
	c.holdMany(t, 150)
	c.clock.mu.Lock()
	// The first of two transactions takes long, and less than PostgreSQL lets it pause.
	c.clock.ticks, c.clock.alarm = 60, func() { <-time.After(9 * time.Second) }
	c.clock.mu.Unlock()
	raised := false
	answer := c.serve(c.update(t, "off"), func() { raised = true })
	equal(t, "the answer", answer.Code, http.StatusOK)
	equal(t, "held", c.holds(t).Count.Suspensions, 50)
	equal(t, "that the rest is released later", raised, true)
}

func TestWhatIsNoDecisionIsRefused(t *testing.T) {
	t.Parallel()
	c := converse(t)
	bridge := c.bridge(t)
	now := c.clock.Now()
	for _, row := range []struct {
		name string
		in   api.HoldDecision
		code string
	}{
		{"another word", api.HoldDecision{Decision: "maybe", AllUntil: &now}, "malformed_request"},
		{"nothing to decide", api.HoldDecision{Decision: api.Approve}, "malformed_request"},
		{"both", api.HoldDecision{Decision: api.Approve, Ids: &[]string{"x"}, AllUntil: &now}, "malformed_request"},
		{"no ids", api.HoldDecision{Decision: api.Approve, Ids: &[]string{}}, "invalid_value"},
		{"an id that nobody has", api.HoldDecision{Decision: api.Cancel, Ids: &[]string{"x"}}, "not_found"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			admin, err := apitest.Read[api.HoldsDecided](c.DecideHolds(t.Context(), row.in))
			ok(t, err)
			equal(t, "the code for an administrator", codeOf(admin.Problem), row.code)
			r, err := apitest.Read[api.HoldsDecided](bridge.DecideHoldsForBridge(t.Context(), row.in))
			ok(t, err)
			equal(t, "the code for a bridge", codeOf(r.Problem), row.code)
		})
	}
	all, err := apitest.Read[api.HoldsDecided](c.DecideHolds(t.Context(), api.HoldDecision{
		Decision: api.Approve, AllUntil: &now,
	}))
	ok(t, err)
	equal(t, "all of none", all.Value.Decided, 0)
}

// What a bridge sends as the id of a request is shown to people.
func TestARequestIDIsAWord(t *testing.T) {
	t.Parallel()
	c := converse(t)
	bridge := c.bridge(t)
	c.limit(t, "max(0, 0%)/1h")
	for i, id := range []string{"a b", "<b>", strings.Repeat("x", 65), ""} {
		suspend(t, bridge, provision(t, bridge, fmt.Sprintf("p%d@example.com", i)), id)
	}
	for _, h := range c.holds(t).Items {
		if id := deref(h.RequestId); len(id) != 26 {
			t.Errorf("the hold has the request id %q, want one of the account's own", id)
		}
	}
}
