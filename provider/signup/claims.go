package signup

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/terraform-plugin-framework/diag"
	"github.com/hashicorp/terraform-plugin-framework/path"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/client"
)

// claims records which resources of a run manage which domains, by name.
type claims struct{ client.Claims }

// claimAll refuses a second resource for the whole list, and single domains that this one
// would remove.
func (c *claims) claimAll(owner string, removes bool, listed []string, diags *diag.Diagnostics) {
	refuse(path.Root("domains"), c.ClaimAll(owner, removes, listed), diags)
}

// claimOne refuses to manage a domain that the whole list manages, or would remove.
func (c *claims) claimOne(name string, diags *diag.Diagnostics) {
	refuse(path.Root("domain"), c.ClaimOne(name), diags)
}

// release refuses to destroy a domain that the whole list keeps.
func (c *claims) release(name string, diags *diag.Diagnostics) {
	refuse(path.Root("domain"), c.Release(name), diags)
}

func refuse(at path.Path, conflict client.Conflict, diags *diag.Diagnostics) {
	switch {
	case conflict.TwoLists:
		diags.AddAttributeError(at, "Sign-up domains managed twice",
			"Another scimbridge_signup_domains of this configuration manages the list of the same account. "+
				"Each would undo the other's changes: remove one.")
	case conflict.WouldRemove:
		diags.AddAttributeError(at, "Sign-up domains managed twice",
			"A scimbridge_signup_domains with on_unmanaged = \"remove\" manages the whole list, "+
				"and a scimbridge_signup_domain of this configuration manages a domain in it. "+
				"Each would undo the other's changes. List the domain in scimbridge_signup_domains and remove the "+
				"single resource with a removed block, or set on_unmanaged = \"report\".")
	case conflict.DoublyManaged != "":
		diags.AddAttributeError(at, "Sign-up domain managed twice", fmt.Sprintf(
			"A scimbridge_signup_domain and a scimbridge_signup_domains manage the same domain: %s. "+
				"Remove one of the two.",
			conflict.DoublyManaged))
	case conflict.WouldDelete != "":
		diags.AddAttributeError(at, "Destroying the resource would remove a listed domain", fmt.Sprintf(
			"Destroying the scimbridge_signup_domain removes a domain that scimbridge_signup_domains lists: %s. "+
				"To keep the domain, remove the resource without destroying it:\n\nremoved {\n"+
				"  from = scimbridge_signup_domain.<name>\n  lifecycle {\n    destroy = false\n  }\n}",
			conflict.WouldDelete))
	}
}

func listing(names []string) string {
	return strings.Join(slices.Sorted(slices.Values(names)), ", ")
}
