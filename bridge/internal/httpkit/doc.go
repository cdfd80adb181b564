// Package httpkit owns what the bridge's and the account's HTTP servers have
// in common: from where a request comes, the id that it is given, the numbers
// about requests, and the limits on what somebody without a secret may cost:
// connections, bodies, log lines, and how often a network may have something
// done. Authentication and the access log are each server's own.
package httpkit
