package client

import (
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
)

// Enrol generates secrets of the Provision Manager with this e-mail address, and the
// enrolment by which the account can verify them. It does not call the account.
func Enrol(accountID, email string, epoch int64, iterations int) (signin.Secrets, api.Enrolment, error) {
	secrets, err := signin.GenerateSecrets()
	if err != nil {
		return secrets, api.Enrolment{}, err
	}
	kdf, verifier, err := signin.Enrol(accountID, email, secrets, iterations)
	return secrets, api.Enrolment{
		Epoch:    epoch,
		Kdf:      api.KDF{Algorithm: api.KDFAlgorithm(kdf.Algorithm), Iterations: kdf.Iterations, Salt: kdf.Salt},
		Verifier: verifier,
	}, err
}
