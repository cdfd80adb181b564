package account

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/store"
)

// The kinds of mail.
const (
	mailInvitation = "invitation"
	mailAddress    = "address_confirmation"
)

// invite asks somebody to join. A new invitation ends the one before.
func (a *Account) invite(ctx context.Context, tx *store.Tx, m store.Member) error {
	token, hash := a.linkToken()
	if err := tx.SetInvitation(ctx, m.ID, hash); err != nil {
		return err
	}
	return a.queueMail(ctx, tx, Mail{
		Kind: mailInvitation, Recipient: m.Address,
		Subject: fmt.Sprintf("Join %s", a.Name),
		Body: fmt.Sprintf("Hello %s,\n\nyou are invited to join %s. To accept, open this link:\n\n%s/join/%s\n\n"+
			"If you did not expect this, do nothing.\n", m.Name, a.Name, a.PublicURL, token),
	})
}

// askToConfirm asks the owner of a new address whether it is his, and returns
// the hash of the token that answers.
func (a *Account) askToConfirm(ctx context.Context, tx *store.Tx, name, address string) (hash string, err error) {
	token, hash := a.linkToken()
	return hash, a.queueMail(ctx, tx, Mail{
		Kind: mailAddress, Recipient: address,
		Subject: fmt.Sprintf("Confirm your new address for %s", a.Name),
		Body: fmt.Sprintf("Hello %s,\n\nyour sign-in address for %s is about to become %s. To confirm, open this link:\n\n%s/confirm/%s\n\n"+
			"Until then you sign in with the old one. If you did not expect this, do nothing.\n", name, a.Name, address, a.PublicURL, token),
	})
}

// linkToken makes the secret part of a link in a mail, and the hash under
// which the database knows it: whoever reads the database cannot follow it.
func (a *Account) linkToken() (token, hash string) {
	token = idEncoding.EncodeToString(a.random(32))
	return token, hashLink(token)
}

func hashLink(token string) string {
	sum := sha256.Sum256([]byte("scimbridge link\x00" + token))
	return hex.EncodeToString(sum[:])
}
