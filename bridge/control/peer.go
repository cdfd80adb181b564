package control

import (
	"fmt"
	"net"
	"os"

	"github.com/scimbridge/terraform-provider-scimbridge/bridge/datadir"
)

// checkPeer refuses to show a secret to a process of another user, root's
// aside: a user that may write in the data folder could have put a socket there.
// Root shows it to the user that root gave the data folder to, too: the one that
// a service manager runs the bridge as.
func checkPeer(conn *net.UnixConn, folder string) error {
	uid, known, err := peerUser(conn)
	if err != nil {
		return fmt.Errorf("asking which user's process answers at the control socket: %w", err)
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
		return fmt.Errorf("a process of user %d answers at the control socket, and this is user %d: "+
			"it is not shown the token; run this as the user that the bridge runs as, and see who may write in the data folder",
			uid, me)
	}
	return nil
}
