package simulate

import (
	"net/mail"
	"slices"
	"testing"
)

func TestACompanyIsTheSameInEveryRun(t *testing.T) {
	t.Parallel()
	one, teams := company(500, 5, "example.com")
	two, same := company(500, 5, "example.com")
	if !slices.Equal(one, two) {
		t.Error("the people differ")
	}
	if !slices.EqualFunc(teams, same, func(a, b team) bool { return a.name == b.name && slices.Equal(a.members, b.members) }) {
		t.Error("the teams differ")
	}
}

func TestALargerCompanyContainsTheSmaller(t *testing.T) {
	t.Parallel()
	small, _ := company(40, 0, "example.com")
	large, _ := company(4000, 0, "example.com")
	if !slices.Equal(small, large[:40]) {
		t.Error("more people are other people")
	}
}

func TestEverybodyHasAnAddressOfTheirOwn(t *testing.T) {
	t.Parallel()
	// More than there are pairs of names.
	people, _ := company(3*len(givenNames)*len(familyNames), 0, "example.com")
	seen := make(map[string]bool, len(people))
	for _, p := range people {
		if seen[p.userName] {
			t.Fatalf("%s is given out twice", p.userName)
		}
		seen[p.userName] = true
		if a, err := mail.ParseAddress(p.userName); err != nil || a.Address != p.userName {
			t.Fatalf("%q is no plain address (%v)", p.userName, err)
		}
		for _, r := range p.userName {
			if r > 127 {
				t.Fatalf("%q is not ASCII", p.userName)
			}
		}
	}
}

func TestTeamsAreFilledWithPeopleWhoExist(t *testing.T) {
	t.Parallel()
	for _, size := range []struct{ people, teams int }{{1, 1}, {1, 4}, {10, 2}, {40, 30}, {300, 13}} {
		people, teams := company(size.people, size.teams, "example.com")
		if len(people) != size.people || len(teams) != size.teams {
			t.Fatalf("asked for %+v, got %d people and %d teams", size, len(people), len(teams))
		}
		names := map[string]bool{}
		for _, team := range teams {
			if names[team.name] {
				t.Errorf("%+v: the team %s comes twice", size, team.name)
			}
			names[team.name] = true
			for _, i := range team.members {
				if i < 0 || i >= len(people) {
					t.Errorf("%+v: %s has member %d", size, team.name, i)
				}
			}
		}
	}
}

func TestADialectSaysNothingWhenNothingChanged(t *testing.T) {
	t.Parallel()
	people, _ := company(1, 0, "example.com")
	p := people[0]
	resource := map[string]any{
		"displayName": p.display(), "title": p.title, "active": true,
		"name":           map[string]any{"givenName": p.given, "familyName": p.family},
		enterpriseSchema: map[string]any{"department": p.department},
	}
	for _, provider := range providers {
		name, d := provider.name, provider.dialect
		if steps := d.updatePerson("1", resource, p); len(steps) != 0 {
			t.Errorf("%s sends %d requests for nothing", name, len(steps))
		}
		promoted := p
		promoted.title = "Chief"
		if steps := d.updatePerson("1", resource, promoted); len(steps) == 0 {
			t.Errorf("%s does not tell a new title", name)
		}
	}
}
