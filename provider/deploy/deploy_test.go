package deploy

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
)

// seen is a running bridge of revision "r" in a state, with problems.
func seen(state, observed string, codes ...problem.Code) State {
	s := State{Running: true, Revision: "r", ObservedRevision: observed,
		Bridge: &control.Status{Revision: "r", State: state}}
	for _, code := range codes {
		s.Bridge.Problems = append(s.Bridge.Problems, problem.New(code, time.Time{}, nil))
	}
	return s
}

func TestOneStateDecidesWhetherTheWaitIsOver(t *testing.T) {
	t.Parallel()
	const goOn, ready, pending, failed = "goes on", "ready", "pending", "failed"
	tests := []struct {
		name     string
		state    State
		unsealed bool
		lasted   time.Duration
		want     string
	}{
		{"a bridge that signed in is ready", seen(control.Ready, "r"), true, 0, ready},
		{"a bridge that serves and is not yet on record goes on", seen(control.Ready, "old"), true, 0, goOn},
		{"the bridge of an old revision says nothing about the new one",
			State{Running: true, Bridge: &control.Status{Revision: "old",
				State: control.Ready}}, true, time.Hour, goOn},
		{"a bridge that does not answer yet goes on", State{Running: true}, true, 0, goOn},
		{"a bridge that ended has failed", State{Log: "port in use"}, true, 0, failed},
		{"a sealed bridge without a token is pending at once", seen(control.Sealed, "", problem.Sealed),
			false, 0, pending},
		{"a sealed bridge that was shown its token goes on", seen(control.Sealed, "", problem.Sealed), true,
			time.Hour, goOn},
		{"a session that cannot be read has failed", seen(control.SessionUnreadable, "", problem.SessionUnreadable),
			true, 0, failed},
		{"a firewall may open while the run goes on", seen(control.Refused, "", problem.FirewallBlocked), true,
			29 * time.Second, goOn},
		{"a firewall that stays shut is pending", seen(control.Refused, "", problem.FirewallBlocked), true,
			30 * time.Second, pending},
		{"a cloud provider rule is a firewall too", seen(control.Refused, "", problem.FirewallBlockedCloudProvider),
			true, 30 * time.Second, pending},
		{"an integration may be activated while the run goes on",
			seen(control.Refused, "", problem.ProvisioningInactive), true, 29 * time.Second, goOn},
		{"changed credentials are given a moment", seen(control.Refused, "", problem.CredentialsChanged), true,
			2 * time.Second, goOn},
		{"changed credentials have failed", seen(control.Refused, "", problem.CredentialsChanged), true,
			3 * time.Second, failed},
		{"an account that is away is waited for to the end", seen(control.SigningIn, "", problem.AccountUnreachable),
			true, time.Hour, goOn},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			w := Wait{Revision: "r", Unsealed: tt.unsealed, Curable: 30 * time.Second, Final: 3 * time.Second}
			done, reason := w.decide(tt.state, tt.lasted)
			got := goOn
			switch {
			case done && reason == nil:
				got = ready
			case done && reason.Pending:
				got = pending
			case done:
				got = failed
			}
			if got != tt.want {
				t.Errorf("it %s (%v), want %s", got, reason, tt.want)
			}
		})
	}
}

// script is a target that shows one state after the other, the last for ever.
type script struct {
	Target
	states []State
}

func (s *script) Observe(context.Context) (State, error) {
	state := s.states[0]
	if len(s.states) > 1 {
		s.states = s.states[1:]
	}
	return state, nil
}

func TestUntilFollowsABridgeToReady(t *testing.T) {
	t.Parallel()
	target := &script{states: []State{{Running: true}, seen(control.Sealed, ""), seen(control.SigningIn, ""),
		seen(control.Ready, "r")}}
	state, err := Wait{Target: target, Revision: "r", Unsealed: true, Every: time.Millisecond}.Until(t.Context())
	if err != nil || state.Status() != Ready {
		t.Errorf("ended %s with %v", state.Status(), err)
	}
}

func TestUntilTellsCauseAndRemedyWhenTimeIsUp(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	target := &script{states: []State{seen(control.Refused, "", problem.FirewallBlocked)}}
	_, err := Wait{Target: target, Revision: "r", Every: time.Millisecond}.Until(ctx)
	reason, ok := errors.AsType[*NotReadyError](err)
	if !ok || reason.Pending {
		t.Fatalf("got %v, want a roll-out that failed", err)
	}
	for _, part := range []string{"Cause:", "Remedy:", "scimbridge_firewall_rule", string(problem.FirewallBlocked)} {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error lacks %q:\n%v", part, err)
		}
	}
}

