package provisioning

import (
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// newCredentials says for whom a Provision Manager's secrets are made.
type newCredentials struct {
	accountURL, accountID, email string
	iterations                   int // of the key derivation
}

// seal makes the secrets, and puts them under the token for one generation of
// the account's; previous lives on beside them. It returns what the account
// needs to recognise them, and the sealed session: the secrets themselves are
// nowhere else. It is the slow part (a second, by intent), and touches nothing yet.
func (n newCredentials) seal(token session.Token, epoch int64, previous *session.Previous) (enrolment api.Enrolment, sealed string, err error) {
	secrets, err := signin.GenerateSecrets()
	if err != nil {
		return api.Enrolment{}, "", err
	}
	kdf, verifier, err := signin.Enrol(n.accountID, n.email, secrets, n.iterations)
	if err != nil {
		return api.Enrolment{}, "", err
	}
	sealed, err = session.Seal(token, epoch, session.Credentials{
		AccountURL: n.accountURL, AccountID: n.accountID, Email: n.email, Secrets: secrets,
	}, previous)
	if err != nil {
		return api.Enrolment{}, "", fmt.Errorf("sealing the session: %w", err)
	}
	return api.Enrolment{
		Epoch:    epoch,
		Kdf:      api.KDF{Algorithm: api.KDFAlgorithm(kdf.Algorithm), Iterations: kdf.Iterations, Salt: kdf.Salt},
		Verifier: verifier,
	}, sealed, nil
}
