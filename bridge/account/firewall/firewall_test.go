package firewall_test

import (
	"errors"
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// addresses is a match of IP ranges in any spelling.
func addresses(texts ...string) firewall.Match {
	m, err := firewall.ParseMatch(firewall.IPRanges, texts)
	if err != nil {
		panic(err)
	}
	return m
}

func match(kind firewall.Kind, values ...string) firewall.Match {
	return firewall.Match{Kind: kind, Values: values}
}

func TestDecide(t *testing.T) {
	t.Parallel()
	rule := func(id string, action firewall.Action, priority int, texts ...string) firewall.Rule {
		return firewall.Rule{ID: id, Action: action, Priority: priority, Match: addresses(texts...)}
	}
	from := func(address string) firewall.Subject {
		return firewall.Subject{Address: netip.MustParseAddr(address)}
	}
	germany := firewall.Rule{
		ID: "de", Action: firewall.Deny, Priority: 500, Match: match(firewall.Countries, "FR", "DE"),
	}
	europe := firewall.Rule{ID: "eu", Action: firewall.Deny, Priority: 500, Match: match(firewall.Continents, "EU")}
	clouds := firewall.Rule{
		ID: "clouds", Action: firewall.Deny, Priority: 500, Match: match(firewall.AnonymousIPs, firewall.CloudProvider,
			firewall.Tor),
	}
	empty := firewall.Rule{ID: "empty", Action: firewall.Deny, Priority: 1}

	for _, row := range []struct {
		name    string
		byDflt  firewall.Action
		rules   []firewall.Rule
		subject firewall.Subject
		want    firewall.Action
		wantID  string
	}{
		{
			name: "without rules the default action decides", byDflt: firewall.Allow,
			subject: from("192.0.2.1"), want: firewall.Allow,
		},
		{
			name:    "a policy without a default action denies",
			subject: from("192.0.2.1"), want: firewall.Deny,
		},
		{
			name: "the lowest priority decides, wherever it stands", byDflt: firewall.Deny,
			rules: []firewall.Rule{
				rule("b", firewall.Deny, 500, "192.0.2.0/24"), rule("a", firewall.Allow, 100, "192.0.2.1"),
			},
			subject: from("192.0.2.1"), want: firewall.Allow, wantID: "a",
		},
		{
			name: "the first match ends the search, even if it only reports", byDflt: firewall.Allow,
			rules: []firewall.Rule{
				rule("a", firewall.Report, 100, "192.0.2.0/24"), rule("b", firewall.Deny, 101, "192.0.2.1"),
			},
			subject: from("192.0.2.1"), want: firewall.Report, wantID: "a",
		},
		{
			name: "among equals deny comes before report", byDflt: firewall.Allow,
			rules: []firewall.Rule{
				rule("a", firewall.Report, 100, "192.0.2.1"), rule("b", firewall.Deny, 100, "192.0.2.1"),
			},
			subject: from("192.0.2.1"), want: firewall.Deny, wantID: "b",
		},
		{
			name: "among equals report comes before allow", byDflt: firewall.Allow,
			rules: []firewall.Rule{
				rule("a", firewall.Allow, 100, "192.0.2.1"), rule("b", firewall.Report, 100, "192.0.2.1"),
			},
			subject: from("192.0.2.1"), want: firewall.Report, wantID: "b",
		},
		{
			name: "among equals of one action the id decides", byDflt: firewall.Deny,
			rules: []firewall.Rule{
				rule("b", firewall.Allow, 100, "192.0.2.1"), rule("a", firewall.Allow, 100, "192.0.2.1"),
			},
			subject: from("192.0.2.1"), want: firewall.Allow, wantID: "a",
		},
		{
			name: "any of many ranges will do", byDflt: firewall.Deny,
			rules:   []firewall.Rule{rule("a", firewall.Allow, 100, "198.51.100.0/24", "2001:db8::/32", "192.0.2.1")},
			subject: from("192.0.2.1"), want: firewall.Allow, wantID: "a",
		},
		{
			name: "who is in no range is left to the default", byDflt: firewall.Deny,
			rules:   []firewall.Rule{rule("a", firewall.Allow, 100, "192.0.2.0/25")},
			subject: from("192.0.2.128"), want: firewall.Deny,
		},
		{
			name: "an IPv4-mapped address is the IPv4 address", byDflt: firewall.Deny,
			rules:   []firewall.Rule{rule("a", firewall.Allow, 100, "192.0.2.0/24")},
			subject: from("::ffff:192.0.2.1"), want: firewall.Allow, wantID: "a",
		},
		{
			name: "an IPv4-mapped range is the IPv4 range", byDflt: firewall.Deny,
			rules:   []firewall.Rule{rule("a", firewall.Allow, 100, "::ffff:192.0.2.0/120")},
			subject: from("192.0.2.1"), want: firewall.Allow, wantID: "a",
		},
		{
			name: "a zone does not keep an address out of its range", byDflt: firewall.Deny,
			rules:   []firewall.Rule{rule("a", firewall.Allow, 100, "fe80::/10")},
			subject: from("fe80::1%eth0"), want: firewall.Allow, wantID: "a",
		},
		{
			name: "all of IPv4 is not all of IPv6", byDflt: firewall.Deny,
			rules:   []firewall.Rule{rule("a", firewall.Allow, 100, "0.0.0.0/0")},
			subject: from("2001:db8::1"), want: firewall.Deny,
		},
		{
			name: "all of IPv6 is not all of IPv4", byDflt: firewall.Deny,
			rules:   []firewall.Rule{rule("a", firewall.Allow, 100, "::/0")},
			subject: from("192.0.2.1"), want: firewall.Deny,
		},
		{
			name: "all of IPv6 does not hold IPv4-mapped addresses either", byDflt: firewall.Deny,
			rules:   []firewall.Rule{rule("a", firewall.Allow, 100, "::/0")},
			subject: from("::ffff:192.0.2.1"), want: firewall.Deny,
		},
		{
			name: "an address that is not known matches no range", byDflt: firewall.Deny,
			rules:   []firewall.Rule{rule("a", firewall.Allow, 100, "0.0.0.0/0", "::/0")},
			subject: firewall.Subject{}, want: firewall.Deny,
		},
		{
			name: "a country matches its rule", byDflt: firewall.Allow, rules: []firewall.Rule{germany},
			subject: firewall.Subject{Facts: firewall.Facts{firewall.Country: {"DE"}, firewall.Continent: {"EU"}}},
			want:    firewall.Deny, wantID: "de",
		},
		{
			name: "an unknown country matches none", byDflt: firewall.Allow, rules: []firewall.Rule{germany},
			subject: firewall.Subject{Facts: firewall.Facts{firewall.Continent: {"EU"}}}, want: firewall.Allow,
		},
		{
			name: "a continent matches its rule", byDflt: firewall.Allow, rules: []firewall.Rule{europe},
			subject: firewall.Subject{Facts: firewall.Facts{firewall.Continent: {"EU"}}},
			want:    firewall.Deny, wantID: "eu",
		},
		{
			name: "an unknown continent matches none", byDflt: firewall.Allow, rules: []firewall.Rule{europe},
			subject: firewall.Subject{Facts: firewall.Facts{firewall.Country: {"DE"}}}, want: firewall.Allow,
		},
		{
			name: "one common kind of anonymity is enough", byDflt: firewall.Allow, rules: []firewall.Rule{clouds},
			subject: firewall.Subject{Facts: firewall.Facts{firewall.Anonymous: {firewall.VPN, firewall.Tor}}},
			want:    firewall.Deny, wantID: "clouds",
		},
		{
			name: "another kind of anonymity is none of the rule's", byDflt: firewall.Allow,
			rules:   []firewall.Rule{clouds},
			subject: firewall.Subject{Facts: firewall.Facts{firewall.Anonymous: {firewall.PublicProxy}}},
			want:    firewall.Allow,
		},
		{
			name: "a rule without values matches no address", byDflt: firewall.Allow, rules: []firewall.Rule{empty},
			subject: from("192.0.2.1"), want: firewall.Allow,
		},
		{
			name: "the bridge's own address comes before the rule against clouds", byDflt: firewall.Allow,
			rules: []firewall.Rule{clouds, rule("bridge", firewall.Allow, 100, "192.0.2.1")},
			subject: firewall.Subject{Address: netip.MustParseAddr("192.0.2.1"), Facts: firewall.Facts{
				firewall.Anonymous: {firewall.CloudProvider},
			}},
			want: firewall.Allow, wantID: "bridge",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			policy := firewall.Policy{DefaultAction: row.byDflt, Rules: row.rules}
			got := policy.Compile().Decide(row.subject)
			if got.Action != row.want || got.RuleID() != row.wantID {
				t.Errorf("decides %s by %q, want %s by %q", got.Action, got.RuleID(), row.want, row.wantID)
			}
			if got.Passes() != (row.want != firewall.Deny) {
				t.Errorf("Passes = %t for %s", got.Passes(), row.want)
			}
			// The order in which rules are kept must not matter.
			policy.Rules = slices.Clone(row.rules)
			slices.Reverse(policy.Rules)
			if again := policy.Compile().Decide(row.subject); again.Action != got.Action ||
				again.RuleID() != got.RuleID() {
				t.Errorf("decides %s by %q with the rules in reverse", again.Action, again.RuleID())
			}
		})
	}
}

