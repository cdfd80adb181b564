package firewall

import "time"

// A State is the firewall of an account as it stands.
type State struct {
	Policy        Compiled
	DisabledUntil time.Time // zero, or past, while the policy is enforced
	// Unreadable is why there is no policy. Decide returns it only while the policy
	// is enforced: disabling the firewall must help whatever the database holds.
	Unreadable error
}

// Disabled reports whether no request is refused at this moment.
func (s State) Disabled(now time.Time) bool { return s.DisabledUntil.After(now) }

// RequiredData is what must be known of an address at this moment.
func (s State) RequiredData(now time.Time) []string {
	if s.Disabled(now) {
		return nil
	}
	return s.Policy.RequiredData()
}

// Decide returns what the policy says of a subject, or that the firewall is
// disabled.
func (s State) Decide(subject Subject, now time.Time) (d Decision, disabled bool, err error) {
	switch {
	case s.Disabled(now):
		return Decision{Action: Allow}, true, nil
	case s.Unreadable != nil:
		return Decision{Action: Deny}, false, s.Unreadable
	}
	return s.Policy.Decide(subject), false, nil
}

// A Lockout is how a change of the policy shuts out a subject.
type Lockout struct {
	Subject
	By    *Rule // the rule that denies; nil for the default action
	Until *Rule // the rule that let it in until now; nil for the default action
}

// CheckLockout reports whether a change of the policy shuts out a subject. One that
// is shut out before the change does not count: while the firewall is disabled,
// a policy must be repairable step by step.
func CheckLockout(before, after Compiled, s Subject) (Lockout, bool) {
	now := after.Decide(s)
	if now.Passes() {
		return Lockout{}, false
	}
	then := before.Decide(s)
	return Lockout{s, now.Rule, then.Rule}, then.Passes()
}
