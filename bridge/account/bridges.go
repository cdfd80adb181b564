package account

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A Bridge is the account's record of one bridge instance.
type Bridge struct {
	store.Bridge
	Problems    []string
	LastRefusal *Refusal
}

// The states that the account sets, in addition to those that the bridge reports.
const (
	bridgeSignedIn = "healthy" // until its first heartbeat
	bridgeRefused  = "refused"
	bridgeStopped  = "stopped"
	bridgeLost     = "lost" // no request for store.BridgeSilence and no sign-out
)

// A Refusal is why a bridge was refused.
type Refusal struct {
	Time     time.Time     `json:"time"`
	Code     api.ErrorCode `json:"code"`
	Address  string        `json:"address"`
	RuleID   string        `json:"rule_id,omitempty"` // empty if the default action decided
	Instance string        `json:"instance,omitempty"`
	// Anonymous are the kinds of anonymous IPs that the rule names and the address has.
	Anonymous []string `json:"anonymous_ips,omitempty"`
}

// A Heartbeat is the state that a bridge reports.
type Heartbeat struct {
	Revision string
	State    string // healthy, degraded, unhealthy or stopped
	Problems []string
}

// A HeartbeatAnswer is the answer to a heartbeat.
type HeartbeatAnswer struct {
	Address         netip.Addr
	Generations     []Generation
	SuspensionLimit string
	Holds           store.HoldCount
	Database        string            // the account's own database setting, for commands on its machine
	Disabled        *DisabledFirewall // nil while the firewall is enforced
}

// Bridges lists the bridges that have proved their credentials, newest contact first: for a week after the last one.
func (a *Account) Bridges(ctx context.Context, cursor string, limit int) (Page[Bridge], error) {
	place, err := ReadPlace(cursor, beforeNewest)
	if err != nil {
		return Page[Bridge]{}, err
	}
	var rows []store.Bridge
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		rows, err = tx.Bridges(ctx, a.Time(), place, limit+1)
		return err
	})
	if err != nil {
		return Page[Bridge]{}, err
	}
	bridges := make([]Bridge, len(rows))
	for i, row := range rows {
		bridges[i].Bridge = row
		bridges[i].State = stateOf(row, a.Time())
		if err := json.Unmarshal([]byte(row.Problems), &bridges[i].Problems); err != nil {
			return Page[Bridge]{}, fmt.Errorf("reading bridge %s: %w", row.Instance, err)
		}
		if bridges[i].LastRefusal, err = toRefusal(row.LastRefusal); err != nil {
			return Page[Bridge]{}, err
		}
	}
	return PageOf(
		bridges, limit, func(b Bridge) []any { return store.Place{Time: b.LastContact, ID: b.Instance}.Key() },
	), nil
}

// stateOf returns the last reported state of a bridge, or bridgeLost.
func stateOf(b store.Bridge, now time.Time) string {
	silent := now.Sub(b.LastContact) >= store.BridgeSilence
	if silent && b.State != bridgeRefused && b.State != bridgeStopped {
		return bridgeLost
	}
	return b.State
}

// AdmitSession returns the caller that a session belongs to, if the firewall allows
// the address of the request.
func (a *Account) AdmitSession(ctx context.Context, secret string, address netip.Addr) (Caller, error) {
	switch caller, refusal, err := a.readSession(ctx, secret, address); {
	case err != nil:
		return caller, err
	case caller.ID == "":
		return a.refuseSession(ctx, secret, caller)
	case refusal != nil:
		return caller, errors.Join(a.noteSessionRefusal(ctx, caller, refusal), refusal)
	default:
		return caller, nil
	}
}

// AdmitsSession returns what AdmitSession does, and reports whether that is without an error. If it is not, nothing is
// recorded: the caller calls AdmitSession then.
func (a *Account) AdmitsSession(ctx context.Context, secret string, address netip.Addr) (Caller, bool) {
	caller, refusal, err := a.readSession(ctx, secret, address)
	return caller, err == nil && caller.ID != "" && refusal == nil
}

