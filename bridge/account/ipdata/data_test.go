package ipdata

import (
	"slices"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

// What no row of the table reads is known of no address: rules on it would be
// refused for ever.
func TestEveryFactIsRead(t *testing.T) {
	t.Parallel()
	for _, fact := range firewall.FactNames() {
		if !slices.ContainsFunc(data, func(d datum) bool { return d.fact == fact }) {
			t.Errorf("nothing is read of %s", fact)
		}
	}
	for _, kind := range firewall.AnonymousKinds() {
		if !slices.ContainsFunc(data, func(d datum) bool { return d.name == kind }) {
			t.Errorf("nothing is read of %s", kind)
		}
	}
}