func TestSortedLeavesThePolicyAlone(t *testing.T) {
	t.Parallel()
	p := firewall.Policy{Rules: []firewall.Rule{{ID: "b", Priority: 2}, {ID: "a", Priority: 1}}}
	if got := p.Sorted().Rules[0].ID; got != "a" {
		t.Errorf("first is %q, want a", got)
	}
	if p.Rules[0].ID != "b" {
		t.Error("Sorted changed its receiver's rules")
	}
}

func TestDefaultPriorities(t *testing.T) {
	t.Parallel()
	for action, want := range map[firewall.Action]int{firewall.Allow: 100, firewall.Deny: 500, firewall.Report: 1000} {
		if got := action.DefaultPriority(); got != want {
			t.Errorf("%s has priority %d, want %d", action, got, want)
		}
	}
}

func TestValidate(t *testing.T) {
	t.Parallel()
	good := firewall.Rule{Action: firewall.Allow, Priority: 100, Match: addresses("192.0.2.0/24")}
	with := func(change func(*firewall.Rule)) firewall.Rule {
		r := good
		change(&r)
		return r
	}
	for _, row := range []struct {
		name string
		rule firewall.Rule
		want []string // parts of the error; none if the rule is good
	}{
		{"a plain rule", good, nil},
		{"the lowest priority", with(func(r *firewall.Rule) { r.Priority = 0 }), nil},
		{"the highest priority", with(func(r *firewall.Rule) { r.Priority = firewall.MaxPriority }), nil},
		{"a description of 500 umlauts", with(func(r *firewall.Rule) {
			r.Description = strings.Repeat("ü", 500)
		}), nil},
		{"all continents", firewall.Rule{
			Action: firewall.Deny, Match: match(firewall.Continents, "AF", "AN", "AS", "EU", "NA", "OC", "SA"),
		}, nil},
		{"all kinds of anonymity", firewall.Rule{
			Action: firewall.Deny, Match: match(firewall.AnonymousIPs, "cloud_provider", "vpn", "tor", "public_proxy"),
		}, nil},
		{"countries", firewall.Rule{Action: firewall.Deny, Match: match(firewall.Countries, "DE", "FR")}, nil},
		{"an unknown action", with(func(r *firewall.Rule) {
			r.Action = "block"
		}), []string{`action "block"`, "use allow, report or deny"}},
		{"a negative priority", with(func(r *firewall.Rule) { r.Priority = -1 }), []string{"priority -1"}},
		{"too high a priority", with(func(r *firewall.Rule) { r.Priority = 1_000_001 }), []string{"priority 1000001"}},
		{"too long a description", with(func(r *firewall.Rule) {
			r.Description = strings.Repeat("x", 501)
		}), []string{"501 characters"}},
		{"no match", firewall.Rule{Action: firewall.Allow},
			[]string{"exactly one of ip_ranges, countries, continents and anonymous_ips", "it has 0"}},
		{"a kind without values", firewall.Rule{Action: firewall.Allow, Match: match(firewall.Countries)},
			[]string{"exactly one", "it has 0"}},
		{"a kind that is not known", firewall.Rule{Action: firewall.Allow, Match: match("hosts", "a")},
			[]string{`cannot match "hosts"`, "or anonymous_ips"}},
		{"a range with host bits", firewall.Rule{Action: firewall.Allow, Match: match(firewall.IPRanges, "10.0.0.1/8")},
			[]string{`"10.0.0.1/8" has host bits set`}},
		{"a range that was never set", firewall.Rule{Action: firewall.Allow, Match: match(firewall.IPRanges, "")},
			[]string{"neither an IP address nor a range"}},
		{"an IPv4-mapped range", firewall.Rule{
			Action: firewall.Allow, Match: match(firewall.IPRanges, "::ffff:10.0.0.0/104"),
		}, []string{"not in its plain form", `"10.0.0.0/8"`}},
		{"a thousand and one ranges", firewall.Rule{
			Action: firewall.Allow, Match: match(firewall.IPRanges, slices.Repeat(good.Match.Values, 1001)...),
		}, []string{"1001 ip_ranges"}},
		{"a country in lower case", firewall.Rule{Action: firewall.Deny, Match: match(firewall.Countries, "de")},
			[]string{`country "de"`}},
		{"a country that is none", firewall.Rule{Action: firewall.Deny, Match: match(firewall.Countries, "DE", "UK")},
			[]string{`country "UK"`}},
		{"a country twice", firewall.Rule{Action: firewall.Deny, Match: match(firewall.Countries, "DE", "FR", "DE")},
			[]string{`"DE" is given twice`}},
		{"a country by name", firewall.Rule{Action: firewall.Deny, Match: match(firewall.Countries, "Germany")},
			[]string{`country "Germany"`}},
		{"an unknown continent", firewall.Rule{Action: firewall.Deny, Match: match(firewall.Continents, "XX")},
			[]string{`continent "XX"`, "use one of AF"}},
		{"an unknown kind of anonymity",
			firewall.Rule{Action: firewall.Deny, Match: match(firewall.AnonymousIPs, "proxy")},
			[]string{`"proxy"`, "use one of cloud_provider"}},
		{"several faults, told together", firewall.Rule{Action: "x", Priority: -1},
			[]string{`action "x"`, "priority -1", "exactly one"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			err := row.rule.Validate()
			if len(row.want) == 0 {
				if err != nil {
					t.Error(err)
				}
				return
			}
			for _, part := range row.want {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("Validate: %v, want an error with %q", err, part)
				}
			}
		})
	}
}