// readSession returns the caller that a session belongs to, and why it is refused. The caller has no ID if the session
// is not live.
func (a *Account) readSession(ctx context.Context, secret string, address netip.Addr) (
	caller Caller, refusal, err error,
) {
	caller = Caller{Kind: ByBridge, Address: address}
	type admitted struct {
		store.Session
		firewall firewall.State
	}
	digest := digestOf(secret)
	load := func(ctx context.Context, tx *store.Tx) (k admitted, found bool, err error) {
		if k.Session, found, err = tx.Session(ctx, digest); err == nil && found {
			k.firewall, err = a.firewallState(ctx, tx)
		}
		return k, found, err
	}
	known, found, err := store.Cached(ctx, a.Store, "session "+digest, load)
	if err != nil || !found || !known.EndsAt.After(a.Time()) {
		return caller, nil, err
	}
	caller.ID, caller.SessionID = known.Instance, known.ID
	d, err := a.decideBy(known.firewall, address)
	if err != nil {
		return caller, nil, err
	}
	refusal, err = a.refusal(ctx, d)
	return caller, refusal, err
}

// refuseSession refuses a session that is not live. Which policy ended it is told
// only to a caller with its secret.
func (a *Account) refuseSession(ctx context.Context, secret string, caller Caller) (Caller, error) {
	var session store.Session
	var found bool
	err := a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		session, found, err = tx.SessionWithoutSecondFactor(ctx, digestOf(secret))
		return err
	})
	if err != nil {
		return caller, err
	}
	if !found {
		return caller, unauthorized(api.ErrorCodeSessionEnded,
			"the session is unknown or has ended; sign in again")
	}
	caller.ID, caller.SessionID = session.Instance, session.ID
	refusal := secondFactorRefusal()
	return caller, errors.Join(a.noteSessionRefusal(ctx, caller, refusal), refusal)
}

// noteSessionRefusal records why a session's request was refused.
func (a *Account) noteSessionRefusal(ctx context.Context, caller Caller, refusal error) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, found, err := tx.Bridge(ctx, caller.ID, a.Time())
		if err != nil || !found {
			return err
		}
		row.Address, row.LastContact = caller.Address.String(), a.Time()
		attempt := Attempt{Address: row.Address, Instance: caller.ID, SessionID: caller.SessionID}
		return a.noteRefusal(ctx, tx, row, attempt, refusal)
	})
}

// Heartbeat records the state of the calling bridge.
func (a *Account) Heartbeat(ctx context.Context, in Heartbeat) (answer HeartbeatAnswer, err error) {
	problems, err := json.Marshal(append([]string{}, in.Problems...))
	if err != nil {
		return answer, err
	}
	if len(in.Problems) > 50 || len(problems) > 4096 || len(in.Revision) > 200 {
		return answer, InvalidValue("", "a heartbeat has at most 50 problem codes and a revision of at most 200 bytes")
	}
	caller := CallerFrom(ctx)
	decision, err := a.decideNow(ctx, caller.Address)
	if err != nil {
		return answer, err
	}
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		row, found, err := tx.Bridge(ctx, caller.ID, a.Time())
		if err != nil {
			return err
		}
		if !found {
			return NotFound("bridge", caller.ID)
		}
		hasOther, used := false, a.Time()
		if in.State == bridgeStopped {
			used = time.Time{}
			if hasOther, err = tx.HasOtherSession(ctx, caller.SessionID, a.Time()); err != nil {
				return err
			}
		}
		if !hasOther { // otherwise the other session reports the state
			row.Revision, row.State, row.Problems = in.Revision, in.State, string(problems)
			row.Address, row.LastContact, row.LastRefusal = caller.Address.String(), a.Time(), ""
			if err := tx.PutBridge(ctx, row); err != nil {
				return err
			}
		}
		if err := tx.NoteHeartbeat(ctx, caller.SessionID, used); err != nil {
			return err
		}
		if err := tx.TouchIntegration(ctx, a.Time()); err != nil {
			return err
		}
		if decision.Result == resultReported {
			attempt := Attempt{
				Address: caller.Address.String(), Instance: caller.ID, SessionID: caller.SessionID,
				Result: decision.Result, RuleID: decision.RuleID(),
			}
			if err := a.countAttempt(ctx, tx, attempt); err != nil {
				return err
			}
		}
		answer, err = a.heartbeatAnswer(ctx, tx, caller.Address)
		return err
	})
	if err != nil {
		return answer, err
	}
	// Not in the writer's transaction: there may be very many.
	return answer, a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		answer.Holds, err = tx.CountHolds(ctx)
		return err
	})
}

