package client

import (
	"context"
	"crypto/rand"
	"encoding/json"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// ownerKey is where private state keeps what tells one resource from another
// of its type: no request says the address.
const ownerKey = "owner"

// OwnerOf is the resource's mark, made when it is first seen: by it, two
// resources that would own the same whole are told apart within a run.
func OwnerOf(ctx context.Context, private Private, diags *diag.Diagnostics) (owner string) {
	stored, d := private.GetKey(ctx, ownerKey)
	diags.Append(d...)
	if json.Unmarshal(stored, &owner) == nil && owner != "" {
		return owner
	}
	owner = rand.Text()
	value, _ := json.Marshal(owner) // a string always marshals
	diags.Append(private.SetKey(ctx, ownerKey, value)...)
	return owner
}
