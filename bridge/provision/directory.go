package provision

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// Directory is the account's directory with the bridge's rules applied to input.
type Directory struct {
	bridge.Directory
	// OnAttention is called when a person may now need an operator, so that the status
	// page shows this without waiting for the next interval.
	OnAttention func()
	// Unknown records unknown members.
	Unknown *UnknownMembers
}

// CreatePerson creates a person. It chooses the sign-in address, unless the input has one.
func (d Directory) CreatePerson(ctx context.Context, in bridge.PersonInput) (bridge.Person, error) {
	return d.notice(d.Directory.CreatePerson(ctx, withAddress(in)))
}

// ReplacePerson replaces a person. It chooses the sign-in address, unless the input has one.
func (d Directory) ReplacePerson(ctx context.Context, id string, in bridge.PersonInput,
	ifMatch string) (bridge.Person, error) {
	return d.notice(d.Directory.ReplacePerson(ctx, id, withAddress(in), ifMatch))
}

func (d Directory) notice(p bridge.Person, err error) (bridge.Person, error) {
	if err == nil && (p.State == bridge.NotInvited || p.PendingAddress != "") {
		d.OnAttention()
	}
	return p, err
}

func withAddress(in bridge.PersonInput) bridge.PersonInput {
	if in.SignInAddress == "" {
		in.SignInAddress = SignInAddress(in.Attributes)
	}
	return in
}
