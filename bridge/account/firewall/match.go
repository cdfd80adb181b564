package firewall

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A Kind is what a rule looks at. Its name is that of a rule's member in the
// API, of its attribute in Terraform, and what the database keeps.
type Kind string

// The kinds of matches.
const (
	IPRanges     Kind = "ip_ranges"
	Countries    Kind = "countries"
	Continents   Kind = "continents"
	AnonymousIPs Kind = "anonymous_ips"
)

// A Fact is something that may be known of an address, by the name of the
// member by which the API tells it.
type Fact string

// The facts.
const (
	Country   Fact = "country"
	Continent Fact = "continent"
	Anonymous Fact = "anonymous_ips"
)

// Facts are what is known of an address beside itself. What is not known is
// not there: an unknown country is in no rule.
type Facts map[Fact][]string

// kinds is the table of all kinds of matches. All of this package, the account
// and its API follow from it: a new kind has its row here, its members in
// openapi.yaml and its attribute in the provider, where a test asks for each.
var kinds = []kind{
	{name: IPRanges, canonical: canonicalRange, limit: MaxRanges, repeats: true},
	{name: Countries, canonical: countryCode, fact: Country},
	{name: Continents, canonical: oneOf("continent", continents), fact: Continent},
	{name: AnonymousIPs, canonical: oneOf("anonymous IP kind", anonymous), fact: Anonymous, factPerValue: true},
}

// A kind is a row of the table.
type kind struct {
	name Kind
	// canonical returns the one form of a value, or an error that says what to write.
	canonical func(value string) (string, error)
	limit     int  // how many values a rule may have; 0 for any number
	repeats   bool // a value may be given twice: the API has always taken it
	// fact is what the values are compared with; empty for the address itself.
	fact Fact
	// factPerValue is for facts that are a set of which a database may know
	// some members and not others: what must be known is then each value, and
	// not the fact.
	factPerValue bool
}

// The kinds of anonymous addresses.
const (
	CloudProvider = "cloud_provider"
	VPN           = "vpn"
	Tor           = "tor"
	PublicProxy   = "public_proxy"
)

// MaxRanges is how many IP ranges a rule may have.
const MaxRanges = 1000

var (
	continents = []string{"AF", "AN", "AS", "EU", "NA", "OC", "SA"}
	anonymous  = []string{CloudProvider, VPN, Tor, PublicProxy}
)

// AnonymousKinds are the kinds of anonymous addresses.
func AnonymousKinds() []string { return slices.Clone(anonymous) }

// Kinds are all kinds of matches.
func Kinds() []Kind {
	all := make([]Kind, len(kinds))
	for i, k := range kinds {
		all[i] = k.name
	}
	return all
}

