package firewall_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

func ranges(t testing.TB, texts ...string) []netip.Prefix {
	t.Helper()
	out := make([]netip.Prefix, len(texts))
	for i, s := range texts {
		p, err := firewall.ParseRange(s)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = p
	}
	return out
}

func TestEvaluate(t *testing.T) {
	t.Parallel()
	rule := func(id string, action firewall.Action, priority int, texts ...string) firewall.Rule {
		return firewall.Rule{ID: id, Action: action, Priority: priority, IPRanges: ranges(t, texts...)}
	}
	from := func(address string) firewall.Subject {
		return firewall.Subject{Address: netip.MustParseAddr(address)}
	}
	germany := firewall.Rule{ID: "de", Action: firewall.Deny, Priority: 500, Countries: []string{"FR", "DE"}}
	europe := firewall.Rule{ID: "eu", Action: firewall.Deny, Priority: 500, Continents: []string{"EU"}}
	clouds := firewall.Rule{ID: "clouds", Action: firewall.Deny, Priority: 500, Anonymous: []string{firewall.CloudProvider, firewall.Tor}}
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
			rules:   []firewall.Rule{rule("b", firewall.Deny, 500, "192.0.2.0/24"), rule("a", firewall.Allow, 100, "192.0.2.1")},
			subject: from("192.0.2.1"), want: firewall.Allow, wantID: "a",
		},
		{
			name: "the first match ends the search, even if it only reports", byDflt: firewall.Allow,
			rules:   []firewall.Rule{rule("a", firewall.Report, 100, "192.0.2.0/24"), rule("b", firewall.Deny, 101, "192.0.2.1")},
			subject: from("192.0.2.1"), want: firewall.Report, wantID: "a",
		},
		{
			name: "among equals deny comes before report", byDflt: firewall.Allow,
			rules:   []firewall.Rule{rule("a", firewall.Report, 100, "192.0.2.1"), rule("b", firewall.Deny, 100, "192.0.2.1")},
			subject: from("192.0.2.1"), want: firewall.Deny, wantID: "b",
		},
		{
			name: "among equals report comes before allow", byDflt: firewall.Allow,
			rules:   []firewall.Rule{rule("a", firewall.Allow, 100, "192.0.2.1"), rule("b", firewall.Report, 100, "192.0.2.1")},
			subject: from("192.0.2.1"), want: firewall.Report, wantID: "b",
		},
		{
			name: "among equals of one action the id decides", byDflt: firewall.Deny,
			rules:   []firewall.Rule{rule("b", firewall.Allow, 100, "192.0.2.1"), rule("a", firewall.Allow, 100, "192.0.2.1")},
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
			subject: firewall.Subject{Country: "DE", Continent: "EU"}, want: firewall.Deny, wantID: "de",
		},
		{
			name: "an unknown country matches none", byDflt: firewall.Allow, rules: []firewall.Rule{germany},
			subject: firewall.Subject{Continent: "EU"}, want: firewall.Allow,
		},
		{
			name: "a continent matches its rule", byDflt: firewall.Allow, rules: []firewall.Rule{europe},
			subject: firewall.Subject{Continent: "EU"}, want: firewall.Deny, wantID: "eu",
		},
		{
			name: "an unknown continent matches none", byDflt: firewall.Allow, rules: []firewall.Rule{europe},
			subject: firewall.Subject{Country: "DE"}, want: firewall.Allow,
		},
		{
			name: "one common kind of anonymity is enough", byDflt: firewall.Allow, rules: []firewall.Rule{clouds},
			subject: firewall.Subject{Anonymous: []string{firewall.VPN, firewall.Tor}}, want: firewall.Deny, wantID: "clouds",
		},
		{
			name: "another kind of anonymity is none of the rule's", byDflt: firewall.Allow, rules: []firewall.Rule{clouds},
			subject: firewall.Subject{Anonymous: []string{firewall.PublicProxy}}, want: firewall.Allow,
		},
		{
			name: "a rule without values matches nobody", byDflt: firewall.Allow, rules: []firewall.Rule{empty},
			subject: from("192.0.2.1"), want: firewall.Allow,
		},
		{
			name: "the bridge's own address comes before the rule against clouds", byDflt: firewall.Allow,
			rules:   []firewall.Rule{clouds, rule("bridge", firewall.Allow, 100, "192.0.2.1")},
			subject: firewall.Subject{Address: netip.MustParseAddr("192.0.2.1"), Anonymous: []string{firewall.CloudProvider}},
			want:    firewall.Allow, wantID: "bridge",
		},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			policy := firewall.Policy{DefaultAction: row.byDflt, Rules: row.rules}
			got := policy.Evaluate(row.subject)
			if want := (firewall.Verdict{Action: row.want, RuleID: row.wantID}); got != want {
				t.Errorf("Evaluate = %+v, want %+v", got, want)
			}
			if got.Passes() != (row.want != firewall.Deny) {
				t.Errorf("Passes = %t for %s", got.Passes(), row.want)
			}
			// The order in which rules are kept must not matter.
			slices.Reverse(policy.Rules)
			if again := policy.Evaluate(row.subject); again != got {
				t.Errorf("Evaluate = %+v with the rules in reverse", again)
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
	good := firewall.Rule{Action: firewall.Allow, Priority: 100, IPRanges: ranges(t, "192.0.2.0/24")}
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
		{"a description of 500 umlauts", with(func(r *firewall.Rule) { r.Description = strings.Repeat("ü", 500) }), nil},
		{"all continents", firewall.Rule{Action: firewall.Deny, Continents: []string{"AF", "AN", "AS", "EU", "NA", "OC", "SA"}}, nil},
		{"all kinds of anonymity", firewall.Rule{Action: firewall.Deny, Anonymous: []string{"cloud_provider", "vpn", "tor", "public_proxy"}}, nil},
		{"countries", firewall.Rule{Action: firewall.Deny, Countries: []string{"DE", "FR"}}, nil},
		{"an unknown action", with(func(r *firewall.Rule) { r.Action = "block" }), []string{`action "block"`, "use allow, report or deny"}},
		{"a negative priority", with(func(r *firewall.Rule) { r.Priority = -1 }), []string{"priority -1"}},
		{"too high a priority", with(func(r *firewall.Rule) { r.Priority = 1_000_001 }), []string{"priority 1000001"}},
		{"too long a description", with(func(r *firewall.Rule) { r.Description = strings.Repeat("x", 501) }), []string{"501 characters"}},
		{"two kinds of match", with(func(r *firewall.Rule) { r.Countries = []string{"DE"} }), []string{"exactly one", "it has 2"}},
		{"no match", firewall.Rule{Action: firewall.Allow}, []string{"exactly one", "it has 0"}},
		{"a range with host bits", firewall.Rule{Action: firewall.Allow, IPRanges: []netip.Prefix{netip.MustParsePrefix("10.0.0.1/8")}}, []string{`"10.0.0.1/8"`}},
		{"a range that was never set", firewall.Rule{Action: firewall.Allow, IPRanges: []netip.Prefix{{}}}, []string{"not a network"}},
		{"an IPv4-mapped range", firewall.Rule{Action: firewall.Allow, IPRanges: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.0/104")}}, []string{"not a network"}},
		{"a thousand and one ranges", firewall.Rule{Action: firewall.Allow, IPRanges: slices.Repeat(good.IPRanges, 1001)}, []string{"1001 ranges"}},
		{"a country in lower case", firewall.Rule{Action: firewall.Deny, Countries: []string{"de"}}, []string{`country "de"`}},
		{"a country that is none", firewall.Rule{Action: firewall.Deny, Countries: []string{"DE", "UK"}}, []string{`country "UK"`}},
		{"a country twice", firewall.Rule{Action: firewall.Deny, Countries: []string{"DE", "FR", "DE"}}, []string{`"DE" is given twice`}},
		{"a country by name", firewall.Rule{Action: firewall.Deny, Countries: []string{"Germany"}}, []string{`country "Germany"`}},
		{"an unknown continent", firewall.Rule{Action: firewall.Deny, Continents: []string{"XX"}}, []string{`continent "XX"`, "use one of AF"}},
		{"an unknown kind of anonymity", firewall.Rule{Action: firewall.Deny, Anonymous: []string{"proxy"}}, []string{`"proxy"`, "use one of cloud_provider"}},
		{"several faults, told together", firewall.Rule{Action: "x", Priority: -1}, []string{`action "x"`, "priority -1", "exactly one"}},
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

// What a rule asks, and why it matched, is told by its kind.
func TestQuestionsAndSeen(t *testing.T) {
	t.Parallel()
	subject := firewall.Subject{
		Address: netip.MustParseAddr("192.0.2.1"), Country: "DE", Continent: "EU",
		Anonymous: []string{firewall.CloudProvider, firewall.VPN, firewall.Tor},
	}
	for _, row := range []struct {
		name      string
		rule      firewall.Rule
		questions []string
		seen      firewall.Subject // beside the address
	}{
		{"ranges ask nothing", firewall.Rule{IPRanges: ranges(t, "192.0.2.0/24")}, nil, firewall.Subject{}},
		{"countries", firewall.Rule{Countries: []string{"FR", "DE"}}, []string{"country"}, firewall.Subject{Country: "DE"}},
		{"other countries", firewall.Rule{Countries: []string{"FR"}}, []string{"country"}, firewall.Subject{}},
		{"continents", firewall.Rule{Continents: []string{"EU"}}, []string{"continent"}, firewall.Subject{Continent: "EU"}},
		{"kinds of anonymous addresses", firewall.Rule{Anonymous: []string{"tor", "public_proxy", "cloud_provider"}},
			[]string{"tor", "public_proxy", "cloud_provider"}, firewall.Subject{Anonymous: []string{"cloud_provider", "tor"}}},
	} {
		if got := row.rule.Questions(); !slices.Equal(got, row.questions) {
			t.Errorf("%s: asks %v, want %v", row.name, got, row.questions)
		}
		row.seen.Address = subject.Address
		if got := row.rule.Seen(subject); !reflect.DeepEqual(got, row.seen) {
			t.Errorf("%s: saw %+v, want %+v", row.name, got, row.seen)
		}
	}
}
