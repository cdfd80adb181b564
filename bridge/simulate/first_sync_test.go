package simulate

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// foreseen plans people that a server does not have, and foresees each by itself.
func foreseen(t *testing.T, all ...Foreseen) (*Plan, error) {
	t.Helper()
	f := &FirstSync{Fold: strings.ToLower, MaxPreviewed: 2}
	f.Preview = func(_ context.Context, resources []json.RawMessage) (some []Foreseen, err error) {
		some, all = all[:len(resources)], all[len(resources):]
		return some, nil
	}
	people := make([]person, len(all))
	p := &Plan{People: make([]PlannedPerson, len(all))}
	for i, one := range all {
		people[i] = person{userName: one.UserName, active: true}
		p.People[i].UserName = one.UserName
	}
	return p, f.foresee(t.Context(), p, okta{}, people, make([]string, len(all)))
}

// The server foresees each by itself, but what one of the list takes is not there for the next.
func TestTheNextOfAListGetsWhatIsLeft(t *testing.T) {
	t.Parallel()
	invite := func(name, address string) Foreseen {
		return Foreseen{UserName: name, Address: address, Outcome: Invite, Reserves: []string{address}}
	}
	adopt := func(name, address, member, by string, reserves ...string) Foreseen {
		return Foreseen{
			UserName: name, Address: address, Outcome: Adopt, Why: "it is there", Member: member, By: by,
			Reserves: reserves,
		}
	}
	for _, row := range []struct {
		name string
		list []Foreseen
		want string // of the last one
	}{
		{"two have one address", []Foreseen{invite("ann", "a@example.com"), invite("eve", "A@example.com")},
			"store: ann of this list has the address A@example.com"},
		{"an address that an adopted member gets", []Foreseen{
			adopt("ann", "new@example.com", "m", "last_user_name", "old@example.com", "new@example.com"),
			invite("eve", "new@example.com"),
		}, "store: ann of this list has the address new@example.com"},
		{"one member by its last userName and by its address", []Foreseen{
			adopt("new@example.com", "new@example.com", "m", "last_user_name", "old@example.com", "new@example.com"),
			adopt("old@example.com", "old@example.com", "m", "address", "old@example.com"),
		}, "store: new@example.com of this list adopts the member that has the address old@example.com"},
		{"one member by its address and by its last userName", []Foreseen{
			adopt("ann", "old@example.com", "m", "address", "old@example.com"),
			adopt("eve", "new@example.com", "m", "last_user_name", "old@example.com", "new@example.com"),
		}, "create: ann of this list adopts the member that had this userName"},
		{"an adoption whose new address is taken is an adoption", []Foreseen{
			invite("ann", "new@example.com"),
			adopt("eve", "new@example.com", "m", "last_user_name", "old@example.com", "new@example.com"),
		}, "adopt: it is there; ann of this list has the address new@example.com"},
		{"a refusal is one whatever is taken", []Foreseen{
			invite("ann", "a@example.com"),
			{UserName: "owner", Address: "a@example.com", Outcome: Refuse, Why: "an owner"},
		}, "refuse: an owner"},
		{"people without addresses", []Foreseen{{UserName: "a", Outcome: Store}, {UserName: "b", Outcome: Invite}},
			"invite: "},
		{"more than one question takes", []Foreseen{
			invite("ann", "a@example.com"), invite("bob", "b@example.com"), invite("eve", "a@example.com"),
		}, "store: ann of this list has the address a@example.com"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p, err := foreseen(t, row.list...)
			last := p.People[len(p.People)-1]
			if got := fmt.Sprintf("%s: %s", last.Action, last.Why); err != nil || got != row.want {
				t.Errorf("planned is %q, %v; want %q", got, err, row.want)
			}
		})
	}
}

func TestAnOutcomeThatIsNotKnownEndsThePlan(t *testing.T) {
	t.Parallel()
	if _, err := foreseen(t, Foreseen{UserName: "ann", Outcome: "marry"}); err == nil ||
		!strings.Contains(err.Error(), "update this command") {
		t.Errorf("got %v", err)
	}
}

// Whoever loses access by an adoption counts against the limit as the others do.
func TestAPlanSaysThatTheLimitMayHoldIt(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name string
		plan Plan
		want bool
	}{
		{"an adoption that suspends", Plan{People: []PlannedPerson{{Action: Adopt, suspends: true}}}, true},
		{"a suspension", Plan{People: []PlannedPerson{{Action: Suspend}}}, true},
		{"a removal from a group", Plan{Groups: []PlannedGroup{{Leaving: 1}}}, true},
		{"an adoption", Plan{People: []PlannedPerson{{Action: Adopt}}, Groups: []PlannedGroup{{Joining: 1}}}, false},
	} {
		row.plan.tellUnknown(false)
		if got := slices.ContainsFunc(row.plan.Unknown, func(line string) bool {
			return strings.Contains(line, "suspension_limit would be held")
		}); got != row.want {
			t.Errorf("%s: %q", row.name, row.plan.Unknown)
		}
	}
}
