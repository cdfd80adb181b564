package account

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
)

const (
	handshakeLives = 60 * time.Second
	sessionLives   = 12 * time.Hour
)

// A Handshake has the values that a client needs for its proof.
type Handshake struct {
	ID  string
	KDF signin.KDF
	B   string
}

// A BridgeIdentity is a bridge's description of itself.
type BridgeIdentity struct{ Instance, Version, Revision string }

// SignedIn is the result of a sign-in.
type SignedIn struct {
	// Proved reports whether the proof was right, even if the client was refused for
	// another reason.
	Proved      bool
	Proof       string        // the server's proof
	Token       secret.String // of the session
	ExpiresAt   time.Time
	Address     netip.Addr
	Generations []Generation
}

// StartSignIn is the first half of SRP-6a. For an unknown account, address or epoch
// it returns a handshake that looks the same but cannot succeed, so that the answer
// does not show what exists.
func (a *Account) StartSignIn(
	ctx context.Context, accountID, email string, epoch int64, address netip.Addr,
) (h Handshake, err error) {
	if len(accountID) > 100 || len(email) > 254 {
		return h, InvalidValue("/email", "the account id may have at most 100 bytes, the e-mail address 254")
	}
	leave, err := a.signIns.enter(address)
	if err != nil {
		return h, err
	}
	defer leave()
	kdf, verifier, known, err := a.verifier(ctx, accountID, email, epoch)
	if err != nil {
		return h, err
	}
	// Outside a transaction, since the arithmetic takes milliseconds.
	var server *signin.Server
	var state []byte
	if err := a.signIns.compute(ctx, func() error {
		if server, err = signin.NewServer(accountID, email, epoch, kdf, verifier); err != nil {
			return err
		}
		state, err = server.MarshalBinary()
		return err
	}); err != nil {
		return h, err
	}
	kept := store.Handshake{
		ID: a.NewID(), Email: email, State: base64.StdEncoding.EncodeToString(state),
		ExpiresAt: a.Time().Add(handshakeLives),
	}
	if known {
		kept.Epoch = epoch
	}
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		return tx.InsertHandshake(ctx, kept, a.Time(), maxHandshakes)
	})
	return Handshake{ID: kept.ID, KDF: kdf, B: server.B()}, err
}

// verifier returns the enrolled values of a generation of credentials, or false ones
// that look the same.
func (a *Account) verifier(
	ctx context.Context, accountID, email string, epoch int64,
) (kdf signin.KDF, verifier string, known bool, err error) {
	var g store.Generation
	var integration store.Integration
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if g, known, err = tx.Generation(ctx, epoch); err != nil {
			return err
		}
		integration, err = tx.Integration(ctx)
		return err
	})
	if err != nil {
		return kdf, "", false, err
	}
	key, err := a.signInSecret(ctx, integration)
	if err != nil {
		return kdf, "", false, err
	}
	if !known || accountID != a.ID || signin.NormalizeEmail(g.Email) != signin.NormalizeEmail(email) {
		return signin.FalseKDF(key, accountID, email, epoch),
			signin.FalseVerifier(key, accountID, email, epoch), false, nil
	}
	if err := json.Unmarshal([]byte(g.KDF), &kdf); err != nil {
		return kdf, "", false, fmt.Errorf("reading credential generation %d: %w", epoch, err)
	}
	return kdf, g.Verifier, true, nil
}

// signInSecret returns the key of the false salts, created with the first sign-in.
func (a *Account) signInSecret(ctx context.Context, i store.Integration) ([]byte, error) {
	if i.SignInSecret == "" {
		fresh := hex.EncodeToString(a.random(32))
		err := a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
			i.SignInSecret, err = tx.SignInSecret(ctx, fresh)
			return err
		})
		if err != nil {
			return nil, err
		}
	}
	return hex.DecodeString(i.SignInSecret)
}

// FinishSignIn is the second half. The client proves first; the reason of a refusal is
// told only to a client that proved the secrets, even outdated ones.
func (a *Account) FinishSignIn(
	ctx context.Context, handshakeID, clientA, proof string, bridge BridgeIdentity, address netip.Addr,
) (SignedIn, error) {
	if err := bridge.check(); err != nil {
		return SignedIn{}, err
	}
	kept, serverProof, err := a.checkProof(ctx, handshakeID, clientA, proof)
	if err != nil {
		return SignedIn{}, err
	}
	if serverProof == "" {
		if kept.ID != "" {
			err = a.countWrongProof(ctx, address)
		}
		return SignedIn{}, errors.Join(err, unauthorized(api.ErrorCodeSignInFailed,
			"the proof is wrong, or the handshake is unknown, used or older than 60 seconds"))
	}
	decided, err := a.decideNow(ctx, address)
	if err != nil {
		return SignedIn{}, err
	}
	in, err := a.admitBridge(ctx, kept, serverProof, bridge, decided)
	in.Proved = true
	return in, err
}

const (
	// wrongProofRows is the maximum number of rows that wrong proofs can add in an hour,
	// from any number of networks.
	wrongProofRows = 100
	// otherNetworks replaces the address beyond that number.
	otherNetworks = "others"
)

// countWrongProof counts a wrong proof by the client's network. It stores nothing that
// the client sent, which could fill the disk.
func (a *Account) countWrongProof(ctx context.Context, address netip.Addr) error {
	attempt := Attempt{
		Address: httpkit.NetworkOf(address).String(), Result: string(api.ErrorCodeSignInFailed), Last: a.Time(),
	}
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		crowded, err := tx.IsCrowded(ctx, attempt, otherNetworks, wrongProofRows)
		if err != nil {
			return err
		}
		if crowded {
			attempt.Address = otherNetworks
		}
		return a.countAttempt(ctx, tx, attempt)
	})
}

