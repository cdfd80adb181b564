package account

import (
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/problem"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/session"
)

// CredentialState returns what the account has said of the credentials.
func (c *Connector) CredentialState() session.CredentialState {
	s := c.State()
	return session.CredentialState{
		Epoch:       s.Epoch,
		Proved:      s.Proved,
		Outdated:    s.Problem != nil && s.Problem.Code == problem.CredentialsChanged,
		Expired:     s.Expired,
		Generations: each(s.Generations, toGeneration),
	}
}

func toGeneration(g api.Generation) session.Generation {
	return session.Generation{Epoch: g.Epoch, Expires: value(g.ExpiresAt)}
}
