package provision

import (
	"context"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge"
)

// Directory is the account's directory with the bridge's rules applied to
// what goes in.
type Directory struct{ bridge.Directory }

// CreatePerson chooses the sign-in address, unless the caller did, and creates.
func (d Directory) CreatePerson(ctx context.Context, in bridge.PersonInput) (bridge.Person, error) {
	return d.Directory.CreatePerson(ctx, withAddress(in))
}

// ReplacePerson chooses the sign-in address, unless the caller did, and replaces.
func (d Directory) ReplacePerson(ctx context.Context, id string, in bridge.PersonInput, ifMatch string) (bridge.Person, error) {
	return d.Directory.ReplacePerson(ctx, id, withAddress(in), ifMatch)
}

func withAddress(in bridge.PersonInput) bridge.PersonInput {
	if in.SignInAddress == "" {
		in.SignInAddress = signInAddress(in.Attributes)
	}
	return in
}
