package client

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/hashicorp/terraform-plugin-framework/diag"
)

// AccountKey is the key in private state of an object's account. Terraform before 1.12
// stores no resource identity.
const AccountKey = "account"

// Private is a resource's private state.
type Private interface {
	GetKey(ctx context.Context, key string) ([]byte, diag.Diagnostics)
	SetKey(ctx context.Context, key string, value []byte) diag.Diagnostics
}

// SameAccount returns the account that answers, and stores it with the object. It refuses
// an object of another account. Every resource calls it first: otherwise all objects would
// seem deleted after a change of account_url, and the plan would create them again.
func (c *Client) SameAccount(ctx context.Context, private Private, diags *diag.Diagnostics) (id string, ok bool) {
	caller, err := c.Caller(ctx)
	if err != nil {
		diags.Append(c.Diagnose("reach the account", err))
		return "", false
	}
	stored, d := private.GetKey(ctx, AccountKey)
	diags.Append(d...)
	var owner string
	if len(stored) > 0 {
		if err := json.Unmarshal(stored, &owner); err != nil {
			diags.AddError("Unreadable private state", fmt.Sprintf("the account that this object belongs to: %v", err))
		}
	}
	if diags.HasError() {
		return "", false
	}
	if owner == "" {
		value, _ := json.Marshal(caller.AccountId) // a string always marshals
		diags.Append(private.SetKey(ctx, AccountKey, value)...)
		return caller.AccountId, !diags.HasError()
	}
	return caller.AccountId, c.CheckOwner(owner, caller.AccountId, diags)
}

// CheckOwner refuses an object of the account owner if the account answering is another.
func (c *Client) CheckOwner(owner, answering string, diags *diag.Diagnostics) bool {
	if owner == answering {
		return true
	}
	diags.AddError("Another account answers", fmt.Sprintf(
		"This object belongs to account %q, but the account at %s is %q.\n\n"+
			"Set account_url to the right account. To move to the new account, remove the object from the state "+
			"(terraform state rm) and let Terraform create it there.",
		owner, c.URL, answering))
	return false
}
