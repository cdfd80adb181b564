// Package firewall decides whom an account's firewall lets in. It is pure: a
// policy and a subject go in, a verdict comes out.
//
// Where policies are kept, from which database an address gets its country,
// whose lock-out is refused and when the firewall is asked, is decided by the
// account. The provider imports this package too, so that a plan says what the
// account would.
package firewall

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
)

// An Action is what a rule, or a policy by default, does with a subject.
type Action string

// The actions.
const (
	Allow  Action = "allow"
	Report Action = "report" // lets pass, and records
	Deny   Action = "deny"
)

// The kinds of anonymous addresses.
const (
	CloudProvider = "cloud_provider"
	VPN           = "vpn"
	Tor           = "tor"
	PublicProxy   = "public_proxy"
)

// Priorities: the lower is asked first.
const (
	DefaultAllowPriority  = 100
	DefaultDenyPriority   = 500
	DefaultReportPriority = 1000
	MaxPriority           = 1_000_000
)

// Limits of a rule.
const (
	MaxRanges      = 1000
	MaxDescription = 500 // characters
)

var (
	continents = []string{"AF", "AN", "AS", "EU", "NA", "OC", "SA"}
	anonymous  = []string{CloudProvider, VPN, Tor, PublicProxy}
)

// Valid says whether a is one of the three actions.
func (a Action) Valid() bool { return a == Allow || a == Report || a == Deny }

// Passes says whether a lets the subject in.
func (a Action) Passes() bool { return a == Allow || a == Report }

// DefaultPriority is the priority of a rule that names none: exceptions come
// before prohibitions, and mere recording comes last.
func (a Action) DefaultPriority() int {
	switch a {
	case Allow:
		return DefaultAllowPriority
	case Deny:
		return DefaultDenyPriority
	default:
		return DefaultReportPriority
	}
}

// severity orders rules of equal priority: what forbids wins over what allows.
func (a Action) severity() int {
	switch a {
	case Deny:
		return 0
	case Report:
		return 1
	default:
		return 2
	}
}

// A Rule matches by exactly one of IPRanges, Countries, Continents and
// Anonymous; each value of it is an alternative.
type Rule struct {
	ID          string
	Action      Action
	IPRanges    []netip.Prefix
	Countries   []string // ISO 3166-1 alpha-2, upper case
	Continents  []string // AF, AN, AS, EU, NA, OC, SA
	Anonymous   []string // CloudProvider, VPN, Tor, PublicProxy
	Priority    int
	Description string
}

// A Policy is an account's whole firewall.
type Policy struct {
	DefaultAction Action // what happens to those whom no rule matches
	Rules         []Rule // in any order
}

// A Subject is who wants in. Country, Continent and Anonymous are empty where
// they are not known; an unknown country is in no rule.
type Subject struct {
	Address   netip.Addr
	Country   string
	Continent string
	Anonymous []string
}

// A Verdict is the firewall's answer.
type Verdict struct {
	Action Action
	RuleID string // the rule that decided; empty if the default action did
}

// Passes says whether the subject is let in.
func (v Verdict) Passes() bool { return v.Action.Passes() }

// Sorted returns the policy with its rules in the order in which they are
// asked: by ascending priority; deny, report, allow among equals; then by id.
func (p Policy) Sorted() Policy {
	p.Rules = slices.SortedStableFunc(slices.Values(p.Rules), func(a, b Rule) int { return order(&a, &b) })
	return p
}

func (p Policy) isSorted() bool {
	for i := range p.Rules[:max(0, len(p.Rules)-1)] {
		if order(&p.Rules[i], &p.Rules[i+1]) > 0 {
			return false
		}
	}
	return true
}

func order(a, b *Rule) int {
	if a.Priority != b.Priority { // most differ in this, and every request compares
		return cmp.Compare(a.Priority, b.Priority)
	}
	return cmp.Or(cmp.Compare(a.Action.severity(), b.Action.severity()), cmp.Compare(a.ID, b.ID))
}

// Evaluate returns what the first matching rule says, or else the default
// action. A policy without a valid default action denies. It is quick on a
// policy that is Sorted already.
func (p Policy) Evaluate(s Subject) Verdict {
	s.Address = Normalize(s.Address)
	if !p.isSorted() {
		p = p.Sorted()
	}
	for i := range p.Rules {
		if r := &p.Rules[i]; r.Matches(s) {
			return Verdict{Action: r.Action, RuleID: r.ID}
		}
	}
	if !p.DefaultAction.Valid() {
		return Verdict{Action: Deny}
	}
	return Verdict{Action: p.DefaultAction}
}