// A rule has one match; how many there are is told where there are others.
func TestOneMatch(t *testing.T) {
	t.Parallel()
	de, eu := match(firewall.Countries, "DE"), match(firewall.Continents, "EU")
	if got, err := firewall.OneMatch([]firewall.Match{de}); err != nil || !reflect.DeepEqual(got, de) {
		t.Errorf("of one match: %+v, %v", got, err)
	}
	for _, row := range []struct {
		matches []firewall.Match
		want    string
	}{{nil, "it has 0"}, {[]firewall.Match{de, eu}, "it has 2"}} {
		if _, err := firewall.OneMatch(row.matches); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("of %d matches: %v, want %q", len(row.matches), err, row.want)
		}
	}
}

// An error about one value tells which, and what to write.
func TestParseMatchNamesTheValue(t *testing.T) {
	t.Parallel()
	m, err := firewall.ParseMatch(firewall.IPRanges, []string{"192.0.2.1/32", "::ffff:10.0.0.0/104"})
	if want := match(firewall.IPRanges, "192.0.2.1", "10.0.0.0/8"); err != nil || !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v, %v, want %+v", m, err, want)
	}
	_, err = firewall.ParseMatch(firewall.IPRanges, []string{"192.0.2.1", "10.0.0.5/8"})
	e, ok := errors.AsType[*firewall.ValueError](err)
	if !ok || e.Index != 1 || !strings.Contains(e.Error(), "write 10.0.0.0/8") {
		t.Errorf("got %v, want an error about value 1", err)
	}
}

