package firewall

import (
	"slices"
	"strings"
	"testing"
)

func TestWhatIsOverlookedInRangesIsSaid(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name   string
		ranges []string
		action string
		want   []string // a part of each remark
	}{
		{"single networks need no word", []string{"192.0.2.0/24", "198.51.100.7", "2001:db8::/32"}, "allow", nil},
		{"neighbours are not nested", []string{"192.0.2.0/25", "192.0.2.128/25"}, "allow", nil},
		{"every IPv4 address, denied", []string{"0.0.0.0/0"}, "deny",
			[]string{
				"contains all IPv4 addresses, so the rule denies all that no earlier rule allows. It contains no IPv6",
			}},
		{"every IPv6 address, let in", []string{"::/0"}, "allow",
			[]string{
				"contains all IPv6 addresses, so the rule allows all that no earlier rule denies. It contains no IPv4",
			}},
		{"both", []string{"::/0", "0.0.0.0/0"}, "report",
			[]string{"0.0.0.0/0 contains all IPv4", "::/0 contains all IPv6"}},
		{"all addresses as mapped IPv4", []string{"::ffff:0.0.0.0/96"}, "allow", []string{"all IPv4"}},
		{"one network within another", []string{"10.1.0.0/16", "10.0.0.0/8"}, "allow",
			[]string{"10.1.0.0/16 lies within 10.0.0.0/8"}},
		{"an address within a network", []string{"10.0.0.0/8", "10.9.9.9"}, "allow",
			[]string{"10.9.9.9 lies within 10.0.0.0/8"}},
		{"two within one, side by side", []string{"10.1.0.0/16", "10.3.0.0/16", "10.0.0.0/8"}, "allow",
			[]string{"10.1.0.0/16 lies within 10.0.0.0/8\n  10.3.0.0/16 lies within 10.0.0.0/8"}},
		{"one within one within another", []string{"10.1.1.0/24", "10.1.0.0/16", "10.0.0.0/8"}, "allow",
			[]string{"10.1.1.0/24 lies within 10.0.0.0/8"}},
		{"all within 0.0.0.0/0", []string{"0.0.0.0/0", "10.0.0.0/8"}, "allow",
			[]string{"contains all IPv4", "10.0.0.0/8 lies within 0.0.0.0/0"}},
		{"families do not contain each other", []string{"::/0", "10.0.0.0/8"}, "allow", []string{"contains all IPv6"}},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			remarks := describeRanges(row.ranges, row.action)
			if len(remarks) != len(row.want) {
				t.Fatalf("remarks %q, want %d", remarks, len(row.want))
			}
			for i, want := range row.want {
				if !strings.Contains(remarks[i].detail, want) {
					t.Errorf("remark %q, want %q", remarks[i].detail, want)
				}
			}
			slices.Reverse(row.ranges)
			if again := describeRanges(row.ranges, row.action); !slices.Equal(again, remarks) {
				t.Errorf("the order counts: %q and %q", again, remarks)
			}
		})
	}
}
