package account

import (
	"context"
	"encoding/json"
	"errors"
	"net/mail"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/suspension"
)

// Provisioning is the integration as shown to administrators.
type Provisioning struct {
	store.Integration
	Generations []Generation // valid ones, newest first
	LastRefusal *Refusal
	// Unusable is the code with which a bridge with the sealed session is refused,
	// regardless of the firewall; empty if its credentials are valid.
	Unusable api.ErrorCode
}

// A Generation is one generation of the Provision Manager's credentials.
type Generation struct {
	Epoch     int64
	CreatedAt time.Time
	ExpiresAt time.Time // zero for the current one
}

// An Enrolment is a new generation of credentials. The client generates the secrets;
// the account gets only the verifier.
type Enrolment struct {
	Epoch    int64 // the NextEpoch that the client read
	KDF      signin.KDF
	Verifier string
}

// An Activation has the settings of a new integration.
type Activation struct {
	ManagerEmail         string
	IdP, SuspensionLimit string
	Enrolment            Enrolment
	Session              string // sealed, opaque
}

// A Rotation replaces the credentials of the integration.
type Rotation struct {
	Enrolment    Enrolment
	Session      string
	Overlap      time.Duration // how long the current credentials stay valid
	ManagerEmail string        // unchanged if empty
}

// A ManagerChange changes the manager outside activation and rotation.
type ManagerChange struct {
	Email    string      // unchanged if empty
	KDF      *signin.KDF // with Verifier: a new Master Password or Secret Key
	Verifier string
}

// Why a generation ended early.
const (
	endedExpired     = "expired" // by a rotation that allowed no overlap, or by a second one
	endedChanged     = "changed"
	endedDeactivated = "deactivated"
)

// The limits of an integration.
const (
	maxSession = 64 << 10 // bytes
	maxIdP     = 100      // bytes
	maxOverlap = 30 * 24 * time.Hour
)

// Provisioning reads the integration, active or not.
func (a *Account) Provisioning(ctx context.Context) (p Provisioning, err error) {
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) error {
		p, err = a.readProvisioning(ctx, tx)
		return err
	})
	return p, err
}

// ActivateProvisioning creates the integration and its Provision Manager.
func (a *Account) ActivateProvisioning(ctx context.Context, in Activation) (Provisioning, error) {
	if err := errors.Join(checkManagerEmail(in.ManagerEmail), checkSession(in.Session), checkIdP(in.IdP),
		checkSuspensionLimit(in.SuspensionLimit)); err != nil {
		return Provisioning{}, err
	}
	change := func(ctx context.Context, tx *store.Tx, i *store.Integration) error {
		if i.Active {
			e := Conflict(api.ErrorCodeAlreadyActive, "Already active",
				"provisioning is already active, with the id %s; deactivate or import it", i.ID)
			e.ExistingID = i.ID
			return e
		}
		i.Active, i.ID, i.ActivatedAt = true, a.NewID(), a.Time()
		i.IdP, i.SuspensionLimit = in.IdP, in.SuspensionLimit
		i.LastContact, i.LastRefusal = time.Time{}, ""
		if err := a.putManager(ctx, tx, i, in.ManagerEmail); err != nil {
			return err
		}
		return a.enrol(ctx, tx, i, in.Enrolment, in.Session)
	}
	return a.changeProvisioning(ctx, "provisioning.activate", "", change)
}

// RotateProvisioning enrols new credentials. The current ones stay valid during the
// overlap, so that bridges can be switched without an outage; older ones end
// immediately.
func (a *Account) RotateProvisioning(ctx context.Context, in Rotation, ifMatch string) (Provisioning, error) {
	if err := checkSession(in.Session); err != nil {
		return Provisioning{}, err
	}
	if in.ManagerEmail != "" {
		if err := checkManagerEmail(in.ManagerEmail); err != nil {
			return Provisioning{}, err
		}
	}
	if in.Overlap < 0 || in.Overlap > maxOverlap {
		return Provisioning{}, InvalidValue(
			"/overlap", "the overlap is %s; choose 0 to %d seconds", in.Overlap, int(maxOverlap.Seconds()),
		)
	}
	change := func(ctx context.Context, tx *store.Tx, i *store.Integration) error {
		if !i.Active {
			return errInactive()
		}
		if err := a.endGenerations(ctx, tx, endedExpired, func(g store.Generation) bool {
			return in.Overlap == 0 || g.Epoch != i.Epoch
		}); err != nil {
			return err
		}
		if in.Overlap > 0 {
			if err := tx.ExpireGeneration(ctx, i.Epoch, a.Time().Add(in.Overlap)); err != nil {
				return err
			}
		}
		if in.ManagerEmail != "" {
			if err := a.putManager(ctx, tx, i, in.ManagerEmail); err != nil {
				return err
			}
		}
		return a.enrol(ctx, tx, i, in.Enrolment, in.Session)
	}
	return a.changeProvisioning(ctx, "provisioning.rotate", ifMatch, change)
}

