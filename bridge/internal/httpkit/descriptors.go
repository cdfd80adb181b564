package httpkit

// Descriptors is how the files and connections that this process may have open
// are shared out, so that no flood of connections takes those from under the
// control socket, the database and the way to the account.
type Descriptors struct {
	// Inbound connections of each server in the process.
	Inbound int
	// Outbound connections, to the account.
	Outbound int
}

const (
	mostInbound  = 1024
	mostOutbound = 256
	leastOfEach  = 8
)

// ShareDescriptors shares out what the system allows among a process's servers.
func ShareDescriptors(servers int) Descriptors {
	return shareDescriptors(openFilesLimit(), servers)
}

// shareDescriptors takes 0 for a system that has no limit.
func shareDescriptors(limit, servers int) Descriptors {
	if limit == 0 {
		return Descriptors{Inbound: mostInbound, Outbound: mostOutbound}
	}
	outbound := min(mostOutbound, limit/4)
	files := 24 + min(40, limit/16) // database, log, sockets, and what the runtime needs
	return Descriptors{
		Inbound:  max(leastOfEach, min(mostInbound, (limit-outbound-files)/servers)),
		Outbound: max(leastOfEach, outbound),
	}
}
