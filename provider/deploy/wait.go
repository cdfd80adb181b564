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

// A Wait waits until a bridge runs, is unsealed and has signed in once with its revision.
type Wait struct {
	Target interface {
		Observe(ctx context.Context) (State, error)
	}
	Revision string
	// Unsealed is set if the bridge got its token, so that it will unseal. Otherwise a
	// sealed bridge ends the wait.
	Unsealed bool

	// Curable is how long a problem must last that another resource of the run may
	// solve; zero means 30 s.
	Curable time.Duration
	// Final is how long a problem must last that only another session solves; zero means
	// 3 s.
	Final time.Duration
	// Every is the interval of observations; zero means 100 ms.
	Every time.Duration
}

// A NotReadyError is the reason why a wait ended before the bridge was ready.
type NotReadyError struct {
	// Pending is set if the deployment is complete and the bridge only waits for another
	// resource or for its token.
	Pending  bool
	Reason   string
	Problems []problem.Problem
	Log      string // the end of the log, if the bridge is not running
}

// Error returns the reason, then cause and remedy of each problem.
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

// The values of the argument on_unready.
const (
	OnUnreadyWarn = "warn"
	OnUnreadyFail = "fail"
)

// IsWarning reports whether the error of a wait is only a warning for a resource with that
// on_unready.
func IsWarning(err error, onUnready string) bool {
	reason, ok := errors.AsType[*NotReadyError](err)
	return ok && (reason.Pending || onUnready == OnUnreadyWarn)
}

// Until observes the bridge until it is ready or there is a reason to stop. It returns the
// last state. The error is a *NotReadyError or Observe's.
func (w Wait) Until(ctx context.Context) (State, error) {
	w.Curable = orElse(w.Curable, 30*time.Second)
	w.Final = orElse(w.Final, 3*time.Second)
	w.Every = orElse(w.Every, 100*time.Millisecond)
	var last string // the codes of the problems
	var since time.Time
	for {
		// bounded by the target; the last state must not be lost
		state, err := w.Target.Observe(context.WithoutCancel(ctx))
		if err != nil {
			return state, err
		}
		if now := codes(state); now != last || since.IsZero() {
			last, since = now, time.Now()
		}
		if done, reason := w.decide(state, time.Since(since)); done {
			return state, reason.orNil()
		}
		select {
		case <-ctx.Done():
			// The bridge may still become ready after an interruption.
			interrupted := errors.Is(ctx.Err(), context.Canceled)
			return state, &NotReadyError{Pending: interrupted, Problems: problems(state),
				Reason: fmt.Sprintf("%s, and the bridge is %s.", Ended(ctx), describe(state))}
		case <-time.After(w.Every):
		}
	}
}

// A TimeoutError is the error for work that took longer than an argument allows.
type TimeoutError struct {
	Limit    time.Duration
	Argument string
}

func (e *TimeoutError) Error() string {
	return fmt.Sprintf("timed out after %s (%s)", e.Limit, e.Argument)
}

// Within limits the work to the time that an argument sets. Ended then returns a
// *TimeoutError.
func Within(ctx context.Context, limit time.Duration, argument string) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, limit, &TimeoutError{limit, argument})
}

// Ended returns why a context has ended.
func Ended(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return ErrInterrupted
}

// ErrInterrupted is the error for a run that was stopped, for instance with Ctrl-C.
var ErrInterrupted = errors.New("the run was interrupted")

// decide returns whether a state ends the wait. Lasted is how long its problems have
// lasted.
func (w Wait) decide(s State, lasted time.Duration) (done bool, reason *NotReadyError) {
	if !s.Running {
		return true, &NotReadyError{Reason: orExited(s.Ended) + ".", Log: s.Log}
	}
	if s.Bridge == nil || s.Bridge.Revision != w.Revision {
		return false, nil // it does not answer yet
	}
	switch s.Bridge.State {
	case control.Ready:
		return s.ObservedRevision == w.Revision, nil
	case control.Sealed:
		if w.Unsealed {
			return false, nil
		}
		return true, &NotReadyError{Pending: true, Reason: "the bridge is running but sealed, because it has not " +
			"received the bearer token: set unseal_token_wo.", Problems: problems(s)}
	case control.SessionUnreadable:
		return true, &NotReadyError{Reason: "the bridge cannot read its session.", Problems: problems(s)}
	}
	for _, p := range s.Bridge.Problems {
		switch {
		case Curable(p.Code) && lasted >= w.Curable:
			return true, &NotReadyError{Pending: true, Reason: "the bridge is running, but the account refuses it; " +
				"the bridge retries.", Problems: problems(s)}
		case Final(p.Code) && lasted >= w.Final:
			return true, &NotReadyError{Reason: "the bridge is running, but the account refuses its credentials.",
				Problems: problems(s)}
		}
	}
	return false, nil
}

// orExited returns why a bridge ended.
func orExited(ended string) string {
	if ended == "" {
		return "the bridge exited after its start"
	}
	return strings.TrimRight(ended, ".")
}

// Curable reports whether another resource of the run may solve a problem: a firewall rule
// or the integration.
func Curable(code problem.Code) bool {
	return code == problem.FirewallBlocked || code == problem.FirewallBlockedCloudProvider ||
		code == problem.ProvisioningInactive
}

// Final reports whether neither time nor another resource solves a problem: no bridge can
// sign in with the session.
func Final(code problem.Code) bool {
	return code == problem.CredentialsChanged || code == problem.TwoFactorEnforced
}

// orNil converts a nil *NotReadyError to a nil error.
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

// Problems returns the codes of the bridge's problems, in order and without duplicates;
// empty if there are none or no bridge answers.
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
