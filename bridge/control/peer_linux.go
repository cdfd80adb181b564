package control

import (
	"errors"
	"net"

	"golang.org/x/sys/unix"
)

// peerUser is the user of the process that listened (SO_PEERCRED, unix(7)).
func peerUser(conn *net.UnixConn) (uid int, known bool, err error) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, false, err
	}
	var cred *unix.Ucred
	var failed error
	err = raw.Control(func(fd uintptr) {
		cred, failed = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err := errors.Join(err, failed); err != nil {
		return 0, false, err
	}
	return int(cred.Uid), true, nil
}
