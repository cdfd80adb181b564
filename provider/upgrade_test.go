package provider_test

import (
	"testing"

	"github.com/hashicorp/terraform-plugin-go/tfprotov6"
	"github.com/hashicorp/terraform-plugin-go/tftypes"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/providertest"
)

// A state of an older version lacks arguments that came later. Planned without
// a refresh, their defaults are an update, and Terraform before 1.12 hands
// over no identity with it.
func TestAnOlderStateIsUpdatedWithoutARefresh(t *testing.T) {
	t.Parallel()
	for _, o := range []managed{
		{"domain", "scimbridge_signup_domain", `{"domain": "one.example"}`},
		{"rule", "scimbridge_firewall_rule", `{"ip_ranges": ["192.0.2.0/24"]}`},
	} {
		t.Run(o.name, func(t *testing.T) {
			t.Parallel()
			account := providertest.NewAccount(t)
			states, private := make(map[string]*tfprotov6.DynamicValue), make(map[string][]byte)
			runOnce(t, account, []managed{o}, []int{0}, states, private)
			tf := newTerraform(t, account)
			kind := tf.schemas.ResourceSchemas[o.kind].ValueType()
			values, _ := tf.decode(kind, states[o.name])
			values["adopt_existing"] = tftypes.NewValue(tftypes.Bool, nil)
			older := tf.dynamic(kind, tftypes.NewValue(kind, values))
			second, secondPrivate := tf.planned(o, older, private[o.name])
			applied, err := tf.ApplyResourceChange(t.Context(), &tfprotov6.ApplyResourceChangeRequest{
				TypeName: o.kind, PriorState: older, Config: tf.config(o), PlannedState: tf.dynamic(kind, second),
				PlannedPrivate: secondPrivate,
			})
			tf.expectNoErrors("update", applied.Diagnostics, err)
		})
	}
}
