package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/netip"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// A Token is an administrator's token without its secret.
type Token = store.Token

const (
	tokenPrefix   = "sba_"
	sessionPrefix = "sbs_"
)

// newSecret returns 256 random bits with a prefix by which people and secret scanners
// recognize them, and the digest that is stored. The digest needs no salt and no
// stretching: 256 bits cannot be guessed.
func (a *Account) newSecret(prefix string) (secret, digest string) {
	secret = prefix + base64.RawURLEncoding.EncodeToString(a.random(32))
	return secret, digestOf(secret)
}

func digestOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// The scopes of tokens.
const (
	ScopeAdmin = "admin" // everything
	ScopeRead  = "read"  // read-only operations
)

// maxTokenLife is the maximum lifetime of a token with an expiry.
const maxTokenLife = 10 * 366 * 24 * time.Hour

// A TokenInput describes a new token.
type TokenInput struct {
	Name      string
	Scope     string    // ScopeAdmin if empty
	ExpiresAt time.Time // never if zero
}

// CreateToken creates an admin token with the scope admin and without an expiry.
func (a *Account) CreateToken(ctx context.Context, name string) (t Token, secret string, err error) {
	return a.IssueToken(ctx, TokenInput{Name: name})
}

// IssueToken creates an admin token. Its secret cannot be read again.
func (a *Account) IssueToken(ctx context.Context, in TokenInput) (t Token, secret string, err error) {
	name := in.Name
	if in.Scope == "" {
		in.Scope = ScopeAdmin
	}
	if in.Scope != ScopeAdmin && in.Scope != ScopeRead {
		return t, "", InvalidValue("/scope", "the scope is neither %q nor %q", ScopeAdmin, ScopeRead)
	}
	if now := a.Time(); !in.ExpiresAt.IsZero() && (!in.ExpiresAt.After(now) || in.ExpiresAt.Sub(now) > maxTokenLife) {
		return t, "", InvalidValue(
			"/expires_at", "the expiry must be in the future and within ten years; "+
				"omit it for a token that does not expire",
		)
	}
	if name == "" || len(name) > 100 {
		return t, "", InvalidValue("/name",
			"the token's name must have 1 to 100 bytes, not %d; name its purpose", len(name))
	}
	if inputtext.Scrub(name) != name {
		return t, "", InvalidValue("/name", "the token's name has a token in it, and everyone who reads the account "+
			"could use that; name its purpose, and replace that token if it is in use")
	}
	secret, digest := a.newSecret(tokenPrefix)
	t = Token{
		ID: a.NewID(), Name: name, Digest: digest, CreatedAt: a.Time(), Scope: in.Scope,
		ExpiresAt: in.ExpiresAt.UTC().Truncate(time.Microsecond),
	}
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.InsertToken(ctx, t); err != nil {
			return err
		}
		return a.Audit(ctx, tx, "token.create", t.ID, "%q, scope %s, %s", name, t.Scope, expiry(t))
	})
	if err != nil {
		return Token{}, "", err
	}
	return t, secret, nil
}

// Tokens lists admin tokens.
func (a *Account) Tokens(ctx context.Context, cursor string, limit int) (Page[Token], error) {
	var after string
	if err := ReadCursor(cursor, &after); err != nil {
		return Page[Token]{}, err
	}
	var tokens []Token
	err := a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		tokens, err = tx.Tokens(ctx, after, limit+1)
		return err
	})
	return PageOf(tokens, limit, func(t Token) []any { return []any{t.ID} }), err
}

// expiry describes a token's expiry.
func expiry(t Token) string {
	if t.ExpiresAt.IsZero() {
		return "without an expiry"
	}
	return "until " + t.ExpiresAt.Format(time.RFC3339)
}

// RevokeToken revokes an admin token immediately. The last token that could create
// another cannot revoke itself; that is possible only on the database's machine.
func (a *Account) RevokeToken(ctx context.Context, id string) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if caller := CallerFrom(ctx); caller.Kind == ByToken && caller.ID == id {
			if other, err := tx.OtherTokenOf(ctx, ScopeAdmin, id, a.Time()); err != nil {
				return err
			} else if !other {
				return Conflict(api.ErrorCodeLastAdminToken, "The last admin token",
					"this is the last token with the scope admin, which is needed to create others; "+
						"create another first, or revoke this one on the database's machine with scim-bridge account "+
						"token revoke")
			}
		}
		found, err := tx.DeleteToken(ctx, id)
		if err != nil {
			return err
		}
		if !found {
			return NotFound("token", id)
		}
		return a.Audit(ctx, tx, "token.revoke", id, "")
	})
}

// AdmitToken returns the caller that an admin token belongs to, if the firewall allows
// the address of the request.
func (a *Account) AdmitToken(ctx context.Context, secret string, address netip.Addr) (Caller, error) {
	caller := Caller{Kind: ByToken, Address: address}
	type admitted struct {
		Token
		firewall firewall.State
	}
	digest := digestOf(secret)
	load := func(ctx context.Context, tx *store.Tx) (k admitted, found bool, err error) {
		if k.Token, found, err = tx.TokenByDigest(ctx, digest); err == nil && found {
			k.firewall, err = a.firewallState(ctx, tx)
		}
		return k, found, err
	}
	known, found, err := store.Cached(ctx, a.Store, "token "+digest, load)
	if err != nil {
		return caller, err
	}
	if !found {
		a.refusedTokens.note(address)
		return caller, unauthorized(
			api.ErrorCodeTokenRejected,
			"the admin token is unknown or was revoked; create one with scim-bridge account token create",
		)
	}
	token := known.Token
	decided, err := a.decideBy(known.firewall, address)
	if err != nil {
		return caller, err
	}
	if !token.ExpiresAt.IsZero() && !token.ExpiresAt.After(a.Time()) {
		a.refusedTokens.note(address)
		return caller, unauthorized(
			api.ErrorCodeTokenExpired,
			"the admin token expired at "+token.ExpiresAt.UTC().Format(time.RFC3339)+
				"; create another with scim-bridge account token create",
		)
	}
	caller.ID, caller.Scope = token.ID, token.Scope
	// On a full disk, or under another process's lock, the use of a token cannot be
	// recorded, but an administrator must be able to read the reason. A change fails anyway.
	if err := a.noteAdmin(ctx, token, decided, address); err != nil &&
		(decided.Result != resultOK || !cannotNote(err)) {
		return caller, err
	}
	if decided.disabled {
		a.admins.note(address, token.Name, a.Time())
	}
	refusal, err := a.refusal(ctx, decided)
	if err != nil {
		return caller, err
	}
	return caller, refusal
}

// noteAdmin records an administrator's request: the token's last use, by the minute,
// and an attempt if the firewall reported or denied it.
func (a *Account) noteAdmin(ctx context.Context, token Token, d decision, address netip.Addr) error {
	now := a.Time()
	used := now.Sub(token.LastUsedAt) > time.Minute
	if !used && d.Result == resultOK {
		return nil
	}
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if used {
			if err := tx.UseToken(ctx, token.ID, now); err != nil {
				return err
			}
		}
		if d.Result == resultOK {
			return nil
		}
		return a.countAttempt(ctx, tx, Attempt{Address: address.String(), Result: d.Result, RuleID: d.RuleID()})
	})
}

func unauthorized(code api.ErrorCode, detail string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: code, Title: "Not authenticated", Detail: detail}
}
