package deployment

import (
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// warnOverlap warns in every plan during an overlap, with its end and the last use of
// the old token.
func warnOverlap(diags *diag.Diagnostics, s deploy.State) {
	if s.Bridge == nil || s.Bridge.Health.Overlap == nil {
		return
	}
	diags.AddWarning("Two bearer tokens are valid",
		"The credentials were rotated: "+s.Bridge.Health.Overlap.String()+
			". Enter the new one in the identity provider before the old one stops working.")
}