// checkProof consumes the handshake, also if the proof is wrong: each attempt is a
// guess at the secrets. The server's proof is empty if the client's is wrong. Kept is
// empty if there is no such handshake, and then nothing is written.
func (a *Account) checkProof(
	ctx context.Context, handshakeID, clientA, proof string,
) (kept store.Handshake, serverProof string, err error) {
	var found bool
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		found, err = tx.HasHandshake(ctx, handshakeID)
		return err
	})
	if err != nil || !found {
		return kept, "", err
	}
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		kept, found, err = tx.TakeHandshake(ctx, handshakeID)
		return err
	})
	if err != nil || !found || !kept.ExpiresAt.After(a.Time()) {
		return kept, "", err
	}
	state, err := base64.StdEncoding.DecodeString(kept.State)
	if err != nil {
		return kept, "", err
	}
	server, err := signin.UnmarshalServer(state)
	if err != nil {
		return kept, "", err
	}
	serverProof, err = server.Finish(handshakeID, clientA, proof)
	if errors.Is(err, signin.ErrWrongProof) || kept.Epoch == 0 {
		return kept, "", nil
	}
	return kept, serverProof, err
}

// admitBridge opens a session for a bridge with a right proof, or records the refusal.
func (a *Account) admitBridge(
	ctx context.Context, kept store.Handshake, serverProof string, bridge BridgeIdentity, d decision,
) (in SignedIn, err error) {
	var refusal error
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if refusal, err = a.credentialRefusal(ctx, tx, kept.Epoch, d); err != nil {
			return err
		}
		row := store.Bridge{
			Instance: bridge.Instance, Version: bridge.Version, Revision: bridge.Revision,
			Address: d.Address.String(), LastContact: a.Time(), State: bridgeSignedIn, Problems: "[]",
		}
		attempt := Attempt{
			Address: row.Address, Email: kept.Email, Instance: bridge.Instance, Result: d.Result, RuleID: d.RuleID(),
		}
		if refusal != nil {
			return a.noteRefusal(ctx, tx, row, attempt, refusal)
		}
		token, digest := a.newSecret(sessionPrefix)
		s := store.Session{
			ID: a.NewID(), Digest: digest, Epoch: kept.Epoch, Instance: bridge.Instance,
			CreatedAt: a.Time(), ExpiresAt: a.Time().Add(sessionLives),
		}
		if err := tx.InsertSession(ctx, s); err != nil {
			return err
		}
		if err := tx.PutBridge(ctx, row); err != nil {
			return err
		}
		if err := tx.TouchIntegration(ctx, a.Time()); err != nil {
			return err
		}
		attempt.SessionID = s.ID
		if err := a.countAttempt(ctx, tx, attempt); err != nil {
			return err
		}
		in = SignedIn{Proof: serverProof, Token: secret.New(token), ExpiresAt: s.ExpiresAt, Address: d.Address}
		in.Generations, err = a.generations(ctx, tx)
		return err
	})
	if err != nil {
		return SignedIn{}, err
	}
	return in, refusal
}

// credentialRefusal returns why a bridge that proved the credentials of an epoch is
// refused, or nil.
func (a *Account) credentialRefusal(
	ctx context.Context, tx *store.Tx, epoch int64, d decision,
) (refusal, err error) {
	integration, err := tx.Integration(ctx)
	if err != nil {
		return nil, err
	}
	g, found, err := tx.Generation(ctx, epoch)
	if err != nil {
		return nil, err
	}
	if e := a.whyUnusable(integration, g, found); e != nil {
		return e, nil
	}
	return a.refusal(ctx, d)
}

// whyUnusable returns why a generation of credentials is invalid regardless of the
// firewall, or nil. A generation that is not found is from before the last change.
func (a *Account) whyUnusable(i store.Integration, g store.Generation, found bool) *Error {
	switch {
	case !i.Active:
		return &Error{
			Status: http.StatusForbidden, Code: api.ErrorCodeProvisioningInactive, Title: "Provisioning is not active",
			Detail: "provisioning was deactivated; activate it again, which creates new credentials",
		}
	case !found || g.Ended == endedChanged || g.Ended == endedDeactivated:
		return unauthorized(api.ErrorCodeCredentialsChanged,
			"the Provision Manager was changed after these credentials were created; "+
				"activate provisioning again, which creates new ones")
	case g.Ended == endedExpired || !g.ExpiresAt.IsZero() && !g.ExpiresAt.After(a.Time()):
		return unauthorized(api.ErrorCodeCredentialsExpired,
			"these credentials were replaced and their overlap has ended; use the newer session")
	case g.NeedsSecondFactor:
		return secondFactorRefusal()
	}
	return nil
}

func (b BridgeIdentity) check() error {
	for _, f := range []struct{ name, value string }{
		{"instance", b.Instance}, {"version", b.Version}, {"revision", b.Revision},
	} {
		if len(f.value) > 200 {
			return InvalidValue("/bridge/"+f.name, "the %s has %d bytes; at most 200 are allowed", f.name, len(f.value))
		}
	}
	if b.Instance == "" {
		return InvalidValue("/bridge/instance", "the instance is empty; a bridge chooses its instance id and keeps it")
	}
	return nil
}
