// Package server owns the bridge's HTTP server: the listening socket, the
// routes, authentication, the access log, the metrics, the status page, and
// the server of the control socket.
//
// Which bearer token is right is decided by package auth, and how the bridge
// is by package health. SCIM is a handler that is mounted here; the messages of
// the control socket are package control's.
package server