// UpdateProvisioning changes settings that need no new credentials. Nil fields are not
// changed.
func (a *Account) UpdateProvisioning(
	ctx context.Context, idp, suspensionLimit *string, ifMatch string,
) (Provisioning, error) {
	change := func(ctx context.Context, tx *store.Tx, i *store.Integration) error {
		if !i.Active {
			return errInactive()
		}
		if idp != nil {
			if err := checkIdP(*idp); err != nil {
				return err
			}
			i.IdP = *idp
		}
		if suspensionLimit != nil {
			if err := checkSuspensionLimit(*suspensionLimit); err != nil {
				return err
			}
			i.SuspensionLimit = *suspensionLimit
		}
		return nil
	}
	return a.changeProvisioning(ctx, "provisioning.update", ifMatch, change)
}

// ChangeManager changes the Provision Manager: the epoch increases beyond the sealed
// session's, and every generation and session ends.
func (a *Account) ChangeManager(ctx context.Context, in ManagerChange, ifMatch string) (Provisioning, error) {
	newSecrets := in.KDF != nil || in.Verifier != ""
	switch {
	case in.Email == "" && !newSecrets:
		return Provisioning{}, InvalidValue("", "the request changes nothing; give an email, or a kdf and a verifier")
	case newSecrets && (in.KDF == nil || in.Verifier == ""):
		return Provisioning{}, InvalidValue(
			"/verifier", "a new Master Password or Secret Key needs both kdf and verifier",
		)
	}
	if in.Email != "" {
		if err := checkManagerEmail(in.Email); err != nil {
			return Provisioning{}, err
		}
	}
	change := func(ctx context.Context, tx *store.Tx, i *store.Integration) error {
		if !i.Active {
			return errInactive()
		}
		if err := a.endGenerations(ctx, tx, endedChanged, anyGeneration); err != nil {
			return err
		}
		if in.Email != "" {
			if err := a.putManager(ctx, tx, i, in.Email); err != nil {
				return err
			}
		}
		i.Epoch, i.NextEpoch = i.NextEpoch, i.NextEpoch+1
		if !newSecrets {
			// The old verifier is bound to the old address, so it cannot be used with
			// the new one; the next activation creates another.
			return nil
		}
		return a.addGeneration(ctx, tx, i, Enrolment{Epoch: i.Epoch, KDF: *in.KDF, Verifier: in.Verifier}, "")
	}
	return a.changeProvisioning(ctx, "provisioning.manager.change", ifMatch, change)
}

// DeactivateProvisioning ends the integration and all sessions immediately. The manager
// stays as a suspended member, and epochs continue.
func (a *Account) DeactivateProvisioning(ctx context.Context, ifMatch string) error {
	change := func(ctx context.Context, tx *store.Tx, i *store.Integration) error {
		if !i.Active {
			return errInactive()
		}
		if err := a.endGenerations(ctx, tx, endedDeactivated, anyGeneration); err != nil {
			return err
		}
		manager, found, err := tx.Member(ctx, i.ManagerID)
		if err != nil {
			return err
		}
		if found {
			manager.Suspended = true
			if err := tx.UpdateMember(ctx, manager); err != nil {
				return err
			}
		}
		*i = store.Integration{
			ManagerID: i.ManagerID, NextEpoch: i.NextEpoch, SignInSecret: i.SignInSecret,
			LastContact: i.LastContact, LastRefusal: i.LastRefusal, Version: i.Version,
		}
		return nil
	}
	_, err := a.changeProvisioning(ctx, "provisioning.deactivate", ifMatch, change)
	return err
}

// changeProvisioning makes all changes of the integration.
func (a *Account) changeProvisioning(ctx context.Context, action, ifMatch string,
	change func(context.Context, *store.Tx, *store.Integration) error,
) (p Provisioning, err error) {
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		before, err := tx.Integration(ctx)
		if err != nil {
			return err
		}
		if err := CheckVersion(ifMatch, before.Version); err != nil {
			return err
		}
		after := before
		if err := change(ctx, tx, &after); err != nil {
			return err
		}
		if after != before {
			if err := tx.UpdateIntegration(ctx, after); err != nil {
				return err
			}
			object := after.ID
			if object == "" {
				object = before.ID
			}
			if err := a.Audit(ctx, tx, action, object, "epoch %d", after.Epoch); err != nil {
				return err
			}
		}
		p, err = a.readProvisioning(ctx, tx)
		return err
	})
	return p, err
}

// enrol adds the generation in the sealed session.
func (a *Account) enrol(ctx context.Context, tx *store.Tx, i *store.Integration, e Enrolment, session string) error {
	if e.Epoch != i.NextEpoch {
		return Conflict(api.ErrorCodeEpochMoved, "The epoch has moved",
			"the enrolment is for epoch %d, but the next epoch is %d: the integration was changed meanwhile; "+
				"read it again and repeat the enrolment", e.Epoch, i.NextEpoch)
	}
	i.Epoch, i.SessionEpoch, i.NextEpoch = e.Epoch, e.Epoch, e.Epoch+1
	i.Session = session
	return a.addGeneration(ctx, tx, i, e, "/enrolment")
}

