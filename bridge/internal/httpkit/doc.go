// Package httpkit owns what the bridge's and the account's HTTP servers have
// in common: what is known of a request (its id, the client's address, the
// bearer token, the versions that the client has), the access log and the
// numbers about requests, answers that are kept, and the limits on what
// a client without a secret may cost: connections, bodies, log lines, and how
// often a network may have something done.
//
// Which secret is right is decided by each server, and so is what a line of
// its log shows.
package httpkit
