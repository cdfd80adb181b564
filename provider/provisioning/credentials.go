package provisioning

import (
	"fmt"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	account "github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// newCredentials are the parameters of a Provision Manager's secrets.
type newCredentials struct {
	accountURL, accountID, email string
	iterations                   int // of the key derivation
}

// seal generates secrets and seals them under the token, for one epoch of the account;
// previous is added to the session. It returns the enrolment of the secrets and the
// session, which alone contains them. It takes about a second, for the key derivation, and
// does not call the account.
func (n newCredentials) seal(token session.Token, epoch int64, previous *session.Previous) (enrolment api.Enrolment,
	sealed string, err error) {
	secrets, enrolment, err := account.Enrol(n.accountID, n.email, epoch, n.iterations)
	if err != nil {
		return api.Enrolment{}, "", err
	}
	sealed, err = session.Seal(token, epoch, session.Integration{
		AccountURL: n.accountURL, AccountID: n.accountID, Email: n.email, Secrets: secrets,
	}, previous)
	if err != nil {
		return api.Enrolment{}, "", fmt.Errorf("sealing the session: %w", err)
	}
	return enrolment, sealed, nil
}