// addGeneration adds e, whose JSON pointer in the request is at.
func (a *Account) addGeneration(ctx context.Context, tx *store.Tx, i *store.Integration, e Enrolment, at string) error {
	if err := signin.CheckEnrolment(e.KDF, e.Verifier); err != nil {
		return InvalidValue(at, "%v", err)
	}
	kdf, err := json.Marshal(e.KDF)
	if err != nil {
		return err
	}
	return tx.InsertGeneration(ctx, store.Generation{
		Epoch: e.Epoch, Email: signin.NormalizeEmail(i.ManagerEmail), KDF: string(kdf), Verifier: e.Verifier,
		CreatedAt: a.Time(),
	})
}

func anyGeneration(store.Generation) bool { return true }

// endGenerations ends the chosen live generations and their sessions.
func (a *Account) endGenerations(
	ctx context.Context, tx *store.Tx, why string, chosen func(store.Generation) bool,
) error {
	live, err := tx.LiveGenerations(ctx, a.Time())
	if err != nil {
		return err
	}
	for _, g := range live {
		if !chosen(g) {
			continue
		}
		if err := tx.EndGeneration(ctx, g.Epoch, why); err != nil {
			return err
		}
	}
	return nil
}

// putManager makes the Provision Manager a member with this address. It is the same
// member for the whole life of the account.
func (a *Account) putManager(ctx context.Context, tx *store.Tx, i *store.Integration, email string) error {
	holder, taken, err := tx.AddressHolder(ctx, email)
	if err != nil {
		return err
	}
	if taken && holder.ID != i.ManagerID {
		e := Conflict(api.ErrorCodeAddressTaken, "The address is taken",
			"%s is the sign-in address of another member; choose another address for the Provision Manager", email)
		e.ExistingID = holder.ID
		return e
	}
	i.ManagerEmail = email
	manager, found, err := tx.Member(ctx, i.ManagerID)
	if err != nil {
		return err
	}
	if found {
		manager.Address, manager.Suspended = email, false
		return tx.UpdateMember(ctx, manager)
	}
	i.ManagerID = a.NewID()
	return tx.InsertMember(ctx, store.Member{
		ID: i.ManagerID, Address: email, Name: "Provision Manager", Role: store.RoleProvisionManager,
		State: store.Active, StateSince: a.Time(), CreatedAt: a.Time(),
	})
}

func (a *Account) readProvisioning(ctx context.Context, tx *store.Tx) (p Provisioning, err error) {
	if p.Integration, err = tx.Integration(ctx); err != nil {
		return p, err
	}
	if p.LastRefusal, err = toRefusal(p.Integration.LastRefusal); err != nil {
		return p, err
	}
	if p.Unusable, err = a.unusable(ctx, tx, p.Integration); err != nil {
		return p, err
	}
	p.Generations, err = a.generations(ctx, tx)
	return p, err
}

// unusable returns why the credentials of the sealed session are invalid, as a code;
// empty if they are valid.
func (a *Account) unusable(ctx context.Context, tx *store.Tx, i store.Integration) (code api.ErrorCode, err error) {
	g, found, err := tx.Generation(ctx, i.SessionEpoch)
	if err != nil {
		return "", err
	}
	if e := a.whyUnusable(i, g, found); e != nil {
		code = e.Code
	}
	return code, nil
}

// generations returns the generations that can sign in now, newest first.
func (a *Account) generations(ctx context.Context, tx *store.Tx) ([]Generation, error) {
	live, err := tx.LiveGenerations(ctx, a.Time())
	all := make([]Generation, 0, len(live))
	for _, g := range live {
		if !g.NeedsSecondFactor {
			all = append(all, Generation{g.Epoch, g.CreatedAt, g.ExpiresAt})
		}
	}
	return all, err
}

func errInactive() *Error {
	e := NotFound("integration", "provisioning")
	e.Code, e.Title = api.ErrorCodeProvisioningInactive, "Provisioning is not active"
	e.Detail = "provisioning is not active; activate it first"
	return e
}

func checkManagerEmail(email string) error {
	if parsed, err := mail.ParseAddress(email); err != nil || parsed.Address != email || len(email) > 254 {
		return InvalidValue("/manager_email", "%q is not an e-mail address; write one like scim@example.com", email)
	}
	return nil
}

func checkSession(session string) error {
	if session == "" || len(session) > maxSession {
		return InvalidValue("/session", "the sealed session has %d bytes; it must have 1 to %d",
			len(session), maxSession)
	}
	return nil
}

func checkIdP(idp string) error {
	if len(idp) > maxIdP {
		return InvalidValue(
			"/idp", "the name of the identity provider has %d bytes; at most %d are allowed", len(idp), maxIdP,
		)
	}
	return nil
}

func checkSuspensionLimit(text string) error {
	if _, err := suspension.ParseLimit(text); err != nil {
		return InvalidValue("/suspension_limit", "%v", err)
	}
	return nil
}
