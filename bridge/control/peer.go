package control

import (
	"fmt"
	"net"
	"os"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/datadir"
)

// checkPeer refuses to send a secret to a process of any user but this one and root: a user
// that can write to the data folder could have placed a socket there. As root, it also accepts the
// user that root gave the data folder to, as which a service manager runs the bridge.
func checkPeer(conn *net.UnixConn, folder string) error {
	uid, known, err := peerUser(conn)
	if err != nil {
		return fmt.Errorf("getting the user of the process at the control socket: %w", err)
	}
	if !known {
		return nil
	}
	me := os.Geteuid()
	if me == 0 && datadir.CheckGiven(folder, uid, "data folder") == nil {
		return nil
	}
	return checkUser(uid, me)
}

func checkUser(uid, me int) error {
	if uid != 0 && uid != me {
		return fmt.Errorf("a process of user %d answers at the control socket, but this is user %d, "+
			"so the token is not sent: run this command as the bridge's user, "+
			"and check who can write to the data folder",
			uid, me)
	}
	return nil
}
