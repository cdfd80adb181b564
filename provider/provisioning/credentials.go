package provisioning

import (
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// newCredentials are the parameters of a Provision Manager's secrets.
type newCredentials struct {
	accountURL, accountID, email string
	iterations                   int // of the key derivation
}

// seal makes secrets and seals them under the token, for one epoch of the account;
// previous is added to the session. It returns what the account needs to verify
// them, and the sealed session, which alone contains them. It takes about a
// second, for the key derivation, and changes nothing at the account.
func (n newCredentials) seal(token session.Token, epoch int64, previous *session.Previous) (enrolment api.Enrolment,
	sealed string, err error) {
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
