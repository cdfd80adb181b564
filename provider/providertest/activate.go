package providertest

import (
	"net/http"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/client"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// Activate activates provisioning without Terraform, with a session that is
// sealed under the token.
func (a *Account) Activate(email string, token session.Token) api.Provisioning {
	a.t.Helper()
	ctx := a.t.Context()
	caller, err := apitest.Read[api.Caller](a.API.WhoAmI(ctx))
	Expect(a.t, http.StatusOK, caller, err)
	before, err := apitest.Read[api.Provisioning](a.API.GetProvisioning(ctx))
	Expect(a.t, http.StatusOK, before, err)

	id, epoch := caller.Value.AccountId, before.Value.NextEpoch
	secrets, enrolment, err := client.Enrol(id, email, epoch, signin.MinIterations)
	if err != nil {
		a.t.Fatal(err)
	}
	sealed, err := session.Seal(token, epoch, session.Integration{AccountURL: a.URL, AccountID: id, Email: email,
		Secrets: secrets}, nil)
	if err != nil {
		a.t.Fatal(err)
	}
	after, err := apitest.Read[api.Provisioning](a.API.ActivateProvisioning(ctx, nil, api.Activation{
		ManagerEmail: email, Enrolment: enrolment, Session: sealed,
	}))
	Expect(a.t, http.StatusCreated, after, err)
	return *after.Value
}
