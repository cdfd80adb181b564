package ports

import (
	"net"
	"testing"
	"time"
)

// Two processes that test beside each other may count from the same port on.
func TestAnAddressIsOneTests(t *testing.T) {
	first := Free(t)
	again := func() { next.Add(^uint32(0)) } // as another process that stands where this one stood
	again()
	if second := Free(t); second == first {
		t.Errorf("both tests have %s", first)
	}
	l := Listen(t, first) // as a program that the address is for
	defer l.Close()
	again()
	again()
	if third := Free(t); third == first {
		t.Errorf("%s is another test's, and in use", first)
	}
}

// A listener that was closed lives on in a process that has a copy of it.
func TestAnAddressIsWaitedFor(t *testing.T) {
	l := Listen(t, Free(t))
	copied, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	time.AfterFunc(100*time.Millisecond, func() { copied.Close() })
	Listen(t, l.Addr().String()).Close()
}