// Matches says whether the rule is about the subject, whose address must be
// in its one form ([Normalize]).
func (r *Rule) Matches(s Subject) bool {
	switch {
	case len(r.IPRanges) > 0:
		// Contains never mixes the families: 0.0.0.0/0 is not ::/0.
		return slices.ContainsFunc(r.IPRanges, func(p netip.Prefix) bool { return p.Contains(s.Address) })
	case len(r.Countries) > 0:
		return s.Country != "" && slices.Contains(r.Countries, s.Country)
	case len(r.Continents) > 0:
		return s.Continent != "" && slices.Contains(r.Continents, s.Continent)
	default:
		return slices.ContainsFunc(r.Anonymous, func(kind string) bool { return slices.Contains(s.Anonymous, kind) })
	}
}

// What a rule may ask of an address, beside the kinds of anonymous addresses.
const (
	Country   = "country"
	Continent = "continent"
)

// Questions are what must be known of an address to say whether the rule
// matches it: Country, Continent or kinds of anonymous addresses. A rule of
// IP ranges asks none.
func (r Rule) Questions() []string {
	switch {
	case len(r.Countries) > 0:
		return []string{Country}
	case len(r.Continents) > 0:
		return []string{Continent}
	default:
		return r.Anonymous
	}
}

// Seen returns the part of s that the rule looks at and finds among its
// values: why it matched, for people.
func (r Rule) Seen(s Subject) (seen Subject) {
	seen.Address = s.Address
	switch {
	case !r.Matches(s) || len(r.IPRanges) > 0:
	case len(r.Countries) > 0:
		seen.Country = s.Country
	case len(r.Continents) > 0:
		seen.Continent = s.Continent
	default:
		for _, kind := range s.Anonymous {
			if slices.Contains(r.Anonymous, kind) {
				seen.Anonymous = append(seen.Anonymous, kind)
			}
		}
	}
	return seen
}

// Normalize gives an address the one form in which rules name it: an
// IPv4-mapped IPv6 address, as a dual-stack listener reports it, is the IPv4
// address, and a zone, which means something on one machine only, is dropped.
func Normalize(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Validate refuses a rule that cannot be kept, and says everything that is
// wrong with it. The id is the account's affair.
func (r Rule) Validate() error {
	var faults []error
	fault := func(format string, args ...any) { faults = append(faults, fmt.Errorf(format, args...)) }

	if !r.Action.Valid() {
		fault("action %q is not known; use allow, report or deny", r.Action)
	}
	if r.Priority < 0 || r.Priority > MaxPriority {
		fault("priority %d is out of range; use 0 to %d", r.Priority, MaxPriority)
	}
	if n := utf8.RuneCountInString(r.Description); n > MaxDescription {
		fault("the description has %d characters; at most %d are allowed", n, MaxDescription)
	}
	kinds := 0
	for _, values := range []int{len(r.IPRanges), len(r.Countries), len(r.Continents), len(r.Anonymous)} {
		if values > 0 {
			kinds++
		}
	}
	if kinds != 1 {
		fault("a rule needs exactly one of ip_ranges, countries, continents and anonymous_ips; it has %d of them", kinds)
	}
	if len(r.IPRanges) > MaxRanges {
		fault("the rule has %d ranges; at most %d are allowed", len(r.IPRanges), MaxRanges)
	}
	for _, p := range r.IPRanges {
		if !p.IsValid() || p != p.Masked() || p.Addr().Is4In6() {
			fault("range %q is not a network in its plain form", p)
		}
	}
	for _, c := range r.Countries {
		if !IsCountry(c) {
			fault("country %q is not an ISO 3166-1 alpha-2 code in upper case, such as DE", c)
		}
	}
	for _, c := range r.Continents {
		if !IsContinent(c) {
			fault("continent %q is not known; use one of %s", c, strings.Join(continents, ", "))
		}
	}
	for _, a := range r.Anonymous {
		if !slices.Contains(anonymous, a) {
			fault("anonymous IP kind %q is not known; use one of %s", a, strings.Join(anonymous, ", "))
		}
	}
	for _, values := range [][]string{r.Countries, r.Continents, r.Anonymous} {
		for i, v := range values {
			if slices.Contains(values[:i], v) {
				fault("%q is given twice", v)
			}
		}
	}
	return errors.Join(faults...)
}
