package signup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// claims are which resources of one run manage which domains, by their names.
type claims struct{ client.Claims }

// claimAll refuses a second resource for the whole list, and single ones that
// this one would undo.
func (c *claims) claimAll(owner string, removes bool, listed []string, diags *diag.Diagnostics) {
	refuse(path.Root("domains"), c.ClaimAll(owner, removes, listed), diags)
}

// claimOne refuses to manage a domain that the whole list manages, or would remove.
func (c *claims) claimOne(name string, diags *diag.Diagnostics) {
	refuse(path.Root("domain"), c.ClaimOne(name), diags)
}

// release refuses to destroy a domain that the whole list is to keep.
func (c *claims) release(name string, diags *diag.Diagnostics) {
	refuse(path.Root("domain"), c.Release(name), diags)
}

func refuse(at path.Path, conflict client.Conflict, diags *diag.Diagnostics) {
	switch {
	case conflict.TwoLists:
		diags.AddAttributeError(at, "Two owners of the sign-up domains",
			"Another scimbridge_signup_domains of this configuration manages the list of the same account. "+
				"Each would undo what the other does: keep one.")
	case conflict.WouldRemove:
		diags.AddAttributeError(at, "Two owners of the sign-up domains",
			"A scimbridge_signup_domains with on_unmanaged = \"remove\" manages the whole list, "+
				"and a scimbridge_signup_domain of this configuration manages a domain on it. "+
				"Each would undo what the other does. List the domain in scimbridge_signup_domains and forget the single one "+
				"with a removed block, or set on_unmanaged = \"report\".")
	case conflict.DoublyManaged != "":
		diags.AddAttributeError(at, "Two owners of a sign-up domain", fmt.Sprintf(
			"Managed by a scimbridge_signup_domain and listed in scimbridge_signup_domains: %s. Keep one of the two.",
			conflict.DoublyManaged))
	case conflict.WouldDelete != "":
		diags.AddAttributeError(at, "A listed sign-up domain would be removed", fmt.Sprintf(
			"Destroying a scimbridge_signup_domain takes its domain off the account's list, "+
				"and scimbridge_signup_domains is to keep it: %s. To hand it over, forget the single resource:\n\nremoved {\n"+
				"  from = scimbridge_signup_domain.<name>\n  lifecycle {\n    destroy = false\n  }\n}",
			conflict.WouldDelete))
	}
}

func listing(names []string) string {
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}
