package server

import (
	"net"

	"golang.org/x/sys/unix"
)

// ignoreConnects lets the kernel drop requests for new connections to a listener, while those
// that are being made are completed. A client that is not answered tries again, and finds the
// listener closed. Without this a client could have connected, and sent its request, in the
// moment before the listener is closed: the kernel then resets the connection.
func ignoreConnects(l net.Listener) error {
	tcp, ok := l.(*net.TCPListener)
	if !ok {
		return nil
	}
	raw, err := tcp.SyscallConn()
	if err != nil {
		return err
	}
	// A classic BPF program, over a packet that begins with its TCP header: drop it if SYN is
	// set in the flags (RFC 9293, 3.1).
	const offsetOfFlags, flagSYN, all = 13, 0x02, 0xffffffff
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: offsetOfFlags},
		{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jt: 0, Jf: 1, K: flagSYN},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},
		{Code: unix.BPF_RET | unix.BPF_K, K: all},
	}
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
			&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
	})
	if err != nil {
		return err
	}
	return failed
}
