package simulate

import (
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"testing"
)

func TestACompanyIsTheSameInEveryRun(t *testing.T) {
	t.Parallel()
	one, teams := company(500, 5, "example.com", "simulate-x")
	two, same := company(500, 5, "example.com", "simulate-x")
	if !slices.Equal(one, two) {
		t.Error("the people differ")
	}
	if !slices.EqualFunc(teams, same, func(a, b team) bool {
		return a.name == b.name && slices.Equal(a.members, b.members)
	}) {
		t.Error("the teams differ")
	}
}

func TestALargerCompanyContainsTheSmaller(t *testing.T) {
	t.Parallel()
	small, _ := company(40, 0, "example.com", "simulate-x")
	large, _ := company(4000, 0, "example.com", "simulate-x")
	if !slices.Equal(small, large[:40]) {
		t.Error("more people are other people")
	}
}

func TestAllAddressesDiffer(t *testing.T) {
	t.Parallel()
	// More than there are pairs of names.
	people, _ := company(3*len(givenNames)*len(familyNames), 0, "example.com", "simulate-x")
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
		people, teams := company(size.people, size.teams, "example.com", "simulate-x")
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
	people, _ := company(1, 0, "example.com", "simulate-x")
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

// What a dialect sends to let one leave and another join names them, and a
// dialect that replaces the whole group lists all members.
func TestChangesOfMembersNameThem(t *testing.T) {
	t.Parallel()
	g := group{id: "G", name: "team", members: []member{{"stays", "S"}, {"comes", "C"}}}
	for _, provider := range providers {
		pusher, ok := provider.dialect.(groupPusher)
		if !ok {
			continue
		}
		sent := ""
		for _, step := range pusher.changeMembers(g, g.members[1:], []member{{"goes", "G"}}) {
			sent += step.Path + " " + string(step.Body) + "\n"
			if len(step.Expect) == 0 || !strings.HasPrefix(step.Path, "/Groups/G") {
				t.Errorf("%s: %s %s expects %v", provider.name, step.Method, step.Path, step.Expect)
			}
		}
		whole := strings.Contains(sent, "stays")
		if !strings.Contains(sent, "comes") || whole == strings.Contains(sent, "goes") {
			t.Errorf("%s sends\n%s", provider.name, sent)
		}
	}
}

// Its JSON leaves out a list without elements.
func TestKeycloakLeavesTheKeyOutWithTheLastMember(t *testing.T) {
	t.Parallel()
	steps := keycloak{}.changeMembers(group{id: "g", name: "G"}, nil, []member{{id: "1"}})
	if len(steps) != 1 || steps[0].Method != http.MethodPut || strings.Contains(string(steps[0].Body), "members") {
		t.Fatalf("it sends %+v", steps)
	}
	for _, row := range []struct {
		members any
		right   bool
	}{{nil, true}, {[]any{}, true}, {[]any{map[string]any{"value": "1"}}, false}} {
		answer := map[string]any{"id": "g", "members": row.members}
		right := !slices.ContainsFunc(steps[0].Check, func(c Check) bool { return c.judge(answer) != "" })
		if right != row.right {
			t.Errorf("the members %v are right: %v", row.members, right)
		}
	}
}

// A dialect that cannot suspend people deletes them, and no other does.
func TestLeavingIsOneRequest(t *testing.T) {
	t.Parallel()
	people, _ := company(1, 0, "example.com", "simulate-x")
	for _, provider := range providers {
		step := provider.dialect.leave("1", people[0])
		_, suspends := provider.dialect.(suspender)
		off := strings.Contains(strings.ToLower(string(step.Body)), "false")
		if suspends != off || suspends == (step.Method == http.MethodDelete) || step.Path != "/Users/1" {
			t.Errorf("%s: %s %s %s", provider.name, step.Method, step.Path, step.Body)
		}
	}
}
