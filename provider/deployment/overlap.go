package deployment

import (
	"github.com/hashicorp/terraform-plugin-framework/diag"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// warnOverlap warns in every plan that two bearer tokens work, until when, and
// when the old one was last used.
func warnOverlap(diags *diag.Diagnostics, s deploy.State) {
	if s.Bridge == nil || s.Bridge.Health.Overlap == nil {
		return
	}
	diags.AddWarning("Two bearer tokens work",
		"The credentials were rotated: "+s.Bridge.Health.Overlap.String()+
			". Give the identity provider the new one before that: the old one stops working then.")
}
