package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// A Wait is for a bridge to run, to be unsealed and to have signed in once,
// under its own revision.
type Wait struct {
	Target interface {
		Observe(ctx context.Context) (State, error)
	}
	Revision string
	// Unsealed says that somebody showed the token, so that a sealed bridge is
	// one that is about to open; else it is the end of the wait.
	Unsealed bool

	// Curable is how long problems are waited out that another resource of
	// the same run may cure; zero means 30 s.
	Curable time.Duration
	// Final is how long a problem must last that only a change of the
	// deployment cures; zero means 3 s.
	Final time.Duration
	// Every is the pause between two looks; zero means 100 ms.
	Every time.Duration
}

// NotReadyError says why a wait ended before the bridge was ready.
type NotReadyError struct {
	// Pending is set when the deployment itself is done and what is missing
	// can only come from elsewhere: from another resource, or from somebody
	// who shows the token.
	Pending  bool
	Reason   string
	Problems []problem.Problem
	Log      string // the end of the log, if the bridge does not run
}

// Error tells the reason, then cause and remedy of each problem.
func (e *NotReadyError) Error() string {
	var b strings.Builder
	b.WriteString(e.Reason)
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n\n%s (%s)\nCause: %s\nRemedy: %s", p.Title, p.Code, p.Cause, p.Remedy)
		if p.Terraform != "" {
			b.WriteString("\n\n" + strings.TrimSpace(p.Terraform))
		}
	}
	if e.Log != "" {
		b.WriteString("\n\nThe end of the bridge's log:\n" + e.Log)
	}
	return b.String()
}

// Until looks at the bridge until it is ready or there is a reason not to go
// on. The state is the last one seen. The error is a *NotReadyError, or that of Observe.
func (w Wait) Until(ctx context.Context) (State, error) {
	w.Curable = orElse(w.Curable, 30*time.Second)
	w.Final = orElse(w.Final, 3*time.Second)
	w.Every = orElse(w.Every, 100*time.Millisecond)
	var trouble string // the problems seen last
	var since time.Time
	for {
		state, err := w.Target.Observe(context.WithoutCancel(ctx)) // bounded by itself; the last look must not be lost
		if err != nil {
			return state, err
		}
		if now := codes(state); now != trouble || since.IsZero() {
			trouble, since = now, time.Now()
		}
		if done, reason := w.judge(state, time.Since(since)); done {
			return state, reason.orNil()
		}
		select {
		case <-ctx.Done():
			// Who interrupts does not say that the bridge is of no use: it goes on becoming ready.
			interrupted := errors.Is(ctx.Err(), context.Canceled)
			return state, &NotReadyError{Pending: interrupted, Problems: problems(state),
				Reason: fmt.Sprintf("%s, and the bridge is %s.", Ended(ctx), describe(state))}
		case <-time.After(w.Every):
		}
	}
}

// A TimeoutError says that a time limit ended the work, and which argument sets it.
type TimeoutError struct {
	Limit    time.Duration
	Argument string
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("timed out after %s (%s)", e.Limit, e.Argument)
}

// Within bounds the work by a limit that an argument sets; what ends by it says so.
func Within(ctx context.Context, limit time.Duration, argument string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, &TimeoutError{limit, argument})
}

// Ended says why a context has ended.
func Ended(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return ErrInterrupted
}

// ErrInterrupted says that somebody stopped the run, with Ctrl-C for instance.
var ErrInterrupted = errors.New("the run was interrupted")

// judge decides from one look. lasted is how long the present problems have.
func (w Wait) judge(s State, lasted time.Duration) (done bool, reason *NotReadyError) {
	if !s.Running {
		return true, &NotReadyError{Reason: "the bridge started and ended again.", Log: s.Log}
	}
	if s.Bridge == nil || s.Bridge.Revision != w.Revision {
		return false, nil // not yet at its control socket
	}
	switch s.Bridge.State {
	case control.Ready:
		return s.ObservedRevision == w.Revision, nil
	case control.Sealed:
		if w.Unsealed {
			return false, nil
		}
		return true, &NotReadyError{Pending: true, Reason: "the bridge runs and is sealed, because it has not received the bearer token: set unseal_token_wo.", Problems: problems(s)}
	case control.SessionUnreadable:
		return true, &NotReadyError{Reason: "the bridge cannot read its session.", Problems: problems(s)}
	}
	for _, p := range s.Bridge.Problems {
		switch {
		case curable[p.Code] && lasted >= w.Curable:
			return true, &NotReadyError{Pending: true, Reason: "the bridge runs, and the account refuses it for now; the bridge keeps trying.", Problems: problems(s)}
		case final[p.Code] && lasted >= w.Final:
			return true, &NotReadyError{Reason: "the bridge runs, and the account refuses its credentials.", Problems: problems(s)}
		}
	}
	return false, nil
}

// curable are the problems that another resource of the same run may cure: a
// firewall rule, or the integration.
var curable = map[problem.Code]bool{
	problem.FirewallBlocked:              true,
	problem.FirewallBlockedCloudProvider: true,
	problem.ProvisioningInactive:         true,
}

// final are the problems that no wait and no other resource cures: the session
// itself is useless.
var final = map[problem.Code]bool{
	problem.CredentialsChanged: true,
	problem.TwoFactorEnforced:  true,
}

// orNil keeps a nil *NotReadyError from becoming an error that is not nil.
func (e *NotReadyError) orNil() error {
	if e == nil {
		return nil
	}
	return e
}

func problems(s State) []problem.Problem {
	if s.Bridge == nil {
		return nil
	}
	return s.Bridge.Problems
}

// Problems returns the codes of the bridge's problems, in order and without
// doubles; empty if there are none or no bridge answers.
func (s State) Problems() []string {
	list := []string{}
	for _, p := range problems(s) {
		list = append(list, string(p.Code))
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func codes(s State) string { return strings.Join(s.Problems(), " ") }

func describe(s State) string {
	if s.Bridge == nil {
		return "not answering at its control socket"
	}
	return strings.ReplaceAll(s.Bridge.State, "_", " ")
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d == 0 {
		return otherwise
	}
	return d
}
