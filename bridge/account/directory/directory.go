package directory

import (
	"sync/atomic"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/api"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/httpkit"
)

// A Directory is the people and groups of one account. It is safe for
// concurrent use.
type Directory struct {
	account *account.Account
	signUps *httpkit.Limiter
	limit   atomic.Pointer[knownLimit] // on suspensions, as it was last read
}

// New returns the account's directory. How many may sign up is counted by
// each Directory for itself.
func New(a *account.Account) *Directory {
	d := &Directory{account: a, signUps: newSignUpLimiter()}
	d.limit.Store(&knownLimit{Limit: suspensionLimit("")})
	return d
}

// The codes of refusals that only the pages for people and the commands show: as text, and never as an answer of the
// API.
const (
	codeDomainNotAllowed api.ErrorCode = "domain_not_allowed"
	codeLinkUnknown      api.ErrorCode = "link_unknown"
	codeNothingToSend    api.ErrorCode = "nothing_to_send"
)
