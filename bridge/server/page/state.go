package page

import (
	"fmt"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/control"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/health"
)

// State says first of all whether the bridge works, in words and colour.
func State() Section {
	return Section{
		Name: "state", Unconfirmed: true,
		Data: func(v *Visit) any {
			return stateBanner{
				State: v.Health.State, SigningIn: v.Status.State == control.SigningIn,
				Problems: len(v.Health.Problems), Now: v.Now, Taken: v.Health.RetrievedAt,
			}
		},
	}
}

type stateBanner struct {
	State     string
	SigningIn bool // to the account: no request can be carried out yet
	Problems  int
	Now       time.Time
	Taken     time.Time
}

// stateWord is how people are told a state of a bridge or a component.
func stateWord(state string) string {
	switch state {
	case health.Healthy:
		return "Healthy"
	case health.Degraded:
		return "Needs attention"
	case health.Sealed:
		return "Sealed"
	case health.Unhealthy:
		return "Not working"
	case health.Unknown:
		return "Not known yet"
	case "refused":
		return "Refused"
	case "stopped":
		return "Stopped"
	case "lost":
		return "Not heard of"
	}
	return capitalise(state)
}

// Meaning says what the state means for the identity provider.
func (b stateBanner) Meaning() string {
	problems := "the problem below says why and what to do."
	if b.Problems != 1 {
		problems = fmt.Sprintf("the %d problems below say why and what to do.", b.Problems)
	}
	if b.Problems == 0 {
		problems = "the components below say which part."
	}
	switch {
	case b.SigningIn:
		return "Requests of the identity provider wait until the bridge has signed in to the account, which it tries " +
			"now. If this lasts longer than a minute, the account does not answer: see its log."
	case b.State == health.Healthy:
		return "Requests of the identity provider are carried out. Nothing needs you."
	case b.State == health.Degraded:
		return "Requests of the identity provider are carried out, but something needs you: " + problems
	case b.State == health.Sealed:
		return "Requests of the identity provider wait until the bridge has its bearer token: " + problems
	default:
		return "Requests of the identity provider are refused, and it repeats them later: " + problems
	}
}
