package rollout

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

var start = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

func bridge(instance, revision, state string, live bool) api.Bridge {
	return api.Bridge{
		Instance: instance, Revision: revision, State: state, Live: live, Version: "0.1.0", Address: "192.0.2.1",
		LastContact: start, Problems: []string{},
	}
}

// refusedAt is a bridge of revision 7 that the account refused.
func refusedAt(instance string, code api.RefusalCode, after time.Duration) api.Bridge {
	b := bridge(instance, "7", stateRefused, false)
	b.Address, b.LastContact = "192.0.2.99", start.Add(after)
	b.LastRefusal = &api.Refusal{Code: code, Time: b.LastContact, Address: b.Address}
	return b
}

func TestWhichBridgesCount(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name    string
		bridges []api.Bridge
		ready   string
	}{
		{"none is known", nil, "[]"},
		{"one that works", []api.Bridge{bridge("a", "7", "healthy", true)}, "[a]"},
		{"one that is degraded works", []api.Bridge{bridge("a", "7", "degraded", true)}, "[a]"},
		{"one that is unhealthy", []api.Bridge{bridge("a", "7", "unhealthy", true)}, "[]"},
		{"one that stopped", []api.Bridge{bridge("a", "7", "stopped", false)}, "[]"},
		{"one that is lost", []api.Bridge{bridge("a", "7", "lost", false)}, "[]"},
		{"one that is refused, with a session of before", []api.Bridge{bridge("a", "7", "refused", true)}, "[]"},
		{"of another revision", []api.Bridge{bridge("a", "6", "healthy", true)}, "[]"},
		{"in the order of their names",
			[]api.Bridge{bridge("b", "7", "healthy", true), bridge("a", "7", "healthy", true)},
			"[a b]"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := fmt.Sprint(newObservation("7", row.bridges).instances()); got != row.ready {
				t.Errorf("got %s, want %s", got, row.ready)
			}
		})
	}
}

func TestWhatIsToldOfTheBridges(t *testing.T) {
	t.Parallel()
	newer := bridge("b", "7", "degraded", true)
	newer.Version, newer.Address, newer.Problems = "0.2.0", "192.0.2.2", []string{"confirmation_stuck"}
	gone := refusedAt("old", api.RefusalCodeFirewallBlocked, -time.Hour)
	gone.Address = "192.0.2.200"
	s := newObservation("7", []api.Bridge{
		newer, bridge("a", "7", "healthy", true), refusedAt("c", api.RefusalCodeFirewallBlocked, 0), gone,
	})
	for what, pair := range map[string][2]string{
		"version":   {s.version(), "0.1.0, 0.2.0"},
		"addresses": {fmt.Sprint(s.addresses()), "[192.0.2.1 192.0.2.2 192.0.2.99]"},
		"problems":  {fmt.Sprint(s.problems()), "[confirmation_stuck firewall_blocked]"},
	} {
		if pair[0] != pair[1] {
			t.Errorf("%s: got %s, want %s", what, pair[0], pair[1])
		}
	}
}

// observations is an account whose list changes with every look; the last stays.
func observations(lists ...[]api.Bridge) func(context.Context) (observation, error) {
	return func(context.Context) (observation, error) {
		s := newObservation("7", lists[0])
		if len(lists) > 1 {
			lists = lists[1:]
		}
		return s, nil
	}
}

func TestWhenTheWaitEnds(t *testing.T) {
	t.Parallel()
	a, b := bridge("a", "7", "healthy", true), bridge("b", "7", "healthy", true)
	changed := func(after time.Duration) api.Bridge { return refusedAt("c", api.RefusalCodeCredentialsChanged, after) }
	blocked := func(after time.Duration) api.Bridge { return refusedAt("c", api.RefusalCodeFirewallBlocked, after) }
	for _, row := range []struct {
		name    string
		lists   [][]api.Bridge
		limit   time.Duration
		curable time.Duration
		fails   string // what the error says; empty for none
		pending bool
	}{
		{"at once, if all are there", [][]api.Bridge{{a, b}}, time.Hour, 0, "", false},
		{"when the last has signed in", [][]api.Bridge{{}, {a}, {a}, {a, b}}, time.Hour, 0, "", false},
		{"when credentials are refused", [][]api.Bridge{{a, changed(0)}, {a, changed(time.Second)}},
			time.Hour, time.Hour, "refuses their credentials", false},
		{"when the firewall blocks one for long", [][]api.Bridge{{a, blocked(0)}, {a, blocked(time.Second)}},
			time.Hour, 20 * time.Millisecond, "refuses them for now", true},
		{"not by a refusal of an earlier time",
			[][]api.Bridge{{a, changed(0)}, {a, changed(0)}, {a, changed(0)}, {a, b}},
			time.Hour, 0, "", false},
		{"not by a refusal that was cured", [][]api.Bridge{{blocked(0)}, {blocked(time.Second)}, {a}, {a, b}},
			time.Hour, time.Hour, "", false},
		{"with its time", [][]api.Bridge{{a, bridge("x", "6", "healthy", true), bridge("y", "6", "healthy", true)}},
			10 * time.Millisecond, 0, `from 1 of 2 bridges of revision "7", and from 2 of revision "6"`, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			w := wait{
				client: new(client.Client), want: 2, observe: observations(row.lists...),
				every: time.Millisecond, curable: row.curable,
			}
			ctx, cancel := deploy.Within(t.Context(), row.limit, "timeouts.create")
			defer cancel()
			seen, err := w.until(ctx)
			if row.fails == "" {
				if err != nil || len(seen.ready) != 2 {
					t.Fatalf("got %v with %v", err, seen.instances())
				}
				return
			}
			reason, ok := errors.AsType[*deploy.NotReadyError](err)
			if !ok || !strings.Contains(err.Error(), row.fails) || reason.Pending != row.pending {
				t.Errorf("got %v (%+v)", err, reason)
			}
		})
	}
}

func TestAnInterruptedWaitIsNoFailure(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := wait{client: new(client.Client), want: 1, observe: observations(nil), every: time.Hour}.until(ctx)
	if !deploy.IsWarning(err, deploy.OnUnreadyFail) || !strings.Contains(err.Error(), "interrupted") {
		t.Errorf("got %v", err)
	}
}

// A code of the contract that is not thought of here would be taken for lost
// credentials.
func TestEveryRefusalHasItsProblem(t *testing.T) {
	t.Parallel()
	var codes []string
	for _, code := range []api.RefusalCode{
		api.RefusalCodeSignInFailed, api.RefusalCodeCredentialsExpired, api.RefusalCodeCredentialsChanged,
		api.RefusalCodeFirewallBlocked, api.RefusalCodeTwoFactorEnforced, api.RefusalCodeProvisioningInactive,
	} {
		if !code.Valid() {
			t.Errorf("%s is not of the contract", code)
		}
		codes = append(codes, string(toCode(api.Refusal{Code: code})))
	}
	cloud := api.Refusal{Code: api.RefusalCodeFirewallBlocked, AnonymousIps: &[]api.AnonymousIP{api.CloudProvider}}
	codes = append(codes, string(toCode(cloud)))
	want := []string{"credentials_changed", "credentials_changed", "credentials_changed", "firewall_blocked",
		"two_factor_enforced", "provisioning_inactive", "firewall_blocked_cloud_provider"}
	if !slices.Equal(codes, want) {
		t.Errorf("got %v, want %v", codes, want)
	}
}