func (a *Account) heartbeatAnswer(ctx context.Context, tx *store.Tx, address netip.Addr) (HeartbeatAnswer, error) {
	generations, err := a.generations(ctx, tx)
	if err != nil {
		return HeartbeatAnswer{}, err
	}
	integration, err := tx.Integration(ctx)
	if err != nil {
		return HeartbeatAnswer{}, err
	}
	f, err := tx.Firewall(ctx)
	if err != nil {
		return HeartbeatAnswer{}, err
	}
	answer := HeartbeatAnswer{
		Address: address, Generations: generations, SuspensionLimit: integration.SuspensionLimit,
		Database: a.Store.Setting(),
	}
	if !f.DisabledUntil.After(a.Time()) {
		return answer, nil
	}
	disabled := a.disabledFirewall(ctx, tx, f, nil)
	answer.Disabled = &disabled
	return answer, nil
}

// SignOut ends the calling bridge's session. The bridge is then stopped, unless its
// instance has another session: that of a process that took over, that of the
// process for which the caller was on standby, or its own with newer credentials.
func (a *Account) SignOut(ctx context.Context) error {
	caller := CallerFrom(ctx)
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		hasOther, err := tx.HasOtherSession(ctx, caller.SessionID, a.Time())
		if err != nil {
			return err
		}
		row, found, err := tx.Bridge(ctx, caller.ID, a.Time())
		if err != nil {
			return err
		}
		if found && !hasOther {
			row.State, row.LastContact, row.LastRefusal = bridgeStopped, a.Time(), ""
			if err := tx.PutBridge(ctx, row); err != nil {
				return err
			}
		}
		return tx.DeleteSession(ctx, caller.SessionID)
	})
}

// decideNow calls decide in a transaction of its own.
func (a *Account) decideNow(ctx context.Context, address netip.Addr) (d decision, err error) {
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		d, err = a.decide(ctx, tx, address)
		return err
	})
	return d, err
}

// noteRefusal records why a bridge was refused, so that administrators see bridges
// that cannot sign in.
func (a *Account) noteRefusal(ctx context.Context, tx *store.Tx, b store.Bridge, attempt Attempt, refusal error) error {
	e, ok := errors.AsType[*Error](refusal)
	if !ok {
		return refusal
	}
	text, err := json.Marshal(Refusal{
		Time: a.Time(), Code: e.Code, Address: b.Address, RuleID: e.RuleID, Instance: b.Instance,
		Anonymous: e.Facts[firewall.Anonymous],
	})
	if err != nil {
		return err
	}
	b.State, b.LastRefusal = bridgeRefused, string(text)
	if err := tx.PutBridge(ctx, b); err != nil {
		return err
	}
	if err := tx.NoteRefusal(ctx, string(text)); err != nil {
		return err
	}
	attempt.Result, attempt.RuleID = string(e.Code), e.RuleID
	return a.countAttempt(ctx, tx, attempt)
}

// countAttempt merges an attempt into its row, with the current time.
func (a *Account) countAttempt(ctx context.Context, tx *store.Tx, attempt Attempt) error {
	attempt.ID, attempt.Last = a.NewID(), a.Time()
	return tx.CountAttempt(ctx, attempt)
}

func toRefusal(text string) (*Refusal, error) {
	if text == "" {
		return nil, nil
	}
	r := new(Refusal)
	if err := json.Unmarshal([]byte(text), r); err != nil {
		return nil, fmt.Errorf("reading a refusal: %w", err)
	}
	return r, nil
}
