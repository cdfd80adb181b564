package provisioning

import (
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// credentials are a Provision Manager's new secrets, on their way into a
// sealed session. They live as long as one apply.
type credentials struct {
	session.Credentials
	kdf      signin.KDF
	verifier string
}

// newCredentials makes secrets and what the account needs to recognise them.
// It is the slow part (a second, by intent), and touches nothing yet.
func newCredentials(accountURL, accountID, email string, iterations int) (credentials, error) {
	secrets, err := signin.GenerateSecrets()
	if err != nil {
		return credentials{}, err
	}
	kdf, verifier, err := signin.Enrol(accountID, email, secrets, iterations)
	if err != nil {
		return credentials{}, err
	}
	return credentials{
		Credentials: session.Credentials{AccountURL: accountURL, AccountID: accountID, Email: email, Secrets: secrets},
		kdf:         kdf,
		verifier:    verifier,
	}, nil
}

// seal puts the secrets under the token, for one generation of the account's.
func (c credentials) seal(token session.Token, epoch int64, previous *session.Entry) (api.Enrolment, string, error) {
	sealed, err := session.Seal(token, epoch, c.Credentials, previous)
	if err != nil {
		return api.Enrolment{}, "", err
	}
	return api.Enrolment{
		Epoch:    epoch,
		Kdf:      api.KDF{Algorithm: api.KDFAlgorithm(c.kdf.Algorithm), Iterations: c.kdf.Iterations, Salt: c.kdf.Salt},
		Verifier: c.verifier,
	}, sealed, nil
}
