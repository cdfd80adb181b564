package account

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// A hundred and more addresses: a caller behind a pool of them, or a fleet of
// runners of Terraform.
func TestAdministratorsSeenMakeRoomForOthersOneByOne(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	from := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}) }
	var seen adminsSeen
	note := func(i, minute int) { seen.note(from(i), "runner", start.Add(time.Duration(minute)*time.Minute)) }
	for i := range maxAdminsSeen {
		note(i, i)
	}
	note(0, maxAdminsSeen) // again, so that it is not the oldest
	for i := range 3 {
		note(maxAdminsSeen+i, maxAdminsSeen+1+i)
	}
	var lost, kept []string
	have := make(map[string]bool)
	for _, d := range seen.list(start.Add(3 * time.Hour)) {
		have[d.Address] = true
	}
	for i := range maxAdminsSeen + 3 {
		if a := from(i).String(); have[a] {
			kept = append(kept, a)
		} else {
			lost = append(lost, a)
		}
	}
	if got, want := fmt.Sprint(lost), "[192.0.2.1 192.0.2.2 192.0.2.3]"; got != want || len(kept) != maxAdminsSeen {
		t.Errorf("forgotten are %s, want the oldest %s; %d are kept", got, want, len(kept))
	}
}
