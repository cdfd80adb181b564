package process

import (
	"errors"
	"testing"

	"github.com/scimbridge/terraform-provider-scimbridge/provider/deploy"
)

// What a plan says of the address must be what the apply finds, however the
// bridge writes the address that it bound.
func TestTheURLIsOfTheConfiguredAddressUnlessTheSystemChoosesThePort(t *testing.T) {
	t.Parallel()
	for _, row := range []struct{ name, listen, want string }{
		{"a host name", "localhost:3121", "http://localhost:3121"},
		{"a long IPv6 address", "[0:0:0:0:0:0:0:1]:3121", "http://[0:0:0:0:0:0:0:1]:3121"},
		{"an IPv4 address in IPv6", "[::ffff:127.0.0.1]:3121", "http://[::ffff:127.0.0.1]:3121"},
		{"every interface", ":3121", "http://127.0.0.1:3121"},
		{"every IPv6 interface", "[::]:3121", "http://127.0.0.1:3121"},
		{"a port that the system chooses", "127.0.0.1:0", ""},
		{"a port that the system chooses, for a host name", "localhost:0", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := (&Target{Listen: row.listen}).URL(); got != row.want {
				t.Errorf("got %q, want %q", got, row.want)
			}
		})
	}
}

func TestTheRegistryEntryOpensWhatItNames(t *testing.T) {
	t.Parallel()
	kind := Kind()
	target, err := kind.Open("/srv/bridge", "")
	if err != nil || target.ID() != "process:/srv/bridge" {
		t.Errorf("opened %v (%v)", target, err)
	}
	if _, err := kind.Open("srv/bridge", ""); err == nil {
		t.Error("a relative folder is opened")
	}
	there := Machine{ID: "another", Name: "build-7"}.json()
	if err := kind.Elsewhere("/srv/bridge", there); !errors.Is(err, deploy.ErrElsewhere) {
		t.Errorf("another machine's: %v", err)
	}
	for name, origin := range map[string][]byte{"this machine's": ThisMachine().json(), "one just imported": nil} {
		if err := kind.Elsewhere("/srv/bridge", origin); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestTwoListenersThatCannotBothBe(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, a, b string
		same       bool
	}{
		{"one address", "127.0.0.1:3002", "127.0.0.1:3002", true},
		{"every address and one", ":3002", "127.0.0.1:3002", true},
		{"every IPv4 address and one", "0.0.0.0:3002", "10.0.0.1:3002", true},
		{"two spellings of one port", "127.0.0.1:3002", "127.0.0.1:03002", true},
		{"two spellings of one IPv6 address", "[::1]:3002", "[0:0:0:0:0:0:0:1]:3002", true},
		{"an IPv4 address in IPv6", "127.0.0.1:3002", "[::ffff:127.0.0.1]:3002", true},
		{"localhost and its address", "LOCALHOST:3002", "127.0.0.1:3002", true},
		{"two addresses", "127.0.0.1:3002", "127.0.0.2:3002", false},
		{"two ports", "127.0.0.1:3002", "127.0.0.1:3003", false},
		{"ports that the system chooses", ":0", ":0", false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			for _, pair := range [][2]string{{row.a, row.b}, {row.b, row.a}} {
				if got := sameListener(pair[0], pair[1]); got != row.same {
					t.Errorf("sameListener(%q, %q) = %v", pair[0], pair[1], got)
				}
			}
		})
	}
}
