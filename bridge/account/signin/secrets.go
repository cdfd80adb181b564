package signin

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/secret"
)

// Secrets are what a Provision Manager signs in with. They print, log and
// encode themselves as "[redacted]".
type Secrets struct {
	MasterPassword secret.String
	SecretKey      secret.String
}

// NewSecrets takes secrets that were made before.
func NewSecrets(masterPassword, secretKey string) Secrets {
	return Secrets{MasterPassword: secret.New(masterPassword), SecretKey: secret.New(secretKey)}
}

// GenerateSecrets makes new secrets. Nobody types them, so the Master Password
// is as random as the Secret Key: 160 bits each.
func GenerateSecrets() (Secrets, error) {
	var random [40]byte
	if _, err := rand.Read(random[:]); err != nil {
		return Secrets{}, fmt.Errorf("generate secrets: %w", err)
	}
	return NewSecrets(
		"mp1_"+base32.StdEncoding.EncodeToString(random[:20]),
		"sk1_"+base32.StdEncoding.EncodeToString(random[20:]),
	), nil
}

// Reveal returns the texts, to be sealed into a session.
func (s Secrets) Reveal() (masterPassword, secretKey string) {
	return s.MasterPassword.Reveal(), s.SecretKey.Reveal()
}

func (s Secrets) validate() error {
	if s.MasterPassword.IsZero() || s.SecretKey.IsZero() {
		return errors.New("the Master Password and the Secret Key must not be empty")
	}
	return nil
}
