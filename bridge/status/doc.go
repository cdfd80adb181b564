// Package status owns the bridge's face: who is let in with which token, how
// the components are, the problems found, the status page, the metrics, and
// the control socket's server with the listening socket behind it.
//
// It asks the components and decides nothing for them. What a problem means
// and what heals it stands in package problem, the messages of the control
// socket in package control.
package status
