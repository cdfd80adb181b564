package account

import (
	"net/netip"
	"testing"
	"time"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata/ipdatatest"
)

// A request may be decided at the very moment at which the firewall is enforced
// again: it is then let in because the firewall is disabled, or because of its
// country, and never refused because its country was not looked up.
func TestADecisionIsOfOneMoment(t *testing.T) {
	t.Parallel()
	const address = "203.0.113.5"
	data, err := ipdata.Open(ipdatatest.Write(t, "Country", map[string]ipdatatest.Record{
		address + "/32": ipdatatest.Country("DE", "EU"),
	}))
	if err != nil {
		t.Fatal(err)
	}
	enforced := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	state := firewall.State{DisabledUntil: enforced, Policy: firewall.Policy{
		DefaultAction: firewall.Deny,
		Rules: []firewall.Rule{{
			ID: "r", Action: firewall.Allow, Match: firewall.Match{Kind: firewall.Countries, Values: []string{"DE"}},
		}},
	}.Compile()}
	for before := range 4 { // readings of the clock before the firewall is enforced
		asked := 0
		a := &Account{IPData: data, Now: func() time.Time {
			if asked++; asked <= before {
				return enforced.Add(-time.Second)
			}
			return enforced
		}}
		if d, err := a.decideBy(state, netip.MustParseAddr(address)); err != nil || d.Result != resultOK {
			t.Errorf("enforced after %d readings of the clock: %+v, %v", before, d, err)
		}
	}
}
