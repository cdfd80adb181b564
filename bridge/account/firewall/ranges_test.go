package firewall_test

import (
	"strings"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/account/firewall"
)

func TestParseRange(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, text string
		want       string // as FormatRange writes it
		wantErr    string // a part of the error
	}{
		{name: "a network", text: "192.0.2.0/24", want: "192.0.2.0/24"},
		{name: "an address is a network of one", text: "192.0.2.1", want: "192.0.2.1"},
		{name: "a network of one is an address", text: "192.0.2.1/32", want: "192.0.2.1"},
		{name: "an IPv6 network of one is an address", text: "2001:DB8:0:0::1/128", want: "2001:db8::1"},
		{name: "all of IPv4", text: "0.0.0.0/0", want: "0.0.0.0/0"},
		{name: "all of IPv6", text: "::/0", want: "::/0"},
		{name: "an IPv4-mapped address", text: "::ffff:192.0.2.1", want: "192.0.2.1"},
		{name: "an IPv4-mapped network", text: "::ffff:192.0.2.0/120", want: "192.0.2.0/24"},
		{name: "all IPv4-mapped addresses", text: "::ffff:0:0/96", want: "0.0.0.0/0"},

		{name: "host bits name both things that could be meant", text: "10.1.2.3/8",
			wantErr: "write 10.0.0.0/8 for the network, or 10.1.2.3 for the one address"},
		{name: "host bits in IPv6", text: "2001:db8::1/32", wantErr: "write 2001:db8::/32 for the network"},
		{name: "host bits in an IPv4-mapped network", text: "::ffff:10.1.2.3/104", wantErr: "write 10.0.0.0/8"},
		{name: "an IPv4-mapped network wider than IPv4", text: "::ffff:0:0/90", wantErr: "write 0.0.0.0/0"},
		{name: "a zone at an address", text: "fe80::1%eth0", wantErr: "write fe80::1"},
		{name: "a zone at a network", text: "fe80::%eth0/64", wantErr: "has a zone"},
		{name: "nothing", text: "", wantErr: "neither an IP address nor a range"},
		{name: "blanks around it", text: " 192.0.2.1", wantErr: "neither an IP address nor a range"},
		{name: "a host name", text: "example.com", wantErr: "neither an IP address nor a range"},
		{name: "a range from and to", text: "192.0.2.1-192.0.2.9", wantErr: "neither an IP address nor a range"},
		{name: "leading zeros, which some read as octal", text: "192.0.02.1",
			wantErr: "neither an IP address nor a range"},
		{name: "too many bits", text: "192.0.2.0/33", wantErr: "neither an IP address nor a range"},
		{name: "a mask", text: "192.0.2.0/255.255.255.0", wantErr: "neither an IP address nor a range"},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			p, err := firewall.ParseRange(row.text)
			if row.wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), row.wantErr) {
					t.Errorf("ParseRange(%q) = %v, %v, want an error with %q", row.text, p, err, row.wantErr)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := firewall.FormatRange(p); got != row.want {
				t.Errorf("ParseRange(%q) is written as %q, want %q", row.text, got, row.want)
			}
		})
	}
}

// What is accepted is a network in its one plain form, reads back as itself,
// and could be kept in a rule.
func FuzzParseRange(f *testing.F) {
	for _, s := range []string{
		"192.0.2.0/24", "192.0.2.1", "2001:db8::/32", "::ffff:10.0.0.0/104", "::/0", "fe80::1%eth0", "10.0.0.1/8",
		"::ffff:1.2.3.4/96",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, err := firewall.ParseRange(s)
		if err != nil {
			return
		}
		if again, err := firewall.ParseRange(firewall.FormatRange(p)); err != nil || again != p {
			t.Fatalf("%q is %v, which reads back as %v, %v", s, p, again, err)
		}
		r := firewall.Rule{Action: firewall.Allow, Match: addresses(firewall.FormatRange(p))}
		if err := r.Validate(); err != nil {
			t.Fatalf("%q is accepted, but not in a rule: %v", s, err)
		}
		policy := firewall.Policy{DefaultAction: firewall.Deny, Rules: []firewall.Rule{r}}
		if !policy.Compile().Decide(firewall.Subject{Address: p.Addr()}).Passes() {
			t.Fatalf("%q does not hold its own first address", s)
		}
	})
}
