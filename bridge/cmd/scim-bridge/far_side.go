package main

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/connector/front"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/guard"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// A farSide is the bridge's way to an account or to a SCIM server, as the session's kind
// says. The kind may change while the bridge is sealed: the session is read again.
//
// A SCIM server has no people who wait, no other bridges and no members that SCIM does not show. It
// holds nothing either, so the guard before it does.
type farSide struct {
	account   *account.Connector
	directory bridge.Directory // the account's people and groups: by the connector, or within this process
	front     *front.Connector
	guard     *guard.Guard // before the front
	isServer  atomic.Bool
}

// reader returns read, which chooses the connector by the kind of what it has read.
func (f *farSide) reader(read func() (session.File, error), s kindSettings) func() (session.File, error) {
	return func() (session.File, error) {
		file, err := read()
		if err != nil {
			return file, err
		}
		h := file.Entries[0].Header
		if err := s.check(h); err != nil {
			return session.File{}, err
		}
		if h.Kind() == session.KindDirectory {
			f.guard.SetServer(h.DirectoryURL) // what is held is known while the session is sealed
		}
		f.isServer.Store(h.Kind() == session.KindDirectory)
		return file, nil
	}
}

// kindSettings are the flags that one kind of session contradicts.
type kindSettings struct{ accountURL, suspensionLimit string }

// check refuses settings that are not for the session's kind.
func (s kindSettings) check(h session.Header) error {
	switch isServer := h.Kind() == session.KindDirectory; {
	case isServer && s.accountURL != "":
		return &session.MistakeError{Setting: "--account-url", Mistake: fmt.Sprintf(
			"for a session of an account, and this session is for the SCIM server %s: leave it out", h.DirectoryURL)}
	case !isServer && s.suspensionLimit != "":
		return &session.MistakeError{Setting: "--suspension-limit", Mistake: "for a session of a SCIM server, and " +
			"this session is of an account, which has a limit of its own: leave it out, and set suspension_limit of " +
			"the integration"}
	}
	return nil
}

// SetCredentials implements auth.Connector.
func (f *farSide) SetCredentials(creds session.Credentials, epoch int64) {
	switch c := creds.(type) {
	case session.Integration:
		f.isServer.Store(false)
		f.account.SetCredentials(c, epoch)
	case session.Directory:
		f.isServer.Store(true)
		f.guard.SetServer(c.URL)
		f.front.SetCredentials(c, epoch)
	}
}

// ClearCredentials implements auth.Connector.
func (f *farSide) ClearCredentials() {
	f.account.ClearCredentials()
	f.front.ClearCredentials()
}

// CredentialState implements auth.Connector.
func (f *farSide) CredentialState() session.CredentialState {
	if f.isServer.Load() {
		return f.front.CredentialState()
	}
	return f.account.CredentialState()
}

// AwaitSignIn implements auth.Connector.
func (f *farSide) AwaitSignIn(ctx context.Context) {
	if f.isServer.Load() {
		f.front.AwaitSignIn(ctx)
		return
	}
	f.account.AwaitSignIn(ctx)
}

// phase returns how far the bridge has come with the far side.
func (f *farSide) phase() account.Phase {
	if f.isServer.Load() {
		return account.Phase(f.front.State().Phase)
	}
	return f.account.State().Phase
}

// report returns the health of the way to the far side. What is held belongs to it, as an account
// that holds something says so itself.
func (f *farSide) report() health.Report {
	if !f.isServer.Load() {
		return f.account.Report()
	}
	r := f.front.Report()
	if r.State == health.Sealed {
		return r
	}
	held := f.guard.Report()
	r.Problems = append(r.Problems, held.Problems...)
	if held.State == health.Unhealthy || r.State == health.Healthy {
		r.State = held.State
	}
	return r
}

// search returns what finds people and groups.
func (f *farSide) search() bridge.Directory {
	if f.isServer.Load() {
		return f.guard
	}
	return f.directory
}

// Person implements explain.Account.
func (f *farSide) Person(ctx context.Context, id string) (bridge.Person, error) {
	return f.search().Person(ctx, id)
}

// SearchPeople implements explain.Account.
func (f *farSide) SearchPeople(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Person], error) {
	return f.search().SearchPeople(ctx, q)
}

// Group implements explain.Account.
func (f *farSide) Group(ctx context.Context, id string, withMembers bool) (bridge.Group, error) {
	return f.search().Group(ctx, id, withMembers)
}

// SearchGroups implements explain.Account.
func (f *farSide) SearchGroups(ctx context.Context, q bridge.Query) (bridge.Page[bridge.Group], error) {
	return f.search().SearchGroups(ctx, q)
}

// LookUpMembers implements bridge.Members.
func (f *farSide) LookUpMembers(ctx context.Context, names []string, details bool) (bridge.MembersFound, error) {
	if f.isServer.Load() {
		return bridge.MembersFound{}, fmt.Errorf("looking up members of a SCIM server: %w", errors.ErrUnsupported)
	}
	return f.account.LookUpMembers(ctx, names, details)
}

// Attention implements bridge.WaitingRoom.
func (f *farSide) Attention(ctx context.Context) ([]bridge.Attention, error) {
	if f.isServer.Load() {
		return nil, nil
	}
	return f.account.Attention(ctx)
}

// ConfirmPerson implements bridge.WaitingRoom.
func (f *farSide) ConfirmPerson(ctx context.Context, id string) error {
	if f.isServer.Load() {
		return errNotOfServer
	}
	return f.account.ConfirmPerson(ctx, id)
}

// Holds implements bridge.Holds.
func (f *farSide) Holds(ctx context.Context, cursor string, limit int) (bridge.HoldPage, error) {
	if f.isServer.Load() {
		return f.guard.Holds(ctx, cursor, limit)
	}
	return f.account.Holds(ctx, cursor, limit)
}

// DecideHolds implements bridge.Holds.
func (f *farSide) DecideHolds(ctx context.Context, d bridge.HoldDecision) (int64, error) {
	if f.isServer.Load() {
		return f.guard.DecideHolds(ctx, d)
	}
	return f.account.DecideHolds(ctx, d)
}

// Waiting implements bridge.Overview.
func (f *farSide) Waiting(ctx context.Context, q bridge.WaitingQuery) (bridge.WaitingPage, error) {
	if f.isServer.Load() {
		return bridge.SearchWaiting(nil, q, time.Now()), nil
	}
	return f.account.Waiting(ctx, q)
}

// Instances implements bridge.Overview.
func (f *farSide) Instances(ctx context.Context, limit int) ([]bridge.Instance, error) {
	if f.isServer.Load() {
		return nil, errNotOfServer
	}
	return f.account.Instances(ctx, limit)
}

// SignInAttempts implements bridge.Overview.
func (f *farSide) SignInAttempts(ctx context.Context, cursor string, limit int) (bridge.SignInPage, error) {
	if f.isServer.Load() {
		return bridge.SignInPage{}, errNotOfServer
	}
	return f.account.SignInAttempts(ctx, cursor, limit)
}

// errNotOfServer is the error for what only an account has.
var errNotOfServer = &bridge.Error{Code: bridge.NotFound, Detail: "the bridge stands before a SCIM server, which has " +
	"none"}
