// Package server owns the bridge's HTTP server: the listening socket, the
// routes, authentication, the access log, the metrics, and the server of the
// control socket.
//
// Package auth decides which bearer token is right, package health describes the
// bridge's state, and package page is the status page. SCIM is a handler that is
// mounted here. The messages of the control socket are in package control.
package server