// What must be known of an address, and why a rule matched, follows from its kind.
func TestRequiredDataAndMatchReason(t *testing.T) {
	t.Parallel()
	subject := firewall.Subject{Address: netip.MustParseAddr("192.0.2.1"), Facts: firewall.Facts{
		firewall.Country: {"DE"}, firewall.Continent: {"EU"}, firewall.Anonymous: {
			firewall.CloudProvider, firewall.VPN, firewall.Tor,
		},
	}}
	for _, row := range []struct {
		name   string
		match  firewall.Match
		data   []string
		reason firewall.Facts
		text   string
	}{
		{"ranges need nothing", addresses("192.0.2.0/24"), nil, nil, ""},
		{"countries", match(firewall.Countries, "FR", "DE"), []string{"country"},
			firewall.Facts{firewall.Country: {"DE"}},
			"country DE"},
		{"other countries", match(firewall.Countries, "FR"), []string{"country"}, nil, ""},
		{"continents", match(firewall.Continents, "EU"), []string{"continent"},
			firewall.Facts{firewall.Continent: {"EU"}},
			"continent EU"},
		{"kinds of anonymous addresses", match(firewall.AnonymousIPs, "tor", "public_proxy", "cloud_provider"),
			[]string{"tor", "public_proxy", "cloud_provider"},
			firewall.Facts{firewall.Anonymous: {"cloud_provider", "tor"}},
			"cloud_provider, tor"},
	} {
		if got := row.match.RequiredData(); !slices.Equal(got, row.data) {
			t.Errorf("%s: needs %v, want %v", row.name, got, row.data)
		}
		reason := row.match.MatchReason(subject)
		if !reflect.DeepEqual(reason, row.reason) || reason.String() != row.text {
			t.Errorf("%s: matched for %+v, %q; want %+v, %q", row.name, reason, reason, row.reason, row.text)
		}
	}
}

