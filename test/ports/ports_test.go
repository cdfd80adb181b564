package ports

import (
	"net"
	"testing"
)

// Two processes that test beside each other may count from the same port on.
func TestAnAddressIsOneTests(t *testing.T) {
	first := Free(t)
	again := func() { next.Add(^uint32(0)) } // as another process that stands where this one stood
	again()
	if second := Free(t); second == first {
		t.Errorf("both tests have %s", first)
	}
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", first)
	if err != nil {
		t.Fatalf("a program cannot use its address: %v", err)
	}
	l.Close()
}
