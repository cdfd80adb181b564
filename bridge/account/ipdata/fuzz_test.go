package ipdata_test

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata"
	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/ipdata/ipdatatest"
)

// Whatever a file holds, opening it ends, and what opens says nothing that is
// no answer to a question which it claims to answer.
func FuzzOpen(f *testing.F) {
	for kind, r := range map[string]record{
		"Country": ipdatatest.Country("DE", "EU"), "ASN": ipdatatest.ASN(16509),
		"Anonymous": ipdatatest.Flags("is_tor_exit_node"),
		"flat":      {"country_code": "DE", "asn": "AS16509", "vpn": "true", "hosting": 1},
	} {
		content, err := os.ReadFile(ipdatatest.Write(f, kind, map[string]record{"127.0.0.0/24": r}))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(content)
	}
	f.Fuzz(func(t *testing.T, content []byte) {
		path := filepath.Join(t.TempDir(), "fuzz.mmdb")
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		d, err := ipdata.Open(path)
		if err != nil {
			return
		}
		for _, text := range []string{"127.0.0.1", "192.0.2.1", "::1", "2001:db8::1"} {
			s := d.Subject(netip.MustParseAddr(text))
			for _, code := range s.Facts[firewall.Country] {
				if !firewall.IsCountry(code) || !slices.Contains(d.Answers(), string(firewall.Country)) {
					t.Errorf("%s is in the country %q", text, code)
				}
			}
			for _, code := range s.Facts[firewall.Continent] {
				if !firewall.IsContinent(code) || !slices.Contains(d.Answers(), string(firewall.Continent)) {
					t.Errorf("%s is on the continent %q", text, code)
				}
			}
			if missing := d.Missing(s.Facts[firewall.Anonymous]); len(missing) > 0 {
				t.Errorf("%s is %v, which the file does not claim to know", text, missing)
			}
		}
	})
}
