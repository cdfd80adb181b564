package server

import (
	"net"
	"testing"
)

func TestWhichListenerIsTakenOver(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, listen string
		held         net.TCPAddr
		want         bool
	}{
		{"the same address", "127.0.0.1:3002", net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3002}, true},
		{"any port will do", "127.0.0.1:0", net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 40000}, true},
		{"every address, as Go binds it", ":3002", net.TCPAddr{IP: net.IPv6unspecified, Port: 3002}, true},
		{"another port was asked for", "127.0.0.1:3003", net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3002}, false},
		{"loopback only, where every address was open", "127.0.0.1:3002",
			net.TCPAddr{IP: net.IPv6unspecified, Port: 3002},
			false},
		{"every address, where only loopback was", ":3002", net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 3002}, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			l := &Listener{Address: row.listen}
			if got := l.wouldBind(t.Context(), &row.held); got != row.want {
				t.Errorf("got %t", got)
			}
		})
	}
}

// What localhost stands for is the machine's affair: on many, ::1 comes first.
func TestANameOfManyAddressesNamesEach(t *testing.T) {
	t.Parallel()
	localhost := []net.IPAddr{{IP: net.IPv6loopback}, {IP: net.IPv4(127, 0, 0, 1)}}
	for _, row := range []struct {
		name string
		held net.IP
		want bool
	}{
		{"the first", net.IPv6loopback, true},
		{"the second, which Listen prefers", net.IPv4(127, 0, 0, 1), true},
		{"another one", net.IPv4(127, 0, 0, 9), false},
		{"every address", net.IPv6unspecified, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			if got := includes(localhost, row.held); got != row.want {
				t.Errorf("got %t", got)
			}
		})
	}
}
