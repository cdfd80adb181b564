package httpkit

import "testing"

func TestDescriptorsLeaveAReserve(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name                    string
		limit, servers, in, out int
	}{
		{"a system without a limit", 0, 1, 1024, 256},
		{"plenty", 1 << 20, 1, 1024, 256},
		{"just enough for all", 1344, 1, 1024, 256},
		{"what many systems allow", 1024, 1, 704, 256},
		{"two servers share", 1024, 2, 352, 256},
		{"a small container", 256, 1, 152, 64},
		{"hardly any", 64, 1, 20, 16},
		{"none to speak of", 16, 1, 8, 8},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := shareDescriptors(row.limit, row.servers); got.Inbound != row.in || got.Outbound != row.out {
				t.Errorf("got %+v, want %d and %d", got, row.in, row.out)
			}
		})
	}
}
