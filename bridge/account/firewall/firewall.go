// Package firewall decides which addresses an account's firewall lets in: its
// rules, what they match, and what a policy decides; how a policy stands
// ([State]), and whether a change of it locks out a subject ([CheckLockout]).
// All of that is pure: a policy and a subject go in, a decision comes out. Only
// a [Cache] has state.
//
// Where policies are stored, which database tells an address's country and when
// the firewall is asked is decided by the account. The provider imports this
// package too, so that a plan shows what the account will do.
package firewall

import (
	"cmp"
	"errors"
	"fmt"
	"net/netip"
	"slices"
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

// Priorities: the lower is asked first.
const (
	DefaultAllowPriority  = 100
	DefaultDenyPriority   = 500
	DefaultReportPriority = 1000
	MaxPriority           = 1_000_000
)

// MaxDescription is how many characters the description of a rule may have.
const MaxDescription = 500

// Valid reports whether a is one of the three actions.
func (a Action) Valid() bool { return a == Allow || a == Report || a == Deny }

// Passes reports whether a lets the subject in.
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

// A Rule decides about the subjects that its match is about.
type Rule struct {
	ID          string
	Action      Action
	Match       Match
	Priority    int
	Description string
}

// A Policy is an account's whole firewall.
type Policy struct {
	DefaultAction Action // for subjects that no rule matches
	Rules         []Rule // in any order
}

// A Subject is an address that asks to be let in, and what is known of it.
type Subject struct {
	Address netip.Addr
	Facts   Facts
}

// A Decision is the firewall's answer to one subject.
type Decision struct {
	Action Action
	Rule   *Rule // the rule that decided; nil if the default action did
}

// Passes reports whether the subject is let in.
func (d Decision) Passes() bool { return d.Action.Passes() }

// RuleID is the id of the rule that decided, or empty.
func (d Decision) RuleID() string {
	if d.Rule == nil {
		return ""
	}
	return d.Rule.ID
}

// Sorted returns the policy with its rules in the order in which they are
// asked: by ascending priority; deny, report, allow among equals; then by id.
func (p Policy) Sorted() Policy {
	p.Rules = slices.SortedStableFunc(slices.Values(p.Rules), func(a, b Rule) int { return order(&a, &b) })
	return p
}

func order(a, b *Rule) int {
	if a.Priority != b.Priority { // most differ in this, and every request compares
		return cmp.Compare(a.Priority, b.Priority)
	}
	return cmp.Or(cmp.Compare(a.Action.severity(), b.Action.severity()), cmp.Compare(a.ID, b.ID))
}

// Normalize gives an address the one form in which rules name it: an
// IPv4-mapped IPv6 address, as a dual-stack listener reports it, is the IPv4
// address, and a zone, which means something on one machine only, is dropped.
func Normalize(a netip.Addr) netip.Addr { return a.Unmap().WithZone("") }

// Validate refuses a rule that cannot be kept, with every fault that it has.
// The id is the account's to choose.
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
	return errors.Join(append(faults, r.Match.Validate())...)
}