// A state is disabled until its time, and enforced from that moment on.
func TestState(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_000_000, 0)
	deny := firewall.Policy{DefaultAction: firewall.Deny, Rules: []firewall.Rule{
		{ID: "de", Action: firewall.Deny, Match: match(firewall.Countries, "DE")},
	}}.Compile()
	unreadable := errors.New("unreadable")
	for _, row := range []struct {
		name     string
		state    firewall.State
		passes   bool
		disabled bool
		data     int
		err      error
	}{
		{"enforced", firewall.State{Policy: deny}, false, false, 1, nil},
		{"disabled for a second", firewall.State{Policy: deny, DisabledUntil: now.Add(time.Second)},
			true, true, 0, nil},
		{"disabled until this moment", firewall.State{Policy: deny, DisabledUntil: now}, false, false, 1, nil},
		{"unreadable", firewall.State{Unreadable: unreadable}, false, false, 0, unreadable},
		{"unreadable and disabled", firewall.State{Unreadable: unreadable, DisabledUntil: now.Add(time.Hour)},
			true, true, 0,
			nil},
	} {
		d, disabled, err := row.state.Decide(firewall.Subject{Address: netip.MustParseAddr("192.0.2.1")}, now)
		if d.Passes() != row.passes || disabled != row.disabled || !errors.Is(err, row.err) {
			t.Errorf("%s: passes %t, disabled %t, %v", row.name, d.Passes(), disabled, err)
		}
		if got := row.state.RequiredData(now); len(got) != row.data {
			t.Errorf("%s: needs %v", row.name, got)
		}
	}
}

// A change locks out a subject that is let in now, and says by which rule and
// which rule let it in.
func TestCheckLockout(t *testing.T) {
	t.Parallel()
	subject := firewall.Subject{Address: netip.MustParseAddr("192.0.2.1")}
	with := func(action firewall.Action, rules ...firewall.Rule) firewall.Compiled {
		return firewall.Policy{DefaultAction: action, Rules: rules}.Compile()
	}
	yes := firewall.Rule{ID: "yes", Action: firewall.Allow, Match: addresses("192.0.2.0/24")}
	no := firewall.Rule{ID: "no", Action: firewall.Deny, Match: addresses("192.0.2.1")}
	for _, row := range []struct {
		name          string
		before, after firewall.Compiled
		want          string // by, until; empty for no lock-out
	}{
		{"let in before and after", with(firewall.Allow), with(firewall.Report), ""},
		{"by the default action", with(firewall.Allow), with(firewall.Deny), "by , until "},
		{"by a rule", with(firewall.Deny, yes), with(firewall.Deny, yes, no), "by no, until yes"},
		{"by the loss of a rule", with(firewall.Deny, yes), with(firewall.Deny), "by , until yes"},
		{"shut out already", with(firewall.Deny), with(firewall.Deny, no), ""},
	} {
		out, is := firewall.CheckLockout(row.before, row.after, subject)
		got := ""
		if is {
			got = "by " + firewall.Decision{Rule: out.By}.RuleID() + ", until " + firewall.Decision{
				Rule: out.Until,
			}.RuleID()
		}
		if got != row.want {
			t.Errorf("%s: %q, want %q", row.name, got, row.want)
		}
	}
}