func TestAnEndedWaitSaysByWhatItEnded(t *testing.T) {
	t.Parallel()
	signingIn := []State{seen(control.SigningIn, "")}
	ends := func(ctx context.Context) *NotReadyError {
		_, err := Wait{Target: &script{states: signingIn}, Revision: "r", Every: time.Millisecond}.Until(ctx)
		reason, _ := errors.AsType[*NotReadyError](err)
		if reason == nil {
			t.Fatalf("got %v", err)
		}
		return reason
	}
	limited, cancel := Within(t.Context(), 20*time.Millisecond, "timeouts.update")
	defer cancel()
	if e := ends(limited); e.Pending || !strings.Contains(e.Reason, "timed out after 20ms (timeouts.update)") {
		t.Errorf("a limit ended it: %+v", e)
	}
	outer, interrupt := context.WithCancel(t.Context())
	within, cancelWithin := Within(outer, time.Hour, "timeouts.update")
	defer cancelWithin()
	interrupt()
	if e := ends(within); !e.Pending || !strings.Contains(e.Reason, "the run was interrupted") ||
		strings.Contains(e.Reason, "timed out") {
		t.Errorf("an interruption ended it: %+v", e)
	}
}

func TestTroubleIsMeasuredFromItsOwnBeginning(t *testing.T) {
	t.Parallel()
	var states []State
	for range 20 { // changes too often for any one problem to last
		states = append(states, seen(control.Refused, "", problem.FirewallBlocked),
			seen(control.Refused, "", problem.ProvisioningInactive))
	}
	target := &script{states: append(states, seen(control.Ready, "r"))}
	if _, err := (Wait{Target: target, Revision: "r", Every: time.Millisecond,
		Curable: 10 * time.Second}).Until(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestRevision(t *testing.T) {
	t.Parallel()
	spec := func(change func(*Spec)) string {
		s := Spec{Name: "n", Session: "s", Unseal: UnsealOnce, Size: SizeBase}
		change(&s)
		return s.Revision("build")
	}
	base := spec(func(*Spec) {})
	tests := []struct {
		name   string
		change func(*Spec)
		moves  bool
	}{
		{"the session moves it", func(s *Spec) { s.Session = "t" }, true},
		{"the way to unseal moves it", func(s *Spec) { s.Unseal = UnsealStored }, true},
		{"the size moves it", func(s *Spec) { s.Size = SizeHigh }, true},
		{"a setting moves it", func(s *Spec) { s.Settings.LogLevel = "debug" }, true},
		{"a trigger moves it", func(s *Spec) { s.Triggers = map[string]string{"a": "b"} }, true},
		{"a monitoring token moves it", func(s *Spec) { s.Monitoring = &Monitoring{} }, true},
		{"the name is for people", func(s *Spec) { s.Name = "other" }, false},
		{"a memo never reaches the bridge", func(s *Spec) { s.Memo = map[string]string{"a": "b"} }, false},
		{"no triggers are no triggers", func(s *Spec) { s.Triggers = map[string]string{} }, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			if moved := spec(tt.change) != base; moved != tt.moves {
				t.Errorf("moved is %v, want %v", moved, tt.moves)
			}
		})
	}
	if (Spec{}).Revision("a") == (Spec{}).Revision("b") {
		t.Error("another program has the same revision")
	}
}

// A running bridge reads a new monitoring token, and needs a restart to have one at all.
func TestOfAMonitoringTokenOnlyItsPresenceIsInTheRevision(t *testing.T) {
	t.Parallel()
	token, err := ParseMonitoringToken("a-monitoring-token-of-a-test")
	if err != nil {
		t.Fatal(err)
	}
	of := func(m *Monitoring) string {
		return Spec{Session: "s", Unseal: UnsealOnce, Size: SizeBase, Monitoring: m}.Revision("b")
	}
	without, with := of(nil), of(&Monitoring{})
	// What releases without the setting have deployed must not be replaced.
	sum := sha256.Sum256([]byte(`{"Build":"b","Session":"s","Unseal":"once","Size":"base","Settings":{}}`))
	if want := hex.EncodeToString(sum[:8]); without != want {
		t.Errorf("without a token it is %s, want %s", without, want)
	}
	if with == without {
		t.Error("with a token it is the same")
	}
	if got := of(&Monitoring{Version: new(int64(2)), Token: token}); got != with {
		t.Errorf("another token makes %s of %s", got, with)
	}
}

func TestSettingsAreFlags(t *testing.T) {
	t.Parallel()
	got := Settings{PublicURL: "https://b.example.com", TrustedProxies: "10.0.0.0/8,::1"}.Flags()
	if want := []string{"--public-url=https://b.example.com",
		"--trusted-proxies=10.0.0.0/8,::1"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
