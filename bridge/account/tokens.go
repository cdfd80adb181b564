package account

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"net/http"
	"net/netip"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// A Token is an administrator's token without its secret.
type Token = store.Token

const (
	tokenPrefix   = "sba_"
	sessionPrefix = "sbs_"
)

// newSecret makes 256 random bits under a prefix by which people and secret
// scanners know them, and the digest that is stored. The digest needs no salt
// and no stretching: nobody guesses 256 bits.
func (a *Account) newSecret(prefix string) (secret, digest string) {
	secret = prefix + base64.RawURLEncoding.EncodeToString(a.random(32))
	return secret, digestOf(secret)
}

func digestOf(secret string) string {
	sum := sha256.Sum256([]byte(secret))
	return hex.EncodeToString(sum[:])
}

// CreateToken makes an admin token. The secret is not to be had again.
func (a *Account) CreateToken(ctx context.Context, name string) (t Token, secret string, err error) {
	if name == "" || len(name) > 100 {
		return t, "", InvalidValue("/name", "a token's name has 1 to 100 bytes, not %d; say what it is for", len(name))
	}
	secret, digest := a.newSecret(tokenPrefix)
	t = Token{ID: a.newID(), Name: name, Digest: digest, CreatedAt: a.now()}
	err = a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if err := tx.InsertToken(ctx, t); err != nil {
			return err
		}
		return a.audit(ctx, tx, "token.create", t.ID, "%q", name)
	})
	if err != nil {
		return Token{}, "", err
	}
	return t, secret, nil
}

// Tokens lists admin tokens.
func (a *Account) Tokens(ctx context.Context, cursor string, limit int) (Page[Token], error) {
	after, err := nameFrom(cursor)
	if err != nil {
		return Page[Token]{}, err
	}
	var tokens []Token
	err = a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		tokens, err = tx.Tokens(ctx, after, limit+1)
		return err
	})
	return pageOf(tokens, limit, func(t Token) string { return cursorOf(t.ID) }), err
}

// RevokeToken ends an admin token at once.
func (a *Account) RevokeToken(ctx context.Context, id string) error {
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		found, err := tx.DeleteToken(ctx, id)
		if err != nil {
			return err
		}
		if !found {
			return NotFound("token", id)
		}
		return a.audit(ctx, tx, "token.revoke", id, "")
	})
}

// AdmitToken finds whose admin token this is and asks the firewall about the
// address that it came from.
func (a *Account) AdmitToken(ctx context.Context, secret string, address netip.Addr) (Caller, error) {
	caller := Caller{Kind: ByToken, Address: address}
	var token Token
	var found bool
	var ruling ruling
	err := a.Store.Read(ctx, func(ctx context.Context, tx *store.Tx) (err error) {
		if token, found, err = tx.TokenByDigest(ctx, digestOf(secret)); err != nil || !found {
			return err
		}
		ruling, err = a.judge(ctx, tx, address)
		return err
	})
	if err != nil {
		return caller, err
	}
	if !found {
		return caller, unauthorized("token_rejected", "the admin token is unknown or was revoked; make one with scim-bridge account token create")
	}
	caller.ID = token.ID
	if err := a.noteAdmin(ctx, token, ruling, address); err != nil {
		return caller, err
	}
	if ruling.disabled {
		a.admins.note(address, token.Name, a.now())
	}
	refusal, err := a.refusal(ctx, ruling)
	if err != nil {
		return caller, err
	}
	return caller, refusal
}

// noteAdmin keeps what an administrator's request leaves behind: the token's
// last use, by the minute, and an attempt if the firewall had something to say.
func (a *Account) noteAdmin(ctx context.Context, token Token, r ruling, address netip.Addr) error {
	now := a.now()
	used := now.Sub(token.LastUsedAt) > time.Minute
	if !used && r.Result == resultOK {
		return nil
	}
	return a.Store.Write(ctx, func(ctx context.Context, tx *store.Tx) error {
		if used {
			if err := tx.UseToken(ctx, token.ID, now); err != nil {
				return err
			}
		}
		if r.Result == resultOK {
			return nil
		}
		return a.countAttempt(ctx, tx, Attempt{Address: address.String(), Result: r.Result, RuleID: r.RuleID})
	})
}

func unauthorized(code, detail string) *Error {
	return &Error{Status: http.StatusUnauthorized, Code: code, Title: "Not authenticated", Detail: detail}
}
