package provisioning_test

import (
	"context"
	"encoding/json"
	"fmt"
	"regexp"

	"github.com/hashicorp/terraform-plugin-testing/statecheck"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api/apitest"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/signin"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// signsIn says that the session in the state opens with the token and signs
// in to the account; and that no secret lies in the state beside it.
type signsIn struct {
	account *providertest.Account
	token   session.Token
}

var secrets = regexp.MustCompile(`sbt1_|mp1_|sk1_`)

func (check signsIn) CheckState(ctx context.Context, req statecheck.CheckStateRequest,
	resp *statecheck.CheckStateResponse,
) {
	state, err := json.Marshal(req.State)
	if err != nil {
		resp.Error = err
		return
	}
	if found := secrets.Find(state); found != nil {
		resp.Error = fmt.Errorf("the state holds a secret that begins with %s", found)
		return
	}
	for _, r := range req.State.Values.RootModule.Resources {
		if r.Address == address {
			resp.Error = signIn(ctx, check.account.API, r.AttributeValues["session"].(string), check.token)
			return
		}
	}
	resp.Error = fmt.Errorf("%s is not in the state", address)
}

// signIn does what a bridge does first.
func signIn(ctx context.Context, account *api.Client, sealed string, token session.Token) error {
	file, err := session.Parse(sealed)
	if err != nil {
		return err
	}
	entry, ok := file.Match(token)
	if !ok {
		return fmt.Errorf("no session in the bundle of %d was sealed under the token", len(file.Entries))
	}
	opened, err := entry.Open(token)
	if err != nil {
		return err
	}
	c, ok := opened.(session.Integration)
	if !ok {
		return fmt.Errorf("the session has the credentials %T", opened)
	}
	start, err := apitest.Read[api.Handshake](account.StartSignIn(ctx,
		api.SignInStart{AccountId: c.AccountID, Email: c.Email, Epoch: entry.Header.Epoch}))
	if err != nil {
		return err
	}
	if start.Value == nil {
		return fmt.Errorf("start: %s", start.Body)
	}
	kdf := signin.KDF{Algorithm: string(start.Value.Kdf.Algorithm), Iterations: start.Value.Kdf.Iterations,
		Salt: start.Value.Kdf.Salt}
	client := signin.NewClient(c.AccountID, c.Email, entry.Header.Epoch)
	a, proof, err := client.Prove(c.Secrets, start.Value.HandshakeId, kdf, start.Value.B)
	if err != nil {
		return err
	}
	finish, err := apitest.Read[api.SignedIn](account.FinishSignIn(ctx, api.SignInFinish{
		HandshakeId: start.Value.HandshakeId, A: a, Proof: proof,
		Bridge: api.BridgeIdentity{Instance: "test", Version: "test", Revision: "1"},
	}))
	if err != nil {
		return err
	}
	if finish.Value == nil {
		return fmt.Errorf("finish: %s", finish.Body)
	}
	return client.VerifyServer(finish.Value.Proof)
}

// refused is a check that must fail.
type refused struct{ statecheck.StateCheck }

func (check refused) CheckState(ctx context.Context, req statecheck.CheckStateRequest,
	resp *statecheck.CheckStateResponse,
) {
	var within statecheck.CheckStateResponse
	check.StateCheck.CheckState(ctx, req, &within)
	if within.Error == nil {
		resp.Error = fmt.Errorf("the old pair still works")
	}
}