// KindNames lists the kinds for people, the last after a conjunction.
func KindNames(conjunction string) string {
	names := make([]string, len(kinds))
	for i, k := range kinds {
		names[i] = string(k.name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " " + conjunction + " " + names[last]
}

// FactNames are all facts that a kind looks at.
func FactNames() []Fact {
	var all []Fact
	for _, k := range kinds {
		if k.fact != "" && !slices.Contains(all, k.fact) {
			all = append(all, k.fact)
		}
	}
	return all
}

func (k Kind) row() (kind, bool) {
	i := slices.IndexFunc(kinds, func(row kind) bool { return row.name == k })
	if i < 0 {
		return kind{}, false
	}
	return kinds[i], true
}

// Canonical returns the one form of a value of this kind, or an error that
// says what to write.
func (k Kind) Canonical(value string) (string, error) {
	row, known := k.row()
	if !known {
		return "", fmt.Errorf("a rule cannot match %q; use %s", k, KindNames("or"))
	}
	return row.canonical(value)
}

// Limit is how many values a rule may have, or 0 for any number.
func (k Kind) Limit() int {
	row, _ := k.row()
	return row.limit
}

// A Match is what a rule is about: a kind, and values of it, each an
// alternative.
type Match struct {
	Kind   Kind
	Values []string // in canonical form, as [ParseMatch] makes them
}

// A ValueError is the fault of one value.
type ValueError struct {
	Index int
	error
}

// Unwrap returns what is wrong with the value.
func (e *ValueError) Unwrap() error { return e.error }

// ParseMatch makes a match of values in any spelling that their kind has. An
// error about one of them is a [*ValueError].
func ParseMatch(k Kind, values []string) (Match, error) {
	m := Match{k, make([]string, len(values))}
	for i, value := range values {
		var err error
		if m.Values[i], err = k.Canonical(value); err != nil {
			return m, &ValueError{i, err}
		}
	}
	return m, m.Validate()
}

// OneMatch returns the only one of a rule's matches, and refuses any other number.
func OneMatch(matches []Match) (Match, error) {
	if len(matches) != 1 {
		return Match{}, fmt.Errorf("a rule needs exactly one of %s; it has %d of them", KindNames("and"), len(matches))
	}
	return matches[0], nil
}

// Validate refuses a match that cannot be kept, with every fault that it has.
func (m Match) Validate() error {
	if len(m.Values) == 0 {
		_, err := OneMatch(nil)
		return err
	}
	row, known := m.Kind.row()
	if !known {
		_, err := m.Kind.Canonical("")
		return err
	}
	var faults []error
	if row.limit > 0 && len(m.Values) > row.limit {
		faults = append(faults, fmt.Errorf("the rule has %d %s; at most %d are allowed",
			len(m.Values), m.Kind, row.limit))
	}
	seen := make(map[string]bool, len(m.Values))
	for _, value := range m.Values {
		switch canonical, err := row.canonical(value); {
		case err != nil:
			faults = append(faults, err)
		case canonical != value:
			faults = append(faults, fmt.Errorf("%q is not in its plain form, %q", value, canonical))
		case seen[value] && !row.repeats:
			faults = append(faults, fmt.Errorf("%q is given twice", value))
		}
		seen[value] = true
	}
	return errors.Join(faults...)
}

// RequiredData is what must be known of an address to tell whether the match
// is about it; nothing if the address alone will do.
func (m Match) RequiredData() []string {
	switch row, _ := m.Kind.row(); {
	case row.fact == "":
		return nil
	case row.factPerValue:
		return m.Values
	default:
		return []string{string(row.fact)}
	}
}

// Matches reports whether the match is about the subject, whose address must
// be in its one form ([Normalize]).
func (m Match) Matches(s Subject) bool {
	row, _ := m.Kind.row()
	if row.fact == "" {
		return slices.ContainsFunc(m.prefixes(), func(p netip.Prefix) bool { return p.Contains(s.Address) })
	}
	return slices.ContainsFunc(s.Facts[row.fact], func(known string) bool { return slices.Contains(m.Values, known) })
}

// MatchReason returns what is known of a subject and named by the match: why it
// matched, for people. It is empty for a match of addresses.
func (m Match) MatchReason(s Subject) Facts {
	row, _ := m.Kind.row()
	var named []string
	for _, known := range s.Facts[row.fact] {
		if slices.Contains(m.Values, known) {
			named = append(named, known)
		}
	}
	if named == nil {
		return nil
	}
	return Facts{row.fact: named}
}

// String lists the facts for people: "country DE", "vpn, tor".
func (f Facts) String() string {
	var told []string
	for _, k := range kinds {
		values := strings.Join(f[k.fact], ", ")
		if values == "" {
			continue
		}
		if !k.factPerValue {
			values = string(k.fact) + " " + values
		}
		told = append(told, values)
	}
	return strings.Join(told, ", ")
}

// Has reports whether one of the values of a fact is this one.
func (f Facts) Has(fact Fact, value string) bool { return slices.Contains(f[fact], value) }

// prefixes are the IP ranges of a match that is valid; none if it has another kind.
func (m Match) prefixes() []netip.Prefix {
	if m.Kind != IPRanges {
		return nil
	}
	all := make([]netip.Prefix, len(m.Values))
	for i, value := range m.Values {
		var err error
		if all[i], err = ParseRange(value); err != nil {
			panic("firewall: an unvalidated rule was evaluated: " + err.Error())
		}
	}
	return all
}

func canonicalRange(value string) (string, error) {
	p, err := ParseRange(value)
	if err != nil {
		return "", err
	}
	return FormatRange(p), nil
}

func countryCode(value string) (string, error) {
	if !IsCountry(value) {
		return "", fmt.Errorf("country %q is not an ISO 3166-1 alpha-2 code in upper case, such as %s", value,
			cmp.Or(mistaken[value], "DE"))
	}
	return value, nil
}

// oneOf is the canonical form of a value that a closed list has.
func oneOf(noun string, list []string) func(string) (string, error) {
	return func(value string) (string, error) {
		if !slices.Contains(list, value) {
			return "", fmt.Errorf("%s %q is not known; use one of %s", noun, value, strings.Join(list, ", "))
		}
		return value, nil
	}
}
