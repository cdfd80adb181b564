package provision

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// Directory is the account's directory with the bridge's rules applied to
// what goes in.
type Directory struct {
	bridge.Directory
	// OnAttention is called when an answer shows a person that may now wait for an
	// operator: the status page should not be a whole interval late.
	OnAttention func()
	// Unknown keeps the ids of members that are unknown.
	Unknown *UnknownMembers
}

// CreatePerson chooses the sign-in address, unless the caller did, and creates.
func (d Directory) CreatePerson(ctx context.Context, in bridge.PersonInput) (bridge.Person, error) {
	return d.notice(d.Directory.CreatePerson(ctx, withAddress(in)))
}

// ReplacePerson chooses the sign-in address, unless the caller did, and replaces.
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
		in.SignInAddress = signInAddress(in.Attributes)
	}
	return in
}
