package page

import (
	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/internal/inputtext"
)

// Waiting shows the people who wait for something.
func Waiting(list func() []bridge.Attention) Section {
	return Section{
		Name: "waiting",
		Data: func(*Visit) any {
			people := []waitingPerson{}
			for _, a := range list() {
				people = append(people, waitingPerson{a})
			}
			return people
		},
	}
}

type waitingPerson struct{ bridge.Attention }

// For says what a person waits for.
func (p waitingPerson) For() string { return inputtext.Line(describeKind(p.Attention)) }

func describeKind(a bridge.Attention) string {
	switch a.Kind {
	case bridge.AddressMissing:
		return "was not invited: no e-mail address"
	case bridge.AddressTaken:
		return "was not invited: " + a.Address + " is another person's address"
	case bridge.SignupDomainMissing:
		return "address change to " + a.Address + " waits for the domain " + a.Domain + " to be allowed"
	case bridge.AddressUnconfirmed:
		return "has not yet confirmed the new address " + a.Address
	case bridge.InvitationOpen:
		return "was invited and has not yet accepted"
	case bridge.ConfirmationDue:
		return "accepted and not yet confirmed"
	default:
		return string(a.Kind)
	}
}
